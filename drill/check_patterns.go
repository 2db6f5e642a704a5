package drill

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// sample is an event, with whether it starts the runbook, and whether people are told of tampering.
type sample struct {
	what         string
	event        map[string]any
	starts, told bool
}

// samples are events that the patterns tell apart. The roles of guards are in the path trailguard.
func (l *look) samples() []sample {
	account, region, name := l.guard.Account(), l.guard.Region(), l.guard.TrailName
	of := func(source, detailType string, detail map[string]any) map[string]any {
		return map[string]any{
			"version": "0", "id": "00000000-0000-0000-0000-000000000000", "source": source, "detail-type": detailType, "account": account,
			"time": clock(l.now), "region": region, "resources": []any{}, "detail": detail,
		}
	}
	call := func(event string, parameters map[string]any, issuer string, more map[string]any) map[string]any {
		identity := map[string]any{"type": "Root"}
		if issuer != "" {
			identity = map[string]any{"type": "AssumedRole", "sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": issuer}}}
		}
		detail := map[string]any{
			"eventSource": "cloudtrail.amazonaws.com", "eventName": event, "requestParameters": parameters, "userIdentity": identity,
			"readOnly": false, "managementEvent": true,
		}
		maps.Copy(detail, more)
		return of("aws.cloudtrail", "AWS API Call via CloudTrail", detail)
	}
	named := func(trail string) map[string]any { return map[string]any{"name": trail} }
	partition := l.guard.Partition()
	role := func(path string) string { return "arn:" + partition + ":iam::" + account + ":role/" + path }
	return []sample{
		{"StopLogging by the trail's name, by the root user", call("StopLogging", named(name), "", nil), true, true},
		{"UpdateTrail by the trail's ARN, by a role", call("UpdateTrail", named(l.guard.TrailARN), role("Operations"), nil), true, true},
		{"PutEventSelectors without parameters", call("PutEventSelectors", nil, "", nil), true, true},
		{"StopLogging by the automation role", call("StopLogging", named(name), l.guard.AutomationRoleARN, nil), true, false},
		{"StopLogging by another guard's role", call("StopLogging", named(name), role("trailguard/Another"), nil), false, true},
		{"StopLogging of another trail", call("StopLogging", named(name+"2"), "", nil), false, false},
		{"StopLogging that was refused", call("StopLogging", named(name), "", map[string]any{"errorCode": "AccessDenied"}), false, false},
		{"PutInsightSelectors of an event data store", call("PutInsightSelectors", map[string]any{"eventDataStore": "store"}, "", nil), false, false},
		{"GuardDuty's finding", of("aws.guardduty", "GuardDuty Finding", map[string]any{"type": "Stealth:IAMUser/CloudTrailLoggingDisabled"}), true, false},
	}
}

// patterns has EventBridge itself match the deployed patterns of tampering with events.
func (l *look) patterns(ctx context.Context) (Verdict, string, error) {
	rules, err := l.rules()
	tested := 0
	for _, rule := range rules {
		if !strings.Contains(rule.Pattern, "StopLogging") {
			continue
		}
		for _, one := range l.samples() {
			want := one.told
			if rule.Starts {
				want = one.starts
			}
			got, err := l.clients.Events.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: &rule.Pattern, Event: aws.String(encode(one.event))})
			if err != nil {
				return "", "", fmt.Errorf("testing the pattern of rule %s: %w", rule.Name, err)
			}
			if tested++; got.Result != want {
				return didNotHold("rule %s, %s: it matches is %t, want %t", rule.Name, one.what, got.Result, want)
			}
		}
	}
	if err != nil || tested == 0 {
		return NotSeen, "no rule of the stack looks for tampering", err
	}
	return held("EventBridge itself matched %d pairs of a rule and an event so", tested)
}
