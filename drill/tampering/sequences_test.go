package tampering

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"pgregory.net/rapid"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

// sequences is how many sequences are generated in all accounts together, unless -rapid.checks says how many in each. They
// are the same each time, unless -rapid.seed is given.
const (
	sequences = 2000
	seed      = 1
)

// setSequences gives rapid's flags our defaults.
func setSequences() error {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{
		"rapid.checks": fmt.Sprint(sequences / len(accounts)), "rapid.seed": fmt.Sprint(seed), "rapid.nofailfile": "true",
	} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			return fmt.Errorf("setting -%s: %w", name, err)
		}
	}
	return nil
}

// tampering is one call to CloudTrail.
type tampering struct {
	caller
	byARN bool
	// input is that of one of CloudTrail's operations. The trail's name is filled in later.
	input any
	// configLooks has Config evaluate its rules before the call.
	configLooks bool
	// after is how many calls of the guard's runbooks go by first. Where none runs, the call is made at once.
	after int
}

func (m tampering) String() string {
	form := "by name"
	if m.byARN {
		form = "by ARN"
	}
	content, err := json.Marshal(m.input)
	if err != nil {
		return err.Error()
	}
	var members map[string]any
	if err := json.Unmarshal(content, &members); err != nil {
		return err.Error()
	}
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	if content, err = json.Marshal(members); err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%s, %s, by %s: %s", strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", m.input), "*cloudtrail."), "Input"), form, m.name, content)
	if m.configLooks {
		text = "Config looks, then " + text
	}
	return fmt.Sprintf("%s (%d calls of the runbooks later)", text, m.after)
}

// fault is an error in answer to one call of the guard's runbooks.
type fault struct {
	code string
	late bool // the call has had its effect, and the runbook does not know
}

// sequence is what befalls the guard.
type sequence struct {
	tamperings []tampering
	faults     map[int]fault // by the number of the runbooks' call
	order      uint64        // decides which of the running executions makes its next attempt
}

// GoString is how rapid shows a sequence.
func (s sequence) GoString() string {
	lines := []string{"a sequence"}
	for i, m := range s.tamperings {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, m))
	}
	for _, call := range slices.Sorted(maps.Keys(s.faults)) {
		lines = append(lines, fmt.Sprintf("call %d of the runbooks: %+v", call, s.faults[call]))
	}
	return strings.Join(append(lines, fmt.Sprintf("order of the executions: %d", s.order)), "\n    ")
}

// maxExecutions is more than a sequence can start: one a call and three a look of Config.
const maxExecutions = 8 * 4

// maxFaultsOfAPI keeps faults from using up the attempts of a step: the least that a step of CloudTrail's has is three.
const maxFaultsOfAPI = 2

func drawSequence(elsewhere drill.Target) *rapid.Generator[sequence] {
	draw := func(t *rapid.T) tampering {
		return tampering{
			after:       rapid.IntRange(0, 30).Draw(t, "after"),
			caller:      rapid.SampledFrom(callers).Draw(t, "caller"),
			byARN:       rapid.Bool().Draw(t, "by ARN"),
			input:       drawInput(t, elsewhere),
			configLooks: rapid.IntRange(0, 5).Draw(t, "Config looks") == 5,
		}
	}
	drawFault := func(t *rapid.T) fault {
		return fault{rapid.SampledFrom([]string{"ThrottlingException", "ConflictException"}).Draw(t, "code"), rapid.Bool().Draw(t, "late")}
	}
	return rapid.Custom(func(t *rapid.T) sequence {
		return sequence{
			tamperings: rapid.SliceOfN(rapid.Custom(draw), 1, 8).Draw(t, "tamperings"),
			faults:     rapid.MapOfN(rapid.IntRange(1, 150), rapid.Custom(drawFault), 0, 20).Draw(t, "faults"),
			order:      rapid.Uint64().Draw(t, "order"),
		}
	})
}

// drawInput draws a call of any of the attacks, with any parameters.
func drawInput(t *rapid.T, elsewhere drill.Target) any {
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	no := aws.Bool(false)
	switch rapid.SampledFrom([]string{"StopLogging", "DeleteTrail", "UpdateTrail", "selectors", "advanced selectors", "Insights"}).Draw(t, "operation") {
	case "StopLogging":
		return &cloudtrail.StopLoggingInput{}
	case "DeleteTrail":
		return &cloudtrail.DeleteTrailInput{}
	case "UpdateTrail":
		in := &cloudtrail.UpdateTrailInput{}
		if maybe("one Region") {
			in.IsMultiRegionTrail = no
			if maybe("no global events") {
				in.IncludeGlobalServiceEvents = no
			}
		}
		if maybe("no validation") {
			in.EnableLogFileValidation = no
		}
		if maybe("key") {
			in.KmsKeyId = aws.String(rapid.SampledFrom([]string{"", elsewhere.KeyARN}).Draw(t, "which key"))
		}
		if maybe("bucket") {
			in.S3BucketName = &elsewhere.Bucket
			if maybe("prefix") {
				in.S3KeyPrefix = aws.String("elsewhere")
			}
		}
		return in
	case "selectors":
		selector := rapid.Custom(func(t *rapid.T) types.EventSelector {
			s := types.EventSelector{
				ReadWriteType:           rapid.SampledFrom(types.ReadWriteType("").Values()).Draw(t, "read, write"),
				IncludeManagementEvents: aws.Bool(rapid.Bool().Draw(t, "management")),
				ExcludeManagementEventSources: rapid.SliceOfNDistinct(
					rapid.SampledFrom([]string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}), 0, 2, rapid.ID[string]).Draw(t, "excluded"),
			}
			if !*s.IncludeManagementEvents || rapid.Bool().Draw(t, "data") {
				s.DataResources = []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3:::other/"}}}
			}
			return s
		})
		return &cloudtrail.PutEventSelectorsInput{EventSelectors: rapid.SliceOfN(selector, 0, 3).Draw(t, "selectors")}
	case "advanced selectors":
		field := func(name, value string) types.AdvancedFieldSelector {
			return types.AdvancedFieldSelector{Field: &name, Equals: []string{value}}
		}
		management := []types.AdvancedFieldSelector{field("eventCategory", "Management")}
		choices := [][]types.AdvancedFieldSelector{
			management,
			append(management, field("readOnly", "true")),
			append(management, field("readOnly", "false")),
			append(management, types.AdvancedFieldSelector{Field: aws.String("eventSource"), NotEquals: []string{"kms.amazonaws.com"}}),
			{field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object")},
		}
		return &cloudtrail.PutEventSelectorsInput{AdvancedEventSelectors: []types.AdvancedEventSelector{
			{FieldSelectors: rapid.SampledFrom(choices).Draw(t, "fields")},
		}}
	}
	kinds := rapid.SliceOfNDistinct(rapid.SampledFrom([]types.InsightType{types.InsightTypeApiCallRateInsight, types.InsightTypeApiErrorRateInsight}),
		0, 2, rapid.ID[types.InsightType]).Draw(t, "kinds")
	in := &cloudtrail.PutInsightSelectorsInput{InsightSelectors: []types.InsightSelector{}}
	for _, kind := range kinds {
		in.InsightSelectors = append(in.InsightSelectors, types.InsightSelector{InsightType: kind})
	}
	return in
}

// call makes the call. That CloudTrail refuses it is no error: then nothing happened.
func (g guard) call(client *cloudtrail.Client, m tampering) (accepted bool, err error) {
	ctx, trail := g.t.Context(), &g.TrailName
	if m.byARN {
		trail = &g.TrailARN
	}
	switch in := m.input.(type) {
	case *cloudtrail.StopLoggingInput:
		_, err = client.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: trail})
	case *cloudtrail.DeleteTrailInput:
		_, err = client.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: trail})
	case *cloudtrail.UpdateTrailInput:
		in.Name = trail
		_, err = client.UpdateTrail(ctx, in)
	case *cloudtrail.PutEventSelectorsInput:
		in.TrailName = trail
		_, err = client.PutEventSelectors(ctx, in)
	case *cloudtrail.PutInsightSelectorsInput:
		in.TrailName = trail
		_, err = client.PutInsightSelectors(ctx, in)
	}
	if hasCode(err, "TrailNotFoundException", "InvalidEventSelectorsException", "InvalidInsightSelectorsException",
		"InvalidParameterCombinationException", "InsufficientS3BucketPolicyException") {
		return false, nil
	}
	return err == nil, err
}

// TestRandomSequencesOfTamperingConverge generates sequences of calls of attackers that fall between the calls of the running
// runbooks, which meet throttles and conflicts. Once the attackers rest and Config has looked once, the trail is as declared
// and the guard is as it was.
func TestRandomSequencesOfTamperingConverge(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		r, generator := newRunner(g), drawSequence(g.elsewhere())
		rapid.Check(t, func(t *rapid.T) {
			if a != accounts[0] {
				rapid.Uint64().Draw(t, "what makes the sequences others than in the first account")
			}
			s := generator.Draw(t, "sequence")
			r.guard = r.guard.in(t)
			r.heal()
			if problems := r.run(s); len(problems) > 0 {
				t.Fatal(strings.Join(problems, "\n"))
			}
			r.ran++
		})
		t.Logf("%d sequences with %d calls of attackers, of which CloudTrail accepted %d, and %d faults; %d executions, of which %d failed",
			r.ran, r.made, r.accepted, r.failed, r.executions, r.executionsFailed)
	})
}

// TestRandomSequencesFindABrokenGuard is the negative control of the test before.
func TestRandomSequencesFindABrokenGuard(t *testing.T) {
	const tries = 30
	for i, test := range []struct {
		name   string
		broken mutation
		lost   string
	}{
		{"without a permission", withoutAction("cloudtrail:PutInsightSelectors"), "an execution that started after the last call of an attacker is Failed"},
		{"without Config's remediation", without(remediation), "the trail is not as declared"},
		{"with the guard's own calls as tampering of others", withTampering(func(rule map[string]any) {
			issuer(rule)["arn"] = []any{map[string]any{"anything-but": []any{"other"}}, map[string]any{"exists": false}}
		}), "the guard starts itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := deploy(t, a, readTemplate(t, "default").with(t, test.broken))
				g.makeTrail()
				r, generator := newRunner(g), drawSequence(g.elsewhere())
				for try := range tries {
					if strings.Contains(strings.Join(r.run(generator.Example(try)), "\n"), test.lost) {
						return
					}
				}
				t.Errorf("%d sequences did not find %q", tries, test.lost)
			})
		})
	}
}

// newRunner returns a runner for a guard that is at rest. People are told nothing from then on: what they are told is tested
// elsewhere, and takes its time.
func newRunner(g guard) *runner {
	g.t.Helper()
	for _, rule := range g.eventRules() {
		for _, target := range rule.targets {
			if target.RoleArn == nil {
				_, err := g.admin.Events.RemoveTargets(g.t.Context(), &eventbridge.RemoveTargetsInput{Rule: rule.Name, Ids: []string{*target.Id}})
				g.must(err)
			}
		}
	}
	r := &runner{guard: g, clients: map[string]*cloudtrail.Client{}}
	for _, c := range callers {
		r.clients[c.name] = g.attacker(c)
	}
	return r
}

// runner runs sequences.
type runner struct {
	guard
	clients map[string]*cloudtrail.Client // of the callers, by name
	broken  bool                          // the last sequence did not end well

	ran, made, accepted, failed, executions, executionsFailed int
}

// heal brings the guard back to rest, and the trail into its declared state, after a sequence that failed.
func (r *runner) heal() {
	r.t.Helper()
	if !r.broken {
		return
	}
	r.Gateway.SetFaults(localaws.Faults{})
	for _, rule := range r.ConfigRuleNames {
		found, err := r.admin.Config.DescribeRemediationExceptions(r.t.Context(), &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
		r.must(err)
		for _, e := range found.RemediationExceptions {
			_, err := r.admin.Config.DeleteRemediationExceptions(r.t.Context(), &configservice.DeleteRemediationExceptionsInput{
				ConfigRuleName: &rule, ResourceKeys: []configtypes.RemediationExceptionResourceKey{{ResourceType: e.ResourceType, ResourceId: e.ResourceId}},
			})
			r.must(err)
		}
	}
	for range 2 {
		r.must(r.begin(nil))
		r.settle()
		r.configLooks(period)
	}
	if unmet := r.unmet(); len(unmet) > 0 {
		r.t.Fatalf("the guard cannot be brought back to rest: %v", unmet)
	}
	r.broken = false
}

// run makes the calls of a sequence, lets Config look once, and says what is not as it should be.
func (r *runner) run(s sequence) (problems []string) {
	r.t.Helper()
	r.broken = true
	r.order.Seed(s.order, 0)
	before := len(r.Executions())
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	beforeLast, accepted, looks, endless := r.play(s)
	if endless {
		problem("there is no end of executions: the guard starts itself")
		return problems
	}
	r.configLooks(period)
	looks++

	if unmet := r.unmet(); len(unmet) > 0 {
		problem("the trail is not as declared: %s", strings.Join(unmet, "; "))
	}
	all := r.since(before)
	for i, x := range all {
		outlived := x.Status == automation.Success || slices.ContainsFunc(all, func(y *automation.Execution) bool {
			return y.Status == automation.Success && (y.StartTime.After(x.StartTime) || y.EndTime.After(x.EndTime))
		})
		switch {
		case x.EndTime.IsZero():
			problem("an execution is still %s", x.Status)
		case x.Status != automation.Success && before+i >= beforeLast:
			problem("an execution that started after the last call of an attacker is %s: %s", x.Status, x.FailureMessage)
		case !outlived:
			problem("an execution is %s, and none succeeded after it: %s", x.Status, x.FailureMessage)
		}
		if x.Status != automation.Success {
			r.executionsFailed++
		}
	}
	if most := accepted + looks*len(r.ConfigRuleNames); len(all) > most {
		problem("%d executions were started for %d accepted calls and %d looks of Config: the guard starts itself", len(all), accepted, looks)
	}
	if found := r.exceptions(); len(found) > 0 {
		problem("Config no longer remediates %v", found)
	}
	rested := len(r.Executions())
	r.configLooks(period)
	if found := r.notCompliant(); len(found) > 0 {
		problem("Config finds %v not satisfied", found)
	}
	if n := len(r.since(rested)); n > 0 {
		problem("%d executions were started when all was well", n)
	}
	r.executions += len(all)
	r.broken = len(problems) > 0
	return problems
}

// play makes the calls of a sequence, each when its time has come, and runs to quiescence. It returns how many executions
// there were when the last call was made, how many calls were accepted, how often Config looked, and whether the guard kept
// itself running.
func (r *runner) play(s sequence) (beforeLast, accepted, looks int, endless bool) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	most := len(r.Executions()) + maxExecutions
	next, calls, sinceLast := 0, 0, 0
	ofAPI := map[string]int{}
	makeNext := func() {
		m := s.tamperings[next]
		next, sinceLast = next+1, 0
		if m.configLooks {
			looks++
			_, err := r.admin.Config.StartConfigRulesEvaluation(r.t.Context(), &configservice.StartConfigRulesEvaluationInput{ConfigRuleNames: r.ConfigRuleNames})
			r.must(err)
			r.must(r.ConfigService().Tick(r.t.Context()))
		}
		done, err := r.call(r.clients[m.name], m)
		r.must(err)
		r.made++
		if done {
			accepted, r.accepted = accepted+1, r.accepted+1
		}
		beforeLast = len(r.Executions())
	}
	var late error
	r.Gateway.SetFaults(localaws.Faults{
		Before: func(call api.Call) error {
			if call.Principal.ARN != r.AutomationRoleARN {
				if call.Action() == "ssm:StartAutomationExecution" && len(r.Executions()) > most {
					endless = true
					cancel()
					return api.Errorf("ThrottlingException", "the test has seen enough")
				}
				return nil
			}
			for calls, sinceLast = calls+1, sinceLast+1; next < len(s.tamperings) && sinceLast > s.tamperings[next].after; {
				makeNext()
			}
			f, faulty := s.faults[calls]
			changes := call.Service == "cloudtrail" && !strings.HasPrefix(call.Operation, "Get")
			late = nil
			if !faulty || ofAPI[call.Action()] == maxFaultsOfAPI || f.code == "ConflictException" && !changes {
				return nil
			}
			ofAPI[call.Action()]++
			r.failed++
			err := api.Errorf(f.code, "injected")
			if f.late {
				late = err
				return nil
			}
			return err
		},
		After: func(call api.Call) error {
			if call.Principal.ARN != r.AutomationRoleARN {
				return nil
			}
			return late
		},
	})
	defer r.Gateway.SetFaults(localaws.Faults{})
	for next < len(s.tamperings) && !endless {
		makeNext()
		if err := r.RunToQuiescence(ctx); !endless {
			r.must(err)
		}
	}
	return beforeLast, accepted, looks, endless
}
