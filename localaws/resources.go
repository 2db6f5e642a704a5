package localaws

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/servicereference"
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
func (g *Gateway) questions(ctx context.Context, call api.Call) ([]question, error) {
	all, err := g.dependentQuestions(ctx, call)
	if err != nil {
		return nil, err
	}
	name := actionOf(call)
	action, known, err := g.options.Reference.Action(name)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, notModelled("%s: AWS has no action %s", call.Action(), name)
	}
	resources, err := g.resources(ctx, call, action)
	if err != nil {
		return nil, err
	}
	keys := requestKeys(call)
	for _, resource := range resources {
		all = append(all, question{action: action.Name, resource: resource, keys: keys})
	}
	more, err := g.topicKeyQuestions(ctx, call)
	return append(all, more...), err
}

// resources are the ARNs that a caller must be allowed: one of each required type at least, which is open where the call
// does not say it, and those that the call names of the others.
func (g *Gateway) resources(ctx context.Context, call api.Call, action servicereference.Action) ([]string, error) {
	var arns []string
	for _, kind := range action.ResourceTypes {
		find, ok := finders[call.Service][kind.Name]
		if !ok && kind.Required {
			// Whoever may do everything needs no resource, unless an organization policy may take something away.
			if free, err := g.unlimited(call.Principal); err != nil || free {
				return nil, err
			}
			return nil, notModelled("the resource type %s of %s, so it cannot be authorized", kind.Name, call.Action())
		}
		if !ok {
			continue
		}
		names, err := find(ctx, g, call)
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

// operationsActions are the operations that are another action. Those of S3 are in bucketOperations and objectOperations.
var operationsActions = map[string]string{
	"sns:PublishBatch":       "sns:Publish",       // https://docs.aws.amazon.com/sns/latest/dg/sns-batch-api-actions.html
	"sqs:SendMessageBatch":   "sqs:SendMessage",   // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
	"sqs:DeleteMessageBatch": "sqs:DeleteMessage", // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
}

// actionOf is the action of a policy that a call is.
func actionOf(call api.Call) string {
	if call.Service == "s3" {
		return "s3:" + s3Action(call)
	}
	if action, ok := operationsActions[call.Action()]; ok {
		return action
	}
	return iamPrefix(call.Service) + ":" + call.Operation
}

// iamPrefix is the prefix of a service's actions, which for most is its signing name.
func iamPrefix(service string) string {
	if service == "monitoring" {
		return "cloudwatch"
	}
	return service
}

func s3Action(call api.Call) string {
	operation, _ := s3ByName(call.Operation)
	action := operation.action
	if action == "" {
		action = operation.name
	}
	if call.Input["VersionId"] != nil && (action == "GetObject" || action == "DeleteObject") {
		action += "Version"
	}
	return action
}

// requestKeys are the condition keys that a call itself gives, as far as policies in use here name them.
func requestKeys(call api.Call) map[string][]string {
	switch call.Action() {
	case "iam:AttachRolePolicy", "iam:DetachRolePolicy":
		return map[string][]string{"iam:PolicyARN": {text(call.Input, "PolicyArn")}}
	case "iam:CreateServiceLinkedRole":
		return map[string][]string{"iam:AWSServiceName": {text(call.Input, "AWSServiceName")}}
	}
	return nil
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
			return api.Partition
		case "${Region}":
			return call.Region
		case "${Account}":
			return api.Account
		}
		next++
		if next > len(n) || n[next-1] == "" {
			return "*"
		}
		return n[next-1]
	})
}

// finder finds the resources of one type that a call names.
type finder func(ctx context.Context, g *Gateway, call api.Call) ([]named, error)

// in finds resources whose names or ARNs stand in a member of the input; of several members the first that is there counts.
// A member is a path, and may hold a list.
func in(members ...string) finder {
	return func(_ context.Context, _ *Gateway, call api.Call) ([]named, error) {
		var names []named
		for _, name := range first(call, members...) {
			names = append(names, named{name})
		}
		return names, nil
	}
}

// parts finds the one resource whose name is made of several members.
func parts(members ...string) finder {
	return func(_ context.Context, _ *Gateway, call api.Call) ([]named, error) {
		var name named
		for _, member := range members {
			name = append(name, text(call.Input, member))
		}
		return []named{name}, nil
	}
}

// first are the texts in the first of several members that has some.
func first(call api.Call, members ...string) []string {
	for _, member := range members {
		var found []string
		for _, name := range texts(call.Input, member) {
			if name != "" {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// finders say where the calls of each service, by its signing name, name the resources of each type.
var finders = map[string]map[string]finder{
	"cloudformation": {
		"stack":    in("StackName"),
		"stackset": in("StackSetName"),
	},
	"cloudtrail": {
		"eventdatastore": in("EventDataStore"),
		"trail":          in("Name", "TrailName", "ResourceId", "ResourceIdList"),
	},
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
		"group":            findGroup,
		"instance-profile": in("InstanceProfileName"),
		"policy":           findPolicy,
		"role":             findRole,
		"user":             findUser,
	},
	"kms": {
		"alias": findAlias,
		"key":   findKey,
	},
	"logs": {
		"log-group":  findLogGroup,
		"log-stream": parts("logGroupName", "logStreamName"),
	},
	"monitoring": {
		"alarm": in("AlarmName", "AlarmNames", "ResourceARN"),
	},
	"organizations": {
		"account":            findAccount,
		"organizationalunit": findUnit,
		"policy":             findOrganizationPolicy,
		"root":               findRoot,
	},
	"s3": {
		"bucket": in("Bucket"),
		"object": findObject,
	},
	"sns": {
		"topic": in("TopicArn", "ResourceArn", "Name"),
	},
	"sqs": {
		"queue": findQueue,
	},
	"ssm": {
		"automation-definition": findDefinition,
		"automation-execution":  in("AutomationExecutionId"),
		"document":              findDocument,
	},
	"sts": {
		"role": in("RoleArn"),
	},
}

// texts are the strings at a path of members, through lists.
func texts(input any, path string) []string {
	switch value := input.(type) {
	case string:
		if path == "" {
			return []string{value}
		}
	case []any:
		var all []string
		for _, item := range value {
			all = append(all, texts(item, path)...)
		}
		return all
	case map[string]any:
		name, rest, _ := strings.Cut(path, ".")
		if member, ok := value[name]; ok {
			return texts(member, rest)
		}
	}
	return nil
}

// text is the first string at a path of members; empty if there is none.
func text(input any, path string) string {
	if all := texts(input, path); len(all) > 0 {
		return all[0]
	}
	return ""
}

// arnOf is the ARN of a resource of the called service, in the Region of the call.
func arnOf(call api.Call, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", api.Partition, iamPrefix(call.Service), call.Region, api.Account, resource)
}
