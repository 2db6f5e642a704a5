package organization

import (
	"maps"
	"slices"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trail"
)

const apiCall = "AWS API Call via CloudTrail"

var (
	absent  = []any{map[string]any{"exists": false}}
	present = []any{map[string]any{"exists": true}}
)

// trustedServices are the services whose access to the organization the guard needs: without CloudTrail's there is no organization trail,
// without that of StackSets no account that joins gets its guard.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_services_list.html
var trustedServices = []any{
	"cloudtrail.amazonaws.com", "member.org.stacksets.cloudformation.amazonaws.com",
	"config.amazonaws.com", "config-multiaccountsetup.amazonaws.com",
}

// organizationPatterns match the calls with which the guard's trail, its policies or an account's place are taken from an organization. They
// are calls to AWS Organizations, whose events arrive in one Region alone.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html
func organizationPatterns(policies []string) []detection.Pattern {
	call := func(names []any, parameters map[string]any) detection.Pattern {
		detail := map[string]any{"eventName": names}
		if parameters != nil {
			detail["requestParameters"] = parameters
		}
		return detection.Pattern{Source: "aws.organizations", DetailType: apiCall, Detail: detail}
	}
	// An event whose parameters were not recorded names nothing, and counts.
	orUnnamed := func(values []any) []any { return append(values[:len(values):len(values)], absent...) }
	var ofPolicies map[string]any
	if len(policies) > 0 {
		var ids []any
		for _, id := range policies {
			ids = append(ids, id)
		}
		ofPolicies = map[string]any{"policyId": orUnnamed(ids)}
	}
	return []detection.Pattern{
		call([]any{"DisableAWSServiceAccess", "DeregisterDelegatedAdministrator"}, map[string]any{"servicePrincipal": orUnnamed(trustedServices)}),
		call([]any{"DetachPolicy", "UpdatePolicy", "DeletePolicy"}, ofPolicies),
		call([]any{"DisablePolicyType"}, map[string]any{"policyType": orUnnamed([]any{"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"})}),
		call([]any{"LeaveOrganization", "RemoveAccountFromOrganization", "MoveAccount"}, nil),
	}
}

// delegationPattern matches the call with which CloudTrail loses its delegated administrator. It is a call to CloudTrail.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DeregisterOrganizationDelegatedAdmin.html
func delegationPattern() detection.Pattern {
	return detection.Pattern{Source: "aws.cloudtrail", DetailType: apiCall, Detail: map[string]any{"eventName": []any{"DeregisterOrganizationDelegatedAdmin"}}}
}

// configurationPatterns match the calls that take AWS Config apart: its recorder, by whomever, and its rules, unless an AWS service takes back
// what it has made itself.
// https://docs.aws.amazon.com/config/latest/APIReference/API_Operations.html
func configurationPatterns() []detection.Pattern {
	return []detection.Pattern{
		{Source: "aws.config", DetailType: apiCall, Detail: map[string]any{"eventName": []any{
			"StopConfigurationRecorder", "DeleteConfigurationRecorder", "PutConfigurationRecorder", "DeleteDeliveryChannel",
		}}},
		{Source: "aws.config", DetailType: apiCall, Detail: map[string]any{
			"eventName":    []any{"DeleteConfigRule", "DeleteRemediationConfiguration", "PutRemediationExceptions"},
			"userIdentity": map[string]any{"invokedBy": absent},
		}},
	}
}

// trailPattern matches the calls that harm a trail of the name, whoever makes them and however they end.
func trailPattern(name string) detection.Pattern {
	return detection.AttemptPattern(trail.Settings{Name: name})
}

// outside are the patterns for events of other accounts than one, of all if that is nil.
func outside(account *string, patterns []detection.Pattern) []detection.Pattern {
	if account == nil {
		return patterns
	}
	var all []detection.Pattern
	for _, pattern := range patterns {
		pattern.Detail = maps.Clone(pattern.Detail)
		pattern.Detail["recipientAccountId"] = []any{map[string]any{"anything-but": *account}}
		all = append(all, pattern)
	}
	return all
}

// withError is the pattern of calls that match one of the patterns and have been refused, or have not. The names of the calls tell the services apart,
// so that what the patterns have in common is written once: with it in each, they would be longer than EventBridge takes.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or
func withError(errorCode []any, patterns ...detection.Pattern) map[string]any {
	detail := map[string]any{"errorCode": errorCode}
	var sources, alternatives []any
	for _, pattern := range patterns {
		if !slices.Contains(sources, any(pattern.Source)) {
			sources = append(sources, pattern.Source)
		}
		if len(pattern.Detail) > 0 {
			alternatives = append(alternatives, pattern.Detail)
		}
	}
	switch len(alternatives) {
	case 0:
	case 1: // EventBridge takes an $or of one for a field of that name
		maps.Copy(detail, alternatives[0].(map[string]any))
	default:
		detail["$or"] = alternatives
	}
	return map[string]any{"source": sources, "detail-type": []any{apiCall}, "detail": detail}
}

// alarmPattern matches the event that an alarm rings.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func alarmPattern() map[string]any {
	return map[string]any{
		"source": []any{"aws.cloudwatch"}, "detail-type": []any{"CloudWatch Alarm State Change"},
		"detail": map[string]any{"state": map[string]any{"value": []any{"ALARM"}}},
	}
}
