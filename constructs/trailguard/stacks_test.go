package trailguard_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

// apart are the templates of a stack of resources, and of a stack with a guard that gets them.
func apart(props func(resources awscdk.Stack) *trailguard.TrailGuardProps) (resources, guard map[string]any) {
	app := awscdk.NewApp(nil)
	shared, guarded := awscdk.NewStack(app, jsii.String("Shared"), nil), awscdk.NewStack(app, jsii.String("Guarded"), nil)
	trailguard.NewTrailGuard(guarded, jsii.String("Default"), props(shared))
	return synthesize(shared), synthesize(guarded)
}

// TestARoleOfAnotherStackGetsAPolicyInTheGuards: in its own, it would make each stack depend on the other.
func TestARoleOfAnotherStackGetsAPolicyInTheGuards(t *testing.T) {
	resources, guard := apart(func(shared awscdk.Stack) *trailguard.TrailGuardProps {
		return &trailguard.TrailGuardProps{AutomationRole: awsiam.NewRole(shared, jsii.String("Role"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), nil), Path: jsii.String("/automation/"),
		})}
	})
	if policies := ofType(resources, "AWS::IAM::Policy"); len(policies) > 0 {
		t.Errorf("the stack of the role has %v", policies)
	}
	if got, want := allowed(guard, "AutomationRole"), allowed(named(t, "default"), "AutomationRole"); !slices.Equal(got, want) {
		t.Errorf("the role may\n%v\nnot\n%v", got, want)
	}
	const id = "AutomationRoleC58D7324"
	if got := property(guard, id, "Roles.0"); !strings.Contains(got, "Fn::ImportValue:Shared:ExportsOutputRefRole") {
		t.Errorf("the policy is that of %s", got)
	}
	for _, rule := range ofType(guard, "AWS::Config::ConfigRule") {
		if before := precedes(guard, rule); !before[id] {
			t.Errorf("%s does not wait for the policy, but for %v", rule, before)
		}
	}
}

func TestABucketOfAnotherStackTakesTheAccessLogOfTheAccount(t *testing.T) {
	resources, _ := apart(func(shared awscdk.Stack) *trailguard.TrailGuardProps {
		return &trailguard.TrailGuardProps{ServerAccessLogsBucket: awss3.NewBucket(shared, jsii.String("AccessLogs"), nil)}
	})
	const want = "map[StringEquals:map[aws:SourceAccount:map[Ref:AWS::AccountId]]]"
	if got := property(resources, "AWS::S3::BucketPolicy", "PolicyDocument.Statement.0.Condition"); got != want {
		t.Errorf("the condition is %s, not %s", got, want)
	}
}

// TestStatementsToAddAreJSONWithTheNamesOfOtherStacks: they were a text in which ${…} named resources that the stack does not have.
func TestStatementsToAddAreJSONWithTheNamesOfOtherStacks(t *testing.T) {
	_, guard := apart(func(shared awscdk.Stack) *trailguard.TrailGuardProps {
		return &trailguard.TrailGuardProps{
			AlertTopic:     awssns.NewTopic(shared, jsii.String("Alerts"), nil),
			AutomationRole: awsiam.Role_FromRoleArn(shared, jsii.String("Role"), jsii.String("arn:aws:iam::123456789012:role/r"), nil),
		}
	})
	value := guard["Outputs"].(map[string]any)["AutomationRoleStatements"].(map[string]any)["Value"].(map[string]any)
	var text strings.Builder
	var imports []string
	for _, part := range value["Fn::Join"].([]any)[1].([]any) {
		if literal, ok := part.(string); ok {
			text.WriteString(literal)
			continue
		}
		text.WriteString("x")
		if export, ok := part.(map[string]any)["Fn::ImportValue"]; ok {
			imports = append(imports, fmt.Sprint(export))
		}
	}
	if len(imports) != 1 || !strings.HasPrefix(imports[0], "Shared:ExportsOutputRefAlerts") {
		t.Errorf("the output imports %v", imports)
	}
	var statements []struct{ Sid string }
	if err := json.Unmarshal([]byte(text.String()), &statements); err != nil || len(statements) != 3 || strings.Contains(text.String(), "$") {
		t.Errorf("the output is %s: %v", text.String(), err)
	}
}

// TestEachWarningOfASuppliedResourceNamesItsOutput: the bucket and the key, and both again for a reader of another
// account, in a stack of which the guard is a part.
func TestEachWarningOfASuppliedResourceNamesItsOutput(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Audit"), nil)
	guard := trailguard.NewTrailGuard(stack, jsii.String("Guard"), &trailguard.TrailGuardProps{
		LogBucket: awss3.Bucket_FromBucketName(stack, jsii.String("Log"), jsii.String("log")),
		LogKey:    awskms.Key_FromKeyArn(stack, jsii.String("Key"), jsii.String("arn:aws:kms:us-east-1:123456789012:key/k")),
	})
	guard.GrantReadLogs(awsiam.NewAccountPrincipal(jsii.String("444455556666")))
	outputs := synthesize(stack)["Outputs"].(map[string]any)
	named := map[string]bool{}
	for _, message := range *assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_AnyValue()) {
		//lint:ignore SA1019 the assertions still return the deprecated type
		text := fmt.Sprint(message.Entry.Data)
		match := regexp.MustCompile(`the stack's output (\w+) has them`).FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("the warning names no output: %s", text)
		}
		named[match[1]] = true
		output, ok := outputs[match[1]].(map[string]any)
		if !ok {
			t.Fatalf("the stack has no output %s, but %v", match[1], outputs)
		}
		where := strings.TrimSuffix(strings.TrimPrefix(output["Description"].(string), "Statements that "), " must have")
		if !strings.Contains(text, "see that "+where+" has these statements") {
			t.Errorf("the output %s is about %s, and the warning is %s", match[1], where, text)
		}
	}
	if len(named) != 4 {
		t.Errorf("the warnings name the outputs %v", named)
	}
}
