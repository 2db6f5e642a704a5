package iam

import (
	"cmp"
	"context"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
)

// anyResource is the resource of an action that takes none.
const anyResource = "*"

// question is one thing that a call must be allowed.
type question struct {
	action, resource string
	keys             map[string][]string // condition keys
	via              string              // the service that asks for the action: see sent
	code             string              // of the refusal, if it is not that of the service's protocol
}

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
			if free, err := a.unlimited(call.Principal); err != nil || free {
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
		keys[key] = []string{call.Text(member)}
	}
	return keys
}

// named is a resource that a call names: by the values of the variables in the type's ARN that are neither partition,
// Region nor account, in their order, or by the ARN itself.
type named []string

// arnVariable is a variable in the form of an ARN.
var arnVariable = regexp.MustCompile(`\$\{(\w+)\}`)

// arn fills in the form of the type's ARN. What is not known stays open: *.
func (n named) arn(kind servicereference.ResourceType, call api.Call) string {
	if len(n) == 1 && (strings.HasPrefix(n[0], "arn:") || n[0] == anyResource) {
		return n[0]
	}
	next := 0
	return arnVariable.ReplaceAllStringFunc(kind.ARN, func(variable string) string {
		switch variable {
		case "${Partition}":
			return call.Partition
		case "${Region}":
			return call.Region
		case "${Account}":
			return call.Account
		}
		next++
		if next > len(n) || n[next-1] == "" {
			return "*"
		}
		return n[next-1]
	})
}

// finder finds the resources of one type that a call names.
type finder func(ctx context.Context, a *Authorizer, call api.Call) ([]named, error)

// in finds resources whose names or ARNs stand in a member of the input; of several members the first that is there counts.
// A member is a path, and may hold a list.
func in(members ...string) finder {
	return func(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
		var names []named
		for _, name := range call.First(members...) {
			names = append(names, named{name})
		}
		return names, nil
	}
}

// parts finds the one resource whose name is made of several members.
func parts(members ...string) finder {
	return func(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
		var name named
		for _, member := range members {
			name = append(name, call.Text(member))
		}
		return []named{name}, nil
	}
}

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

// arnOf is the ARN of a resource of the called service, in the Region of the call.
func arnOf(call api.Call, resource string) string {
	service := catalog.Find(call.Service)
	return call.ARN(cmp.Or(service.Prefix, service.Name), resource)
}
