package organization

import (
	"errors"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/validation"
)

// OrganizationEventsProps are the properties of OrganizationEvents. AlertTopic, CentralEventBus or both are required.
type OrganizationEventsProps struct {
	// AlertTopic is told in a message. It must let the roles of its account publish, as the topic of alerting.Alerts does.
	//
	// Default: - no topic is told.
	AlertTopic awssns.ITopic

	// CentralEventBus gets the events, such as that of Central in the security account. It may be in another account and Region.
	//
	// Default: - the events stay in the account.
	CentralEventBus awsevents.IEventBus

	// PolicyIds are the ids of the policies, such as p-a1b2c3d4, whose change and detachment are told.
	//
	// Default: - those of every policy of the organization are told.
	PolicyIds *[]*string
}

var policyID = regexp.MustCompile(`^p-[0-9a-zA-Z_]{8,128}$`)

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *OrganizationEventsProps) Validate() error {
	if p == nil {
		p = &OrganizationEventsProps{}
	}
	problems := []error{checkPolicies(p.PolicyIds)}
	if p.AlertTopic == nil && p.CentralEventBus == nil {
		problems = append(problems, validation.Problem("AlertTopic", "is not given, and neither is %s, so that nobody would be told: give one of them",
			validation.Prop("CentralEventBus")))
	}
	return errors.Join(problems...)
}

func checkPolicies(ids *[]*string) error {
	return errors.Join(checkEach("PolicyIds", ids, func(prop, id string) error {
		if policyID.MatchString(id) {
			return nil
		}
		return validation.Problem(prop, "%q is not the id of a policy: use one such as p-a1b2c3d4, as `aws organizations list-policies` shows it", id)
	})...)
}

// OrganizationEvents tell when the guard is harmed from the organization's side.
type OrganizationEvents interface {
	constructs.Construct
	// Validate returns an error if an event pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type organizationEvents struct {
	constructs.Construct
	notices *notices
}

// NewOrganizationEvents defines OrganizationEvents in the organization's management account. It panics where props.Validate returns an error.
//
//	trusted access disabled, delegated administrator deregistered ─────┐
//	policies changed, detached, deleted, their type disabled ──────────┼──► Organization ──tells──► AlertTopic, CentralEventBus
//	an account moved, removed ─────────────────────────────────────────┘         └──if it cannot──► DeadLetterQueue
//
// The events of AWS Organizations arrive in one Region of a partition, EventsRegion. In another Region OrganizationEvents see only that
// CloudTrail's delegated administrator is deregistered there. That a member account leaves is an event of that account: Watch sees it.
func NewOrganizationEvents(scope constructs.Construct, id *string, props *OrganizationEventsProps) OrganizationEvents {
	validation.Panic("OrganizationEvents", id, props.Validate())

	this := &organizationEvents{}
	constructs.NewConstruct_Override(this, scope, id)
	this.notices = newNotices(this, nil, props.AlertTopic, props.CentralEventBus)
	patterns := []detection.Pattern{delegationPattern()}
	if seesOrganizationEvents(this) {
		patterns = append(organizationPatterns(texts(props.PolicyIds)), patterns...)
	}
	this.notices.add(notice{"Organization", withError(absent, patterns...), alerting.CallPaths(), call("ORGANIZATION"), ""})
	this.notices.tellUndelivered()
	return this
}

func (e *organizationEvents) Validate() error { return e.notices.Validate() }
