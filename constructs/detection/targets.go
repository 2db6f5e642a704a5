package detection

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Targets are what the event rules of a construct have in common: the role with which EventBridge reaches their targets, and the queue for what it
// cannot deliver.
type Targets struct {
	role  awsiam.Role
	queue awssqs.Queue
}

// DefineTargets defines DeadLetterQueue and TargetRole in the scope. The role may do nothing yet. By its path the policies of an organization
// know it as the guard's: of its name, which CloudFormation makes up, they know the beginning alone.
func DefineTargets(scope constructs.Construct) *Targets {
	return &Targets{
		queue: awssqs.NewQueue(scope, jsii.String("DeadLetterQueue"), &awssqs.QueueProps{
			Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
			EnforceSSL:      jsii.Bool(true),
			RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		}),
		role: awsiam.NewRole(scope, jsii.String("TargetRole"), &awsiam.RoleProps{
			Path: jsii.String(GuardRolePath),
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
				Conditions: &map[string]interface{}{
					"StringEquals": map[string]interface{}{"aws:SourceAccount": awscdk.Stack_Of(scope).Account()},
					// A condition on the rules' ARNs would be circular: each rule refers to this role.
					"ArnLike": map[string]interface{}{"aws:SourceArn": arn("events", "rule/*")},
				},
			}),
		}),
	}
}

// Role is the role with which EventBridge reaches the targets.
func (t *Targets) Role() awsiam.Role { return t.role }

// DeadLetterQueue holds events that could not be delivered to a target, for 14 days.
func (t *Targets) DeadLetterQueue() awssqs.Queue { return t.queue }

// Define defines a rule with its targets: EventBridge reaches them with the role, and puts what it cannot deliver into the queue, once
// KeepUndelivered lets it. The rule waits for the role's policy, so that the role must have a statement by then.
func (t *Targets) Define(scope constructs.Construct, id *string, props *awsevents.CfnRuleProps, targets ...*awsevents.CfnRule_TargetProperty) awsevents.IRule {
	reached := []any{}
	for _, target := range targets {
		target.RoleArn = t.role.RoleArn()
		target.DeadLetterConfig = &awsevents.CfnRule_DeadLetterConfigProperty{Arn: t.queue.QueueArn()}
		reached = append(reached, target)
	}
	props.Targets = reached
	rule := defineEventRule(scope, id, props)
	rule.Node().AddDependency(t.role.Node().FindChild(jsii.String("DefaultPolicy")))
	return rule
}

// KeepUndelivered lets EventBridge put into the queue what the rules could not deliver.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (t *Targets) KeepUndelivered(rules ...awsevents.IRule) {
	var arns []*string
	for _, rule := range rules {
		arns = append(arns, rule.RuleArn())
	}
	t.queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{t.queue.QueueArn()},
		Conditions: &map[string]interface{}{
			"ArnEquals": map[string]interface{}{"aws:SourceArn": arns},
		},
	}))
}

// arn is an ARN of the stack's partition, Region and account, which may refer to resources by ${LogicalId}.
func arn(service, resource string) *string {
	return awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:"+service+":${AWS::Region}:${AWS::AccountId}:"+resource), nil)
}
