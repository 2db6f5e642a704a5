package iam_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	localiam "github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
)

const (
	otherKeyARN = "arn:aws:kms:us-east-1:123456789012:key/99999999-2222-3333-4444-555555555555"
	linkedRoles = "arn:aws:iam::123456789012:role/aws-service-role/"
)

// need is what one statement of a policy must allow: an action, a resource, and for a condition a key and its value.
type need struct{ action, resource, key, value string }

func (n need) statement() map[string]any {
	s := map[string]any{"Effect": "Allow", "Action": n.action, "Resource": n.resource}
	if n.key != "" {
		s["Condition"] = map[string]any{"StringEquals": map[string]any{n.key: n.value}}
	}
	return s
}

func policyOf(t *testing.T, needs []need) string {
	t.Helper()
	statements := []any{need{action: "none:None", resource: "*"}.statement()}
	for _, n := range needs {
		statements = append(statements, n.statement())
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// arnIn is an ARN in the account.
func arnIn(service, resource string) string {
	return "arn:aws:" + service + ":us-east-1:123456789012:" + resource
}

// calls are calls with all that they need: no more, no less.
var calls = []struct {
	operation string
	input     string
	needs     []need
}{
	{"ssm:StartAutomationExecution", `{"DocumentName":"Repair"}`, []need{
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "document/Repair")},
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "automation-execution/*")},
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "automation-definition/Repair:*")},
	}},
	{"ssm:StartAutomationExecution", `{"DocumentName":"` + arnIn("ssm", "document/Repair") + `","DocumentVersion":"3"}`, []need{
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "document/Repair")},
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "automation-execution/*")},
		{action: "ssm:StartAutomationExecution", resource: arnIn("ssm", "automation-definition/Repair:3")},
	}},
	{"ssm:StopAutomationExecution", `{"AutomationExecutionId":"e"}`, []need{{action: "ssm:StopAutomationExecution", resource: arnIn("ssm", "automation-execution/e")}}},
	{"ssm:DescribeAutomationExecutions", `{}`, []need{{action: "ssm:DescribeAutomationExecutions", resource: "*"}}},
	{"ssm:CreateDocument", `{"Name":"d","Content":"{\"assumeRole\":\"` + world.RoleARN + `\"}"}`, []need{
		{action: "ssm:CreateDocument", resource: arnIn("ssm", "document/d")},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "ssm.amazonaws.com"},
	}},
	{"ssm:CreateDocument", `{"Name":"d","Content":"{\"assumeRole\":\"{{ AutomationAssumeRole }}\"}"}`, []need{
		{action: "ssm:CreateDocument", resource: arnIn("ssm", "document/d")},
	}},
	{"ssm:AddTagsToResource", `{"ResourceType":"Document","ResourceId":"d"}`, []need{{action: "ssm:AddTagsToResource", resource: arnIn("ssm", "document/d")}}},
	{"ssm:AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"d"}`, []need{{action: "ssm:AddTagsToResource", resource: "*"}}},

	{"kms:CreateKey", `{}`, []need{{action: "kms:CreateKey", resource: "*"}}},
	{"kms:CreateAlias", `{"AliasName":"alias/log","TargetKeyId":"` + world.KeyARN + `"}`, []need{
		{action: "kms:CreateAlias", resource: arnIn("kms", "alias/log")}, {action: "kms:CreateAlias", resource: world.KeyARN},
	}},
	{"kms:UpdateAlias", `{"AliasName":"alias/old","TargetKeyId":"` + world.KeyARN + `"}`, []need{
		{action: "kms:UpdateAlias", resource: arnIn("kms", "alias/old")}, {action: "kms:UpdateAlias", resource: world.KeyARN},
		{action: "kms:UpdateAlias", resource: otherKeyARN},
	}},
	{"kms:DeleteAlias", `{"AliasName":"alias/old"}`, []need{
		{action: "kms:DeleteAlias", resource: arnIn("kms", "alias/old")}, {action: "kms:DeleteAlias", resource: otherKeyARN},
	}},
	{"kms:Decrypt", `{"KeyId":"` + world.KeyARN + `","EncryptionContext":{"aws:cloudtrail:arn":"` + world.TrailARN + `"}}`, []need{
		{action: "kms:Decrypt", resource: world.KeyARN, key: "kms:EncryptionContext:aws:cloudtrail:arn", value: world.TrailARN},
	}},
	{"kms:DisableKey", `{"KeyId":"none"}`, []need{{action: "kms:DisableKey", resource: "*"}}},

	{"s3:ListBuckets", `{}`, []need{{action: "s3:ListAllMyBuckets", resource: "*"}}},
	{"s3:PutBucketEncryption", `{"Bucket":"b"}`, []need{{action: "s3:PutEncryptionConfiguration", resource: "arn:aws:s3:::b"}}},
	{"s3:GetBucketAcl", `{"Bucket":"b"}`, []need{{action: "s3:GetBucketAcl", resource: "arn:aws:s3:::b"}}},
	{"s3:DeleteObject", `{"Bucket":"b","Key":"k","VersionId":"v"}`, []need{{action: "s3:DeleteObjectVersion", resource: "arn:aws:s3:::b/k"}}},
	{"s3:DeleteObjects", `{"Bucket":"b","Delete":{"Object":[{"Key":"x"},{"Key":"y"}]}}`, []need{
		{action: "s3:DeleteObject", resource: "arn:aws:s3:::b/x"}, {action: "s3:DeleteObject", resource: "arn:aws:s3:::b/y"},
	}},

	{"iam:CreateRole", `{"Path":"/guard/","RoleName":"New"}`, []need{{action: "iam:CreateRole", resource: "arn:aws:iam::123456789012:role/guard/New"}}},
	{"iam:DeleteRole", `{"RoleName":"Repair"}`, []need{{action: "iam:DeleteRole", resource: world.RoleARN}}},
	{"iam:AttachRolePolicy", `{"RoleName":"Repair","PolicyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}`, []need{
		{action: "iam:AttachRolePolicy", resource: world.RoleARN, key: "iam:PolicyARN", value: "arn:aws:iam::aws:policy/ReadOnlyAccess"},
	}},
	{"iam:CreateServiceLinkedRole", `{"AWSServiceName":"config.amazonaws.com"}`, []need{
		{action: "iam:CreateServiceLinkedRole", resource: linkedRoles + "config.amazonaws.com/AWSServiceRoleForConfig",
			key: "iam:AWSServiceName", value: "config.amazonaws.com"},
	}},
	{"iam:CreatePolicyVersion", `{"PolicyArn":"arn:aws:iam::123456789012:policy/p"}`, []need{{action: "iam:CreatePolicyVersion", resource: "arn:aws:iam::123456789012:policy/p"}}},
	{"iam:PutUserPolicy", `{"UserName":"u","PolicyName":"p"}`, []need{{action: "iam:PutUserPolicy", resource: "arn:aws:iam::123456789012:user/u"}}},
	{"iam:ListRoles", `{}`, []need{{action: "iam:ListRoles", resource: "*"}}},

	{"config:DescribeConfigRules", `{"ConfigRuleNames":["r"]}`, []need{{action: "config:DescribeConfigRules", resource: "*"}}},
	{"config:StartConfigRulesEvaluation", `{"ConfigRuleNames":["r"]}`, []need{
		{action: "config:StartConfigRulesEvaluation", resource: arnIn("config", "config-rule/config-rule-abc")}, // as Config tells
	}},
	{"config:PutRemediationConfigurations", `{"RemediationConfigurations":[{"ConfigRuleName":"r","Parameters":{"AutomationAssumeRole":
		{"StaticValue":{"Values":["` + world.RoleARN + `"]}}}}]}`, []need{
		{action: "config:PutRemediationConfigurations", resource: arnIn("config", "remediation-configuration/*")},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "ssm.amazonaws.com"},
		{action: "iam:CreateServiceLinkedRole", resource: linkedRoles + "remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation",
			key: "iam:AWSServiceName", value: "remediation.config.amazonaws.com"},
	}},
	{"config:PutConfigurationRecorder", `{"ConfigurationRecorder":{"name":"n","roleARN":"` + world.RoleARN + `"}}`, []need{
		{action: "config:PutConfigurationRecorder", resource: arnIn("config", "configuration-recorder/n/*")},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "config.amazonaws.com"},
	}},
	{"config:DescribeConfigurationRecorders", `{}`, []need{{action: "config:DescribeConfigurationRecorders", resource: arnIn("config", "configuration-recorder/*")}}},
	{"config:PutDeliveryChannel", `{"DeliveryChannel":{"name":"n"}}`, []need{{action: "config:PutDeliveryChannel", resource: "*"}}},

	{"events:PutRule", `{"Name":"r"}`, []need{{action: "events:PutRule", resource: arnIn("events", "rule/r")}}},
	{"events:PutRule", `{"Name":"r","EventBusName":"own"}`, []need{{action: "events:PutRule", resource: arnIn("events", "rule/own/r")}}},
	{"events:PutTargets", `{"Rule":"r","EventBusName":"default","Targets":[{"RoleArn":"` + world.RoleARN + `"},{}]}`, []need{
		{action: "events:PutTargets", resource: arnIn("events", "rule/r")},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "events.amazonaws.com"},
	}},
	{"events:PutEvents", `{"Entries":[{"Source":"s"}]}`, []need{{action: "events:PutEvents", resource: arnIn("events", "event-bus/default")}}},

	{"cloudtrail:DescribeTrails", `{}`, []need{{action: "cloudtrail:DescribeTrails", resource: "*"}}},
	{"cloudtrail:PutInsightSelectors", `{"TrailName":"guarded"}`, []need{{action: "cloudtrail:PutInsightSelectors", resource: world.TrailARN}}},
	{"cloudtrail:UpdateTrail", `{"Name":"guarded","CloudWatchLogsRoleArn":"` + world.RoleARN + `","IsOrganizationTrail":true}`, []need{
		{action: "cloudtrail:UpdateTrail", resource: world.TrailARN},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "cloudtrail.amazonaws.com"},
		{action: "organizations:DescribeOrganization", resource: "*"},
		{action: "organizations:ListAWSServiceAccessForOrganization", resource: "*"},
		{action: "iam:GetRole", resource: linkedRoles + "cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail"},
		{action: "iam:CreateServiceLinkedRole", resource: linkedRoles + "cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail",
			key: "iam:AWSServiceName", value: "cloudtrail.amazonaws.com"},
	}},

	{"cloudformation:CreateStack", `{"StackName":"s","RoleARN":"` + world.RoleARN + `"}`, []need{
		{action: "cloudformation:CreateStack", resource: arnIn("cloudformation", "stack/s/*")},
		{action: "iam:PassRole", resource: world.RoleARN, key: "iam:PassedToService", value: "cloudformation.amazonaws.com"},
	}},
	{"cloudformation:DescribeStacks", `{}`, []need{{action: "cloudformation:DescribeStacks", resource: "*"}}},
	{"cloudformation:DescribeStacks", `{"StackName":"s"}`, []need{{action: "cloudformation:DescribeStacks", resource: arnIn("cloudformation", "stack/s/*")}}},

	{"logs:CreateLogGroup", `{"logGroupName":"/g"}`, []need{{action: "logs:CreateLogGroup", resource: arnIn("logs", "log-group:/g:*")}}},
	{"logs:CreateLogStream", `{"logGroupName":"/g","logStreamName":"s"}`, []need{{action: "logs:CreateLogStream", resource: arnIn("logs", "log-group:/g:log-stream:s")}}},
	{"logs:TagResource", `{"resourceArn":"` + arnIn("logs", "log-group:/g") + `"}`, []need{{action: "logs:TagResource", resource: arnIn("logs", "log-group:/g")}}},

	{"monitoring:DeleteAlarms", `{"AlarmNames":["a","b"]}`, []need{
		{action: "cloudwatch:DeleteAlarms", resource: arnIn("cloudwatch", "alarm:a")}, {action: "cloudwatch:DeleteAlarms", resource: arnIn("cloudwatch", "alarm:b")},
	}},
	{"monitoring:DescribeAlarms", `{}`, []need{{action: "cloudwatch:DescribeAlarms", resource: arnIn("cloudwatch", "alarm:*")}}},
	{"monitoring:PutMetricData", `{}`, []need{{action: "cloudwatch:PutMetricData", resource: "*"}}},

	{"organizations:AttachPolicy", `{"PolicyId":"p-abc","TargetId":"r-1"}`, []need{
		{action: "organizations:AttachPolicy", resource: "arn:aws:organizations::123456789012:policy/o-*/*/p-abc"},
		{action: "organizations:AttachPolicy", resource: "arn:aws:organizations::123456789012:root/o-*/r-1"},
	}},
	{"organizations:AttachPolicy", `{"PolicyId":"p-abc","TargetId":"111122223333"}`, []need{
		{action: "organizations:AttachPolicy", resource: "arn:aws:organizations::123456789012:policy/o-*/*/p-abc"},
		{action: "organizations:AttachPolicy", resource: "arn:aws:organizations::123456789012:account/o-*/111122223333"},
	}},
	{"organizations:LeaveOrganization", `{}`, []need{{action: "organizations:LeaveOrganization", resource: "*"}}},

	{"sns:PublishBatch", `{"TopicArn":"` + world.TopicARN + `"}`, []need{
		{action: "sns:Publish", resource: world.TopicARN}, {action: "kms:GenerateDataKey", resource: world.KeyARN}, {action: "kms:Decrypt", resource: world.KeyARN},
	}},
	{"sns:CreateTopic", `{"Name":"alerts"}`, []need{{action: "sns:CreateTopic", resource: world.TopicARN}}},
	{"sns:Unsubscribe", `{"SubscriptionArn":"` + world.TopicARN + `:id"}`, []need{{action: "sns:Unsubscribe", resource: "*"}}},
	{"sqs:SendMessageBatch", `{"QueueUrl":"http://127.0.0.1/123456789012/q"}`, []need{{action: "sqs:SendMessage", resource: arnIn("sqs", "q")}}},
}

// inputOf reads an input as a call has it.
func inputOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var input map[string]any
	if err := json.Unmarshal([]byte(text), &input); err != nil {
		t.Fatal(err)
	}
	return input
}

func TestACallNeedsEachResourceThatAWSRequires(t *testing.T) {
	for _, test := range calls {
		t.Run(test.operation, func(t *testing.T) {
			w := world.New(t)
			w.Directory.Keys["alias/old"] = localiam.Key{ARN: otherKeyARN, State: "Enabled", Policy: world.KeyForIAM}
			w.Directory.Keys[otherKeyARN] = w.Directory.Keys["alias/old"]
			w.Directory.TopicKeys = map[string]string{world.TopicARN: world.KeyARN}
			service, operation, _ := strings.Cut(test.operation, ":")
			call := api.Call{Principal: world.Repairer, Service: service, Operation: operation, Place: api.Home(), Input: inputOf(t, test.input)}
			ask := func(needs []need) error {
				w.Directory.Roles["Repair"] = localiam.Role{ARN: world.RoleARN, Trust: world.TrustsAutomation, Identity: []string{policyOf(t, needs)}}
				w.Reset()
				return w.AuthorizeCall(t.Context(), call, nil)
			}
			if err := ask(test.needs); err != nil {
				t.Fatal(err)
			}
			for i, lacking := range test.needs {
				err := ask(slices.Delete(slices.Clone(test.needs), i, i+1))
				var refused *api.Error
				if !errors.As(err, &refused) || !strings.Contains(refused.Message, "is not authorized to perform: "+lacking.action+" on resource: ") {
					t.Errorf("without %+v: got %v", lacking, err)
				}
				if lacking.key == "" {
					continue
				}
				needs := slices.Clone(test.needs)
				needs[i].value = "other"
				if err := ask(needs); !api.IsRefusal(err) {
					t.Errorf("with another %s: got %v", lacking.key, err)
				}
			}
		})
	}
}

func TestAnActionThatAWSDoesNotHaveIsNotModelled(t *testing.T) {
	w := world.New(t)
	for _, p := range []api.Principal{world.Mallory, world.Repairer} {
		err := w.AuthorizeCall(t.Context(), api.Call{Principal: p, Service: "sns", Operation: "PublishAll", Place: api.Home()}, nil)
		if err == nil || !strings.Contains(err.Error(), "AWS has no action sns:PublishAll") {
			t.Errorf("%s: got %v", p.Name(), err)
		}
	}
}

func TestTheLocalAWSSuppliesNoConditionKeyThatAWSDoesNotHave(t *testing.T) {
	w := world.New(t)
	for key, want := range map[string]bool{"iam:PassedToService": true, "aws:CalledVia": true, "iam:PassedTo": false, "s3:x-amz-acl": false, "aws:RequestTag/a": false} {
		err := w.Authorize(t.Context(), world.Mallory, "iam:PassRole", world.RoleARN, map[string][]string{key: {"x"}})
		if (err == nil) != want || api.IsRefusal(err) {
			t.Errorf("%s: got %v", key, err)
		}
	}
	if err := w.Authorize(t.Context(), world.Mallory, "iam:PassRoles", world.RoleARN, nil); err == nil || api.IsRefusal(err) {
		t.Errorf("an action that AWS does not have: got %v", err)
	}
}

// TestAPolicyMayAskForAKeyThatTheActionNeverHas shows what becomes of such a policy: it allows nothing.
func TestAPolicyMayAskForAKeyThatTheActionNeverHas(t *testing.T) {
	w := world.New(t)
	w.Grant(world.Repairer.ARN, policy.MustParse(policy.Identity, policyOf(t, []need{
		{action: "iam:DeleteRole", resource: world.RoleARN, key: "iam:PassedToService", value: "ssm.amazonaws.com"},
	})))
	call := api.Call{Principal: world.Repairer, Service: "iam", Operation: "DeleteRole", Place: api.Home(), Input: map[string]any{"RoleName": "Repair"}}
	if err := w.AuthorizeCall(t.Context(), call, nil); !api.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
}

// resourceTypes are the types of which it is known where calls name the resources: in the catalogue, or by a finder.
func resourceTypes(t *testing.T) map[string][]string {
	t.Helper()
	types := localiam.FinderTypes()
	for _, service := range catalog.Services() {
		for name := range service.Resources {
			if slices.Contains(types[service.Name], name) {
				t.Errorf("%s of %s stands in the catalogue and has a finder", name, service.Name)
			}
			types[service.Name] = append(types[service.Name], name)
		}
	}
	return types
}

func TestFindersAreOfResourceTypesThatAWSHas(t *testing.T) {
	all := resourceTypes(t)
	for service, names := range all {
		prefix := cmp.Or(catalog.Find(service).Prefix, service)
		content, err := os.ReadFile(filepath.Join(repository.NodeModules(), "@cloud-copilot", "iam-data", "data", "resourceTypes", prefix+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var types map[string]struct{ Key string }
		if err := json.Unmarshal(content, &types); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if types[strings.ToLower(name)].Key != name {
				t.Errorf("AWS has no resource type %s of %s", name, service)
			}
		}
	}
	tested := map[string]bool{}
	for _, test := range calls {
		service, _, _ := strings.Cut(test.operation, ":")
		tested[service] = true
	}
	for service := range all {
		if !tested[service] && service != "sts" {
			t.Errorf("no call of %s is tested", service)
		}
	}
}

func TestWhatIsNotKnownOfAnARNIsOpen(t *testing.T) {
	action, _, err := world.Reference(t).Action("organizations:AttachPolicy")
	if err != nil {
		t.Fatal(err)
	}
	call := api.Call{Place: api.Home().In("eu-west-1")}
	for _, kind := range action.ResourceTypes {
		if kind.Name == "policy" {
			if got, want := localiam.FilledARN([]string{"", "", "abc"}, kind, call), "arn:aws:organizations::123456789012:policy/o-*/*/p-abc"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}
