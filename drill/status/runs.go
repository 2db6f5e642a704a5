package status

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// lookAtRuns looks whether a runbook runs as often as the schedule says, and whether the last run succeeded: of those for the trail, and of those
// for the log store, if the schedule starts both.
func lookAtRuns(ctx context.Context, v *view, r resource, f *Finding) {
	runs, err := deployed.ListExecutions(ctx, v.SSM, r.name)
	if f.read(err) == unseen {
		return
	}
	waiting := 0
	for _, run := range runs {
		if run.Status == "Pending" {
			waiting++
		}
	}
	if waiting > 1 {
		f.wrong("end those that are not needed: aws ssm describe-automation-executions, aws ssm stop-automation-execution", "%d runs wait for others to end: the queue of automations is full", waiting)
	}
	period, inputs := v.schedule(r.name)
	latest, ended := map[bool]*deployed.Execution{}, map[bool]*deployed.Execution{} // by whether they are of the log store
	for _, run := range slices.Backward(runs) {
		if len(ended) == max(1, len(inputs)) {
			break
		}
		run, err = deployed.ReadSteps(ctx, v.SSM, run)
		if f.read(err) == unseen {
			return
		}
		if latest[run.OfLogStore] == nil {
			latest[run.OfLogStore] = &run
		}
		if ended[run.OfLogStore] == nil && run.Ended() {
			ended[run.OfLogStore] = &run
		}
	}
	for _, ofLogStore := range []bool{false, true} {
		of, begin := "", start(r.name)
		input, isScheduled := inputs[ofLogStore]
		if ofLogStore {
			of, begin = " for the log store", begin+" --parameters '"+input+"'"
		}
		if last := ended[ofLogStore]; last != nil && !strings.HasSuffix(last.Status, "Success") {
			f.wrong("read why: aws ssm get-automation-execution --automation-execution-id "+last.ID+"; then "+begin, "the last run%s, at %s, is %s: %s", of, at(&last.Start), last.Status, cut(last.Failure))
		}
		switch run := latest[ofLogStore]; {
		case !isScheduled:
		case run == nil:
			f.wrong(begin, "it has not run%s yet, and should each %s", of, period)
		case v.now.Sub(run.Start) > 2*period:
			f.wrong("look at the rule of the schedule, which comes below; at once: "+begin, "it has not run%s since %s, and should each %s", of, at(&run.Start), period)
		}
	}
}

var rate = regexp.MustCompile(`^rate\(([0-9]+) (minute|hour|day)s?\)$`)

// schedule is how often a rule of the template starts a runbook, and with which input, by whether it is for the log store; nothing if none does.
func (v *view) schedule(runbook string) (time.Duration, map[bool]string) {
	for _, rule := range v.stack.of("AWS::Events::Rule") {
		match := rate.FindStringSubmatch(rule.text("ScheduleExpression"))
		inputs := starts(rule, runbook)
		if match == nil || len(inputs) == 0 {
			continue
		}
		n, err := strconv.Atoi(match[1])
		if err != nil {
			continue
		}
		return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[match[2]], inputs
	}
	return 0, nil
}

// starts are the inputs with which a rule of the template starts a runbook, by whether that is for the log store.
func starts(rule resource, runbook string) map[bool]string {
	inputs := map[bool]string{}
	for _, target := range list(rule.properties["Targets"]) {
		of, _ := target.(map[string]any)
		if arn, _ := of["Arn"].(string); strings.Contains(arn, ":automation-definition/"+runbook+":") {
			input, _ := of["Input"].(string)
			inputs[deployed.StartsForLogStore(input)] = input
		}
	}
	return inputs
}
