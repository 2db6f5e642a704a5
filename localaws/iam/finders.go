package iam

import (
	"context"
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

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

// findObject finds the objects of S3.
func findObject(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	var names []named
	for _, key := range call.First("Key", "Delete.Object.Key") {
		names = append(names, named{call.Text("Bucket"), key})
	}
	return names, nil
}

// findQueue finds a queue, whose URL holds its account.
func findQueue(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	var names []named
	for _, queue := range call.First("QueueUrl", "QueueName") {
		place, fields := call.Place, strings.Split(queue, "/")
		if len(fields) > 1 {
			place.Account = fields[len(fields)-2]
		}
		names = append(names, named{place.ARN("sqs", fields[len(fields)-1])})
	}
	return names, nil
}

// findLogGroup finds a log group, whose ARN ends in :* but for the actions on tags.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
func findLogGroup(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	if tagged := call.Text("resourceArn"); tagged != "" {
		return []named{{tagged}}, nil
	}
	var names []named
	for _, group := range call.First("logGroupName", "logGroupIdentifier") {
		if !strings.HasPrefix(group, "arn:") {
			group = arnOf(call, "log-group:"+group)
		}
		names = append(names, named{strings.TrimSuffix(group, ":*") + ":*"})
	}
	return names, nil
}

// findDocument finds a document of Systems Manager, also where it is one of the resources that can have tags.
func findDocument(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	if kind := call.Text("ResourceType"); kind != "" && kind != "Document" {
		return nil, nil
	}
	return in("DocumentName", "Name", "ResourceId")(ctx, a, call)
}

// findDefinition finds the document as what Automation runs.
func findDefinition(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	version := call.Text("DocumentVersion")
	if version == "" {
		version = "$DEFAULT"
	}
	return []named{{api.AfterLast(call.Text("DocumentName"), "/"), version}}, nil
}

// bus is the event bus of a call; empty for the default one.
func bus(call api.Call) string {
	if name := call.Text("EventBusName"); name != "default" {
		return name
	}
	return ""
}

func findEventBus(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	var names []named
	for _, name := range call.First("Entries.EventBusName", "Name", "ResourceARN") {
		names = append(names, named{name})
	}
	if len(names) == 0 {
		names = []named{{"default"}}
	}
	return names, nil
}

// findRule finds a rule on an event bus of one's own.
func findRule(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	if bus(call) == "" {
		return nil, nil
	}
	return []named{{bus(call), call.Text("Rule") + call.Text("Name")}}, nil
}

// findDefaultRule finds a rule on the default event bus.
func findDefaultRule(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	if bus(call) != "" {
		return nil, nil
	}
	return in("Rule", "Name", "ResourceARN")(ctx, a, call)
}

// findAlias finds the alias of a key.
func findAlias(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	return []named{{strings.TrimPrefix(call.Text("AliasName"), "alias/")}}, nil
}

// findKey finds the key of a call: that of an alias if there is no other, and the alias's present one when it changes.
// https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
func findKey(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	ids := call.First("KeyId", "TargetKeyId", "AliasName")
	if call.Operation == "UpdateAlias" {
		ids = append(ids, call.Text("AliasName"))
	}
	var names []named
	for _, id := range ids {
		key, err := a.Key(ctx, id)
		if api.IsRefusal(err) {
			// There is no such key: the service says so itself.
			names = append(names, named{anyResource})
			continue
		}
		if err != nil {
			return nil, err
		}
		names = append(names, named{key.ARN})
	}
	return names, nil
}

// withPath is the name of an identity of IAM after its path.
func withPath(call api.Call, name string) named {
	return named{strings.TrimPrefix(call.Text("Path")+name, "/")}
}

// serviceLinkedRoles are the roles that CreateServiceLinkedRole makes, by service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
var serviceLinkedRoles = map[string]string{
	"cloudtrail.amazonaws.com":         "AWSServiceRoleForCloudTrail",
	"config.amazonaws.com":             "AWSServiceRoleForConfig",
	"remediation.config.amazonaws.com": "AWSServiceRoleForConfigRemediation",
}

// findRole finds a role of IAM, which a call names without the path that its ARN has.
func findRole(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	role, service := call.Text("RoleName"), call.Text("AWSServiceName")
	switch {
	case call.Operation == "CreateRole":
		return []named{withPath(call, role)}, nil
	case service != "" && serviceLinkedRoles[service] == "":
		return []named{{"aws-service-role/" + service + "/*"}}, nil
	case service != "":
		return []named{{"aws-service-role/" + service + "/" + serviceLinkedRoles[service]}}, nil
	case role == "":
		return nil, nil
	}
	found, err := a.role(ctx, role)
	if api.IsRefusal(err) {
		return []named{{role}}, nil
	}
	return []named{{found.arn}}, err
}

func findUser(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	if user := call.Text("UserName"); user != "" {
		return []named{withPath(call, user)}, nil
	}
	return nil, nil
}

func findGroup(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	if group := call.Text("GroupName"); group != "" {
		return []named{withPath(call, group)}, nil
	}
	return nil, nil
}

func findPolicy(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	if name := call.Text("PolicyName"); name != "" && call.Operation == "CreatePolicy" {
		return []named{withPath(call, name)}, nil
	}
	return in("PolicyArn")(ctx, a, call)
}

// organizationName is the name of what an organization has: the ARN holds the organization's id, which is not modelled.
func organizationName(parts ...string) named { return append(named{""}, parts...) }

func findOrganizationPolicy(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	return []named{organizationName(strings.ToLower(call.Text("Type")), strings.TrimPrefix(call.Text("PolicyId"), "p-"))}, nil
}

// targetsWith are the entities of an organization that a call names and whose ids begin with a prefix.
func targetsWith(call api.Call, prefix string) []named {
	var names []named
	for _, member := range []string{"TargetId", "RootId", "SourceParentId", "DestinationParentId", "ParentId"} {
		if id, ok := strings.CutPrefix(call.Text(member), prefix); ok && id != "" {
			names = append(names, organizationName(id))
		}
	}
	return names
}

func findRoot(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	return targetsWith(call, "r-"), nil
}

func findUnit(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	return targetsWith(call, "ou-"), nil
}

func findAccount(_ context.Context, _ *Authorizer, call api.Call) ([]named, error) {
	for _, id := range call.First("AccountId", "TargetId") {
		if strings.Trim(id, "0123456789") == "" {
			return []named{organizationName(id)}, nil
		}
	}
	return nil, nil
}

// configKind is a kind of resource of Config. Its ARN ends in an id that Config chose, so Config is asked for it.
type configKind struct {
	members                     []string
	operation, names, list, arn string
	form                        string // of the ARN of what does not exist yet
}

var (
	configRule = configKind{
		[]string{"ConfigRule.ConfigRuleName", "ConfigRuleName", "ConfigRuleNames"},
		"DescribeConfigRules", "ConfigRuleNames", "ConfigRules", "ConfigRuleArn", "config-rule/*",
	}
	configRemediation = configKind{
		[]string{"RemediationConfigurations.ConfigRuleName", "ConfigRuleName", "ConfigRuleNames"},
		"DescribeRemediationConfigurations", "ConfigRuleNames", "RemediationConfigurations", "Arn", "remediation-configuration/*",
	}
	configRecorder = configKind{
		[]string{"ConfigurationRecorder.name", "ConfigurationRecorderName", "ConfigurationRecorderNames"},
		"DescribeConfigurationRecorders", "ConfigurationRecorderNames", "ConfigurationRecorders", "arn", "configuration-recorder/%s/*",
	}
)

// find finds the resources of this kind.
func (k configKind) find(ctx context.Context, a *Authorizer, call api.Call) ([]named, error) {
	var names []named
	for _, name := range call.First(k.members...) {
		arn, err := a.configARN(ctx, k, call.Place, name)
		if err != nil {
			return nil, err
		}
		if arn == "" {
			arn = arnOf(call, strings.Replace(k.form, "%s", name, 1))
		}
		names = append(names, named{arn})
	}
	return names, nil
}

// configARN asks Config for the ARN of one of its resources; empty if it does not exist or does not tell.
func (a *Authorizer) configARN(ctx context.Context, kind configKind, place api.Place, name string) (string, error) {
	if a.options.Ask == nil {
		return "", nil
	}
	output, err := a.options.Ask(ctx, api.Call{
		Service: "config", Operation: kind.operation, Place: place.In(a.options.Place.Region), Input: map[string]any{kind.names: []any{name}},
	})
	if api.IsRefusal(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("asking Config for %s: %w", name, err)
	}
	return api.Text(output, kind.list+"."+kind.arn), nil
}
