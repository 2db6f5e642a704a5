package config

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

// rule is one rule, with what it found and what is done about it.
type rule struct {
	name       string
	config     types.ConfigRule
	parameters map[string]string
	activated  time.Time

	// pending asks for an evaluation of everything at the next Tick; onDemand, for one that was called for.
	pending, onDemand bool
	nextPeriodic      time.Time
	seen              map[string]int // by the trail's ARN: the version of the item that was evaluated last
	results           map[resource]result
	lastSuccess       time.Time
	lastFailure       time.Time
	lastError         string

	remediation *types.RemediationConfiguration
	exceptions  map[resource]types.RemediationException
	repairs     map[resource]*repair
}

func (r *rule) isPolicy() bool { return r.config.Source.Owner == types.OwnerCustomPolicy }

// frequency is how often a periodic rule is evaluated: every 24 hours unless it says otherwise.
func (r *rule) frequency() time.Duration {
	switch r.config.MaximumExecutionFrequency {
	case types.MaximumExecutionFrequencyOneHour:
		return time.Hour
	case types.MaximumExecutionFrequencyThreeHours:
		return 3 * time.Hour
	case types.MaximumExecutionFrequencySixHours:
		return 6 * time.Hour
	case types.MaximumExecutionFrequencyTwelveHours:
		return 12 * time.Hour
	}
	return 24 * time.Hour
}

// resource is what a rule evaluates.
type resource struct{ Type, ID string }

// result is what a rule found about a resource.
type result struct {
	compliance types.ComplianceType
	recorded   time.Time
}

// The defaults of a remediation configuration.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RemediationConfiguration.html
const (
	defaultAttempts     = 5
	defaultRetrySeconds = 60
)

// repair is what is done about one resource of one rule. At most one execution runs for it at a time.
type repair struct {
	wanted      bool // an evaluation found the resource NON_COMPLIANT, or an attempt failed: start when it may
	onDemand    bool // StartRemediationExecution asked for it
	running     bool
	executionID string
	failures    []time.Time
	notBefore   time.Time
	state       types.RemediationExecutionState
	invoked     time.Time
	updated     time.Time
}

// repairOf returns what is done about a resource. The caller holds mu.
func (r *rule) repairOf(res resource) *repair {
	if r.repairs[res] == nil {
		r.repairs[res] = &repair{}
	}
	return r.repairs[res]
}

// remediates tells whether a resource of this compliance is remediated without being asked to. The caller holds mu.
func (r *rule) remediates(res resource, compliance types.ComplianceType) bool {
	_, exempt := r.exceptions[res]
	return compliance == types.ComplianceTypeNonCompliant && r.remediation != nil && r.remediation.Automatic && !exempt
}

func (r *rule) maximumAttempts() int {
	if n := r.remediation.MaximumAutomaticAttempts; n != nil {
		return int(*n)
	}
	return defaultAttempts
}

func (r *rule) retryTime() time.Duration {
	if n := r.remediation.RetryAttemptSeconds; n != nil {
		return time.Duration(*n) * time.Second
	}
	return defaultRetrySeconds * time.Second
}

func sortedResources[T any](m map[resource]T) []resource {
	return slices.SortedFunc(maps.Keys(m), compareResources)
}

func compareResources(a, b resource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}
