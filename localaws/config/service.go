// Package config is AWS Config in memory: rules, their evaluation on a clock that a test owns, remediation with its
// attempts and exceptions, the recorder and the delivery channel.
// https://docs.aws.amazon.com/config/latest/APIReference/Welcome.html
package config

import (
	"context"
	"slices"
	"sync"
	"time"

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
	// execution. Its end is reported to AutomationFinished, which StartAutomation may call itself. Default: - every start
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

// item is what Config recorded last about one trail.
type item struct {
	version  int // counts the changes
	captured time.Time
	deleted  bool
	trail    Trail
	content  []byte // is compared, to see a change
}

// recorder is the one customer-managed configuration recorder of the account and Region.
type recorder struct {
	config    types.ConfigurationRecorder
	recording bool
	started   time.Time
	stopped   time.Time
}

// records tells whether changes of a resource type are recorded now.
func (r *recorder) records(resourceType types.ResourceType) bool {
	if r == nil || !r.recording {
		return false
	}
	group := r.config.RecordingGroup
	switch {
	case group.AllSupported:
		return true
	case group.ExclusionByResourceTypes != nil && len(group.ExclusionByResourceTypes.ResourceTypes) > 0:
		return !slices.Contains(group.ExclusionByResourceTypes.ResourceTypes, resourceType)
	}
	return slices.Contains(group.ResourceTypes, resourceType)
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

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
