package organization

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// Rollout deploys a stack to the accounts of an organization, and keeps doing so when accounts join.
type Rollout interface {
	constructs.Construct
	// StackSet is the StackSet.
	StackSet() awscdk.CfnStackSet
	// MemberTemplate is the template of the stack that each account gets, as JSON.
	MemberTemplate() *string
	// Validate returns an error if the template that the accounts get cannot be deployed. The synthesis then fails with it.
	Validate() error
}

type rollout struct {
	constructs.Construct
	findings validation.Findings
	member   member
	stackSet awscdk.CfnStackSet
}

// NewRollout defines a Rollout, in the management account or that of the delegated administrator of StackSets. It panics where props.Validate
// or props.ValidateIn returns an error.
//
//	Member (in an app of its own) ──template──► StackSet ──► each account of the organizational units, now and when it joins
//
// Before it is deployed, trusted access of StackSets must be on: `aws cloudformation activate-organizations-access`. An account that leaves the
// organizational units keeps its stack: a guard is not taken away by a move.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html
func NewRollout(scope constructs.Construct, id *string, props *RolloutProps) Rollout {
	validation.Panic("Rollout", id, props.Validate(), props.ValidateIn(scope))

	this := &rollout{}
	constructs.NewConstruct_Override(this, scope, id)
	var err error
	this.member, err = synthesizeMember(this, props)
	this.findings.AtSynthesis(this, err)
	this.stackSet = this.newStackSet(props)
	return this
}

func (r *rollout) StackSet() awscdk.CfnStackSet { return r.stackSet }
func (r *rollout) MemberTemplate() *string      { return jsii.String(r.member.template) }
func (r *rollout) Validate() error              { return r.findings.Validate() }

func (r *rollout) newStackSet(props *RolloutProps) awscdk.CfnStackSet {
	targets := &awscdk.CfnStackSet_DeploymentTargetsProperty{OrganizationalUnitIds: props.OrganizationalUnitIds}
	if filter := props.AccountFilter; filter != nil {
		targets.AccountFilterType, targets.Accounts = jsii.String(string(filter.Type)), filter.Accounts
	}
	region := props.Region
	if region == nil {
		region = awscdk.Stack_Of(r).Region()
	}
	mode, callAs := props.ConcurrencyMode, props.CallAs
	if mode == "" {
		mode = ConcurrencyMode_SOFT_FAILURE_TOLERANCE
	}
	if callAs == "" {
		callAs = CallAs_SELF
	}
	var capabilities *[]*string
	if len(r.member.capabilities) > 0 {
		capabilities = jsii.Strings(r.member.capabilities...)
	}
	return awscdk.NewCfnStackSet(r, jsii.String("StackSet"), &awscdk.CfnStackSetProps{
		StackSetName:    textOr(props.StackSetName, DefaultStackSetName),
		Description:     jsii.String(memberDescription),
		PermissionModel: jsii.String("SERVICE_MANAGED"),
		CallAs:          jsii.String(string(callAs)),
		Capabilities:    capabilities,
		AutoDeployment: &awscdk.CfnStackSet_AutoDeploymentProperty{
			Enabled: true, RetainStacksOnAccountRemoval: true,
		},
		// Operations that do not touch one another run at once, the others wait.
		ManagedExecution: map[string]any{"Active": true},
		OperationPreferences: &awscdk.CfnStackSet_OperationPreferencesProperty{
			FailureTolerancePercentage: numberOr(props.FailureTolerancePercentage, DefaultFailureTolerancePercentage),
			MaxConcurrentPercentage:    numberOr(props.MaxConcurrentPercentage, DefaultMaxConcurrentPercentage),
			ConcurrencyMode:            jsii.String(string(mode)),
		},
		StackInstancesGroup: []any{&awscdk.CfnStackSet_StackInstancesProperty{DeploymentTargets: targets, Regions: &[]*string{region}}},
		TemplateBody:        jsii.String(r.member.template),
	})
}

func numberOr(value *float64, fallback float64) *float64 {
	if value == nil {
		return &fallback
	}
	return value
}
