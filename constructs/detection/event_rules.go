package detection

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trail"
)

// EventRulesProps are the properties of EventRules.
type EventRulesProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// AutomationRole is the role with which the runbook restores the trail. What it does is no tampering.
	AutomationRole awsiam.IRole

	// Runbook is the SSM Automation document that restores the trail.
	Runbook awsssm.CfnDocument

	// RunbookInput is the input that starts the runbook: a JSON object of lists of strings.
	RunbookInput *string

	// ConfigRules are the rules that are to start the runbook where Config has no remediation.
	ConfigRules ConfigRules

	// AlertTopic is told of tampering.
	AlertTopic awssns.ITopic

	// RepairOnEvents tells whether tampering starts the runbook.
	//
	// Default: - it does, within seconds.
	RepairOnEvents *bool
}

// EventRules are the EventBridge rules that notice a change of the trail as it happens.
type EventRules interface {
	constructs.Construct
	// Tampering is the rule that matches every call that can stop, delete or weaken the trail.
	Tampering() awsevents.CfnRule
	// DeadLetterQueue holds events that could not be delivered to the runbook, for 14 days. It is nil where no event starts it.
	DeadLetterQueue() awssqs.Queue
}

type eventRules struct {
	constructs.Construct
	props           *EventRulesProps
	tampering       awsevents.CfnRule
	deadLetterQueue awssqs.Queue
	runbookTarget   *awsevents.CfnRule_TargetProperty
}

// NewEventRules defines EventRules.
//
//	tampering ──► Tampering ─┬──starts, as StartRole──► Runbook
//	                         │     └──if it cannot──► DeadLetterQueue
//	                         └──tells──► AlertTopic
func NewEventRules(scope constructs.Construct, id *string, props *EventRulesProps) EventRules {
	this := &eventRules{props: props}
	constructs.NewConstruct_Override(this, scope, id)
	repairOnEvents := props.RepairOnEvents == nil || *props.RepairOnEvents
	repairOnCompliance := !HasRemediation(this)
	if repairOnEvents || repairOnCompliance {
		this.newRunbookTarget()
	}
	this.newTampering(repairOnEvents)
	if repairOnCompliance {
		this.newNonCompliant()
	}
	return this
}

func (r *eventRules) Tampering() awsevents.CfnRule  { return r.tampering }
func (r *eventRules) DeadLetterQueue() awssqs.Queue { return r.deadLetterQueue }

// newTampering tells the people first: a message does not wait for a repair.
func (r *eventRules) newTampering(startsRunbook bool) {
	targets := []any{&awsevents.CfnRule_TargetProperty{
		Id:  jsii.String("AlertTopic"),
		Arn: r.props.AlertTopic.TopicArn(),
		InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
			InputPathsMap: map[string]any{
				"what": "$.detail.eventName", "who": "$.detail.userIdentity.arn", "when": "$.detail.eventTime",
				"from": "$.detail.sourceIPAddress", "account": "$.account", "region": "$.region",
			},
			InputTemplate: jsii.String(`"TAMPERING: <what> on the trail ` + r.props.Settings.Name +
				` in account <account>, <region>, by <who> from <from> at <when>."`),
		},
	}}
	if startsRunbook {
		targets = append(targets, r.runbookTarget)
	}
	r.tampering = awsevents.NewCfnRule(r, jsii.String("Tampering"), &awsevents.CfnRuleProps{
		Description:  jsii.String("The trail " + r.props.Settings.Name + " was stopped, deleted or changed"),
		EventPattern: TamperingPattern(r.props.Settings, *r.props.AutomationRole.RoleArn()),
		Targets:      targets,
	})
	if startsRunbook {
		r.letDeadLettersIn(r.tampering)
	}
}

// newNonCompliant starts the runbook when Config finds the trail not as declared, where Config cannot do so itself.
func (r *eventRules) newNonCompliant() {
	rule := awsevents.NewCfnRule(r, jsii.String("NonCompliant"), &awsevents.CfnRuleProps{
		Description:  jsii.String("Config has found the trail " + r.props.Settings.Name + " not as declared"),
		EventPattern: NonCompliantPattern(r.props.ConfigRules),
		Targets:      []any{r.runbookTarget},
	})
	r.letDeadLettersIn(rule)
}

// newRunbookTarget starts the runbook. An event that is a day old starts nothing: Config has repaired the trail by then.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/running-automations-event-bridge.html
func (r *eventRules) newRunbookTarget() {
	stack := awscdk.Stack_Of(r)
	r.deadLetterQueue = awssqs.NewQueue(r, jsii.String("DeadLetterQueue"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	r.runbookTarget = &awsevents.CfnRule_TargetProperty{
		Id: jsii.String("Runbook"),
		Arn: stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("ssm"), Resource: jsii.String("automation-definition"), ResourceName: r.props.Runbook.Ref(),
		}),
		RoleArn:          r.newStartRole().RoleArn(),
		Input:            r.props.RunbookInput,
		DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: r.deadLetterQueue.QueueArn()},
		RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{
			MaximumEventAgeInSeconds: jsii.Number(24 * 60 * 60),
			MaximumRetryAttempts:     jsii.Number(185),
		},
	}
}

// newStartRole may start this runbook, as this automation role, and nothing else.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func (r *eventRules) newStartRole() awsiam.Role {
	stack := awscdk.Stack_Of(r)
	arn := func(service, resource, name string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String(service), Resource: jsii.String(resource), ResourceName: jsii.String(name),
		})
	}
	role := awsiam.NewRole(r, jsii.String("StartRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"aws:SourceAccount": stack.Account()},
				// The rules name the role, so it cannot name them.
				"ArnLike": map[string]interface{}{"aws:SourceArn": arn("events", "rule", "*")},
			},
		}),
	})
	name := *r.props.Runbook.Ref()
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ssm:StartAutomationExecution"),
		Resources: &[]*string{
			arn("ssm", "automation-definition", name+":*"), // any version of the one runbook
			arn("ssm", "document", name),
		},
	}))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("iam:PassRole"),
		Resources: &[]*string{r.props.AutomationRole.RoleArn()},
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"iam:PassedToService": "ssm.amazonaws.com"},
		},
	}))
	return role
}

// letDeadLettersIn lets EventBridge put what the rule could not deliver into the queue.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (r *eventRules) letDeadLettersIn(rule awsevents.CfnRule) {
	r.deadLetterQueue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{r.deadLetterQueue.QueueArn()},
		Conditions: &map[string]interface{}{
			"ArnEquals": map[string]interface{}{"aws:SourceArn": rule.AttrArn()},
		},
	}))
}
