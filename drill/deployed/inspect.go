package deployed

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/assets"
)

// Finding is one thing that was looked at in a guard.
type Finding struct {
	What string
	// Problems say what is wrong; none if it is as it should be.
	Problems []string
	// Warning says what will be wrong; empty if nothing will.
	Warning string
}

// Inspect looks whether a guard is whole: the trail as declared, the rules of Config with their remediations and without
// exceptions, the recorder, the rules of EventBridge, the runbook's runtime at this time. It changes nothing.
func Inspect(ctx context.Context, clients Clients, guard Guard, now time.Time) ([]Finding, error) {
	state, err := ReadState(ctx, clients.CloudTrail, guard.TrailARN)
	if err != nil {
		return nil, err
	}
	findings := []Finding{
		{What: "trail " + guard.TrailName + " is as declared", Problems: guard.Declared.Unmet(state)},
		{What: "runbook " + guard.RunbookName + " has a runtime", Warning: assets.RuntimeWarning(guard.Runbook.Runtime(), now)},
	}
	resources, err := ReadResources(ctx, clients, guard)
	if err != nil {
		return nil, err
	}
	rules, err := ReadEventRules(ctx, clients, guard, resources)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		finding := Finding{What: "EventBridge rule " + rule.Name + " is enabled"}
		if !rule.Enabled {
			finding.Problems = append(finding.Problems, "it is disabled or deleted")
		}
		if rule.Starts && !strings.HasSuffix(rule.Target, ":1") {
			finding.Problems = append(finding.Problems, "it does not start the runbook's first version, but "+rule.Target)
		}
		findings = append(findings, finding)
	}
	config, err := inspectConfig(ctx, clients.Config, guard, len(resources["AWS::Config::RemediationConfiguration"]) > 0)
	return append(findings, config...), err
}

// inspectConfig looks at the recorder and the rules of Config. Where Config has no remediation, as in AWS GovCloud, the
// stack has none.
func inspectConfig(ctx context.Context, api Config, guard Guard, remediated bool) ([]Finding, error) {
	if len(guard.ConfigRuleNames) == 0 {
		return nil, nil
	}
	recorder := Finding{What: "AWS Config records"}
	statuses, err := api.DescribeConfigurationRecorderStatus(ctx, &configservice.DescribeConfigurationRecorderStatusInput{})
	if err != nil {
		return nil, fmt.Errorf("reading the configuration recorder: %w", err)
	}
	if !slices.ContainsFunc(statuses.ConfigurationRecordersStatus, func(s configtypes.ConfigurationRecorderStatus) bool { return s.Recording }) {
		recorder.Problems = []string{"no configuration recorder is recording"}
	}
	findings := []Finding{recorder}
	for _, name := range guard.ConfigRuleNames {
		problems, err := inspectRule(ctx, api, name, remediated)
		if err != nil {
			return nil, fmt.Errorf("reading Config rule %s: %w", name, err)
		}
		findings = append(findings, Finding{What: "Config rule " + name + " is armed", Problems: problems})
	}
	return findings, nil
}

func inspectRule(ctx context.Context, api Config, name string, remediated bool) ([]string, error) {
	described, err := api.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{name}})
	if hasCode(err, "NoSuchConfigRuleException") {
		return []string{"it is deleted"}, nil
	}
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, rule := range described.ConfigRules {
		if rule.ConfigRuleState != configtypes.ConfigRuleStateActive && rule.ConfigRuleState != configtypes.ConfigRuleStateEvaluating {
			problems = append(problems, fmt.Sprintf("it is %s", rule.ConfigRuleState))
		}
	}
	if !remediated {
		return problems, nil
	}
	remediations, err := api.DescribeRemediationConfigurations(ctx, &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{name}})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(remediations.RemediationConfigurations, func(r configtypes.RemediationConfiguration) bool { return r.Automatic }) {
		problems = append(problems, "it has no automatic remediation")
	}
	exceptions, err := api.DescribeRemediationExceptions(ctx, &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &name})
	if err != nil {
		return nil, err
	}
	for _, exception := range exceptions.RemediationExceptions {
		problems = append(problems, strings.TrimSpace(fmt.Sprintf("Config no longer remediates %s %s",
			aws.ToString(exception.ResourceType), aws.ToString(exception.ResourceId))))
	}
	return problems, nil
}
