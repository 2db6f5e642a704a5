package closedloop

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
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
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// guard is a deployed stack of TrailGuard in an account that holds nothing else.
type guard struct {
	*account
	t        *testing.T
	template string // see share
	// What the stack's outputs say.
	trail, trailARN, bucket, key, role, runbook string
	rules                                       []string
	// document is the runbook as it is deployed.
	document document
	// foreign is what an attacker would use, once it was asked for.
	foreign *foreign
}

// document is what the tests read in a runbook.
type document struct {
	Content    string `yaml:"-"`
	Parameters map[string]struct{ Default any }
	MainSteps  []struct {
		Name, Action string
		Inputs       map[string]any
	} `yaml:"mainSteps"`
}

// deploy empties the account and deploys a template to it.
func deploy(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := prepare(t, a, tpl)
	g.createStack(tpl)
	return g.discover()
}

// share is deploy for a template as it is, and for tests that change nothing but trails: they may find the stack of the test
// before, without its trails.
func share(t *testing.T, a *account, template string) guard {
	t.Helper()
	if a.shared == nil || a.shared.template != template {
		g := deploy(t, a, readTemplate(t, template))
		g.template = template
		a.shared = &g
	}
	g := *a.shared
	g.t = t
	a.order.Seed(0, 0)
	g.deleteTrails()
	return g
}

// prepare empties the account. It gets a configuration recorder of its own unless the template brings one.
func prepare(t *testing.T, a *account, tpl template) guard {
	t.Helper()
	g := guard{account: a, t: t, foreign: &foreign{}}
	a.shared = nil
	g.must(a.Err())
	g.must(a.Reset(t.Context()))
	a.order.Seed(0, 0)
	if len(tpl.resources("AWS::Config::ConfigurationRecorder")) == 0 {
		g.must(localaws.PutRecorder(t.Context(), g.admin))
	}
	return g
}

func (g guard) createStack(tpl template) {
	g.t.Helper()
	g.must(g.tryCreateStack(tpl))
}

func (g guard) tryCreateStack(tpl template) error {
	g.t.Helper()
	_, err := cloudformation.NewFromConfig(g.admin).CreateStack(g.t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("guard"), TemplateBody: aws.String(tpl.json(g.t)),
		Capabilities: []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityIam},
	})
	return err
}

// discover reads the stack's outputs and the deployed runbook.
func (g guard) discover() guard {
	g.t.Helper()
	stacks, err := cloudformation.NewFromConfig(g.admin).DescribeStacks(g.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("guard")})
	g.must(err)
	stack := stacks.Stacks[0]
	if stack.StackStatus != cloudformationtypes.StackStatusCreateComplete {
		g.t.Fatalf("the stack is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	outputs := map[string]string{}
	for _, output := range stack.Outputs {
		outputs[*output.OutputKey] = *output.OutputValue
	}
	g.rules = strings.Split(outputs["ConfigRuleNames"], ",")
	for name, field := range map[string]*string{
		"TrailName": &g.trail, "TrailArn": &g.trailARN, "LogBucketName": &g.bucket, "LogKeyArn": &g.key, "AutomationRoleArn": &g.role, "RunbookName": &g.runbook,
	} {
		if *field = outputs[name]; *field == "" {
			g.t.Fatalf("the stack has no output %s", name)
		}
	}
	got, err := ssm.NewFromConfig(g.admin).GetDocument(g.t.Context(), &ssm.GetDocumentInput{Name: &g.runbook})
	g.must(err)
	g.document = parseDocument(g.t, *got.Content)
	return g
}

func parseDocument(t *testing.T, content string) document {
	t.Helper()
	d := document{Content: content}
	if err := yaml.Unmarshal([]byte(content), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (g guard) must(err error) {
	if err != nil {
		g.t.Helper()
		g.t.Fatal(err)
	}
}

// step runs a part of a test.
func (g guard) step(name string, part func(g guard)) {
	g.t.Helper()
	g.t.Run(name, func(t *testing.T) {
		g.t = t
		part(g)
	})
}

func (g guard) config() *configservice.Client  { return configservice.NewFromConfig(g.admin) }
func (g guard) cloudTrail() *cloudtrail.Client { return cloudtrail.NewFromConfig(g.admin) }
func (g guard) automationRole() api.Principal {
	return api.Principal{Type: api.AssumedRole, ARN: g.role, SessionName: "Automation"}
}
func (g guard) isAutomation(p api.Principal) bool { return p.ARN == g.role }

// tick moves the clock and lets Config do what is due.
func (g guard) tick(d time.Duration) {
	g.t.Helper()
	g.must(g.Advance(g.t.Context(), d))
}

// begin starts a runbook by hand.
func (g guard) begin(runbook string, parameters map[string][]string) error {
	_, err := ssm.NewFromConfig(g.admin).StartAutomationExecution(g.t.Context(), &ssm.StartAutomationExecutionInput{
		DocumentName: &runbook, Parameters: parameters,
	})
	return err
}

// repair runs the deployed runbook by hand.
func (g guard) repair() *automation.Execution {
	g.t.Helper()
	return g.repairAtOnce(1)[0]
}

// repairAtOnce runs the deployed runbook several times, one attempt of a step of any of them at a time.
func (g guard) repairAtOnce(n int) []*automation.Execution {
	g.t.Helper()
	before := len(g.Executions())
	for range n {
		g.must(g.begin(g.runbook, nil))
	}
	g.must(g.RunToQuiescence(g.t.Context()))
	all := g.Executions()
	if len(all) != before+n {
		g.t.Fatalf("%d executions ran, want %d", len(all)-before, n)
	}
	return all[before:]
}

// wantSuccess reports an execution that has not ended well.
func (g guard) wantSuccess(executions ...*automation.Execution) {
	g.t.Helper()
	for _, x := range executions {
		if x.Status != automation.Success {
			g.t.Errorf("an execution is %s: %s", x.Status, x.FailureMessage)
		}
	}
}

// wantRepaired reports what the trail is not as declared.
func (g guard) wantRepaired() {
	g.t.Helper()
	for _, difference := range g.differences() {
		g.t.Error(difference)
	}
	if trails := g.trailARNs(); !slices.Contains(trails, g.trailARN) {
		g.t.Errorf("the trails are %v, want %s among them", trails, g.trailARN)
	}
}

func (g guard) trailARNs() []string {
	g.t.Helper()
	got, err := g.cloudTrail().ListTrails(g.t.Context(), &cloudtrail.ListTrailsInput{})
	g.must(err)
	var arns []string
	for _, trail := range got.Trails {
		arns = append(arns, *trail.TrailARN)
	}
	return arns
}

func (g guard) isLogging() bool {
	g.t.Helper()
	status, err := g.cloudTrail().GetTrailStatus(g.t.Context(), &cloudtrail.GetTrailStatusInput{Name: &g.trail})
	if hasCode(err, "TrailNotFoundException") {
		return false
	}
	g.must(err)
	return *status.IsLogging
}

func hasCode(err error, code string) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) && refused.ErrorCode() == code
}

// state is what there is to know of a trail, by the names of CloudTrail's answers.
type state map[string]any

// differences are what the trail is not as declared; empty once it is repaired.
func (g guard) differences() []string {
	g.t.Helper()
	declared, actual := g.declared(), g.actual()
	if actual == nil {
		return []string{"there is no trail " + g.trail}
	}
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if !reflect.DeepEqual(actual[name], declared[name]) {
			differences = append(differences, fmt.Sprintf("%s is %v, want %v", name, actual[name], declared[name]))
		}
	}
	return differences
}

// declared is the state that the deployed runbook restores.
func (g guard) declared() state {
	g.t.Helper()
	declared := state{"IsLogging": true, "AdvancedEventSelectors": []any{}, "IsOrganizationTrail": g.document.Parameters["IsOrganizationTrail"].Default}
	for _, step := range g.document.MainSteps {
		inputs := map[string]any{}
		for name, value := range step.Inputs {
			inputs[name] = g.document.resolve(value)
		}
		switch inputs["Api"] {
		case "UpdateTrail":
			for input, name := range map[string]string{
				"S3BucketName": "S3BucketName", "S3KeyPrefix": "S3KeyPrefix", "KmsKeyId": "KmsKeyId", "SnsTopicName": "SnsTopicARN",
				"CloudWatchLogsLogGroupArn": "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn": "CloudWatchLogsRoleArn",
				"IsMultiRegionTrail": "IsMultiRegionTrail", "IncludeGlobalServiceEvents": "IncludeGlobalServiceEvents",
				"EnableLogFileValidation": "LogFileValidationEnabled", "IsOrganizationTrail": "IsOrganizationTrail",
			} {
				if value, given := inputs[input]; given {
					declared[name] = value
				}
			}
		case "PutEventSelectors":
			declared["EventSelectors"] = inputs["EventSelectors"]
		case "PutInsightSelectors":
			declared["InsightSelectors"] = inputs["InsightSelectors"]
		}
	}
	if len(declared) != 14 {
		g.t.Fatalf("the runbook declares only %v", slices.Sorted(maps.Keys(declared)))
	}
	return plain(g.t, declared)
}

var reference = regexp.MustCompile(`^\{\{ *(\w+) *\}\}$`)

// resolve gives a reference the parameter's default.
func (d document) resolve(value any) any {
	text, _ := value.(string)
	if name := reference.FindStringSubmatch(text); name != nil {
		return d.Parameters[name[1]].Default
	}
	return value
}

// actual is the trail's state as CloudTrail's API tells it; nil if there is no trail.
func (g guard) actual() state {
	g.t.Helper()
	ctx, client := g.t.Context(), g.cloudTrail()
	got, err := client.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: &g.trail})
	if hasCode(err, "TrailNotFoundException") {
		return nil
	}
	g.must(err)
	status, err := client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &g.trail})
	g.must(err)
	selectors, err := client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &g.trail})
	g.must(err)
	insights, err := client.GetInsightSelectors(ctx, &cloudtrail.GetInsightSelectorsInput{TrailName: &g.trail})
	if hasCode(err, "InsightNotEnabledException") {
		insights, err = &cloudtrail.GetInsightSelectorsOutput{}, nil
	}
	g.must(err)
	types := []any{}
	for _, selector := range insights.InsightSelectors {
		types = append(types, map[string]any{"InsightType": selector.InsightType})
	}
	if selectors.AdvancedEventSelectors == nil {
		selectors.AdvancedEventSelectors = []cloudtrailtypes.AdvancedEventSelector{}
	}
	t := got.Trail
	return plain(g.t, state{
		"IsLogging": status.IsLogging, "S3BucketName": aws.ToString(t.S3BucketName), "S3KeyPrefix": aws.ToString(t.S3KeyPrefix),
		"KmsKeyId": aws.ToString(t.KmsKeyId), "SnsTopicARN": aws.ToString(t.SnsTopicARN),
		"CloudWatchLogsLogGroupArn": aws.ToString(t.CloudWatchLogsLogGroupArn), "CloudWatchLogsRoleArn": aws.ToString(t.CloudWatchLogsRoleArn),
		"IsMultiRegionTrail": t.IsMultiRegionTrail, "IsOrganizationTrail": t.IsOrganizationTrail,
		"IncludeGlobalServiceEvents": t.IncludeGlobalServiceEvents, "LogFileValidationEnabled": t.LogFileValidationEnabled,
		"EventSelectors": selectors.EventSelectors, "AdvancedEventSelectors": selectors.AdvancedEventSelectors, "InsightSelectors": types,
	})
}

// plain turns a state into what encoding/json reads, so that states compare.
func plain(t *testing.T, s state) state {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read state
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	return read
}
