package detection

import (
	"encoding/json"
	"testing"

	"github.com/trailguard/trailguard/constructs/trail"
)

const guardRole = "arn:aws:iam::123456789012:role/trailguard/guard"

// calls is the pattern of the calls that harm the trail t-1, by sessions of the roles.
func calls(names, resource, roles string) string {
	const theTrail = `["t-1",{"suffix":":trail/t-1"},{"exists":false}]`
	return `{"detail":{"errorCode":[{"exists":false}],"eventName":[` + names + `],` +
		`"requestParameters":{"eventDataStore":[{"exists":false}],"name":` + theTrail + resource + `,"trailName":` + theTrail + `},` +
		`"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":[` + roles + `]}}}},` +
		`"source":["aws.cloudtrail"]}`
}

func TestPatternsMatchWhatHarmsTheTrail(t *testing.T) {
	const (
		harm      = `"StopLogging","DeleteTrail","UpdateTrail","PutEventSelectors","PutInsightSelectors"`
		tagging   = harm + `,"AddTags","RemoveTags"`
		resource  = `,"resourceId":[{"suffix":":trail/t-1"},{"exists":false}]`
		notGuard  = `{"anything-but":["` + guardRole + `"]},{"exists":false}`
		notOthers = `{"anything-but":{"wildcard":"arn:*:iam::*:role/trailguard/*"}},"` + guardRole + `",{"exists":false}`
		finding   = `{"detail":{"type":["Stealth:IAMUser/CloudTrailLoggingDisabled"]},"detail-type":["GuardDuty Finding"],"source":["aws.guardduty"]}`
	)
	plain := trail.Settings{Name: "t-1"}
	tagged := trail.Settings{Name: "t-1", Tags: map[string]string{"owner": "security"}}
	for _, test := range []struct {
		name string
		got  any
		want string
	}{
		{"people are told of every call but the guard's", TamperingPattern(plain, guardRole).Object(), calls(harm, "", notGuard)},
		{"people are told of changed tags", TamperingPattern(tagged, guardRole).Object(), calls(tagging, resource, notGuard)},
		{"every call but other guards' starts the runbook", StartPattern(plain, guardRole, nil), `{"$or":[` + calls(harm, "", notOthers) + `,` + finding + `]}`},
		{"changed tags start the runbook", StartPattern(tagged, guardRole, nil), `{"$or":[` + calls(tagging, resource, notOthers) + `,` + finding + `]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.got)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("the pattern is\n%s\nnot\n%s", got, test.want)
			}
		})
	}
}
