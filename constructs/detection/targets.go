package detection

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Targets are what the event rules of a construct have in common: the role with which EventBridge reaches their targets, and the queue for what it
// cannot deliver.
type Targets struct {
	role awsiam.Role
	// allowed is what the role may do. A rule that refers to the role waits for it, for it is part of the role.
	allowed awsiam.PolicyDocument
	queue   awssqs.Queue
	// start and pass let the role start runbooks, nil while it starts none.
	start, pass awsiam.PolicyStatement
	// started are the runbooks that it starts.
	started []awsssm.CfnDocument
}

// Start is what starts a runbook: its first version, so that a later one changes nothing.
type Start struct {
	Runbook awsssm.CfnDocument
	// Role is the role that the runbook runs as.
	Role awsiam.IRole
	// Resource is what the runbook restores, for which it then takes the Role of this stack as a parameter.
	//
	// Default: - the runbook is started with its defaults.
	Resource string
}

// Target is the target of a rule that starts the runbook. EventBridge tries for a day, its own default; the schedule has been there by then.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
// https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
func (s Start) Target(id, startedBy string) *awsevents.CfnRule_TargetProperty {
	input := jsii.String(`{"StartedBy":["` + startedBy + `"]}`)
	if s.Resource != "" {
		role := *s.Role.Node().DefaultChild().(awsiam.CfnRole).LogicalId()
		input = awscdk.Fn_Sub(jsii.String(`{"StartedBy":["`+startedBy+`"],"Resource":["`+s.Resource+`"],"AutomationAssumeRole":["${`+role+`.Arn}"]}`), nil)
	}
	return &awsevents.CfnRule_TargetProperty{
		Id:    &id,
		Arn:   s.arn("automation-definition", ":1"),
		Input: input,
	}
}

// arn is one of the ARNs that the runbook has.
func (s Start) arn(resource, version string) *string {
	return arn("ssm", resource+"/${"+*s.Runbook.LogicalId()+"}"+version)
}

// DefineTargets defines DeadLetterQueue and TargetRole in the scope. The role may do nothing yet. By its path the policies of an organization
// know it as the guard's: of its name, which CloudFormation makes up, they know the beginning alone.
func DefineTargets(scope constructs.Construct) *Targets {
	// The rules of the account: each of the guard's refers to the role, so that the role cannot refer to them, and a list of them in the queue's
	// policy would take more of the template than a wildcard costs: who may define rules may fill the queue.
	rules := map[string]interface{}{"aws:SourceArn": arn("events", "rule/*")}
	queue := awssqs.NewQueue(scope, jsii.String("DeadLetterQueue"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
	queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{queue.QueueArn()},
		Conditions: &map[string]interface{}{"ArnLike": rules},
	}))
	allowed := awsiam.NewPolicyDocument(nil)
	return &Targets{
		allowed: allowed,
		queue:   queue,
		role: awsiam.NewRole(scope, jsii.String("TargetRole"), &awsiam.RoleProps{
			Path: jsii.String(GuardRolePath),
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
				Conditions: &map[string]interface{}{"ArnLike": rules},
			}),
			InlinePolicies: &map[string]awsiam.PolicyDocument{"ReachTargets": allowed},
		}),
	}
}

// DeadLetterQueue holds events that could not be delivered to a target, for 14 days.
func (t *Targets) DeadLetterQueue() awssqs.Queue { return t.queue }

// Allow lets the role do what statements say.
func (t *Targets) Allow(statements ...awsiam.PolicyStatement) { t.allowed.AddStatements(statements...) }

// Define defines a rule with its targets: EventBridge reaches them with the role, and puts what it cannot deliver into the queue.
func (t *Targets) Define(scope constructs.Construct, id *string, props *awsevents.CfnRuleProps, targets ...*awsevents.CfnRule_TargetProperty) awsevents.IRule {
	props.Targets = t.reached(targets)
	return defineEventRule(scope, id, props)
}

// LetStart lets the role start a runbook, as the role that it runs as.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func (t *Targets) LetStart(start Start) {
	runbook := []*string{start.arn("automation-definition", ":1"), start.arn("document", "")}
	if slices.Contains(t.started, start.Runbook) {
		runbook = nil
	}
	t.started = append(t.started, start.Runbook)
	if t.start != nil {
		t.start.AddResources(runbook...)
		t.pass.AddResources(start.Role.RoleArn())
		return
	}
	// The id of an execution is not known before it starts.
	resources := append(runbook, arn("ssm", "automation-execution/*"))
	t.start = awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("ssm:StartAutomationExecution"),
		Resources: &resources,
	})
	t.pass = awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("iam:PassRole"),
		Resources: &[]*string{start.Role.RoleArn()},
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"iam:PassedToService": "ssm.amazonaws.com"},
		},
	})
	t.Allow(t.start, t.pass)
}

// add gives a rule that was defined further targets.
func (t *Targets) add(rule awsevents.IRule, targets ...*awsevents.CfnRule_TargetProperty) {
	resource := rule.Node().DefaultChild().(awsevents.CfnRule)
	has, _ := resource.Targets().([]any)
	all := append(has, t.reached(targets)...)
	resource.SetTargets(&all)
}

func (t *Targets) reached(targets []*awsevents.CfnRule_TargetProperty) []any {
	reached := []any{}
	for _, target := range targets {
		target.RoleArn = t.role.RoleArn()
		target.DeadLetterConfig = &awsevents.CfnRule_DeadLetterConfigProperty{Arn: t.queue.QueueArn()}
		reached = append(reached, target)
	}
	return reached
}

// arn is an ARN of the stack's partition, Region and account, which may refer to resources by ${LogicalId}.
func arn(service, resource string) *string {
	return awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:"+service+":${AWS::Region}:${AWS::AccountId}:"+resource), nil)
}
