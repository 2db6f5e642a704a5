package organization

import (
	"maps"

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

// withError are the patterns for calls that have been refused, or for those that have not.
func withError(errorCode []any, patterns ...detection.Pattern) map[string]any {
	var all []detection.Pattern
	for _, pattern := range patterns {
		detail := map[string]any{"errorCode": errorCode}
		maps.Copy(detail, pattern.Detail)
		all = append(all, detection.Pattern{Source: pattern.Source, DetailType: pattern.DetailType, Detail: detail})
	}
	return detection.AnyOf(all...)
}
