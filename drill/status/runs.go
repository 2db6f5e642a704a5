package status

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// lookAtRuns looks whether a runbook runs as often as the schedule says, and whether the last run succeeded.
func lookAtRuns(ctx context.Context, v *view, r resource, f *Finding) {
	runs, err := deployed.ListExecutions(ctx, v.SSM, r.name)
	if f.read(err) == unseen {
		return
	}
	var last *deployed.Execution // that has ended
	waiting := 0
	for i, run := range runs {
		switch {
		case run.Ended():
			last = &runs[i]
		case run.Status == "Pending":
			waiting++
		}
	}
	if waiting > 1 {
		f.wrong("end those that are not needed: aws ssm describe-automation-executions, aws ssm stop-automation-execution", "%d runs wait for others to end: the queue of automations is full", waiting)
	}
	if last != nil && !strings.HasSuffix(last.Status, "Success") {
		f.wrong("read why: aws ssm get-automation-execution --automation-execution-id "+last.ID+"; then "+start(r.name), "the last run, at %s, is %s: %s", at(&last.Start), last.Status, cut(last.Failure))
	}
	period := v.period(r.name)
	if period == 0 {
		return
	}
	switch {
	case len(runs) == 0:
		f.wrong(start(r.name), "it has not run yet, and should each %s", period)
	case v.now.Sub(runs[len(runs)-1].Start) > 2*period:
		f.wrong("look at the rule of the schedule, which comes below; at once: "+start(r.name), "it has not run since %s, and should each %s", at(&runs[len(runs)-1].Start), period)
	}
}

var rate = regexp.MustCompile(`^rate\(([0-9]+) (minute|hour|day)s?\)$`)

// period is how often a rule of the template starts a runbook; 0 if none does.
func (v *view) period(runbook string) time.Duration {
	for _, rule := range v.stack.of("AWS::Events::Rule") {
		match := rate.FindStringSubmatch(rule.text("ScheduleExpression"))
		if match == nil || !starts(rule, runbook) {
			continue
		}
		n, err := strconv.Atoi(match[1])
		if err != nil {
			continue
		}
		return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[match[2]]
	}
	return 0
}

// starts tells whether a rule of the template starts a runbook.
func starts(rule resource, runbook string) bool {
	for _, target := range list(rule.properties["Targets"]) {
		of, _ := target.(map[string]any)
		if arn, _ := of["Arn"].(string); strings.Contains(arn, ":automation-definition/"+runbook+":") {
			return true
		}
	}
	return false
}
