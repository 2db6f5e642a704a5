package disarming

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// TestARepairThatFailsTwiceInARowRings: not for one failure, once for several, and not any more when repairs succeed.
func TestARepairThatFailsTwiceInARowRings(t *testing.T) {
	for i, name := range []string{"default", "everything"} { // which look each hour, and each half hour
		t.Run(name, func(t *testing.T) {
			in(t, i, func(t *testing.T, a *account) {
				g := a.guarded(t, testbed.ReadTemplate(t, name))
				g.HoldConfig(true)
				defer g.HoldConfig(false)
				alarm := repeatedFailure(g)
				period := time.Duration(*alarm.Period) * time.Second
				periods := func(n int) {
					for range n {
						g.Pass(period)
					}
				}
				want := func(what string, since time.Time, n int) {
					t.Helper()
					for _, e := range evaluations {
						if rings := alarm.ringsForFailures(e, since, g.Clock.Now()); len(rings) != n {
							t.Errorf("%s, with %d periods more, the alarm rings at %v, not %d times", what, e.more, rings, n)
						}
					}
				}
				start := g.Clock.Now()
				periods(6)
				want("if all is well", start, 0)

				start = g.Clock.Now()
				restore := withoutPolicy(g)
				periods(1)
				restore()
				periods(8)
				if failures := len(g.Bus().MatchedAt(*alarm.Dimensions[0].Value)); failures != 1 {
					t.Fatalf("%d runs have failed", failures)
				}
				want("of one failure", start, 0)

				start = g.Clock.Now()
				restore = withoutPolicy(g)
				periods(3)
				want("of three failures", start, 1)
				periods(4)
				restore()
				periods(8)
				want("until the repair succeeds", start, 1)
			})
		})
	}
}

// repeatedFailure is the deployed alarm on runs that fail one after the other.
func repeatedFailure(g testbed.Guard) alarm {
	g.T.Helper()
	described, err := cloudwatch.NewFromConfig(g.Admin).DescribeAlarms(g.T.Context(), &cloudwatch.DescribeAlarmsInput{})
	g.Must(err)
	i := slices.IndexFunc(described.MetricAlarms, func(a cloudwatchtypes.MetricAlarm) bool {
		return strings.Contains(*a.AlarmName, "AlertingRepeatedFailure")
	})
	if i < 0 {
		g.T.Fatal("there is no alarm on repeated failure")
	}
	a := described.MetricAlarms[i]
	if a.ComparisonOperator != cloudwatchtypes.ComparisonOperatorGreaterThanThreshold || *a.Threshold != 0 || *a.EvaluationPeriods != 2 || a.DatapointsToAlarm != nil ||
		aws.ToString(a.TreatMissingData) != "notBreaching" || *a.Namespace != "AWS/Events" || *a.MetricName != "MatchedEvents" || *a.Dimensions[0].Name != "RuleName" ||
		!slices.Equal(a.AlarmActions, []string{g.AlertTopicARN}) {
		g.T.Fatalf("the alarm %+v is not evaluated here", a)
	}
	return alarm{a, g}
}

// ringsForFailures is rings for an alarm whose data breach and whose missing data do not: it takes what data it finds in the periods that it asks
// for, and fills in what is missing only if these are not enough.
func (a alarm) ringsForFailures(e evaluation, from, to time.Time) []time.Time {
	period := time.Duration(*a.Period) * time.Second
	var rings []time.Time
	raised := false
	for end := from.Truncate(period).Add(period); !end.After(to); end = end.Add(period) {
		found := map[time.Time]bool{}
		for _, at := range a.g.Bus().MatchedAt(*a.Dimensions[0].Value) {
			if of := at.Truncate(period); of.Before(end) && !of.Before(end.Add(-time.Duration(int(*a.EvaluationPeriods)+e.more)*period)) {
				found[of] = true
			}
		}
		breaches := len(found) >= int(*a.EvaluationPeriods)
		if breaches && !raised {
			rings = append(rings, end)
		}
		raised = breaches
	}
	return rings
}

// withoutPolicy takes the automation role its policy, without which no run succeeds. What it returns puts the policy back.
func withoutPolicy(g testbed.Guard) (restore func()) {
	g.T.Helper()
	client, role := iam.NewFromConfig(g.Admin), newIntruder(g.T.(*testing.T), g).roleName("AutomationRole")
	listed, err := client.ListRolePolicies(g.T.Context(), &iam.ListRolePoliciesInput{RoleName: role})
	g.Must(err)
	name := listed.PolicyNames[0]
	got, err := client.GetRolePolicy(g.T.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: &name})
	g.Must(err)
	document, err := url.QueryUnescape(*got.PolicyDocument)
	g.Must(err)
	g.Must(of(client.DeleteRolePolicy(g.T.Context(), &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: &name})))
	return func() {
		g.T.Helper()
		g.Must(of(client.PutRolePolicy(g.T.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: &name, PolicyDocument: &document})))
	}
}
