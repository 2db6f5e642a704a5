package config

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// putRemediationConfigurations attaches a remediation to rules. If it is automatic, it is started for every resource that
// is NON_COMPLIANT by the latest evaluation, however old.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
func (s *Service) putRemediationConfigurations(ctx context.Context, _ api.Call, in *configservice.PutRemediationConfigurationsInput) (*configservice.PutRemediationConfigurationsOutput, error) {
	for _, config := range in.RemediationConfigurations {
		if err := checkRemediation(config); err != nil {
			return nil, err
		}
		exists, err := s.options.DocumentExists(ctx, *config.TargetId)
		if err != nil {
			return nil, fmt.Errorf("looking for document %s: %w", *config.TargetId, err)
		}
		if !exists {
			return nil, invalid("the document %s does not exist", *config.TargetId)
		}
		names := slices.Sorted(maps.Keys(config.Parameters))
		if err := s.options.CheckParameters(ctx, value(config.ConfigRuleName), *config.TargetId, value(config.TargetVersion), names); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, config := range in.RemediationConfigurations {
		if _, err := s.ruleNamed(value(config.ConfigRuleName)); err != nil {
			return nil, err
		}
	}
	for _, config := range in.RemediationConfigurations {
		r := s.rules[*config.ConfigRuleName]
		arn := s.options.Place.ARN("config", "remediation-configuration/"+r.name+"/"+*r.config.ConfigRuleId)
		config.Arn = &arn
		r.remediation = &config
		for res, found := range r.results {
			p := r.repairOf(res)
			p.failures, p.notBefore = nil, time.Time{}
			p.wanted = r.remediates(res, found.compliance)
		}
	}
	return &configservice.PutRemediationConfigurationsOutput{FailedBatches: []types.FailedRemediationBatch{}}, nil
}

// checkRemediation applies the rules for a remediation configuration.
func checkRemediation(config types.RemediationConfiguration) error {
	switch {
	case config.TargetType != types.RemediationTargetTypeSsmDocument:
		return invalid("TargetType %q must be %s", config.TargetType, types.RemediationTargetTypeSsmDocument)
	case value(config.TargetId) == "" || len(*config.TargetId) > 256:
		return invalid("TargetId must have 1 to 256 characters")
	case config.CreatedByService != nil:
		return invalid("CreatedByService is set by AWS Config")
	case len(config.Parameters) > 25:
		return invalid("%d parameters are more than 25", len(config.Parameters))
	case config.MaximumAutomaticAttempts != nil && !between(int64(*config.MaximumAutomaticAttempts), 1, 25):
		return invalid("MaximumAutomaticAttempts %d must be 1 to 25", *config.MaximumAutomaticAttempts)
	case config.RetryAttemptSeconds != nil && !between(*config.RetryAttemptSeconds, 1, 2678000):
		return invalid("RetryAttemptSeconds %d must be 1 to 2,678,000", *config.RetryAttemptSeconds)
	}
	if config.ExecutionControls != nil && config.ExecutionControls.SsmControls != nil {
		controls := config.ExecutionControls.SsmControls
		for name, percentage := range map[string]*int32{
			"ConcurrentExecutionRatePercentage": controls.ConcurrentExecutionRatePercentage,
			"ErrorPercentage":                   controls.ErrorPercentage,
		} {
			if percentage != nil && !between(int64(*percentage), 1, 100) {
				return invalid("%s %d must be 1 to 100", name, *percentage)
			}
		}
	}
	for name, parameter := range config.Parameters {
		if err := checkParameter(name, parameter); err != nil {
			return err
		}
	}
	if role, ok := config.Parameters["AutomationAssumeRole"]; config.Automatic && (!ok || role.StaticValue == nil || len(role.StaticValue.Values) != 1) {
		return invalid("AutomationAssumeRole is required as a StaticValue of one role ARN for automatic remediation")
	}
	return nil
}

func checkParameter(name string, parameter types.RemediationParameterValue) error {
	if (parameter.ResourceValue == nil) == (parameter.StaticValue == nil) {
		return invalid("parameter %s: either ResourceValue or StaticValue must be given", name)
	}
	if parameter.ResourceValue != nil {
		if parameter.ResourceValue.Value != types.ResourceValueTypeResourceId {
			return invalid("parameter %s: ResourceValue must be %s", name, types.ResourceValueTypeResourceId)
		}
		return nil
	}
	if !between(int64(len(parameter.StaticValue.Values)), 1, 25) {
		return invalid("parameter %s: StaticValue of %d values must have 1 to 25", name, len(parameter.StaticValue.Values))
	}
	for _, text := range parameter.StaticValue.Values {
		if !between(int64(len(text)), 1, 256) {
			return invalid("parameter %s: static value of %d characters must have 1 to 256", name, len(text))
		}
	}
	return nil
}

func between(n, low, high int64) bool { return low <= n && n <= high }

func (s *Service) describeRemediationConfigurations(_ context.Context, _ api.Call, in *configservice.DescribeRemediationConfigurationsInput) (*configservice.DescribeRemediationConfigurationsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &configservice.DescribeRemediationConfigurationsOutput{RemediationConfigurations: []types.RemediationConfiguration{}}
	for _, name := range in.ConfigRuleNames {
		if r := s.rules[name]; r != nil && r.remediation != nil {
			out.RemediationConfigurations = append(out.RemediationConfigurations, *r.remediation)
		}
	}
	return out, nil
}

func (s *Service) deleteRemediationConfiguration(_ context.Context, _ api.Call, in *configservice.DeleteRemediationConfigurationInput) (*configservice.DeleteRemediationConfigurationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.remediatedRule(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	if in.ResourceType != nil && *in.ResourceType != value(r.remediation.ResourceType) {
		return nil, noSuchRemediation(r.name + " and " + *in.ResourceType)
	}
	for _, p := range r.repairs {
		if p.running {
			return nil, api.Errorf("RemediationInProgressException", "remediation of rule %s is in progress", r.name)
		}
	}
	r.remediation = nil
	for _, p := range r.repairs {
		p.wanted, p.onDemand, p.failures = false, false, nil
	}
	return &configservice.DeleteRemediationConfigurationOutput{}, nil
}

// remediatedRule returns a rule that has a remediation. The caller holds mu.
func (s *Service) remediatedRule(name string) (*rule, error) {
	if r := s.rules[name]; r != nil && r.remediation != nil {
		return r, nil
	}
	return nil, noSuchRemediation(name)
}

func noSuchRemediation(name string) error {
	return api.Errorf("NoSuchRemediationConfigurationException", "no remediation configuration exists for rule %s", name)
}

// putRemediationExceptions exempts resources from automatic remediation. For a resource that is not NON_COMPLIANT no
// exception is made.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationExceptions.html
func (s *Service) putRemediationExceptions(_ context.Context, _ api.Call, in *configservice.PutRemediationExceptionsInput) (*configservice.PutRemediationExceptionsOutput, error) {
	if !between(int64(len(in.ResourceKeys)), 1, 100) {
		return nil, invalid("%d resource keys: an exception is for 1 to 100", len(in.ResourceKeys))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rules[value(in.ConfigRuleName)]
	if !ok {
		return nil, invalid("rule %s does not exist", value(in.ConfigRuleName))
	}
	out := &configservice.PutRemediationExceptionsOutput{FailedBatches: []types.FailedRemediationExceptionBatch{}}
	for _, key := range in.ResourceKeys {
		res := resource{value(key.ResourceType), value(key.ResourceId)}
		exception := types.RemediationException{
			ConfigRuleName: r.config.ConfigRuleName, ResourceType: &res.Type, ResourceId: &res.ID,
			Message: in.Message, ExpirationTime: in.ExpirationTime,
		}
		if r.results[res].compliance != types.ComplianceTypeNonCompliant {
			message := fmt.Sprintf("%s %s is not %s", res.Type, res.ID, types.ComplianceTypeNonCompliant)
			out.FailedBatches = append(out.FailedBatches, types.FailedRemediationExceptionBatch{
				FailureMessage: &message, FailedItems: []types.RemediationException{exception},
			})
			continue
		}
		r.exceptions[res] = exception
		r.repairOf(res).wanted = false
	}
	return out, nil
}

func (s *Service) describeRemediationExceptions(_ context.Context, _ api.Call, in *configservice.DescribeRemediationExceptionsInput) (*configservice.DescribeRemediationExceptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rules[value(in.ConfigRuleName)]
	if !ok {
		return nil, invalid("rule %s does not exist", value(in.ConfigRuleName))
	}
	switch {
	case in.ResourceKeys != nil && !between(int64(len(in.ResourceKeys)), 1, 100):
		return nil, invalid("%d resource keys must be 1 to 100", len(in.ResourceKeys))
	case !between(int64(in.Limit), 0, 100):
		return nil, invalid("Limit %d must be 0 to 100", in.Limit)
	}
	after, err := resourceOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	s.dropExpired(r)
	wanted := map[resource]bool{}
	for _, key := range in.ResourceKeys {
		wanted[resource{value(key.ResourceType), value(key.ResourceId)}] = true
	}
	limit := exceptionsOnAPage
	if in.Limit > 0 {
		limit = min(limit, int(in.Limit))
	}
	out := &configservice.DescribeRemediationExceptionsOutput{RemediationExceptions: []types.RemediationException{}}
	var last resource
	for _, res := range sortedResources(r.exceptions) {
		if after != nil && compareResources(res, *after) <= 0 || len(wanted) > 0 && !wanted[res] {
			continue
		}
		if len(out.RemediationExceptions) == limit {
			out.NextToken = tokenOf(last)
			break
		}
		out.RemediationExceptions = append(out.RemediationExceptions, r.exceptions[res])
		last = res
	}
	return out, nil
}

// exceptionsOnAPage is the default of DescribeRemediationExceptions, and the most that its answer can hold.
const exceptionsOnAPage = 25

// tokenOf is the token of the page that begins after a resource: it stays good if exceptions are deleted meanwhile.
func tokenOf(res resource) *string {
	token := base64.RawURLEncoding.EncodeToString([]byte(res.Type + " " + res.ID))
	return &token
}

// resourceOf is the resource after which a page begins; nil for the first page.
func resourceOf(token *string) (*resource, error) {
	if token == nil {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(*token)
	kind, id, found := strings.Cut(string(text), " ")
	if err != nil || !found {
		return nil, api.Errorf("InvalidNextTokenException", "the next token %q was not given", *token)
	}
	return &resource{kind, id}, nil
}

// deleteRemediationExceptions lets resources be remediated again, from their next evaluation on.
// https://docs.aws.amazon.com/config/latest/APIReference/API_DeleteRemediationExceptions.html
func (s *Service) deleteRemediationExceptions(_ context.Context, _ api.Call, in *configservice.DeleteRemediationExceptionsInput) (*configservice.DeleteRemediationExceptionsOutput, error) {
	if !between(int64(len(in.ResourceKeys)), 1, 100) {
		return nil, api.Errorf("ValidationException", "%d resource keys must be 1 to 100", len(in.ResourceKeys))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rules[value(in.ConfigRuleName)]
	if r == nil || len(r.exceptions) == 0 {
		return nil, api.Errorf("NoSuchRemediationExceptionException", "rule %s has no remediation exception", value(in.ConfigRuleName))
	}
	out := &configservice.DeleteRemediationExceptionsOutput{FailedBatches: []types.FailedDeleteRemediationExceptionsBatch{}}
	for _, key := range in.ResourceKeys {
		res := resource{value(key.ResourceType), value(key.ResourceId)}
		if _, ok := r.exceptions[res]; !ok {
			message := fmt.Sprintf("%s %s has no remediation exception", res.Type, res.ID)
			out.FailedBatches = append(out.FailedBatches, types.FailedDeleteRemediationExceptionsBatch{
				FailureMessage: &message, FailedItems: []types.RemediationExceptionResourceKey{key},
			})
			continue
		}
		delete(r.exceptions, res)
		p := r.repairOf(res)
		p.failures, p.notBefore = nil, time.Time{}
	}
	return out, nil
}

// startRemediationExecution has resources remediated at the next Tick, whatever their compliance and exceptions.
// https://docs.aws.amazon.com/config/latest/APIReference/API_StartRemediationExecution.html
func (s *Service) startRemediationExecution(_ context.Context, _ api.Call, in *configservice.StartRemediationExecutionInput) (*configservice.StartRemediationExecutionOutput, error) {
	if !between(int64(len(in.ResourceKeys)), 1, 100) {
		return nil, invalid("%d resource keys: an execution is for 1 to 100", len(in.ResourceKeys))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.remediatedRule(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	out := &configservice.StartRemediationExecutionOutput{}
	for _, key := range in.ResourceKeys {
		p := r.repairOf(resource{string(key.ResourceType), value(key.ResourceId)})
		if p.running || p.onDemand {
			message := "an execution is in progress"
			out.FailureMessage, out.FailedItems = &message, append(out.FailedItems, key)
			continue
		}
		p.onDemand, p.state, p.invoked = true, types.RemediationExecutionStateQueued, s.options.Clock.Now()
	}
	return out, nil
}

func (s *Service) describeRemediationExecutionStatus(_ context.Context, _ api.Call, in *configservice.DescribeRemediationExecutionStatusInput) (*configservice.DescribeRemediationExecutionStatusOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.remediatedRule(value(in.ConfigRuleName))
	if err != nil {
		return nil, err
	}
	wanted := map[resource]bool{}
	for _, key := range in.ResourceKeys {
		wanted[resource{string(key.ResourceType), value(key.ResourceId)}] = true
	}
	out := &configservice.DescribeRemediationExecutionStatusOutput{RemediationExecutionStatuses: []types.RemediationExecutionStatus{}}
	for _, res := range sortedResources(r.repairs) {
		p := r.repairs[res]
		if p.state == "" || len(wanted) > 0 && !wanted[res] {
			continue
		}
		out.RemediationExecutionStatuses = append(out.RemediationExecutionStatuses, types.RemediationExecutionStatus{
			ResourceKey:     &types.ResourceKey{ResourceType: types.ResourceType(res.Type), ResourceId: &res.ID},
			State:           p.state,
			InvocationTime:  at(p.invoked),
			LastUpdatedTime: at(p.updated),
		})
	}
	return out, onePage(in.NextToken, in.Limit, len(out.RemediationExecutionStatuses))
}

// dropExpired deletes the exceptions whose time is over. The caller holds mu.
func (s *Service) dropExpired(r *rule) {
	now := s.options.Clock.Now()
	maps.DeleteFunc(r.exceptions, func(_ resource, e types.RemediationException) bool {
		return e.ExpirationTime != nil && !now.Before(*e.ExpirationTime)
	})
}

// start is an automation that is to be started.
type start struct {
	rule     *rule
	resource resource
}

// remediate starts every automation that is due, each at most once.
func (s *Service) remediate(ctx context.Context) {
	s.mu.Lock()
	var due []start
	rules, _ := s.rulesNamed(nil)
	for _, r := range rules {
		s.dropExpired(r)
		for _, res := range sortedResources(r.repairs) {
			due = append(due, start{r, res})
		}
	}
	s.mu.Unlock()
	for _, one := range due {
		s.startAutomation(ctx, one)
	}
}

// startAutomation starts one automation if it may be started now. A failed start counts as a failed attempt.
func (s *Service) startAutomation(ctx context.Context, one start) {
	s.mu.Lock()
	r, p, now := one.rule, one.rule.repairOf(one.resource), s.options.Clock.Now()
	automatic := p.wanted && !now.Before(p.notBefore)
	if s.rules[r.name] != r || r.remediation == nil || p.running || !automatic && !p.onDemand {
		s.mu.Unlock()
		return
	}
	document, version, parameters := *r.remediation.TargetId, value(r.remediation.TargetVersion), map[string][]string{}
	for name, parameter := range r.remediation.Parameters {
		if parameter.ResourceValue != nil {
			parameters[name] = []string{one.resource.ID}
		} else {
			parameters[name] = slices.Clone(parameter.StaticValue.Values)
		}
	}
	p.running, p.onDemand, p.executionID = true, false, ""
	p.state, p.invoked, p.updated = types.RemediationExecutionStateInProgress, now, now
	s.starting++
	s.mu.Unlock()

	executionID, err := s.options.StartAutomation(ctx, document, version, parameters)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting--
	success, ended := s.early[executionID]
	if delete(s.early, executionID); s.starting == 0 {
		clear(s.early)
	}
	if p.executionID = executionID; err != nil || ended {
		s.finish(r, one.resource, err == nil && success)
	}
}

// AutomationFinished reports how an execution ended that StartAutomation has started, or is starting. An execution that
// Config did not start is none of its business.
func (s *Service) AutomationFinished(executionID string, success bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		for res, p := range r.repairs {
			if p.running && p.executionID == executionID {
				s.finish(r, res, success)
				return
			}
		}
	}
	if s.starting > 0 {
		s.early[executionID] = success
	}
}

// finish records the end of an attempt. After too many failures it writes the exception that keeps the resource from
// being remediated until someone deletes it. The caller holds mu.
func (s *Service) finish(r *rule, res resource, success bool) {
	p, now := r.repairOf(res), s.options.Clock.Now()
	p.running, p.updated = false, now
	if success {
		p.state, p.wanted, p.failures = types.RemediationExecutionStateSucceeded, false, nil
		return
	}
	p.state = types.RemediationExecutionStateFailed
	if r.remediation == nil || !p.wanted {
		return
	}
	p.failures = append(p.failures, now)
	switch s.options.Attempts {
	case AttemptsInWindow:
		p.failures = slices.DeleteFunc(p.failures, func(t time.Time) bool { return now.Sub(t) >= r.retryTime() })
	default:
		p.notBefore = now.Add(r.retryTime())
	}
	if len(p.failures) < r.maximumAttempts() {
		return
	}
	message := fmt.Sprintf("remediation failed %d times", len(p.failures))
	r.exceptions[res] = types.RemediationException{
		ConfigRuleName: r.config.ConfigRuleName, ResourceType: &res.Type, ResourceId: &res.ID, Message: &message,
	}
	p.wanted, p.failures, p.notBefore = false, nil, time.Time{}
}
