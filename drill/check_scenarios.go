package drill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/deployed"
)

// attempts are the results of the scenarios of the assumption that is judged, without those that were refused.
func (l *look) attempts() []Result {
	return slices.DeleteFunc(slices.Clone(l.results), func(r Result) bool {
		return r.Refused != "" || !slices.Contains(l.scenarios, r.Attempt.Scenario.ID)
	})
}

func (l *look) notRun() (Verdict, string, error) {
	ids := strings.Join(l.scenarios, ", ")
	if len(l.attempts()) == 0 {
		return notSeen("none of %s was done", ids)
	}
	return notSeen("no run of the runbook reported that it found anything after %s", ids)
}

func (l *look) startedByEvent(context.Context) (Verdict, string, error) {
	return l.startedByEventOf(func(r deployed.EventRule) bool { return r.Starts && r.Path == deployed.EventPath })
}

// startedByEventOf is startedByEvent by a rule.
func (l *look) startedByEventOf(is func(deployed.EventRule) bool) (Verdict, string, error) {
	const within = time.Minute
	rules, err := l.rules()
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(rules, is)
	if i < 0 || !rules[i].Enabled {
		return notSeen("no rule that is enabled starts the runbook on events")
	}
	if len(l.attempts()) == 0 {
		return l.notRun()
	}
	var most time.Duration
	n := 0
	for _, r := range l.attempts() {
		first, overtaken := time.Duration(-1), false
		for _, x := range r.Executions {
			after := x.Start.Sub(r.Began)
			switch {
			case x.StartedBy == "event" && (first < 0 || after < first):
				first = max(0, after)
			case x.StartedBy != "event" && x.Report != nil && len(x.Report.TrailWrites()) > 0:
				// It may have ended the attempt before the event was there.
				overtaken = overtaken || after <= within
			}
		}
		name := r.Attempt.Scenario.ID + " " + r.Attempt.Call()
		switch {
		case first > within:
			return didNotHold("%s: the event started the runbook after %s", name, first.Round(time.Second))
		case first < 0 && !overtaken:
			return didNotHold("%s: no event started the runbook in %s", name, r.Elapsed.Round(time.Second))
		case first >= 0:
			n, most = n+1, max(most, first)
		}
	}
	if n == 0 {
		return notSeen("another run repaired before the event was there")
	}
	return held("the events of %d calls started the runbook, after %s at most", n, most.Round(time.Second))
}

// startedByLastEvent is startedByEvent in an account in which no other trail logs.
func (l *look) startedByLastEvent(ctx context.Context) (Verdict, string, error) {
	listed, err := l.clients.CloudTrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		return "", "", fmt.Errorf("listing the trails: %w", err)
	}
	for _, trail := range listed.TrailList {
		if aws.ToString(trail.TrailARN) == l.guard.TrailARN {
			continue
		}
		status, err := l.clients.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: trail.TrailARN})
		if err != nil {
			return "", "", fmt.Errorf("reading the status of trail %s: %w", aws.ToString(trail.TrailARN), err)
		}
		if aws.ToBool(status.IsLogging) {
			return notSeen("it is not the only trail: %s logs, too", aws.ToString(trail.TrailARN))
		}
	}
	return l.startedByEvent(ctx)
}

// takenAway are the settings that scenarios take away with UpdateTrail, as the script names them.
var takenAway = map[string][]string{
	"T03": {"IsMultiRegionTrail"}, "T05": {"EnableLogFileValidation"}, "T06": {"KmsKeyId"},
	"T10": {"CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"}, "T11": {"SnsTopicName"},
}

// found are the settings that the runs of an attempt found wrong.
func (r Result) found() []string {
	changed := map[string]bool{}
	for _, x := range r.Executions {
		if x.Report != nil {
			for setting := range x.Report.Changed {
				changed[setting] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

func (l *look) updateLeavesAlone(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		found := r.found()
		for _, setting := range found {
			if !slices.Contains(takenAway[r.Attempt.Scenario.ID], setting) {
				return didNotHold("%s %s: the run found %s wrong", r.Attempt.Scenario.ID, r.Attempt.Call(), strings.Join(found, ", "))
			}
		}
		n += min(1, len(found))
	}
	if n == 0 {
		return l.notRun()
	}
	return held("after %d calls the run found wrong what they gave, and nothing else", n)
}

func (l *look) emptyClears(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		if slices.Contains(r.Unmet, changedNothing) {
			return didNotHold("%s %s: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), changedNothing)
		}
		n += min(1, len(r.found()))
	}
	if n == 0 {
		return l.notRun()
	}
	return held("%d calls took away what the run found missing", n)
}

func (l *look) createdAgain(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		for _, x := range r.Executions {
			switch {
			case x.Report == nil:
			case x.Report.Wrong["trail"] != "":
				return didNotHold("%s %s: execution %s: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), x.ID, x.Report.Wrong["trail"])
			case slices.Contains(x.Report.TrailWrites(), "create_trail"):
				n++
			}
		}
	}
	if n == 0 {
		return l.notRun()
	}
	return held("%d runs created the trail", n)
}
