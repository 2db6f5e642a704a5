package detection

import (
	"errors"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// IamEventsProps are the properties of IamEvents. All of them are required.
type IamEventsProps struct {
	// GuardStackName is the name of the guard's stack, with which the names of its roles begin.
	GuardStackName *string
	// GuardRegion is the Region of the guard's stack.
	GuardRegion *string
}

var stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *IamEventsProps) Validate() error {
	if p == nil {
		p = &IamEventsProps{}
	}
	problems := []error{validation.Required("GuardStackName", p.GuardStackName != nil), validation.Required("GuardRegion", p.GuardRegion != nil)}
	if name := p.GuardStackName; name != nil && !*awscdk.Token_IsUnresolved(name) && !stackName.MatchString(*name) {
		problems = append(problems, validation.Problem("GuardStackName", "%q is not the name of a stack: use 1-128 letters, digits and -, a letter first", *name))
	}
	return errors.Join(problems...)
}

// ValidateIn returns an error if the scope's stack is in the guard's Region, in which the guard sees the events itself.
func (p *IamEventsProps) ValidateIn(scope constructs.Construct) error {
	if region := awscdk.Stack_Of(scope).Region(); p != nil && p.GuardRegion != nil && *region == *p.GuardRegion {
		return validation.Problem("GuardRegion", "%s is the Region of this stack, too, in which the guard sees the events itself: leave the stack out", *region)
	}
	return nil
}

// IamEvents hand the events of calls on a guard's roles on to the guard's Region.
type IamEvents interface {
	constructs.Construct
	// Rule is the rule that matches them.
	Rule() awsevents.IRule
}

type iamEvents struct {
	constructs.Construct
	rule awsevents.IRule
}

// NewIamEvents defines IamEvents, in the Region in which the events of IAM arrive (partition.IAMEventsRegion). It panics where props.Validate
// or props.ValidateIn returns an error.
//
//	calls on roles of the guard's stack ──► Roles ──hands on, as TargetRole──► default event bus of GuardRegion
//	                                          └──if it cannot──► DeadLetterQueue
//
// The events keep the Region that they are from, and the guard's rule GuardTampering matches them there.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
func NewIamEvents(scope constructs.Construct, id *string, props *IamEventsProps) IamEvents {
	validation.Panic("IamEvents", id, props.Validate(), props.ValidateIn(scope))

	this := &iamEvents{}
	constructs.NewConstruct_Override(this, scope, id)
	bus := awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:events:"+*props.GuardRegion+":${AWS::AccountId}:event-bus/default"), nil)
	targets := DefineTargets(this)
	targets.Allow(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("events:PutEvents"), Resources: &[]*string{bus},
	}))
	// CloudFormation cuts the stack's name in the names of roles, of which 24 characters are left.
	const certain = 24
	prefix := *props.GuardStackName + "-"
	this.rule = targets.Define(this, jsii.String("Roles"), &awsevents.CfnRuleProps{EventPattern: Pattern{"aws.iam", "AWS API Call via CloudTrail", map[string]any{
		"requestParameters": map[string]any{"roleName": []any{map[string]any{"prefix": prefix[:min(len(prefix), certain)]}}},
	}}.Object()}, &awsevents.CfnRule_TargetProperty{Id: jsii.String("GuardRegion"), Arn: bus})
	return this
}

func (e *iamEvents) Rule() awsevents.IRule { return e.rule }
