package drill

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

const (
	// soon is how long after a deployment's end, or after the time that the schedule gives, an execution may begin.
	soon = 10 * time.Minute
	// skew is how far two clocks may be apart.
	skew = time.Minute
)

// scheduled are the executions that the schedule's rule started in a time.
func (l *look) scheduled(from, to time.Time) ([]deployed.Execution, error) {
	all, err := l.executions()
	return slices.DeleteFunc(slices.Clone(all), func(x deployed.Execution) bool {
		return x.StartedBy != "schedule" || x.Start.Before(from) || x.Start.After(to)
	}), err
}

// scheduleRule is the rule that the schedule and the end of a deployment trigger; why says why the rule shows nothing.
func (l *look) scheduleRule() (rule deployed.EventRule, why string, err error) {
	rules, err := l.rules()
	i := slices.IndexFunc(rules, func(r deployed.EventRule) bool { return r.Starts && r.Path == deployed.SchedulePath })
	switch {
	case err != nil:
		return deployed.EventRule{}, "", err
	case i < 0:
		return deployed.EventRule{}, "no rule of the stack has a schedule or waits for its deployment", nil
	case !rules[i].Enabled:
		return deployed.EventRule{}, fmt.Sprintf("rule %s is disabled", rules[i].Name), nil
	}
	return rules[i], "", nil
}

// afterDeployment is the execution that the end of the latest deployment started, nil if there is none. If none can be
// expected, why says why.
func (l *look) afterDeployment() (x *deployed.Execution, ended time.Time, why string, err error) {
	if _, why, err = l.scheduleRule(); err != nil || why != "" {
		return nil, ended, why, err
	}
	if ended, err = l.deployed(); err != nil || ended.IsZero() {
		return nil, ended, "the stack's events do not hold the end of a deployment", err
	}
	found, err := l.scheduled(ended.Add(-skew), ended.Add(soon))
	switch {
	case err != nil:
		return nil, ended, "", err
	case len(found) > 0:
		return &found[0], ended, "", nil
	case l.now.Before(ended.Add(soon)):
		why = fmt.Sprintf("the deployment ended at %s, too short a time ago", clock(ended))
	case !l.reach(ended) || l.now.Sub(ended) > 24*time.Hour:
		why = fmt.Sprintf("the deployment ended at %s, too long ago", clock(ended))
	}
	return nil, ended, why, nil
}

func (l *look) startAtDeployment(context.Context) (Verdict, string, error) {
	x, ended, why, err := l.afterDeployment()
	switch {
	case err != nil || why != "":
		return NotSeen, why, err
	case x == nil:
		return didNotHold("the deployment ended at %s, and no execution of the schedule's rule began within %s", clock(ended), soon)
	}
	return held("the deployment ended at %s, and execution %s began at %s", clock(ended), x.ID, clock(x.Start))
}

func (l *look) firstRun(context.Context) (Verdict, string, error) {
	x, ended, why, err := l.afterDeployment()
	switch {
	case err != nil || why != "":
		return NotSeen, why, err
	case x == nil:
		return notSeen("no execution began after the deployment that ended at %s", clock(ended))
	case !x.Ended():
		return notSeen("execution %s has not ended", x.ID)
	case x.Status != "Success":
		return didNotHold("execution %s, the first after the deployment, ended as %s: %s", x.ID, x.Status, x.Failure)
	}
	return held("execution %s, the first after the deployment, ended as Success", x.ID)
}

var ratePattern = regexp.MustCompile(`^rate\(([0-9]+) (minute|hour|day)s?\)$`)

// period is the time between two runs of a rate expression; 0 if the expression is not a rate.
func period(expression string) time.Duration {
	parts := ratePattern.FindStringSubmatch(expression)
	if parts == nil {
		return 0
	}
	// A number that is too large has no period that is known.
	n, _ := strconv.Atoi(parts[1])
	return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
}

func (l *look) schedule(context.Context) (Verdict, string, error) {
	rule, why, err := l.scheduleRule()
	if err != nil || why != "" {
		return NotSeen, why, err
	}
	every := period(rule.Schedule)
	if every == 0 || rule.Pattern == "" {
		return notSeen("rule %s has not both a pattern and a rate: its schedule is %q", rule.Name, rule.Schedule)
	}
	ended, err := l.deployed()
	if err != nil {
		return "", "", err
	}
	from := l.now.Add(-every - soon)
	if from.Before(ended) {
		return notSeen("the deployment ended at %s, less than %s ago", clock(ended), every+soon)
	}
	// An execution right after the deployment comes from the pattern.
	if after := ended.Add(soon); from.Before(after) {
		from = after
	}
	found, err := l.scheduled(from, l.now)
	switch {
	case err != nil:
		return "", "", err
	case len(found) > 0:
		return held("the schedule started execution %s at %s", found[0].ID, clock(found[0].Start))
	case !l.reach(from):
		return notSeen("the latest %d executions do not reach back to %s", looked, clock(from))
	}
	return didNotHold("rule %s has %s, and no execution of its began between %s and %s", rule.Name, rule.Schedule, clock(from), clock(l.now))
}
