package localaws

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cloudtrailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// guarded is a local AWS in which testdata/guard.json is deployed and the trail is logging.
type guarded struct {
	*AWS
	t *testing.T
}

// scenarios starts a local AWS, and returns what runs a scenario in it, empty as it is at first. Nothing in a scenario may be left
// unsimulated.
func scenarios(t *testing.T) func(name string, run func(g guarded)) {
	t.Helper()
	local, err := Start(t.Context(), Options{Python: repository.Python(), NodeModules: repository.NodeModules()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(name string, run func(g guarded)) {
		t.Run(name, func(t *testing.T) {
			if err := local.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			run(guarded{local, t})
			if err := local.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// here writes what is written for the default place for the place of the local AWS.
func (g guarded) here(text string) string {
	place := g.Place()
	return strings.NewReplacer("arn:aws:", "arn:"+place.Partition+":", api.Account, place.Account, api.Region, place.Region).Replace(text)
}

func (g guarded) deploy() {
	g.t.Helper()
	template, err := os.ReadFile("testdata/guard.json")
	if err != nil {
		g.t.Fatal(err)
	}
	client := cloudformation.NewFromConfig(g.Config(g.Administrator()))
	if _, err := client.CreateStack(g.t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("guard"), TemplateBody: aws.String(g.here(string(template))), Capabilities: []cloudformationtypes.Capability{"CAPABILITY_NAMED_IAM"},
	}); err != nil {
		g.t.Fatal(err)
	}
	stacks, err := client.DescribeStacks(g.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("guard")})
	if err != nil {
		g.t.Fatal(err)
	}
	if status := stacks.Stacks[0].StackStatus; status != cloudformationtypes.StackStatusCreateComplete {
		g.t.Fatalf("the stack is %s: %s", status, aws.ToString(stacks.Stacks[0].StackStatusReason))
	}
	g.createTrail()
}

func (g guarded) createTrail() {
	g.t.Helper()
	trails := cloudtrail.NewFromConfig(g.Config(g.Administrator()))
	if _, err := trails.CreateTrail(g.t.Context(), &cloudtrail.CreateTrailInput{
		Name: aws.String("guarded"), S3BucketName: aws.String("trail-logs"), IsMultiRegionTrail: aws.Bool(true),
	}); err != nil {
		g.t.Fatal(err)
	}
	if _, err := trails.StartLogging(g.t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")}); err != nil {
		g.t.Fatal(err)
	}
}

func (g guarded) stopLogging() {
	g.t.Helper()
	if _, err := cloudtrail.NewFromConfig(g.Config(api.Principal{Type: api.Root, ARN: g.here(world.Root.ARN)})).StopLogging(g.t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")}); err != nil {
		g.t.Fatal(err)
	}
	g.wantLogging(false)
}

func (g guarded) wantLogging(want bool) {
	g.t.Helper()
	status, err := cloudtrail.NewFromConfig(g.Config(g.Administrator())).GetTrailStatus(g.t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String("guarded")})
	if err != nil {
		g.t.Fatal(err)
	}
	if *status.IsLogging != want {
		g.t.Errorf("logging is %v, want %v", *status.IsLogging, want)
	}
}

func (g guarded) run() {
	g.t.Helper()
	if err := g.RunToQuiescence(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// disableRule takes the event path away.
func (g guarded) disableRule() {
	g.t.Helper()
	client := eventbridge.NewFromConfig(g.Config(g.Administrator()))
	rules, err := client.ListRules(g.t.Context(), &eventbridge.ListRulesInput{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, rule := range rules.Rules {
		if _, err := client.DisableRule(g.t.Context(), &eventbridge.DisableRuleInput{Name: rule.Name}); err != nil {
			g.t.Fatal(err)
		}
	}
}

// putConfig adds the certain path: a recorder, a rule and its remediation.
func (g guarded) putConfig() {
	g.t.Helper()
	client, ctx := configservice.NewFromConfig(g.Config(g.Administrator())), g.t.Context()
	if _, err := client.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{ConfigurationRecorder: &configtypes.ConfigurationRecorder{
		Name: aws.String("default"), RoleARN: aws.String(g.here("arn:aws:iam::123456789012:role/Recorder")),
		RecordingGroup: &configtypes.RecordingGroup{ResourceTypes: []configtypes.ResourceType{"AWS::CloudTrail::Trail"}},
	}}); err != nil {
		g.t.Fatal(err)
	}
	g.putRule()
}

// putRule adds a rule and its remediation.
func (g guarded) putRule() {
	g.t.Helper()
	client, ctx := configservice.NewFromConfig(g.Config(g.Administrator())), g.t.Context()
	if _, err := client.PutConfigRule(ctx, &configservice.PutConfigRuleInput{ConfigRule: &configtypes.ConfigRule{
		ConfigRuleName: aws.String("enabled"), MaximumExecutionFrequency: configtypes.MaximumExecutionFrequencyOneHour,
		Source: &configtypes.Source{Owner: configtypes.OwnerAws, SourceIdentifier: aws.String("CLOUD_TRAIL_ENABLED")},
	}}); err != nil {
		g.t.Fatal(err)
	}
	static := func(value string) configtypes.RemediationParameterValue {
		return configtypes.RemediationParameterValue{StaticValue: &configtypes.StaticValue{Values: []string{value}}}
	}
	if _, err := client.PutRemediationConfigurations(ctx, &configservice.PutRemediationConfigurationsInput{
		RemediationConfigurations: []configtypes.RemediationConfiguration{{
			ConfigRuleName: aws.String("enabled"), TargetId: aws.String("Repair"), TargetType: configtypes.RemediationTargetTypeSsmDocument,
			Automatic: true, MaximumAutomaticAttempts: aws.Int32(3), RetryAttemptSeconds: aws.Int64(60),
			Parameters: map[string]configtypes.RemediationParameterValue{
				"AutomationAssumeRole": static(g.here("arn:aws:iam::123456789012:role/Repair")), "TrailName": static("guarded"),
			},
		}},
	}); err != nil {
		g.t.Fatal(err)
	}
}

func TestTheLoopIsClosed(t *testing.T) {
	empty := scenarios(t)
	scenario := func(name string, run func(g guarded)) {
		empty(name, func(g guarded) {
			g.deploy()
			run(g)
		})
	}

	scenario("an event starts the runbook, with the role that is deployed", func(g guarded) {
		g.stopLogging()
		g.run()
		g.wantLogging(true)
		executions := g.Executions()
		if len(executions) != 1 || executions[0].Status != automation.Success {
			g.t.Fatalf("the executions are %+v", executions)
		}
		i := slices.IndexFunc(g.Gateway.Calls(), func(c CallRecord) bool {
			return c.Action() == "cloudtrail:StartLogging" && c.Principal.ARN == "arn:aws:iam::123456789012:role/Repair"
		})
		if i < 0 {
			g.t.Error("the role did not start the logging")
		}
		got, err := ssm.NewFromConfig(g.Config(Administrator)).GetAutomationExecution(g.t.Context(), &ssm.GetAutomationExecutionInput{
			AutomationExecutionId: &executions[0].ID,
		})
		if err != nil || got.AutomationExecution.AutomationExecutionStatus != "Success" {
			g.t.Errorf("GetAutomationExecution gave %v, %v", got, err)
		}
		listed, err := ssm.NewFromConfig(g.Config(Administrator)).DescribeAutomationExecutions(g.t.Context(), &ssm.DescribeAutomationExecutionsInput{})
		if err != nil || len(listed.AutomationExecutionMetadataList) != 1 {
			g.t.Errorf("DescribeAutomationExecutions gave %v, %v", listed, err)
		}
	})

	scenario("without the rule nothing is repaired", func(g guarded) {
		g.disableRule()
		g.stopLogging()
		g.run()
		g.wantLogging(false)
		if n := len(g.Executions()); n != 0 {
			g.t.Errorf("there are %d executions, want none", n)
		}
	})

	scenario("without the permission nothing is repaired", func(g guarded) {
		if _, err := iam.NewFromConfig(g.Config(Administrator)).DeleteRolePolicy(g.t.Context(), &iam.DeleteRolePolicyInput{
			RoleName: aws.String("Repair"), PolicyName: aws.String("Repair"),
		}); err != nil {
			g.t.Fatal(err)
		}
		g.stopLogging()
		g.run()
		g.wantLogging(false)
		executions := g.Executions()
		if len(executions) != 1 || executions[0].Status != automation.Failed || !strings.Contains(executions[0].FailureMessage, "AccessDeniedException") {
			g.t.Errorf("the executions are %+v", executions)
		}
	})

	scenario("a role that does not trust Automation repairs nothing", func(g guarded) {
		if _, err := iam.NewFromConfig(g.Config(Administrator)).UpdateAssumeRolePolicy(g.t.Context(), &iam.UpdateAssumeRolePolicyInput{
			RoleName: aws.String("Repair"), PolicyDocument: aws.String(strings.ReplaceAll(world.TrustsAutomation, "123456789012", "999999999999")),
		}); err != nil {
			g.t.Fatal(err)
		}
		g.stopLogging()
		g.run()
		g.wantLogging(false)
		if n := len(g.Executions()); n != 0 {
			g.t.Errorf("there are %d executions, want none", n)
		}
	})

	scenario("Config repairs without the event", func(g guarded) {
		g.putConfig()
		g.disableRule()
		g.stopLogging()
		g.run()
		g.wantLogging(false)
		if err := g.Advance(g.t.Context(), 0); err != nil {
			g.t.Fatal(err)
		}
		g.wantLogging(true)
		i := slices.IndexFunc(g.Gateway.Calls(), func(c CallRecord) bool {
			return c.Action() == "ssm:StartAutomationExecution" && c.Principal == remediationRole(g.Place()) && c.ErrorCode == ""
		})
		if i < 0 {
			g.t.Error("Config's service-linked role started nothing")
		}
	})

	scenario("a bucket policy that shuts CloudTrail out stops the delivery", func(g guarded) {
		if _, err := s3.NewFromConfig(g.Config(world.Mallory)).DeleteBucketPolicy(g.t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("trail-logs")}); err != nil {
			g.t.Fatal(err)
		}
		if err := g.Advance(g.t.Context(), 0); err != nil {
			g.t.Fatal(err)
		}
		if delivery := g.CloudTrail().Trails()[0].Log; delivery.Error != "AccessDenied" {
			g.t.Errorf("the delivery is %+v", delivery)
		}
	})

	scenario("an organization policy keeps an attacker out and the runbook in", func(g guarded) {
		if err := g.IAM.SetOrganizationPolicies(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*",
			"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Repair"}}}]}`); err != nil {
			g.t.Fatal(err)
		}
		_, err := cloudtrail.NewFromConfig(g.Config(world.Mallory)).StopLogging(g.t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("guarded")})
		world.WantCode(g.t, err, "AccessDeniedException")
	})

	scenario("executions interleave in an order that a seed decides", func(g guarded) {
		g.options.Rand = rand.New(rand.NewPCG(1, 2))
		defer func() { g.options.Rand = nil }()
		client := ssm.NewFromConfig(g.Config(Administrator))
		for range 20 {
			if _, err := client.StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{DocumentName: aws.String("Repair"),
				Parameters: map[string][]string{"AutomationAssumeRole": {"arn:aws:iam::123456789012:role/Repair"}, "TrailName": {"guarded"}}}); err != nil {
				g.t.Fatal(err)
			}
		}
		g.run()
		for _, execution := range g.Executions() {
			if execution.Status != automation.Success {
				g.t.Errorf("%s is %s: %s", execution.ID, execution.Status, execution.FailureMessage)
			}
		}
	})

	scenario("what happened can be looked up", func(g guarded) {
		history, err := cloudtrail.NewFromConfig(g.Config(Administrator)).LookupEvents(g.t.Context(), &cloudtrail.LookupEventsInput{
			LookupAttributes: []cloudtrailtypes.LookupAttribute{
				{AttributeKey: cloudtrailtypes.LookupAttributeKeyEventName, AttributeValue: aws.String("CreateTrail")},
			},
		})
		g.must(err)
		if len(history.Events) != 1 {
			g.t.Errorf("the history holds %d events of the trail's creation, want one", len(history.Events))
		}
		stack, err := g.cloudFormation().DescribeStackEvents(g.t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("guard")})
		g.must(err)
		for _, event := range stack.StackEvents {
			if away := g.Clock.Now().Sub(*event.Timestamp); away < 0 || away > time.Minute {
				g.t.Errorf("%s of %s is at %s, and the clock shows %s", event.ResourceStatus, *event.LogicalResourceId, event.Timestamp, g.Clock.Now())
			}
		}
		if len(stack.StackEvents) == 0 {
			g.t.Error("there are no events of the stack")
		}
	})

	scenario("an automation with a role that may not be passed is refused", func(g guarded) {
		role := api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::123456789012:role/Events", SessionName: "s"}
		start := func(document, passed string) error {
			_, err := ssm.NewFromConfig(g.Config(role)).StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{
				DocumentName: &document,
				Parameters:   map[string][]string{"AutomationAssumeRole": {"arn:aws:iam::123456789012:role/" + passed}, "TrailName": {"guarded"}},
			})
			return err
		}
		world.WantCode(g.t, start("Repair", "Repair"), "")
		world.WantCode(g.t, start("Repair", "Events"), "AccessDeniedException")
		world.WantCode(g.t, start("Other", "Repair"), "AccessDeniedException")
	})
}

func TestWithoutTheServiceAuthorizationReferenceNothingStarts(t *testing.T) {
	_, err := Start(t.Context(), Options{Python: repository.Python(), NodeModules: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("got %v", err)
	}
}
