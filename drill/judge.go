package drill

import (
	"context"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Judgement is an assumption and what a drill found about it.
type Judgement struct {
	Assumption
	Verdict Verdict
	Why     string
}

// JudgeByReads judges the assumptions that reads show. It changes nothing. What cannot be read is not seen.
func JudgeByReads(ctx context.Context, clients Clients, guard deployed.Guard, now time.Time) []Judgement {
	return newLook(ctx, clients, guard, now).judge(ctx, func(a Assumption) bool { return len(a.Scenarios) == 0 })
}

// JudgeByResults judges the assumptions that scenarios show, by what came of those that ran.
func JudgeByResults(ctx context.Context, clients Clients, guard deployed.Guard, now time.Time, results []Result) []Judgement {
	l := newLook(ctx, clients, guard, now)
	l.results = results
	return l.judge(ctx, func(a Assumption) bool { return len(a.Scenarios) > 0 })
}

func (l *look) judge(ctx context.Context, which func(Assumption) bool) []Judgement {
	var all []Judgement
	for _, a := range Assumptions() {
		if a.check == nil || !which(a) {
			continue
		}
		l.scenarios = a.Scenarios
		verdict, why, err := a.check(l, ctx)
		if err != nil {
			verdict, why = NotSeen, err.Error()
		}
		all = append(all, Judgement{a, verdict, why})
	}
	return all
}
