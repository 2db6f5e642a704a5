package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// The managed rules that are simulated.
// https://docs.aws.amazon.com/config/latest/developerguide/managed-rules-by-aws-config.html
const (
	cloudTrailEnabled         = "CLOUD_TRAIL_ENABLED"
	cloudTrailSecurityEnabled = "CLOUDTRAIL_SECURITY_TRAIL_ENABLED"
)

const (
	trailType   = "AWS::CloudTrail::Trail"
	accountType = "AWS::::Account"
)

// putConfigRule creates or changes a rule, and has it evaluated at the next Tick.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutConfigRule.html
func (s *Service) putConfigRule(ctx context.Context, _ api.Call, in *configservice.PutConfigRuleInput) (*configservice.PutConfigRuleOutput, error) {
	if in.ConfigRule == nil || in.ConfigRule.Source == nil {
		return nil, invalid("ConfigRule and its Source must be given")
	}
	config := *in.ConfigRule
	parameters, err := s.checkRule(ctx, config)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorder == nil {
		return nil, api.Errorf("NoAvailableConfigurationRecorderException", "configuration recorder is not available to put config rule")
	}
	r := s.find(config)
	if r == nil {
		if value(config.ConfigRuleName) == "" || config.ConfigRuleArn != nil || config.ConfigRuleId != nil {
			return nil, invalid("a new rule has a name of 1 to 128 characters, and no ARN or id")
		}
		s.created++
		id := fmt.Sprintf("config-rule-%06d", s.created)
		arn := s.options.Place.ARN("config", "config-rule/"+id)
		config.ConfigRuleId, config.ConfigRuleArn = &id, &arn
		r = &rule{
			name:       *config.ConfigRuleName,
			activated:  s.options.Clock.Now(),
			results:    map[resource]result{},
			exceptions: map[resource]types.RemediationException{},
			repairs:    map[resource]*repair{},
		}
		s.rules[r.name] = r
	} else {
		config.ConfigRuleName, config.ConfigRuleId, config.ConfigRuleArn = r.config.ConfigRuleName, r.config.ConfigRuleId, r.config.ConfigRuleArn
	}
	config.ConfigRuleState = types.ConfigRuleStateActive
	r.config, r.parameters, r.pending, r.seen = config, parameters, true, map[string]int{}
	return &configservice.PutConfigRuleOutput{}, nil
}

// find returns the rule that a request means, by name, ARN or id; nil if there is none. The caller holds mu.
func (s *Service) find(config types.ConfigRule) *rule {
	same := func(given, has *string) bool { return given != nil && *given == *has }
	for _, r := range s.rules {
		if same(config.ConfigRuleName, r.config.ConfigRuleName) || same(config.ConfigRuleArn, r.config.ConfigRuleArn) || same(config.ConfigRuleId, r.config.ConfigRuleId) {
			return r
		}
	}
	return nil
}

// checkRule applies the rules for a rule, and returns its parameters.
func (s *Service) checkRule(ctx context.Context, config types.ConfigRule) (map[string]string, error) {
	detective := func(m types.EvaluationModeConfiguration) bool { return m.Mode == types.EvaluationModeDetective }
	switch {
	case len(value(config.ConfigRuleName)) > 128:
		return nil, invalid("rule name %q is longer than 128 characters", *config.ConfigRuleName)
	case len(value(config.Description)) > 256:
		return nil, invalid("a description of %d characters is longer than 256", len(*config.Description))
	case config.CreatedBy != nil:
		return nil, invalid("CreatedBy is set by AWS Config")
	case config.ConfigRuleState != "" && config.ConfigRuleState != types.ConfigRuleStateActive:
		return nil, invalid("the state of a rule can only be put as %s", types.ConfigRuleStateActive)
	case config.RuleEvaluationVisibility != "":
		return nil, api.NotModelled("RuleEvaluationVisibility")
	case slices.ContainsFunc(config.EvaluationModes, func(m types.EvaluationModeConfiguration) bool { return !detective(m) }):
		return nil, api.NotModelled("proactive evaluation")
	}
	parameters, err := inputParameters(config.InputParameters)
	if err != nil {
		return nil, err
	}
	switch config.Source.Owner {
	case types.OwnerAws:
		return parameters, checkManaged(config, parameters)
	case types.OwnerCustomPolicy:
		if len(parameters) > 0 {
			return nil, api.NotModelled("a custom policy rule with InputParameters")
		}
		return nil, s.checkPolicy(ctx, config)
	}
	return nil, api.NotModelled("a rule of owner %q", config.Source.Owner)
}

// inputParameters reads the parameters of a rule: a JSON object of strings, in a string of at most 1024 characters.
func inputParameters(text *string) (map[string]string, error) {
	if text == nil {
		return nil, nil
	}
	if len(*text) > 1024 {
		return nil, invalid("InputParameters of %d characters are longer than 1024", len(*text))
	}
	var parameters map[string]string
	if err := json.Unmarshal([]byte(*text), &parameters); err != nil {
		return nil, invalid("invalid json %s passed in the InputParameters field: %v", *text, err)
	}
	return parameters, nil
}

func checkManaged(config types.ConfigRule, parameters map[string]string) error {
	known, ok := map[string][]string{
		cloudTrailEnabled:         {"s3BucketName", "snsTopicArn", "cloudWatchLogsLogGroupArn"},
		cloudTrailSecurityEnabled: {},
	}[value(config.Source.SourceIdentifier)]
	switch {
	case !ok:
		return invalid("the sourceIdentifier %s is invalid: the managed rules that are simulated are %s and %s",
			value(config.Source.SourceIdentifier), cloudTrailEnabled, cloudTrailSecurityEnabled)
	case config.Source.CustomPolicyDetails != nil || len(config.Source.SourceDetails) > 0:
		return invalid("a managed rule has neither CustomPolicyDetails nor SourceDetails")
	case config.Scope != nil:
		return invalid("a periodic rule has no scope")
	}
	for name, text := range parameters {
		if !slices.Contains(known, name) {
			return invalid("unknown parameters provided in the inputParameters: %s", name)
		}
		if text == "" {
			return invalid("blank spaces are not acceptable for required parameter: %s", name)
		}
	}
	return nil
}

// checkPolicy applies the rules for a custom policy rule.
// https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_cfn-guard.html
func (s *Service) checkPolicy(ctx context.Context, config types.ConfigRule) error {
	details := config.Source.CustomPolicyDetails
	switch {
	case details == nil:
		return invalid("a rule of owner CUSTOM_POLICY needs CustomPolicyDetails")
	case value(details.PolicyRuntime) != "guard-2.x.x":
		return invalid("PolicyRuntime %q must be guard-2.x.x", value(details.PolicyRuntime))
	case value(details.PolicyText) == "" || len(*details.PolicyText) > 10000:
		return invalid("PolicyText of %d characters must have 1 to 10,000", len(value(details.PolicyText)))
	case config.MaximumExecutionFrequency != "":
		return invalid("a rule that is triggered by changes has no MaximumExecutionFrequency")
	case len(config.Source.SourceDetails) == 0:
		return invalid("a rule of owner CUSTOM_POLICY needs SourceDetails")
	case s.options.EvaluatePolicy == nil:
		return api.NotModelled("a custom policy rule without an evaluator of Guard")
	}
	change := false
	for _, detail := range config.Source.SourceDetails {
		switch {
		case detail.EventSource != types.EventSourceAwsConfig:
			return invalid("EventSource %q must be %s", detail.EventSource, types.EventSourceAwsConfig)
		case detail.MaximumExecutionFrequency != "":
			return invalid("MaximumExecutionFrequency needs MessageType ScheduledNotification")
		case detail.MessageType == types.MessageTypeConfigurationItemChangeNotification:
			change = true
		case detail.MessageType != types.MessageTypeOversizedConfigurationItemChangeNotification:
			return invalid("MessageType %q is not one of a rule of owner CUSTOM_POLICY", detail.MessageType)
		}
	}
	if !change {
		return api.NotModelled("a rule without MessageType ConfigurationItemChangeNotification")
	}
	if scope := config.Scope; scope != nil {
		if scope.ComplianceResourceId != nil || scope.TagKey != nil || scope.TagValue != nil || len(scope.ServicePrincipals) > 0 || !slices.Equal(scope.ComplianceResourceTypes, []string{trailType}) {
			return api.NotModelled("a scope other than %s", trailType)
		}
	}
	if _, err := s.options.EvaluatePolicy(ctx, *details.PolicyText, []byte("{}")); errors.Is(err, ErrInvalidPolicy) {
		return invalid("PolicyText cannot be read: %v", err)
	} else if err != nil {
		return fmt.Errorf("trying the policy of rule %s: %w", value(config.ConfigRuleName), err)
	}
	return nil
}

// describeConfigRules leaves out the text of a policy, which only GetCustomRulePolicy shows.
func (s *Service) describeConfigRules(_ context.Context, _ api.Call, in *configservice.DescribeConfigRulesInput) (*configservice.DescribeConfigRulesOutput, error) {
	if in.Filters != nil {
		return nil, api.NotModelled("a filter of rules")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.rulesNamed(in.ConfigRuleNames)
	if err != nil {
		return nil, err
	}
	out := &configservice.DescribeConfigRulesOutput{ConfigRules: []types.ConfigRule{}}
	for _, r := range rules {
		config := r.config
		if r.isPolicy() {
			source, details := *config.Source, *config.Source.CustomPolicyDetails
			details.PolicyText = nil
			source.CustomPolicyDetails, config.Source = &details, &source
		}
		out.ConfigRules = append(out.ConfigRules, config)
	}
	return out, onePage(in.NextToken, 0, len(rules))
}

func (s *Service) getCustomRulePolicy(_ context.Context, _ api.Call, in *configservice.GetCustomRulePolicyInput) (*configservice.GetCustomRulePolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleNamed(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	if !r.isPolicy() {
		return nil, invalid("rule %s has no policy", r.name)
	}
	return &configservice.GetCustomRulePolicyOutput{PolicyText: r.config.Source.CustomPolicyDetails.PolicyText}, nil
}

// deleteConfigRule deletes a rule and its results, unless a remediation is attached to it.
// https://docs.aws.amazon.com/config/latest/APIReference/API_DeleteConfigRule.html
func (s *Service) deleteConfigRule(_ context.Context, _ api.Call, in *configservice.DeleteConfigRuleInput) (*configservice.DeleteConfigRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleNamed(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	if r.remediation != nil {
		return nil, api.Errorf("ResourceInUseException", "rule %s has a remediation action: delete the remediation action first", r.name)
	}
	delete(s.rules, r.name)
	return &configservice.DeleteConfigRuleOutput{}, nil
}

// startConfigRulesEvaluation has rules evaluated at the next Tick, on what was recorded last: it records nothing.
// https://docs.aws.amazon.com/config/latest/APIReference/API_StartConfigRulesEvaluation.html
func (s *Service) startConfigRulesEvaluation(_ context.Context, _ api.Call, in *configservice.StartConfigRulesEvaluationInput) (*configservice.StartConfigRulesEvaluationOutput, error) {
	if len(in.ConfigRuleNames) == 0 || len(in.ConfigRuleNames) > 25 {
		return nil, invalid("%d rules: an evaluation is of 1 to 25", len(in.ConfigRuleNames))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.rulesNamed(in.ConfigRuleNames)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if r.onDemand {
			return nil, api.Errorf("LimitExceededException", "an evaluation of rule %s is in progress", r.name)
		}
	}
	for _, r := range rules {
		r.onDemand = true
	}
	return &configservice.StartConfigRulesEvaluationOutput{}, nil
}

func (s *Service) describeConfigRuleEvaluationStatus(_ context.Context, _ api.Call, in *configservice.DescribeConfigRuleEvaluationStatusInput) (*configservice.DescribeConfigRuleEvaluationStatusOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.rulesNamed(in.ConfigRuleNames)
	if err != nil {
		return nil, err
	}
	out := &configservice.DescribeConfigRuleEvaluationStatusOutput{ConfigRulesEvaluationStatus: []types.ConfigRuleEvaluationStatus{}}
	for _, r := range rules {
		status := types.ConfigRuleEvaluationStatus{
			ConfigRuleName: r.config.ConfigRuleName, ConfigRuleArn: r.config.ConfigRuleArn, ConfigRuleId: r.config.ConfigRuleId,
			FirstActivatedTime:           at(r.activated),
			FirstEvaluationStarted:       !r.lastSuccess.IsZero() || !r.lastFailure.IsZero(),
			LastSuccessfulEvaluationTime: at(r.lastSuccess), LastSuccessfulInvocationTime: at(r.lastSuccess),
			LastFailedEvaluationTime: at(r.lastFailure), LastFailedInvocationTime: at(r.lastFailure),
		}
		if r.lastError != "" {
			code := "EvaluationFailed"
			status.LastErrorCode, status.LastErrorMessage = &code, &r.lastError
		}
		out.ConfigRulesEvaluationStatus = append(out.ConfigRulesEvaluationStatus, status)
	}
	return out, onePage(in.NextToken, in.Limit, len(rules))
}

func (s *Service) getComplianceDetailsByConfigRule(_ context.Context, _ api.Call, in *configservice.GetComplianceDetailsByConfigRuleInput) (*configservice.GetComplianceDetailsByConfigRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleNamed(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	wanted := in.ComplianceTypes
	if len(wanted) == 0 {
		wanted = []types.ComplianceType{types.ComplianceTypeCompliant, types.ComplianceTypeNonCompliant}
	}
	out := &configservice.GetComplianceDetailsByConfigRuleOutput{EvaluationResults: []types.EvaluationResult{}}
	for _, res := range sortedResources(r.results) {
		found := r.results[res]
		if !slices.Contains(wanted, found.compliance) {
			continue
		}
		out.EvaluationResults = append(out.EvaluationResults, types.EvaluationResult{
			ComplianceType:        found.compliance,
			ResultRecordedTime:    at(found.recorded),
			ConfigRuleInvokedTime: at(found.recorded),
			EvaluationResultIdentifier: &types.EvaluationResultIdentifier{
				OrderingTimestamp: at(found.recorded),
				EvaluationResultQualifier: &types.EvaluationResultQualifier{
					ConfigRuleName: r.config.ConfigRuleName, ResourceType: &res.Type, ResourceId: &res.ID,
					EvaluationMode: types.EvaluationModeDetective,
				},
			},
		})
	}
	return out, onePage(in.NextToken, in.Limit, len(out.EvaluationResults))
}

// describeComplianceByConfigRule calls a rule NON_COMPLIANT if any of its resources is, and INSUFFICIENT_DATA if it found
// no resource to which it applies.
// https://docs.aws.amazon.com/config/latest/APIReference/API_DescribeComplianceByConfigRule.html
func (s *Service) describeComplianceByConfigRule(_ context.Context, _ api.Call, in *configservice.DescribeComplianceByConfigRuleInput) (*configservice.DescribeComplianceByConfigRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, err := s.rulesNamed(in.ConfigRuleNames)
	if err != nil {
		return nil, err
	}
	out := &configservice.DescribeComplianceByConfigRuleOutput{ComplianceByConfigRules: []types.ComplianceByConfigRule{}}
	for _, r := range rules {
		count := map[types.ComplianceType]int32{}
		for _, found := range r.results {
			count[found.compliance]++
		}
		compliance := types.Compliance{ComplianceType: types.ComplianceTypeInsufficientData}
		if n := count[types.ComplianceTypeNonCompliant]; n > 0 {
			compliance.ComplianceType = types.ComplianceTypeNonCompliant
			compliance.ComplianceContributorCount = &types.ComplianceContributorCount{CappedCount: n}
		} else if count[types.ComplianceTypeCompliant] > 0 {
			compliance.ComplianceType = types.ComplianceTypeCompliant
		}
		if len(in.ComplianceTypes) > 0 && !slices.Contains(in.ComplianceTypes, compliance.ComplianceType) {
			continue
		}
		out.ComplianceByConfigRules = append(out.ComplianceByConfigRules, types.ComplianceByConfigRule{ConfigRuleName: r.config.ConfigRuleName, Compliance: &compliance})
	}
	return out, onePage(in.NextToken, 0, len(rules))
}
