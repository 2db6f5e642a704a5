package detection

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// defineEventRule defines an event rule of which everything can be said that CloudFormation knows, such as the role of a target. As that
// of the CDK's own constructs, its resource is its default child.
func defineEventRule(scope constructs.Construct, id *string, props *awsevents.CfnRuleProps) awsevents.IRule {
	arn := &later{}
	rule := awsevents.Rule_FromEventRuleArn(scope, id, awscdk.Lazy_String(arn, nil))
	arn.text = awsevents.NewCfnRule(child(scope, id), jsii.String("Default"), props).AttrArn()
	return rule
}

// EventRuleName is the name of a rule that EventRules.Define has defined.
func EventRuleName(rule awsevents.IRule) *string {
	return rule.Node().DefaultChild().(awsevents.CfnRule).Ref()
}

// newConfigRule defines a Config rule. As that of the CDK's own constructs, its resource is its default child.
func newConfigRule(scope constructs.Construct, id *string, props *awsconfig.CfnConfigRuleProps) awsconfig.IRule {
	name := &later{}
	rule := awsconfig.ManagedRule_FromConfigRuleName(scope, id, awscdk.Lazy_String(name, nil))
	name.text = awsconfig.NewCfnConfigRule(child(scope, id), jsii.String("Default"), props).Ref()
	return rule
}

// child is a rule as a scope: an IRule of the CDK's is none in Go.
func child(scope constructs.Construct, id *string) constructs.Construct {
	return scope.Node().FindChild(id).(constructs.Construct)
}

// later is a text that is known only when the resource that it is of has been defined.
type later struct{ text *string }

// Produce returns the text, as the CDK asks for it.
func (l *later) Produce() *string { return l.text }
