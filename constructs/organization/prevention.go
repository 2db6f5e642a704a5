package organization

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsorganizations"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// PreventionProps are the properties of a Prevention. None of them may be a token: the policies are made of them as text.
type PreventionProps struct {
	// OrganizationId is the id, such as o-a1b2c3d4e5, of the organization.
	OrganizationId *string

	// TargetIds are what the policies are attached to: organizational units such as ou-ab12-c3d4e5f6, a root such as r-ab12, or accounts.
	TargetIds *[]*string

	// ManagementAccount is the id of the organization's management account, which no policy binds.
	//
	// Default: - it is the stack's account.
	ManagementAccount *string

	// TrailNames are the names of the guarded trails, in every account.
	//
	// Default: - the trails are named trailguard.
	TrailNames *[]*string

	// StackSetName is the name of the Rollout's StackSet, by which what it made is known.
	//
	// Default: - it is named TrailGuard.
	StackSetName *string

	// KeyArns are the ARNs of log keys of other stacks, such as that of the LogArchive.
	//
	// Default: - the keys of the guards' own stacks are protected.
	KeyArns *[]*string

	// BreakGlassRoleArns are roles that the policies do not bind, such as arn:aws:iam::*:role/BreakGlass. The account may be *.
	//
	// Default: - the guard's roles, and those with which CloudFormation deploys, are exempt alone.
	BreakGlassRoleArns *[]*string

	// ExemptCdk exempts the roles that the CDK's bootstrap makes for CloudFormation. It costs protection: whoever may give such a role to
	// CloudFormation can change the guard with a stack.
	//
	// Default: - they are exempt.
	ExemptCdk *bool

	// DenyCreateTrail denies the creation of other trails, five of which lock the guard's out. It costs others: no account can have trails
	// besides, unless an exempt role makes them.
	//
	// Default: - it is denied.
	DenyCreateTrail *bool

	// DenyPolicyChanges denies delegated administrators of AWS Organizations to change policies. It costs them that.
	//
	// Default: - it is denied.
	DenyPolicyChanges *bool

	// DenyConfigChanges denies changes of AWS Config, whose rules have ids instead of names. It costs others: no account can change rules,
	// remediations, recorder and channel, unless an exempt or a service-linked role does it.
	//
	// Default: - it is allowed.
	DenyConfigChanges *bool

	// DenyStopAutomation denies stopping executions of runbooks, which have ids instead of names. It costs others: nobody stops, approves or
	// resumes a runbook.
	//
	// Default: - it is allowed.
	DenyStopAutomation *bool

	// ResourceControlPolicies attaches the policies of the bucket and the key as well. Their type must be on in the organization.
	//
	// Default: - they are attached.
	ResourceControlPolicies *bool
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html
var targetID = regexp.MustCompile(`^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32}|[0-9]{12})$`)

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *PreventionProps) Validate() error {
	if p == nil {
		p = &PreventionProps{}
	}
	problems := []error{validation.Required("TargetIds", len(listed(p.TargetIds)) > 0)}
	problems = append(problems, checkEach("TargetIds", p.TargetIds, func(prop, id string) error {
		if targetID.MatchString(id) {
			return nil
		}
		return validation.Problem(prop, "%q is not an organizational unit, a root or an account: use an id such as ou-ab12-c3d4e5f6, r-ab12 or 123456789012", id)
	})...)
	if p.ManagementAccount != nil {
		problems = append(problems, trail.CheckAccountID("ManagementAccount", *p.ManagementAccount))
	}
	if name := p.StackSetName; name != nil && !stackSetName.MatchString(*name) {
		problems = append(problems, validation.Problem("StackSetName", "%q is not the name of a StackSet: use 1-128 letters, digits and -, and begin with a letter", *name))
	}
	_, err := ProtectionPolicy(p, "")
	return errors.Join(append(problems, err)...)
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none.
func (p *PreventionProps) ValidateIn(scope constructs.Construct) error {
	if p == nil {
		return nil
	}
	of := partition.Of(scope)
	if of == "" {
		return errors.New("the stack names no Region, and policies have the ARNs of a partition: give the stack its Region")
	}
	var problems []error
	management := p.ManagementAccount
	if management == nil {
		management = awscdk.Stack_Of(scope).Account()
	}
	for i, target := range listed(p.TargetIds) {
		if target != nil && *target == *management {
			problems = append(problems, validation.Problem(fmt.Sprintf("TargetIds[%d]", i), "%q is the management account, which no policy binds: leave it out", *target))
		}
	}
	if _, err := ProtectionPolicy(p, of); p.Validate() == nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// ProtectionPolicy are the policies as data, for those who attach them elsewhere: the documents that `trailguard policy` prints and that
// NewPrevention attaches. An empty partition is that of the ARNs given, or aws.
func ProtectionPolicy(props *PreventionProps, ofPartition string) (protection.Documents, error) {
	if props == nil {
		props = &PreventionProps{}
	}
	options := protection.Defaults()
	options.OrganizationID = text(props.OrganizationId)
	options.TrailNames = []string{trailguard.DefaultTrailName}
	if props.TrailNames != nil {
		options.TrailNames = texts(props.TrailNames)
	}
	if props.StackSetName != nil {
		options.NamePrefixes = append([]string{"StackSet-" + *props.StackSetName + "-"}, options.NamePrefixes[1:]...)
	}
	options.KeyARNs, options.BreakGlassRoleARNs = texts(props.KeyArns), texts(props.BreakGlassRoleArns)
	if options.Partition = ofPartition; ofPartition == "" {
		options.Partition = "aws"
		for _, arn := range append(options.KeyARNs, options.BreakGlassRoleARNs...) {
			if parts := strings.SplitN(arn, ":", 3); len(parts) == 3 && strings.HasPrefix(parts[1], "aws") {
				options.Partition = parts[1]
			}
		}
	}
	for _, choice := range []struct {
		given  *bool
		option *bool
	}{
		{props.ExemptCdk, &options.ExemptCDK}, {props.DenyCreateTrail, &options.DenyCreateTrail},
		{props.DenyPolicyChanges, &options.DenyPolicyChanges}, {props.DenyConfigChanges, &options.DenyConfigChanges},
		{props.DenyStopAutomation, &options.DenyStopAutomation},
	} {
		if choice.given != nil {
			*choice.option = *choice.given
		}
	}
	documents, err := protection.Policies(options)
	return documents, validation.Renamed(errors.Join(err, checkDeployable(documents)), func(prop string) string {
		if own, ok := ofOptions[prop]; ok {
			return own
		}
		return prop
	})
}

// ofOptions are the properties by the options that they become, if those are named otherwise.
var ofOptions = map[string]string{
	"OrganizationID": "OrganizationId", "KeyARNs": "KeyArns", "BreakGlassRoleARNs": "BreakGlassRoleArns", "ExemptCDK": "ExemptCdk",
	"NamePrefixes": "StackSetName",
}

// checkDeployable refuses policies that would bind the roles with which CloudFormation deploys to the accounts: nobody could update or take away
// what the policies protect.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs.html
func checkDeployable(documents protection.Documents) error {
	for _, document := range documents.ServiceControl {
		for _, role := range []string{"stacksets-exec-*", "AWSCloudFormationStackSetExecutionRole"} {
			if !strings.Contains(document.JSON, role) {
				return fmt.Errorf("a service control policy does not exempt %s, so that StackSets could not deploy any more: %s", role, strings.Join(document.Sids, ", "))
			}
		}
	}
	return nil
}

// Prevention denies in member accounts what a guard would have to repair.
type Prevention interface {
	constructs.Construct
	// Policies are the policies: first the service control policies, then the resource control policies.
	Policies() []awsorganizations.CfnPolicy
}

type prevention struct {
	constructs.Construct
	policies []awsorganizations.CfnPolicy
}

// NewPrevention defines a Prevention, in the organization's management account, or in that of a delegated administrator of AWS Organizations that
// may attach policies. It panics where props.Validate or props.ValidateIn returns an error.
//
//	TargetIds (organizational units, root, accounts) ◄──bind── ServiceControlPolicy1…3: what callers of these accounts may not do
//	                                                 ◄──bind── ResourceControlPolicy1…: what nobody may do to their buckets, keys and roles
//
// The policies are attached one after the other, as AWS Organizations takes one change at a time. Attach them last: what they exempt are the
// guard's roles, those with which CloudFormation deploys, and BreakGlassRoleArns.
func NewPrevention(scope constructs.Construct, id *string, props *PreventionProps) Prevention {
	validation.Panic("Prevention", id, props.Validate(), props.ValidateIn(scope))

	this := &prevention{}
	constructs.NewConstruct_Override(this, scope, id)
	documents, err := ProtectionPolicy(props, partition.Of(this))
	validation.Panic("Prevention", id, err)
	this.attach("ServiceControlPolicy", "SERVICE_CONTROL_POLICY", documents.ServiceControl, props.TargetIds)
	if props.ResourceControlPolicies == nil || *props.ResourceControlPolicies {
		this.attach("ResourceControlPolicy", "RESOURCE_CONTROL_POLICY", documents.ResourceControl, props.TargetIds)
	}
	return this
}

func (p *prevention) Policies() []awsorganizations.CfnPolicy { return p.policies }

// attach defines the policies of a type. Their content is an object, as AWS recommends: CloudFormation cannot detect the drift of one that is text.
// It writes the object without spaces, as the documents are measured.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-organizations-policy.html
func (p *prevention) attach(id, kind string, documents []protection.Document, targets *[]*string) {
	const mostOfDescription = 512
	for i, document := range documents {
		description := "Protects TrailGuard: " + strings.Join(document.Sids, ", ")
		name := fmt.Sprint(id, i+1)
		policy := awsorganizations.NewCfnPolicy(p, &name, &awsorganizations.CfnPolicyProps{
			Name:        jsii.String("TrailGuard" + name),
			Type:        &kind,
			Description: jsii.String(description[:min(len(description), mostOfDescription)]),
			Content:     content(document),
			TargetIds:   targets,
		})
		if len(p.policies) > 0 {
			policy.AddResourceDependency(p.policies[len(p.policies)-1], nil)
		}
		p.policies = append(p.policies, policy)
	}
}

// content is a document as an object. It panics for what is no JSON, which package protection does not make.
func content(document protection.Document) map[string]any {
	var object map[string]any
	if err := json.Unmarshal([]byte(document.JSON), &object); err != nil {
		panic(fmt.Errorf("reading the policy of %v: %w", document.Sids, err))
	}
	return object
}
