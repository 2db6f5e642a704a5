package iam

import (
	"context"
	"fmt"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
)

// questions are all that a call must be allowed: the action on each resource, and what else AWS asks of the caller. Which
// resources an action takes the Service Authorization Reference says; where a call names them, finders do.
func (a *Authorizer) questions(ctx context.Context, call api.Call) ([]question, error) {
	all, err := a.dependentQuestions(ctx, call)
	if err != nil {
		return nil, err
	}
	name := actionOf(call)
	action, known, err := a.options.Reference.Action(name)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, api.NotModelled("%s: AWS has no action %s", call.Action(), name)
	}
	resources, err := a.resources(ctx, call, action)
	if err != nil {
		return nil, err
	}
	keys := requestKeys(call)
	if err := a.addPolicyType(ctx, call, action, keys); err != nil {
		return nil, err
	}
	for _, resource := range resources {
		all = append(all, question{action: action.Name, resource: resource, keys: keys})
	}
	more, err := a.topicKeyQuestions(ctx, call)
	return append(all, more...), err
}

// resources are the ARNs that a caller must be allowed: one of each required type at least, which is open where the call
// does not say it, and those that the call names of the others.
func (a *Authorizer) resources(ctx context.Context, call api.Call, action servicereference.Action) ([]string, error) {
	var arns []string
	for _, kind := range action.ResourceTypes {
		find := finderOf(call.Service, kind.Name)
		if find == nil && kind.Required {
			// Whoever may do everything needs no resource, unless an organization policy may take something away.
			if free, err := a.unlimited(ctx, call.Principal); err != nil || free {
				return nil, err
			}
			return nil, api.NotModelled("the resource type %s of %s, so it cannot be authorized", kind.Name, call.Action())
		}
		if find == nil {
			continue
		}
		names, err := find(ctx, a, call)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 && kind.Required {
			names = []named{{}}
		}
		for _, name := range names {
			arns = append(arns, name.arn(kind, call))
		}
	}
	if len(arns) == 0 {
		arns = []string{anyResource}
	}
	return arns, nil
}

// actionOf is the action of a policy that a call is. That on a version of an object is an action of its own.
func actionOf(call api.Call) string {
	action := catalog.Of(call.Service, call.Operation).Action
	if call.Input["VersionId"] != nil && (action == "s3:GetObject" || action == "s3:DeleteObject") {
		action += "Version"
	}
	return action
}

// requestKeys are the condition keys that a call itself gives, as far as policies in use here name them.
func requestKeys(call api.Call) map[string][]string {
	keys := map[string][]string{}
	for key, member := range catalog.Of(call.Service, call.Operation).Keys {
		keys[key] = call.Texts(member)
		if len(keys[key]) == 0 {
			keys[key] = []string{""}
		}
	}
	// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
	if encryption, ok := call.Input["EncryptionContext"].(map[string]any); ok && call.Service == "kms" {
		for name, value := range encryption {
			keys["kms:EncryptionContext:"+name] = []string{fmt.Sprint(value)}
		}
	}
	return keys
}

// addPolicyType adds the type of the policy of AWS Organizations that a call names by its id.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_permissions_overview.html#orgs_permissions_conditionkeys
func (a *Authorizer) addPolicyType(ctx context.Context, call api.Call, action servicereference.Action, keys map[string][]string) error {
	id := call.Text("PolicyId")
	if call.Service != "organizations" || id == "" || a.options.PolicyType == nil || !action.HasKey(policyType) {
		return nil
	}
	kind, err := a.options.PolicyType(ctx, call.Account, id)
	if err != nil {
		return fmt.Errorf("asking for the type of policy %s: %w", id, err)
	}
	if kind != "" {
		keys[policyType] = []string{kind}
	}
	return nil
}

const policyType = "organizations:PolicyType"

// finderOf finds the resources of a type that the calls of a service name; nil if it is not known where they do.
func finderOf(service, resourceType string) finder {
	if find, ok := finders[service][resourceType]; ok {
		return find
	}
	if members, ok := catalog.Find(service).Resources[resourceType]; ok {
		return in(members...)
	}
	return nil
}

// finders say where the calls of each service, by its signing name, name the resources of those types of which the catalogue
// cannot say it.
var finders = map[string]map[string]finder{
	"config": {
		"ConfigRule":               configRule.find,
		"ConfigurationRecorder":    configRecorder.find,
		"RemediationConfiguration": configRemediation.find,
	},
	"events": {
		"event-bus":                 findEventBus,
		"rule-on-custom-event-bus":  findRule,
		"rule-on-default-event-bus": findDefaultRule,
	},
	"iam": {
		"group":  findGroup,
		"policy": findPolicy,
		"role":   findRole,
		"user":   findUser,
	},
	"kms": {
		"alias": findAlias,
		"key":   findKey,
	},
	"logs": {
		"log-group":  findLogGroup,
		"log-stream": parts("logGroupName", "logStreamName"),
	},
	"organizations": {
		"account":            findAccount,
		"organizationalunit": findUnit,
		"policy":             findOrganizationPolicy,
		"root":               findRoot,
	},
	"s3":  {"object": findObject},
	"sqs": {"queue": findQueue},
	"ssm": {
		"automation-definition": findDefinition,
		"document":              findDocument,
	},
}
