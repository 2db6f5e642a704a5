package detection

import "github.com/trailguard/trailguard/constructs/trail"

// TamperingPattern matches the CloudTrail event of every successful call that can stop, delete or weaken the trail, whoever
// makes it, but for the automation role.
//
// The trail is named by its name or its ARN, in one of two parameters. An event whose parameters were too large to be
// recorded names none, and counts. The role of a session is in sessionIssuer, which the root user and IAM users do not have:
// so the absence of each field is an alternative of its own.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func TamperingPattern(settings trail.Settings, automationRoleARN string) map[string]any {
	absent := map[string]any{"exists": false}
	theTrail := []any{settings.Name, settings.ARN, absent}
	return map[string]any{
		"source":      []any{"aws.cloudtrail"},
		"detail-type": []any{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			"eventSource":       []any{"cloudtrail.amazonaws.com"},
			"eventName":         []any{"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors"},
			"errorCode":         []any{absent},
			"requestParameters": map[string]any{"name": theTrail, "trailName": theTrail},
			"userIdentity": map[string]any{"sessionContext": map[string]any{"sessionIssuer": map[string]any{
				"arn": []any{map[string]any{"anything-but": []any{automationRoleARN}}, absent},
			}}},
		},
	}
}

// NonCompliantPattern matches Config's event that the trail is not as declared.
// https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
func NonCompliantPattern(rules ConfigRules) map[string]any {
	return map[string]any{
		"source":      []any{"aws.config"},
		"detail-type": []any{"Config Rules Compliance Change"},
		"detail": map[string]any{
			"configRuleName":      names(rules),
			"newEvaluationResult": map[string]any{"complianceType": []any{"NON_COMPLIANT"}},
		},
	}
}

// ExceptionPattern matches the CloudTrail event of a remediation exception: Config stops remediating what it is written for.
// Config writes one itself when its attempts are used up.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationExceptions.html
func ExceptionPattern(rules ConfigRules) map[string]any {
	return map[string]any{
		"source":      []any{"aws.config"},
		"detail-type": []any{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			"eventName":         []any{"PutRemediationExceptions"},
			"errorCode":         []any{map[string]any{"exists": false}},
			"requestParameters": map[string]any{"configRuleName": names(rules)},
		},
	}
}

func names(rules ConfigRules) []any {
	var names []any
	for _, rule := range rules.All() {
		names = append(names, rule.Ref())
	}
	return names
}
