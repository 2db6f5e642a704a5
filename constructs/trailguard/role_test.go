package trailguard_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

func TestTheAutomationRoleMayDoWhatTheDeclaredStateNeeds(t *testing.T) {
	var (
		restore = []string{
			"cloudtrail:CreateTrail", "cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetInsightSelectors",
			"cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:PutEventSelectors", "cloudtrail:PutInsightSelectors",
			"cloudtrail:StartLogging", "cloudtrail:UpdateTrail",
		}
		arm = []string{
			"config:DeleteRemediationExceptions", "config:DescribeConfigurationRecorderStatus", "config:DescribeRemediationExceptions", "config:StartConfigurationRecorder",
		}
		tell         = []string{"sns:Publish"}
		encrypt      = []string{"kms:Decrypt", "kms:GenerateDataKey"}
		tags         = []string{"cloudtrail:AddTags", "cloudtrail:ListTags"}
		pass         = []string{"iam:PassRole"}
		organization = []string{
			"iam:CreateServiceLinkedRole", "iam:GetRole", "organizations:DescribeOrganization", "organizations:ListAWSServiceAccessForOrganization", "organizations:ListAccounts",
		}
	)
	for _, test := range []struct {
		name string
		want []string
	}{
		{"default", slices.Concat(restore, arm, tell, encrypt)},
		{"config-only", slices.Concat(restore, arm, tell, encrypt)},
		{"without-config", slices.Concat(restore, tell, encrypt)},
		{"govcloud", slices.Concat(restore, tell, encrypt)},
		{"china", slices.Concat(restore, arm, tell, encrypt)},
		{"organization", slices.Concat(restore, arm, tell, encrypt, organization)},
		{"everything", slices.Concat(restore, arm, tell, encrypt, tags, pass, organization)},
	} {
		t.Run(test.name, func(t *testing.T) {
			slices.Sort(test.want)
			if got := allowed(named(t, test.name), "AutomationRole"); !slices.Equal(got, test.want) {
				t.Errorf("the role may\n%v\nnot\n%v", got, test.want)
			}
		})
	}
	t.Run("owned", func(t *testing.T) {
		want := slices.Concat(restore, arm, tell) // its topic has no key
		slices.Sort(want)
		if got := allowed(named(t, "owned"), "Role"); !slices.Equal(got, want) {
			t.Errorf("the role may\n%v\nnot\n%v", got, want)
		}
	})
}

// TestTheAutomationRoleIsBoundToItsTrail: only what takes no resource may be done to every one.
func TestTheAutomationRoleIsBoundToItsTrail(t *testing.T) {
	const trail = "map[Fn::Sub:arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/everything-trail]"
	want := map[string]string{
		"RestoreTrail":           trail,
		"ReadTrailsAndArmConfig": "*",
		"TellPeople":             "[map[Ref:AlertingTopic08189029] map[Fn::GetAtt:[AlertingKeyF32BC376 Arn]]]",
		"PassCloudWatchLogsRole": "map[Fn::GetAtt:[CloudWatchLogsRoleA37E13B4 Arn]]",
	}
	template := named(t, "everything")
	for _, statement := range statements(template, "AutomationRole") {
		sid := fmt.Sprint(statement["Sid"])
		if resource, known := want[sid]; known && fmt.Sprint(statement["Resource"]) != resource {
			t.Errorf("%s is for %v, not %s", sid, statement["Resource"], resource)
		}
		delete(want, sid)
	}
	for sid := range want {
		t.Errorf("the role has no statement %s", sid)
	}
}

// TestTheAutomationRoleMayDoWhatTheScriptCalls reads the calls off the script.
func TestTheAutomationRoleMayDoWhatTheScriptCalls(t *testing.T) {
	script := assets.Script(assets.Trail)
	called := []string{"cloudtrail:GetInsightSelectors", "cloudtrail:PutInsightSelectors"} // by restore
	if !strings.Contains(script, "restore('cloudtrail', 'insight_selectors'") {
		t.Error("the script does not restore Insights")
	}
	for pattern, service := range map[string]string{
		`\bask\([^,()]+, '([a-z_]+)'(?:, \*\*|, [A-Z]|\))`: "cloudtrail", `\bask\([^,()]+, '([a-z_]+)', 'config'`: "config", `\bclient\('sns'\)\.([a-z_]+)\(`: "sns",
	} {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(script, -1) {
			called = append(called, service+":"+camelCase(match[1]))
		}
	}
	slices.Sort(called)
	called = slices.Compact(called)
	may := slices.DeleteFunc(allowed(named(t, "everything"), "AutomationRole"), func(action string) bool {
		service, _, _ := strings.Cut(action, ":")
		return !slices.Contains([]string{"cloudtrail", "config", "sns"}, service) // the others are what the calls need besides
	})
	if !slices.Equal(may, called) {
		t.Errorf("the role may\n%v\nthe script calls\n%v", may, called)
	}
}

func TestTheRoleMayUseTheKeyOfAnAlertTopicOfTheApp(t *testing.T) {
	template := synthesize(cases.Case{Props: func(stack awscdk.Stack) *trailguard.TrailGuardProps {
		key := awskms.NewKey(stack, jsii.String("Key"), nil)
		return &trailguard.TrailGuardProps{AlertTopic: awssns.NewTopic(stack, jsii.String("Topic"), &awssns.TopicProps{MasterKey: key})}
	}}.Stack())
	for _, statement := range statements(template, "AutomationRole") {
		if statement["Sid"] == "TellPeople" && strings.Contains(fmt.Sprint(statement["Resource"]), " map[Fn::GetAtt:[Key961B73FD Arn]]]") {
			return
		}
	}
	t.Errorf("the role has the statements %v", statements(template, "AutomationRole"))
}

func camelCase(operation string) string {
	words := strings.Split(operation, "_")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// statements are those of the policies of a role, by the beginning of the policies' ids.
func statements(template map[string]any, prefix string) []map[string]any {
	var policies []any
	for _, id := range append(ofType(template, "AWS::IAM::Role"), ofType(template, "AWS::IAM::Policy")...) {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		properties := resource(template, id)["Properties"].(map[string]any)
		if inline, ok := properties["Policies"].([]any); ok {
			policies = append(policies, inline...)
		} else if properties["PolicyDocument"] != nil {
			policies = append(policies, properties)
		}
	}
	var statements []map[string]any
	for _, policy := range policies {
		for _, statement := range policy.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statements = append(statements, statement.(map[string]any))
		}
	}
	return statements
}

// allowed are the actions of those statements, in order.
func allowed(template map[string]any, prefix string) []string {
	var actions []string
	for _, statement := range statements(template, prefix) {
		actions = append(actions, list(statement["Action"])...)
	}
	slices.Sort(actions)
	return actions
}

// list is what a policy gives as one value or as a list.
func list(value any) []string {
	several, ok := value.([]any)
	if !ok {
		several = []any{value}
	}
	var texts []string
	for _, one := range several {
		texts = append(texts, fmt.Sprint(one))
	}
	return texts
}
