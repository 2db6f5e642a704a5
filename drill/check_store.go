package drill

import (
	"context"
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/drill/deployed"
)

// storeRuns are the latest executions that repair the log store and have said what they did, the oldest first.
func (l *look) storeRuns() (runs []deployed.Execution, err error) {
	all, err := l.listed()
	for _, x := range all {
		if x.OfLogStore && x.Report != nil {
			runs = append(runs, x)
		}
	}
	return runs, err
}

func (l *look) storeRoundTrip(context.Context) (Verdict, string, error) {
	const enough = 3
	runs, err := l.storeRuns()
	if err != nil {
		return "", "", err
	}
	wrote := 0
	for _, x := range runs {
		switch {
		case len(x.Report.Writes) > 0:
			wrote++
		case x.Status == "Success":
			return held("execution %s found nothing to change", x.ID)
		}
	}
	if wrote >= enough {
		last := runs[len(runs)-1]
		return didNotHold("each of %d executions changed something, the last one, %s, by %s", wrote, last.ID, strings.Join(last.Report.Writes, ", "))
	}
	return notSeen("%d executions that repair the log store ended, and each changed something", wrote)
}

func (l *look) storeStartedByEvent(context.Context) (Verdict, string, error) {
	return l.startedByEventOf(func(r deployed.EventRule) bool { return r.OfLogStore })
}

// storePermissions looks for what the role of the log store may not restore.
func (l *look) storePermissions(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		for _, x := range r.Executions {
			if x.Report == nil {
				continue
			}
			for part, problem := range x.Report.Wrong {
				if strings.Contains(problem, "Denied") {
					return didNotHold("%s %s: execution %s: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), x.ID, fmt.Sprintf("%s: %s", part, problem))
				}
			}
			n += len(x.Report.Writes)
		}
	}
	if n == 0 {
		return l.notRun()
	}
	return held("%d calls restored what these took away", n)
}

// published looks for what people were told, which a queue of the drill's hears as they do.
func (l *look) published(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		switch {
		case len(r.Told) > 0:
			n++
		case r.Attempt.Scenario.Told != "":
			return didNotHold("%s %s: people were not told in %s", r.Attempt.Scenario.ID, r.Attempt.Call(), r.Elapsed)
		}
	}
	if n == 0 {
		return l.notRun()
	}
	return held("a queue that is subscribed to the topic got the messages of %d calls", n)
}
