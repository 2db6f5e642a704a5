package config

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/sdk"
)

// New returns a Config without rules and without a recorder.
func New(options Options) *Service {
	if options.StartAutomation == nil {
		options.StartAutomation = func(context.Context, string, string, map[string][]string) (string, error) {
			return "", fmt.Errorf("no automation is simulated")
		}
	}
	if options.Emit == nil {
		options.Emit = func(context.Context, map[string]any) error { return nil }
	}
	exists := func(context.Context, string) (bool, error) { return true, nil }
	if options.DocumentExists == nil {
		options.DocumentExists = exists
	}
	if options.CheckParameters == nil {
		options.CheckParameters = func(context.Context, string, string, string, []string) error { return nil }
	}
	if options.BucketExists == nil {
		options.BucketExists = exists
	}
	options.Place = options.Place.Or(api.Home())
	s := &Service{options: options, rules: map[string]*rule{}, items: map[string]*item{}, early: map[string]bool{}}
	c := sdk.NewCodec(
		types.ConfigurationRecorder{}, types.RecordingGroup{}, types.ExclusionByResourceTypes{}, types.RecordingStrategy{},
		types.RecordingMode{}, types.RecordingModeOverride{}, types.ScopeConfiguration{}, types.ConfigurationRecorderStatus{},
		types.DeliveryChannel{}, types.ConfigSnapshotDeliveryProperties{}, types.ResourceKey{},
	)
	// AWS::::Account is not in the enum of resource types that ResourceKey names.
	keyed := c.Open(types.ResourceType(""))
	s.operations = map[string]sdk.Operation{
		"PutConfigRule":                       sdk.Bind(c, s.putConfigRule),
		"DescribeConfigRules":                 sdk.Bind(c, s.describeConfigRules),
		"DeleteConfigRule":                    sdk.Bind(c, s.deleteConfigRule),
		"GetCustomRulePolicy":                 sdk.Bind(c, s.getCustomRulePolicy),
		"StartConfigRulesEvaluation":          sdk.Bind(c, s.startConfigRulesEvaluation),
		"DescribeConfigRuleEvaluationStatus":  sdk.Bind(c, s.describeConfigRuleEvaluationStatus),
		"GetComplianceDetailsByConfigRule":    sdk.Bind(c, s.getComplianceDetailsByConfigRule),
		"DescribeComplianceByConfigRule":      sdk.Bind(c, s.describeComplianceByConfigRule),
		"PutRemediationConfigurations":        sdk.Bind(c, s.putRemediationConfigurations),
		"DescribeRemediationConfigurations":   sdk.Bind(c, s.describeRemediationConfigurations),
		"DeleteRemediationConfiguration":      sdk.Bind(c, s.deleteRemediationConfiguration),
		"PutRemediationExceptions":            sdk.Bind(c, s.putRemediationExceptions),
		"DescribeRemediationExceptions":       sdk.Bind(c, s.describeRemediationExceptions),
		"DeleteRemediationExceptions":         sdk.Bind(c, s.deleteRemediationExceptions),
		"StartRemediationExecution":           sdk.Bind(keyed, s.startRemediationExecution),
		"DescribeRemediationExecutionStatus":  sdk.Bind(keyed, s.describeRemediationExecutionStatus),
		"PutConfigurationRecorder":            sdk.Bind(c, s.putConfigurationRecorder),
		"StartConfigurationRecorder":          sdk.Bind(c, s.startConfigurationRecorder),
		"StopConfigurationRecorder":           sdk.Bind(c, s.stopConfigurationRecorder),
		"DescribeConfigurationRecorders":      sdk.Bind(c, s.describeConfigurationRecorders),
		"DescribeConfigurationRecorderStatus": sdk.Bind(c, s.describeConfigurationRecorderStatus),
		"DeleteConfigurationRecorder":         sdk.Bind(c, s.deleteConfigurationRecorder),
		"PutDeliveryChannel":                  sdk.Bind(c, s.putDeliveryChannel),
		"DescribeDeliveryChannels":            sdk.Bind(c, s.describeDeliveryChannels),
		"DeleteDeliveryChannel":               sdk.Bind(c, s.deleteDeliveryChannel),
	}
	return s
}

// Register has the service answer the calls of its operations.
func (s *Service) Register(registry api.Registry) {
	for operation := range s.operations {
		registry.Answer("config:"+operation, s)
	}
}

// Handle answers one call of the Config API. An operation or a member that is not simulated is an error. Tags, execution
// controls, debug logs and what a delivery channel says beside its bucket are accepted and have no effect.
func (s *Service) Handle(ctx context.Context, call api.Call) (any, error) {
	return sdk.Dispatch(ctx, s.operations, call)
}
