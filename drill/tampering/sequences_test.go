package tampering

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"pgregory.net/rapid"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// sequences is how many sequences are generated in each account on each set of paths, unless -rapid.checks says so. They are the
// same each time, unless -rapid.seed is given.
const (
	sequences = 12
	seed      = 1
)

// setSequences gives rapid's flags our defaults.
func setSequences() error {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{
		"rapid.checks": fmt.Sprint(sequences), "rapid.seed": fmt.Sprint(seed), "rapid.nofailfile": "true",
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
	// after is how many calls of the guard's runbooks go by first. Where none runs, the call is made at once.
	after int
	// hour passes after the call, where no runbook runs: the schedule and Config look.
	hour bool
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
	if m.hour {
		text += ", and an hour"
	}
	return fmt.Sprintf("%d calls of the runbooks later %s", m.after, text)
}

// fault is an error in answer to one call of the guard's runbooks.
type fault struct {
	code string
	late bool // the call has had its effect, and the runbook does not know
}

// round is what befalls the guard until the attackers rest.
type round struct {
	tamperings []tampering
	faults     map[int]fault // by the number of the runbooks' call
	// lost tells that the events of the round start nothing.
	lost bool
	// broken are the extras that are gone, by their names.
	broken []string
}

// sequence is what befalls the guard.
type sequence struct {
	rounds []round
	order  uint64 // decides which of the running executions makes its next step
}

// GoString is how rapid shows a sequence.
func (s sequence) GoString() string {
	lines := []string{"a sequence"}
	for i, r := range s.rounds {
		line := fmt.Sprintf("round %d", i+1)
		if r.lost {
			line += ", whose events are lost"
		}
		if len(r.broken) > 0 {
			line += ", without " + strings.Join(r.broken, " and ")
		}
		lines = append(lines, line)
		for _, m := range r.tamperings {
			lines = append(lines, "  "+m.String())
		}
		for call, f := range sortedByNumber(r.faults) {
			lines = append(lines, fmt.Sprintf("  call %d of the runbooks: %+v", call, f))
		}
	}
	return strings.Join(append(lines, fmt.Sprintf("order of the executions: %d", s.order)), "\n    ")
}

// drawSequence draws a sequence for a guard on its paths. Extras are broken only where there are any.
func drawSequence(g guard, path deployed.Path, elsewhere drill.Target) *rapid.Generator[sequence] {
	call := rapid.Custom(func(t *rapid.T) tampering {
		return tampering{
			// Most attackers call many times before the guard has looked up.
			after:  max(0, rapid.IntRange(-60, 20).Draw(t, "after")),
			caller: rapid.SampledFrom(callers).Draw(t, "caller"),
			byARN:  rapid.Bool().Draw(t, "by ARN"),
			input:  drawInput(t, elsewhere),
			hour:   rapid.IntRange(0, 29).Draw(t, "hour") == 29,
		}
	})
	drawFault := rapid.Custom(func(t *rapid.T) fault {
		codes := []string{"ThrottlingException", "ThrottlingException", "ConflictException", "AccessDeniedException"}
		return fault{rapid.SampledFrom(codes).Draw(t, "code"), rapid.Bool().Draw(t, "late")}
	})
	names := []string{}
	if g.text(deployed.SNSTopicARN) != "" {
		names = slices.Sorted(maps.Keys(extras))
	}
	// Each event starts a run, which takes its time: where only the schedule starts one, more can happen.
	fewest, most, rounds := 68, 130, 6
	if path == deployed.AllPaths {
		fewest, most, rounds = 5, 30, 2
	}
	drawRound := rapid.Custom(func(t *rapid.T) round {
		r := round{
			tamperings: rapid.SliceOfN(call, fewest, most).Draw(t, "tamperings"),
			faults:     rapid.MapOfN(rapid.IntRange(1, 60), drawFault, 0, 20).Draw(t, "faults"),
			lost:       path == deployed.AllPaths && rapid.IntRange(0, 4).Draw(t, "lost") == 4,
		}
		if len(names) > 0 && rapid.IntRange(0, 2).Draw(t, "broken") == 2 {
			r.broken = []string{rapid.SampledFrom(names).Draw(t, "extra")}
		}
		return r
	})
	return rapid.Custom(func(t *rapid.T) sequence {
		return sequence{rounds: rapid.SliceOfN(drawRound, 1, rounds).Draw(t, "rounds"), order: rapid.Uint64().Draw(t, "order")}
	})
}

// drawInput draws a call of any of the attacks, with any parameters.
func drawInput(t *rapid.T, elsewhere drill.Target) any {
	maybe := func(name string) bool { return rapid.Bool().Draw(t, name) }
	no := aws.Bool(false)
	switch rapid.SampledFrom([]string{
		"StopLogging", "StopLogging", "DeleteTrail", "UpdateTrail", "extras", "selectors", "advanced selectors", "Insights", "tags",
	}).Draw(t, "operation") {
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
	case "extras":
		none := aws.String("")
		in := &cloudtrail.UpdateTrailInput{}
		if maybe("topic") {
			in.SnsTopicName = none
		}
		if maybe("log group") {
			in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn = none, none
		}
		if maybe("organization") {
			in.IsOrganizationTrail = no
		}
		return in
	case "tags":
		return &cloudtrail.RemoveTagsInput{TagsList: []types.Tag{{Key: aws.String("owner")}, {Key: aws.String("cost-center")}}}
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
	ctx, trail := g.T.Context(), &g.TrailName
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
	case *cloudtrail.RemoveTagsInput:
		in.ResourceId = &g.TrailARN
		_, err = client.RemoveTags(ctx, in)
	}
	if testbed.HasCode(err, "TrailNotFoundException", "ResourceNotFoundException", "InvalidEventSelectorsException", "InvalidInsightSelectorsException",
		"InvalidParameterCombinationException", "InsufficientS3BucketPolicyException") {
		return false, nil
	}
	return err == nil, err
}

// TestRandomSequencesOfTamperingConverge generates sequences of calls of attackers that fall between the calls of the running
// runbooks, which meet throttles, conflicts and refusals, while events get lost and what the trail writes to is deleted. Once the
// attackers rest and an hour has gone by, the trail is as declared, or what cannot be put back is told; and the guard is as it was.
// Once with every path armed, and once with the schedule alone.
func TestRandomSequencesOfTamperingConverge(t *testing.T) {
	t.Parallel()
	for i, path := range []deployed.Path{deployed.AllPaths, deployed.SchedulePath} {
		for j, template := range []string{"default", "everything"} {
			t.Run(string(path)+", "+template, func(t *testing.T) {
				inTurn(t, i+j, func(t *testing.T, a *account) {
					g := guarded(t, a, testbed.ReadTemplate(t, template))
					r := newRunner(g, path)
					generator := drawSequence(g, r.path, g.elsewhere())
					rapid.Check(t, func(t *rapid.T) {
						for range i + 2*j {
							rapid.Uint64().Draw(t, "what makes the sequences others than in the other tests")
						}
						s := generator.Draw(t, "sequence")
						r.guard = r.guard.in(t)
						r.heal()
						if problems := r.run(s); len(problems) > 0 {
							t.Fatal(strings.Join(problems, "\n"))
						}
					})
					t.Log(r.counts)
				})
			})
		}
	}
}

// TestRandomSequencesFindABrokenGuard is the negative control of the test before.
func TestRandomSequencesFindABrokenGuard(t *testing.T) {
	t.Parallel()
	const tries = 20
	for i, test := range []struct {
		name   string
		path   deployed.Path
		script []string // what is replaced in the runbook's script, and by what
		broken breakage
		lost   string
	}{
		{"a runbook that may not put Insights", deployed.AllPaths, nil, notAllowed(automationRole, "cloudtrail:PutInsightSelectors"), "an execution that nothing disturbed is Failed"},
		{"no schedule", deployed.SchedulePath, nil, schedule(silent), "the trail is not as declared"},
		{"a runbook that writes all settings at once", deployed.SchedulePath, []string{
			"TOGETHER=['bucket','key','coverage']", "TOGETHER=['bucket','key','coverage','SNS','CloudWatch Logs']",
			"for part,update in different.items():", "for part,update in():",
		}, nil, "the trail is not as declared"},
		{"a runbook that ends well whatever it leaves", deployed.SchedulePath, []string{" if wrong:\n  raise", " if False:\n  raise"}, nil, "nobody is told what is left"},
		{"failures that nobody is told of", deployed.SchedulePath, nil, failures(silent), "and nobody is told"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				tpl := testbed.ReadTemplate(t, "everything")
				for i := 0; i < len(test.script); i += 2 {
					tpl.With(t, scripted(test.script[i], test.script[i+1]))
				}
				g := deploy(t, a, tpl)
				g.makeTrail()
				if test.broken != nil {
					test.broken(g)
				}
				r := newRunner(g, test.path)
				generator := drawSequence(g, r.path, g.elsewhere())
				for try := range tries {
					if strings.Contains(strings.Join(r.run(generator.Example(try)), "\n"), test.lost) {
						return
					}
				}
				t.Errorf("%d sequences did not find %q: %s", tries, test.lost, r.counts)
			})
		})
	}
}

// scripted replaces something in the runbook's script.
func scripted(old, new string) testbed.Mutation {
	return func(_ testbed.TB, tpl testbed.Template) {
		for _, document := range tpl.Resources(runbook) {
			for _, step := range document["Content"].(map[string]any)["mainSteps"].([]any) {
				inputs := step.(map[string]any)["inputs"].(map[string]any)
				inputs["Script"] = strings.Replace(inputs["Script"].(string), old, new, 1)
			}
		}
	}
}

// runner runs sequences.
type runner struct {
	guard
	path   deployed.Path
	broken bool // the last sequence did not end well
	counts
}

// counts are what has happened.
type counts struct {
	sequences, rounds, made, accepted, faults, lost, extras, executions, failed int
}

func (c counts) String() string {
	return fmt.Sprintf("%d steps: %d calls of attackers, of which CloudTrail accepted %d, %d faults, and %d executions, of which %d failed; in %d rounds of %d sequences, %d without events and %d without an extra",
		c.made+c.faults+c.executions, c.made, c.accepted, c.faults, c.executions, c.failed, c.rounds, c.sequences, c.lost, c.extras)
}

// newRunner returns a runner for a guard that is at rest. Of tampering people are told nothing from then on: what they are told is
// tested elsewhere, and takes its time.
func newRunner(g guard, path deployed.Path) *runner {
	g.T.Helper()
	notice(silent)(g)
	g.Only(path)
	return &runner{guard: g, path: path}
}

// heal brings the guard back to rest, and the trail into its declared state, after a sequence that failed.
func (r *runner) heal() {
	r.T.Helper()
	if !r.broken {
		return
	}
	r.Gateway.SetFaults(localaws.Faults{})
	r.Only(r.path)
	for range 2 {
		r.Must(r.begin(nil))
		r.Settle()
		r.Pass(time.Hour)
	}
	if unmet := r.Unmet(); len(unmet) > 0 {
		r.T.Fatalf("the guard cannot be brought back to rest: %v", unmet)
	}
	r.broken = false
}

// run makes the calls of a sequence, round by round, lets an hour pass in which nothing happens, and says what is not as it should
// be.
func (r *runner) run(s sequence) (problems []string) {
	r.T.Helper()
	r.broken = true
	r.Order.Seed(s.order, 0)
	r.sequences++
	for i, round := range s.rounds {
		for _, problem := range r.runRound(round) {
			problems = append(problems, fmt.Sprintf("round %d: %s", i+1, problem))
		}
		if len(problems) > 0 {
			return problems
		}
	}
	before := len(r.Executions())
	r.Pass(time.Hour)
	r.executions += r.started(before)
	for _, x := range r.since(before) {
		if x.Status != automation.Success || len(x.Writes) > 0 {
			problems = append(problems, fmt.Sprintf("an execution at rest is %s, and wrote %v: %s", x.Status, x.Writes, x.FailureMessage))
		}
	}
	if found := r.exceptions(); len(found) > 0 {
		problems = append(problems, fmt.Sprintf("Config no longer remediates %v", found))
	}
	r.broken = len(problems) > 0
	return problems
}

// runRound makes the calls of a round, lets an hour pass in which nobody attacks, and says what is not as it should be.
func (r *runner) runRound(round round) (problems []string) {
	r.T.Helper()
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var broken []extra
	var mends []func()
	for _, name := range round.broken {
		broken = append(broken, extras[name])
		mends = append(mends, extras[name].remove(r.guard))
	}
	r.rounds, r.extras = r.rounds+1, r.extras+len(broken)
	if round.lost {
		r.lost++
		r.Enable(r.rule(deployed.EventPath), false)
	}
	before, undisturbed := len(r.Executions()), 0
	var played play
	said := r.told(func() {
		played = r.play(round)
		if round.lost {
			r.Enable(r.rule(deployed.EventPath), true)
		}
		undisturbed = len(r.Executions())
		if !played.endless {
			r.Pass(time.Hour)
		}
	})
	unmet, all, own := r.Unmet(), r.since(before), 0
	for i, x := range all {
		own += x.events()
		if x.Status == automation.Success {
			continue
		}
		r.failed++
		switch {
		case x.EndTime.IsZero():
			problem("an execution is still %s", x.Status)
		case !slices.Contains(said, r.failureMessage(x)):
			problem("an execution is %s, and nobody is told: %s", x.Status, x.FailureMessage)
		case before+i >= undisturbed && len(broken) == 0:
			problem("an execution that nothing disturbed is %s: %s", x.Status, x.FailureMessage)
		}
	}
	r.executions += len(all)
	if most := played.accepted + own + (played.hours+1)*(1+len(r.ConfigRuleNames)); len(all) > most || played.endless {
		problem("%d executions were started for %d accepted calls, %d of the guard's and %d hours", len(all), played.accepted, own, played.hours+1)
	}
	if left := r.unmetBut(broken...); len(left) > 0 {
		problem("the trail is not as declared: %s", strings.Join(left, "; "))
	} else if len(unmet) > 0 && (len(all) == 0 || all[len(all)-1].Status != automation.Failed) {
		problem("nobody is told what is left: %s", strings.Join(unmet, "; "))
	}
	if len(broken) == 0 {
		return problems
	}
	for _, mend := range mends {
		mend()
	}
	rested := len(r.Executions())
	r.Pass(time.Hour)
	r.executions += r.started(rested)
	if unmet := r.Unmet(); len(unmet) > 0 {
		problem("what was broken is mended, and the trail is not as declared: %s", strings.Join(unmet, "; "))
	}
	return problems
}

// play is what was made of the calls of a round.
type play struct {
	accepted, hours int
	endless         bool // there is no end of executions
}

// play makes the calls of a round, each when its time has come.
func (r *runner) play(s round) play {
	r.T.Helper()
	const most = 300 // executions: more than a round can start
	ctx, cancel := context.WithCancel(r.T.Context())
	defer cancel()
	before := len(r.Executions())
	var p play
	var failed error // the test cannot end in the middle of a call
	next, calls, sinceLast := 0, 0, 0
	makeNext := func() (hour bool) {
		m := s.tamperings[next]
		next, sinceLast = next+1, 0
		done, err := r.call(r.account.attackers[m.name], m)
		failed = errors.Join(failed, err)
		r.made++
		if done {
			p.accepted, r.accepted = p.accepted+1, r.accepted+1
		}
		return m.hour
	}
	var late error
	r.Gateway.SetFaults(localaws.Faults{
		Before: func(call api.Call) error {
			late = nil
			if call.Principal.ARN != r.AutomationRoleARN {
				if call.Action() == "ssm:StartAutomationExecution" && r.started(before) > most {
					p.endless = true
					cancel()
					return api.Errorf("ThrottlingException", "the test has seen enough")
				}
				return nil
			}
			for calls, sinceLast = calls+1, sinceLast+1; next < len(s.tamperings) && sinceLast > s.tamperings[next].after; {
				makeNext()
			}
			f, faulty := s.faults[calls]
			changes := call.Service == "cloudtrail" && catalog.Writes(call.Service, call.Operation)
			if !faulty || call.Service == "sns" || f.code == "ConflictException" && !changes {
				return nil
			}
			r.faults++
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
	for next < len(s.tamperings) && !p.endless {
		hour := makeNext()
		var err error
		if hour {
			p.hours++
			err = r.Advance(ctx, time.Hour)
		} else if s.tamperings[min(next, len(s.tamperings)-1)].after > 0 {
			err = r.RunToQuiescence(ctx)
		}
		if !p.endless {
			r.Must(err)
		}
	}
	if !p.endless {
		if err := r.RunToQuiescence(ctx); !p.endless {
			r.Must(err)
		}
	}
	r.Must(failed)
	return p
}

// sortedByNumber walks a map in the order of its keys.
func sortedByNumber[V any](m map[int]V) iter.Seq2[int, V] {
	return func(yield func(int, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
