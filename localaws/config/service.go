// Package config is AWS Config in memory: rules, their evaluation on a clock that a test owns, remediation with its
// attempts and exceptions, the recorder and the delivery channel.
// https://docs.aws.amazon.com/config/latest/APIReference/Welcome.html
package config

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/sdk"
)

// UnsetFields is what a configuration item holds for a string of a trail that is not set; AWS does not say which.
type UnsetFields int

// The readings of a string that is not set.
const (
	UnsetIsNull UnsetFields = iota
	UnsetIsAbsent
	UnsetIsEmpty
)

// TrailResourceID is the resource id that a rule on AWS::CloudTrail::Trail reports; AWS does not say which.
type TrailResourceID int

// The readings of a trail's resource id.
const (
	ResourceIDIsARN TrailResourceID = iota
	ResourceIDIsName
)

// AttemptCount is how failed attempts at a remediation lead to an exception. AWS calls RetryAttemptSeconds a window for
// MaximumAutomaticAttempts failures, and shows it in its console as the time between two attempts.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RemediationConfiguration.html
type AttemptCount int

const (
	// AttemptsInARow counts every failure since the last success, and waits RetryAttemptSeconds before each new attempt.
	// It disarms a remediation for certain.
	AttemptsInARow AttemptCount = iota
	// AttemptsInWindow counts the failures of the last RetryAttemptSeconds, and tries again at the next Tick.
	AttemptsInWindow
)

// Trail is a trail as Config sees it: what its item holds, and what managed rules ask about it. A string that is not set is
// empty.
type Trail struct {
	Name                      string
	ARN                       string
	HomeRegion                string
	S3BucketName              string
	S3KeyPrefix               string
	SNSTopicName              string
	SNSTopicARN               string
	CloudWatchLogsLogGroupARN string
	CloudWatchLogsRoleARN     string
	KMSKeyID                  string

	IncludeGlobalServiceEvents bool
	IsMultiRegionTrail         bool
	IsOrganizationTrail        bool
	LogFileValidationEnabled   bool
	HasCustomEventSelectors    bool
	HasInsightSelectors        bool

	Tags map[string]string

	IsLogging               bool
	LogsAllManagementEvents bool // read and write, of every service
}

// Options are the settings of a Service. Clock and Trails must be given.
type Options struct {
	Clock *api.Clock
	// Place is the account and Region. Default: - api.Home.
	Place api.Place
	// Trails returns every trail of the account.
	Trails func() []Trail
	// EvaluatePolicy evaluates a Guard policy on a configuration item. Default: - custom policy rules are refused.
	EvaluatePolicy func(ctx context.Context, policy string, item []byte) (Verdict, error)
	// StartAutomation starts a version of a runbook, the default one if version is empty, and returns the id of the
	// execution. How it ends is told to AutomationFinished, which StartAutomation may call itself. Default: - every start
	// fails.
	StartAutomation func(ctx context.Context, document, version string, parameters map[string][]string) (executionID string, err error)
	// Emit hands an event to EventBridge, in EventBridge's envelope. Default: - events go nowhere.
	Emit func(ctx context.Context, event map[string]any) error
	// DocumentExists tells whether there is a runbook of this name. Default: - every document exists.
	DocumentExists func(ctx context.Context, name string) (bool, error)
	// CheckParameters refuses names of parameters that do not fit a version of a runbook. Default: - every name fits.
	CheckParameters func(ctx context.Context, rule, document, version string, names []string) error
	// BucketExists tells whether there is a bucket of this name. Default: - every bucket exists.
	BucketExists func(ctx context.Context, name string) (bool, error)

	Unset      UnsetFields
	ResourceID TrailResourceID
	Attempts   AttemptCount
}

// Service is AWS Config. It is safe for concurrent use.
type Service struct {
	options    Options
	operations map[string]sdk.Operation

	// ticking is held by Tick; mu is never held over a call of one of the functions in options.
	ticking sync.Mutex

	mu       sync.Mutex
	rules    map[string]*rule // by name
	created  int              // rules ever created
	events   int              // events ever emitted
	recorder *recorder
	channel  *types.DeliveryChannel
	items    map[string]*item // by the trail's ARN
	starting int              // automations that StartAutomation is starting now
	early    map[string]bool  // what AutomationFinished said about executions that are still being started
}

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

// ruleNamed returns a rule. The caller holds mu.
func (s *Service) ruleNamed(name string) (*rule, error) {
	r, ok := s.rules[name]
	if !ok {
		return nil, api.Errorf("NoSuchConfigRuleException", "the ConfigRule %q provided in the request is invalid: please check the configRule name", name)
	}
	return r, nil
}

// rulesNamed returns the rules of these names, or all, ordered by name. The caller holds mu.
func (s *Service) rulesNamed(names []string) ([]*rule, error) {
	if len(names) == 0 {
		for name := range s.rules {
			names = append(names, name)
		}
	}
	names = slices.Sorted(slices.Values(names))
	rules := make([]*rule, 0, len(names))
	for _, name := range names {
		r, err := s.ruleNamed(name)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// onePage refuses the token of a second page, and a page that could not hold everything: pages are not simulated.
func onePage(token *string, limit int32, found int) error {
	if token != nil {
		return api.Errorf("InvalidNextTokenException", "there is no second page")
	}
	if limit > 0 && found > int(limit) {
		return api.NotModelled("a page of %d out of %d", limit, found)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return api.Errorf("InvalidParameterValueException", format, args...)
}

func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
