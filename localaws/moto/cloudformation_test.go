package moto

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

//go:embed testdata/guard.json
var guardTemplate string

// edited returns the guard's template after edit has changed its resources.
func edited(t *testing.T, edit func(resources map[string]map[string]any)) string {
	t.Helper()
	var template map[string]json.RawMessage
	var resources map[string]map[string]any
	if err := json.Unmarshal([]byte(guardTemplate), &template); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(template["Resources"], &resources); err != nil {
		t.Fatal(err)
	}
	edit(resources)
	template["Resources"] = encode(t, resources)
	return string(encode(t, template))
}

func encode(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func properties(resource map[string]any) map[string]any {
	return resource["Properties"].(map[string]any)
}

// create creates the stack "guard" and returns it as it stands afterwards.
func create(t *testing.T, cfg aws.Config, template string) cfntypes.Stack {
	t.Helper()
	_, err := cloudformation.NewFromConfig(cfg).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("guard"), TemplateBody: aws.String(template),
	})
	if err != nil {
		t.Fatalf("creating the stack: %v\n%s", err, server.Output())
	}
	return describe(t, cfg)
}

func update(t *testing.T, cfg aws.Config, template string) cfntypes.Stack {
	t.Helper()
	_, err := cloudformation.NewFromConfig(cfg).UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String("guard"), TemplateBody: aws.String(template),
	})
	if err != nil {
		t.Fatalf("updating the stack: %v\n%s", err, server.Output())
	}
	return describe(t, cfg)
}

func remove(t *testing.T, cfg aws.Config) {
	t.Helper()
	_, err := cloudformation.NewFromConfig(cfg).DeleteStack(t.Context(), &cloudformation.DeleteStackInput{
		StackName: aws.String("guard"),
	})
	if err != nil {
		t.Fatalf("deleting the stack: %v\n%s", err, server.Output())
	}
}

func describe(t *testing.T, cfg aws.Config) cfntypes.Stack {
	t.Helper()
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{
		StackName: aws.String("guard"),
	})
	if err != nil {
		t.Fatalf("describing the stack: %v", err)
	}
	return out.Stacks[0]
}

func wantStatus(t *testing.T, stack cfntypes.Stack, want cfntypes.StackStatus) {
	t.Helper()
	if stack.StackStatus != want {
		t.Fatalf("the stack is %s (%s), want %s\n%s", stack.StackStatus, aws.ToString(stack.StackStatusReason), want, server.Output())
	}
}

func outputs(stack cfntypes.Stack) map[string]string {
	values := map[string]string{}
	for _, output := range stack.Outputs {
		values[*output.OutputKey] = *output.OutputValue
	}
	return values
}

func TestRuleIsCreatedAfterWhatItDependsOn(t *testing.T) {
	cfg := fresh(t)
	wantStatus(t, create(t, cfg, guardTemplate), cfntypes.StackStatusCreateComplete)

	rule := ruleIndex("CLOUD_TRAIL_ENABLED")
	for _, earlier := range []string{"iam:PutRolePolicy", "s3:PUT policy", "config:StartConfigurationRecorder", "config:PutDeliveryChannel"} {
		if i := gateway.index(earlier); i < 0 || i > rule {
			t.Errorf("%s is call %d, the rule is call %d", earlier, i, rule)
		}
	}
	if i := gateway.index("config:PutRemediationConfigurations"); i < rule {
		t.Errorf("the remediation is call %d, its rule is call %d", i, rule)
	}
}

// The control of the test above: what does not depend on the policies comes before them.
func TestRuleWithoutDependsOnIsCreatedBeforeThePolicies(t *testing.T) {
	cfg := fresh(t)
	template := edited(t, func(resources map[string]map[string]any) { delete(resources["Rule"], "DependsOn") })
	wantStatus(t, create(t, cfg, template), cfntypes.StackStatusCreateComplete)

	rule := ruleIndex("CLOUD_TRAIL_ENABLED")
	if i := gateway.index("s3:PUT policy"); i < rule {
		t.Errorf("the bucket policy is call %d, the rule is call %d", i, rule)
	}
}

// ruleIndex returns the place of the PutConfigRule of a managed rule among all calls.
func ruleIndex(identifier string) int {
	gateway.mu.Lock()
	defer gateway.mu.Unlock()
	return slices.IndexFunc(gateway.calls, func(c call) bool {
		return c.operation == "PutConfigRule" && strings.Contains(string(mustJSON(c.body)), identifier)
	})
}

func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func TestWhatIsNotModelledFailsTheDeploymentByName(t *testing.T) {
	tests := map[string]struct {
		edit func(resources map[string]map[string]any)
		want string
	}{
		"a resource type that moto skips": {
			func(r map[string]map[string]any) { r["Nested"] = map[string]any{"Type": "AWS::CloudFormation::Stack"} },
			"AWS::CloudFormation::Stack Nested: the local AWS does not model this resource type",
		},
		"a resource type that moto has": {
			func(r map[string]map[string]any) { r["Fn"] = map[string]any{"Type": "AWS::Lambda::Function"} },
			"AWS::Lambda::Function Fn: the local AWS does not model this resource type",
		},
		"a property": {
			func(r map[string]map[string]any) {
				properties(r["Bucket"])["ReplicationConfiguration"] = map[string]any{}
			},
			"AWS::S3::Bucket Bucket: the local AWS does not model property ReplicationConfiguration",
		},
		"a missing property": {
			func(r map[string]map[string]any) { delete(properties(r["BucketPolicy"]), "Bucket") },
			"AWS::S3::BucketPolicy BucketPolicy: property Bucket is missing",
		},
		"a reference to nothing": {
			func(r map[string]map[string]any) {
				properties(r["Topic"])["DisplayName"] = map[string]any{"Ref": "Nobody"}
			},
			"AWS::SNS::Topic Topic: unresolved reference to Nobody",
		},
		"a DependsOn on nothing": {
			func(r map[string]map[string]any) { r["Topic"]["DependsOn"] = "Nobody" },
			"AWS::SNS::Topic Topic: unresolved DependsOn Nobody",
		},
		"a circle": {
			func(r map[string]map[string]any) { r["Key"]["DependsOn"] = "Bucket" },
			"Circular dependency between resources",
		},
		"a deletion policy": {
			func(r map[string]map[string]any) { r["Topic"]["DeletionPolicy"] = "Snapshot" },
			"AWS::SNS::Topic Topic: the local AWS does not model DeletionPolicy Snapshot",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := fresh(t)
			client := cloudformation.NewFromConfig(cfg)
			_, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
				StackName: aws.String("guard"), TemplateBody: aws.String(edited(t, test.edit)),
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want it to say %q", err, test.want)
			}
			if _, err := client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("guard")}); err == nil {
				t.Error("the stack exists")
			}
			if i := gateway.index("kms:CreateKey"); i >= 0 {
				t.Errorf("call %d created a key", i)
			}
		})
	}
}

func TestResourceThatFailsRollsTheStackBack(t *testing.T) {
	tests := map[string]struct {
		refuse string
		edit   func(resources map[string]map[string]any)
		want   string
	}{
		"the service refuses": {
			"PutRemediationConfigurations",
			func(map[string]map[string]any) {},
			"AWS::Config::RemediationConfiguration Remediation: An error occurred (AccessDeniedException)",
		},
		"a member that the resource does not have": {
			"",
			func(r map[string]map[string]any) {
				targets := properties(r["Tampering"])["Targets"].([]any)
				targets[0].(map[string]any)["RoleARN"] = "x"
			},
			"AWS::Events::Rule Tampering: Properties validation failed for resource Tampering with message:\n#/Targets/0: extraneous key [RoleARN] is not permitted",
		},
		"a member that the API does not have": {
			"",
			func(r map[string]map[string]any) {
				targets := properties(r["Tampering"])["Targets"].([]any)
				targets[0].(map[string]any)["EcsParameters"] = map[string]any{"TaskDefinitionArn": "x", "TagList": []any{}}
			},
			"AWS::Events::Rule Tampering: PutTargets.Targets[0].EcsParameters has no member TagList",
		},
		"an attribute that the resource does not have": {
			"",
			func(r map[string]map[string]any) {
				properties(r["Topic"])["DisplayName"] = map[string]any{"Fn::GetAtt": []any{"Key", "Alias"}}
			},
			"AWS::SNS::Topic Topic: Template error: AWS::KMS::Key Key has no attribute Alias",
		},
		"a function": {
			"",
			func(r map[string]map[string]any) {
				properties(r["Topic"])["DisplayName"] = map[string]any{"Fn::Length": []any{1}}
			},
			"AWS::SNS::Topic Topic: Template error: the local AWS does not model Fn::Length",
		},
		"a recorder without a channel": {
			"",
			func(r map[string]map[string]any) { delete(r, "Channel") },
			"AWS::Config::ConfigurationRecorder Recorder: An error occurred (NoAvailableDeliveryChannelException)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := fresh(t)
			gateway.refuse = test.refuse
			stack := create(t, cfg, edited(t, test.edit))
			wantStatus(t, stack, cfntypes.StackStatusRollbackComplete)
			if reason := aws.ToString(stack.StackStatusReason); !strings.Contains(reason, test.want) {
				t.Errorf("the reason is %q, want %q in it", reason, test.want)
			}
			if len(stack.Outputs) != 0 {
				t.Errorf("the stack has outputs: %v", outputs(stack))
			}
			for name := range gateway.rules {
				if len(gateway.named("config:DeleteConfigRule")) == 0 {
					t.Errorf("rule %s is left", name)
				}
			}
			buckets, err := s3Client(cfg).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			if err != nil {
				t.Fatal(err)
			}
			for _, bucket := range buckets.Buckets {
				if strings.Contains(*bucket.Name, "scratch") {
					t.Errorf("bucket %s is left", *bucket.Name)
				}
			}
			events, err := cloudformation.NewFromConfig(cfg).DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("guard")})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(events.StackEvents, func(e cfntypes.StackEvent) bool {
				return e.ResourceStatus == cfntypes.ResourceStatusCreateFailed && aws.ToString(e.ResourceStatusReason) != ""
			}) {
				t.Error("no event says CREATE_FAILED and why")
			}
		})
	}
}

func TestUpdateChangesOnlyWhatChanged(t *testing.T) {
	cfg := fresh(t)
	before := outputs(create(t, cfg, guardTemplate))
	gateway.mu.Lock()
	gateway.calls = nil
	gateway.mu.Unlock()

	stack := update(t, cfg, edited(t, func(resources map[string]map[string]any) {
		content := properties(resources["Runbook"])["Content"].(map[string]any)
		content["description"] = "Puts the trail back, better"
		properties(resources["Rule"])["MaximumExecutionFrequency"] = "Three_Hours"
		properties(resources["Remediation"])["MaximumAutomaticAttempts"] = 25
		targets := properties(resources["Tampering"])["Targets"].([]any)
		properties(resources["Tampering"])["Targets"] = targets[:1]
		delete(resources, "PolicyRule")
		delete(resources, "LogGroup")
	}))
	wantStatus(t, stack, cfntypes.StackStatusUpdateComplete)
	after := outputs(stack)
	for _, name := range []string{"RunbookName", "RuleName", "BucketName", "KeyId", "TamperingName"} {
		if before[name] != after[name] {
			t.Errorf("output %s was %q and is %q", name, before[name], after[name])
		}
	}

	document, err := ssm.NewFromConfig(cfg).GetDocument(t.Context(), &ssm.GetDocumentInput{Name: aws.String(after["RunbookName"])})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(*document.Content, "better") || *document.DocumentVersion != "2" {
		t.Errorf("the default version is %s: %s", *document.DocumentVersion, *document.Content)
	}
	rules := gateway.named("config:PutConfigRule")
	if len(rules) != 1 || rules[0].body["ConfigRule"].(map[string]any)["MaximumExecutionFrequency"] != "Three_Hours" {
		t.Errorf("the update put rules %v", rules)
	}
	remediations := gateway.named("config:PutRemediationConfigurations")
	if len(remediations) != 1 || !strings.Contains(string(mustJSON(remediations[0].body)), `"MaximumAutomaticAttempts":25`) {
		t.Errorf("the update put remediations %v", remediations)
	}
	deleted := gateway.named("config:DeleteConfigRule")
	if len(deleted) != 1 || deleted[0].body["ConfigRuleName"] != "trail-settings" {
		t.Errorf("the update deleted rules %v", deleted)
	}
	if got := targets(t, cfg, after["TamperingName"]); len(got) != 1 {
		t.Errorf("the rule has targets %v, want one", got)
	}
	for _, unwanted := range []string{"s3:PUT policy", "kms:PutKeyPolicy", "config:PutConfigurationRecorder", "sqs:SetQueueAttributes"} {
		if i := gateway.index(unwanted); i >= 0 {
			t.Errorf("the update called %s", unwanted)
		}
	}
	if len(gateway.named("logs:DeleteLogGroup")) != 1 {
		t.Error("the update did not delete the log group")
	}
}

func TestUpdateWithoutChangesIsRefused(t *testing.T) {
	cfg := fresh(t)
	create(t, cfg, guardTemplate)
	_, err := cloudformation.NewFromConfig(cfg).UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String("guard"), TemplateBody: aws.String(guardTemplate),
	})
	if err == nil || !strings.Contains(err.Error(), "No updates are to be performed.") {
		t.Errorf("got error %v", err)
	}
	wantStatus(t, describe(t, cfg), cfntypes.StackStatusCreateComplete)
}

func TestUpdateThatFailsIsUndone(t *testing.T) {
	cfg := fresh(t)
	before := create(t, cfg, guardTemplate)
	gateway.refuse = "PutRemediationConfigurations"
	stack := update(t, cfg, edited(t, func(resources map[string]map[string]any) {
		properties(resources["Topic"])["DisplayName"] = "Changed"
		properties(resources["Remediation"])["MaximumAutomaticAttempts"] = 25
		resources["Extra"] = map[string]any{"Type": "AWS::SNS::Topic"}
	}))
	wantStatus(t, stack, cfntypes.StackStatusUpdateRollbackComplete)
	if name := topicAttributes(t, cfg, outputs(before)["TopicArn"])["DisplayName"]; name != "Trail alerts" {
		t.Errorf("the topic is called %q", name)
	}
	if len(gateway.named("sns:DeleteTopic")) != 1 {
		t.Error("the topic that the update made is left")
	}
	template, err := cloudformation.NewFromConfig(cfg).GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("guard")})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(*template.TemplateBody, "Extra") {
		t.Error("the stack keeps the template that failed")
	}
	gateway.refuse = ""
	remove(t, cfg)
}

func TestReplacementComesBeforeTheOldResourceGoes(t *testing.T) {
	cfg := fresh(t)
	before := outputs(create(t, cfg, guardTemplate))
	stack := update(t, cfg, edited(t, func(resources map[string]map[string]any) {
		properties(resources["Topic"])["TopicName"] = "another"
		properties(resources["Bucket"])["BucketName"] = "another-bucket"
	}))
	wantStatus(t, stack, cfntypes.StackStatusUpdateComplete)
	after := outputs(stack)
	if after["TopicArn"] != "arn:aws:sns:us-east-1:123456789012:another" || after["BucketName"] != "another-bucket" {
		t.Errorf("outputs %v", after)
	}
	if len(gateway.named("sns:DeleteTopic")) != 1 {
		t.Error("the replaced topic is left")
	}
	if _, err := s3Client(cfg).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(before["BucketName"])}); err != nil {
		t.Errorf("the replaced bucket, which UpdateReplacePolicy retains, is gone: %v", err)
	}
}

func TestDeleteRetainsAndDeletesDependentsFirst(t *testing.T) {
	cfg := fresh(t)
	values := outputs(create(t, cfg, guardTemplate))
	remove(t, cfg)

	if _, err := cloudformation.NewFromConfig(cfg).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("guard")}); err == nil {
		t.Error("the stack still exists")
	}
	order := []string{"config:DeleteRemediationConfiguration", "config:DeleteConfigRule", "config:DeleteConfigurationRecorder", "s3:DELETE policy"}
	for i := 1; i < len(order); i++ {
		if a, b := gateway.index(order[i-1]), gateway.index(order[i]); a < 0 || b < a {
			t.Errorf("%s is call %d, %s is call %d", order[i-1], a, order[i], b)
		}
	}
	if len(gateway.rules) != 0 || gateway.recorder != nil || gateway.channel != nil {
		t.Errorf("left: rules %v, recorder %v, channel %v", gateway.rules, gateway.recorder, gateway.channel)
	}
	key, err := kms.NewFromConfig(cfg).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(values["KeyId"])})
	if err != nil || key.KeyMetadata.DeletionDate != nil {
		t.Errorf("the key was to be retained: %v %v", key, err)
	}
	client := s3Client(cfg)
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(values["BucketName"])}); err != nil {
		t.Errorf("the bucket was to be retained: %v", err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(values["ScratchName"])}); err == nil {
		t.Error("the bucket Scratch was not to be retained")
	}
	if _, err := ssm.NewFromConfig(cfg).GetDocument(t.Context(), &ssm.GetDocumentInput{Name: aws.String(values["RunbookName"])}); err == nil {
		t.Error("the runbook is left")
	}
}

func TestDeleteThatFailsLeavesTheStack(t *testing.T) {
	cfg := fresh(t)
	values := outputs(create(t, cfg, guardTemplate))
	client := s3Client(cfg)
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(values["ScratchName"]), Key: aws.String("a"), Body: strings.NewReader("x"),
	}); err != nil {
		t.Fatal(err)
	}
	remove(t, cfg)
	stack := describe(t, cfg)
	wantStatus(t, stack, cfntypes.StackStatusDeleteFailed)
	if reason := aws.ToString(stack.StackStatusReason); !strings.Contains(reason, "AWS::S3::Bucket Scratch") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestHandlersCallWithTheCallersCredentials(t *testing.T) {
	cfg := fresh(t)
	create(t, cfg, guardTemplate)
	for _, c := range gateway.named("config:PutConfigRule") {
		if c.accessKey != "AKIADEPLOYER" || !strings.Contains(c.userAgent, "cloudformation.amazonaws.com") {
			t.Errorf("the call came from %s as %s", c.userAgent, c.accessKey)
		}
	}
}

// Without a role CloudFormation uses the credentials of who calls it, not of who has called it before.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
func TestEachCallerOfAStackDeploysWithOwnCredentials(t *testing.T) {
	first := fresh(t)
	create(t, first, guardTemplate)
	second := first.Copy()
	second.Credentials = credentials.NewStaticCredentialsProvider("AKIASECOND", "secret", "")
	wantStatus(t, update(t, second, edited(t, func(resources map[string]map[string]any) {
		properties(resources["Rule"])["MaximumExecutionFrequency"] = "Three_Hours"
	})), cfntypes.StackStatusUpdateComplete)
	third := first.Copy()
	third.Credentials = credentials.NewStaticCredentialsProvider("AKIATHIRD", "secret", "")
	remove(t, third)
	for operation, want := range map[string][]string{"config:PutConfigRule": {"AKIADEPLOYER", "AKIASECOND"}, "config:DeleteConfigRule": {"AKIATHIRD"}} {
		var keys []string
		for _, c := range gateway.named(operation) {
			keys = append(keys, c.accessKey)
		}
		if keys = slices.Compact(keys); !slices.Equal(keys, want) {
			t.Errorf("%s was called by %v, want %v", operation, keys, want)
		}
	}
}

func TestChangeSetDeploysTheSame(t *testing.T) {
	cfg := fresh(t)
	client := cloudformation.NewFromConfig(cfg)
	if _, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("guard"), ChangeSetName: aws.String("first"), ChangeSetType: cfntypes.ChangeSetTypeCreate,
		TemplateBody: aws.String(guardTemplate),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{
		StackName: aws.String("guard"), ChangeSetName: aws.String("first"),
	}); err != nil {
		t.Fatal(err)
	}
	stack := describe(t, cfg)
	wantStatus(t, stack, cfntypes.StackStatusCreateComplete)
	if outputs(stack)["BucketName"] == "" {
		t.Errorf("outputs %v", outputs(stack))
	}
}
