package organization

import (
	"errors"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// ManagementProps are the properties of a Management. All of them are optional.
type ManagementProps struct {
	// Guard are the properties of the guard of the management account's trail. With OrganizationId it is the organization trail. With
	// TrailAccount the stack is in the delegated administrator's account.
	//
	// Default: - the guard has the defaults of a TrailGuard.
	Guard *trailguard.TrailGuardProps

	// PolicyIds are the ids of the policies, such as p-a1b2c3d4, whose change and detachment are told.
	//
	// Default: - those of every policy of the organization are told.
	PolicyIds *[]*string
}

// Validate returns an error that names every property that cannot be used, nil where there is none. Nil props are fine.
func (p *ManagementProps) Validate() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.Guard.Validate(), checkPolicies(p.PolicyIds))
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none. Nil props are fine.
func (p *ManagementProps) ValidateIn(scope constructs.Construct) error {
	if p == nil {
		return nil
	}
	return p.Guard.ValidateIn(scope)
}

// Management guards the trail of the management account, and tells when it is harmed from the organization's side.
type Management interface {
	constructs.Construct
	// Guard is the guard of the trail.
	Guard() trailguard.TrailGuard
	// Validate returns an error that names each property that makes the runbook or a rule longer than AWS takes, nil if there is none. The
	// synthesis then fails with it.
	Validate() error
}

type management struct {
	constructs.Construct
	guard  trailguard.TrailGuard
	events OrganizationEvents
}

// NewManagement defines a Management. It panics where props.Validate or props.ValidateIn returns an error. Nil props guard a trail of the
// account with the settings that AWS recommends.
//
//	trail ◄──keeps── Default (TrailGuard) ──tells──► its topic, its CentralEventBus
//	OrganizationEvents ──────────────────────tell──────┘
//
// The guard's id is Default, so that the stack's outputs are those of a guard that stands alone.
func NewManagement(scope constructs.Construct, id *string, props *ManagementProps) Management {
	validation.Panic("Management", id, props.Validate(), props.ValidateIn(scope))
	if props == nil {
		props = &ManagementProps{}
	}

	this := &management{}
	constructs.NewConstruct_Override(this, scope, id)
	this.guard = trailguard.NewTrailGuard(this, jsii.String("Default"), props.Guard)
	events := &OrganizationEventsProps{AlertTopic: this.guard.AlertTopic(), PolicyIds: props.PolicyIds}
	if props.Guard != nil {
		events.CentralEventBus = props.Guard.CentralEventBus
	}
	this.events = NewOrganizationEvents(this, jsii.String("OrganizationEvents"), events)
	return this
}

func (m *management) Guard() trailguard.TrailGuard { return m.guard }
func (m *management) Validate() error              { return errors.Join(m.guard.Validate(), m.events.Validate()) }
