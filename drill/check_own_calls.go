package drill

import (
	"context"
	"slices"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// parametersOfEvents looks at the events of the script's calls, in which the script names the trail by the trail's name.
func (l *look) parametersOfEvents(context.Context) (Verdict, string, error) {
	events, err := l.ownCalls()
	n := 0
	for _, event := range events {
		if event.ErrorCode != nil {
			continue
		}
		n++
		if parameter := trailParameters[event.EventName]; event.RequestParameters[parameter] != l.guard.TrailName {
			return didNotHold("the event of the script's %s at %s has %s in requestParameters.%s",
				event.EventName, clock(event.EventTime), encode(event.RequestParameters[parameter]), parameter)
		}
	}
	switch {
	case err != nil:
		return "", "", err
	case n == 0 && len(events) > 0 && l.wroteLongAgo():
		return didNotHold("each of the %d events of the script's calls has an errorCode, and some calls succeeded", len(events))
	case n == 0:
		return notSeen("the event history holds no successful call of the script")
	}
	return held("so are %d events of the script's calls", n)
}

// wroteLongAgo tells whether one of the latest executions changed the trail so long ago that the event history must hold the
// call. AWS speaks of minutes, and promises no number of them.
func (l *look) wroteLongAgo() bool {
	const late = time.Hour
	all, err := l.executions()
	return err == nil && slices.ContainsFunc(all, func(x deployed.Execution) bool {
		return x.Report != nil && len(x.Report.TrailWrites()) > 0 && x.Start.Before(l.now.Add(-late))
	})
}

func (l *look) issuerOfEvents(context.Context) (Verdict, string, error) {
	events, err := l.ownCalls()
	for _, event := range events {
		if issuer := event.UserIdentity.SessionContext.SessionIssuer.ARN; issuer != l.guard.AutomationRoleARN {
			return didNotHold("the event of the script's %s at %s names %q", event.EventName, clock(event.EventTime), issuer)
		}
	}
	if err != nil || len(events) == 0 {
		return NotSeen, "the event history holds no call of the script", err
	}
	return held("so are %d events of the script's calls", len(events))
}
