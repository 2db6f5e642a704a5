// Package trailguard keeps one AWS CloudTrail trail in its declared state, and puts it back when anyone changes that.
package trailguard

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// TrailGuard is the guard of one trail.
type TrailGuard interface {
	constructs.Construct
	// TrailName is the name of the guarded trail.
	TrailName() *string
	// TrailArn is the ARN of the guarded trail.
	TrailArn() *string
	// LogBucket is the bucket that holds the log files.
	LogBucket() awss3.IBucket
	// LogKey is the key that encrypts the log files.
	LogKey() awskms.IKey
	// AutomationRole is the role with which the runbook restores the trail.
	AutomationRole() awsiam.IRole
	// Runbook is the SSM Automation document that restores the trail.
	Runbook() awsssm.CfnDocument
	// Rules are the Config rules that compare the trail with its declared state, none where ConfigRules is false.
	Rules() *[]awsconfig.IRule
	// AlertTopic is the topic that is told of tampering and repairs.
	AlertTopic() awssns.ITopic
	// GrantReadLogs lets the grantee list, read and decrypt the log files.
	GrantReadLogs(grantee awsiam.IGrantable) awsiam.Grant
	// OnTampering defines a rule for every call that can stop, delete or weaken the trail, but for the guard's own.
	OnTampering(id *string, options *awsevents.OnEventOptions) awsevents.Rule
	// OnRepaired defines a rule for runs of the runbook that have succeeded: also those that found all well.
	OnRepaired(id *string, options *awsevents.OnEventOptions) awsevents.Rule
	// OnRepairFailed defines a rule for repairs that have failed, timed out or were cancelled.
	OnRepairFailed(id *string, options *awsevents.OnEventOptions) awsevents.Rule
	// Validate returns an error that names each property that makes the runbook or a rule longer than AWS takes, nil if there is
	// none. The synthesis then fails with it.
	Validate() error
}

type trailGuard struct {
	constructs.Construct
	props          *TrailGuardProps
	settings       trail.Settings
	logStore       logstore.LogStore
	delivery       delivery
	automationRole awsiam.IRole
	configRules    detection.ConfigRules
	remediation    remediation.Remediation
	alerts         alerting.Alerts
	eventRules     detection.EventRules
	// logStoreRemediation is nil if the log store is not repaired.
	logStoreRemediation remediation.LogStoreRemediation
}

// NewTrailGuard defines a TrailGuard. It panics where props.Validate or props.ValidateIn returns an error. Nil props guard a trail with the
// settings that AWS recommends.
//
//	trail ──writes──► LogStore (Bucket, Key) ◄──restored by── LogStoreRemediation (Runbook) ◄──started by── Tampering, EventRules, unless RepairLogStore is false
//	  ▲  ├──seen by──► ConfigRules (each day, on change) ─────────────┐
//	  │  └──seen by──► EventRules (within seconds, and each hour) ────┤ start
//	  └──────────restored by── Remediation (Runbook) ◄────────────────┘
//	                                 └──tells──► Alerting (Topic), CentralEventBus
//
// The trail itself is not a resource of the stack: the runbook creates it, so that it can also put it back.
func NewTrailGuard(scope constructs.Construct, id *string, props *TrailGuardProps) TrailGuard {
	validation.Panic("TrailGuard", id, props.Validate(), props.ValidateIn(scope))

	this := &trailGuard{props: resolve(props)}
	constructs.NewConstruct_Override(this, scope, id)
	this.logStore = logstore.NewLogStore(this, jsii.String("LogStore"), this.props.logStore())
	this.delivery = newDelivery(this, this.props, this.logStore)
	this.settings = this.declaredSettings()
	this.alerts = alerting.NewAlerts(this, jsii.String("Alerting"), this.props.alerts())
	this.automationRole = this.newAutomationRole()
	if this.props.hasConfigRules() {
		this.configRules = this.newConfigRules()
	}
	this.remediation = this.newRemediation()
	this.eventRules = this.newEventRules()
	if this.props.repairsLogStore() {
		this.logStoreRemediation = this.newLogStoreRemediation()
	}
	this.addNotices()
	this.newOutputs()
	return this
}

func (g *trailGuard) TrailName() *string           { return jsii.String(g.settings.Name) }
func (g *trailGuard) TrailArn() *string            { return jsii.String(g.settings.ARN) }
func (g *trailGuard) LogBucket() awss3.IBucket     { return g.logStore.Bucket() }
func (g *trailGuard) LogKey() awskms.IKey          { return g.logStore.Key() }
func (g *trailGuard) AutomationRole() awsiam.IRole { return g.automationRole }
func (g *trailGuard) Runbook() awsssm.CfnDocument  { return g.remediation.Runbook() }
func (g *trailGuard) AlertTopic() awssns.ITopic    { return g.alerts.Topic() }

func (g *trailGuard) Rules() *[]awsconfig.IRule {
	if g.configRules == nil {
		return &[]awsconfig.IRule{}
	}
	return g.configRules.Rules()
}

func (g *trailGuard) GrantReadLogs(grantee awsiam.IGrantable) awsiam.Grant {
	return g.logStore.GrantRead(grantee)
}

func (g *trailGuard) Validate() error {
	problems := []error{g.alerts.Validate()}
	if g.configRules != nil {
		problems = append(problems, g.configRules.Validate())
	}
	if g.logStoreRemediation != nil {
		problems = append(problems, g.logStoreRemediation.Validate())
	}
	return errors.Join(append(problems, g.remediation.Validate(), g.eventRules.Validate())...)
}

func (g *trailGuard) declaredSettings() trail.Settings {
	settings := trail.Settings{
		Name:                      *g.props.TrailName,
		ARN:                       *g.logStore.TrailArn(),
		OwnerAccount:              g.props.ownerAccount(g),
		IsOrganizationTrail:       g.props.OrganizationId != nil,
		S3BucketName:              *g.logStore.Bucket().BucketName(),
		KMSKeyARN:                 *g.logStore.Key().KeyArn(),
		SNSTopicARN:               g.delivery.topicARN,
		CloudWatchLogsLogGroupARN: g.delivery.logGroupARN,
		CloudWatchLogsRoleARN:     g.delivery.logGroupRoleARN,
		DataResources:             g.props.dataResources(),
		AdvancedEventSelectors:    g.props.advancedEventSelectors(),
		Tags:                      g.props.tags(),
	}
	if g.props.S3KeyPrefix != nil {
		settings.S3KeyPrefix = *g.props.S3KeyPrefix
	}
	for _, insight := range listed(g.props.InsightTypes) {
		settings.InsightTypes = append(settings.InsightTypes, string(insight))
	}
	return settings
}

const automationRole = "AutomationRole"

func (g *trailGuard) newAutomationRole() awsiam.IRole {
	return remediation.NewRole(g, jsii.String(automationRole), &remediation.RoleProps{
		Settings:        g.settings,
		AutomationRole:  g.props.AutomationRole,
		AlertTopic:      g.AlertTopic(),
		CentralEventBus: g.props.CentralEventBus,
		ConfigRules:     g.props.hasConfigRules(),
	})
}

func (g *trailGuard) newConfigRules() detection.ConfigRules {
	props := g.props.configRules()
	props.Settings = g.settings
	requires := append(g.delivery.policies, g.automationRole)
	if policy := g.Node().TryFindChild(jsii.String(automationRole)); policy != nil {
		requires = append(requires, policy) // the role itself, or the policy of a role of another stack
	}
	if policy := g.logStore.Policy(); policy != nil {
		requires = append(requires, policy)
	}
	props.Requires = &requires
	return detection.NewConfigRules(g, jsii.String("ConfigRules"), props)
}

func (g *trailGuard) newRemediation() remediation.Remediation {
	props := g.props.remediation()
	props.Settings = g.settings
	props.AutomationRole = g.automationRole
	props.Rules = g.configRules
	props.AlertTopic = g.AlertTopic()
	props.CentralEventBus = g.props.CentralEventBus
	return remediation.NewRemediation(g, jsii.String("Remediation"), props)
}

func (g *trailGuard) newEventRules() detection.EventRules {
	props := g.props.eventRules()
	props.Settings = g.settings
	props.AutomationRole = g.automationRole
	props.Runbook = g.remediation.Runbook()
	props.ConfigRules = g.configRules
	props.CentralEventBus = g.props.CentralEventBus
	return detection.NewEventRules(g, jsii.String("EventRules"), props)
}

func (g *trailGuard) newLogStoreRemediation() remediation.LogStoreRemediation {
	return remediation.NewLogStoreRemediation(g, jsii.String("StoreRemediation"), &remediation.LogStoreRemediationProps{
		LogStore:        g.logStore,
		TrailName:       g.TrailName(),
		AlertTopic:      g.AlertTopic(),
		CentralEventBus: g.props.CentralEventBus,
		Remediation:     g.remediation,
		EventRules:      g.eventRules,
		RepairOnEvents:  g.props.RepairOnEvents,
	})
}

func (g *trailGuard) addNotices() {
	g.alerts.AddNotices(&alerting.NoticesProps{
		Settings:        g.settings,
		AutomationRole:  g.automationRole,
		Runbook:         g.remediation.Runbook(),
		EventRules:      g.eventRules,
		CheckEvery:      g.props.CheckEvery,
		CentralEventBus: g.props.CentralEventBus,
		ConfigRules:     g.props.hasConfigRules(),
		SuppliedRoles:   g.suppliedRoles(),
		LogGroup:        g.props.CloudWatchLogGroup,
	})
	if keys := g.logStore.DigestKeys(); keys != nil {
		alerting.TellMissingDigests(g.alerts, alerting.MissingDigests{
			Of: "the trail " + g.settings.Name, Bucket: g.LogBucket(), Keys: keys, AlertTopic: g.AlertTopic(),
		})
	}
}

// suppliedRoles are the roles of the guard whose names are not of the stack.
func (g *trailGuard) suppliedRoles() *[]awsiam.IRole {
	roles := []awsiam.IRole{}
	for _, role := range []awsiam.IRole{g.props.AutomationRole, g.props.CloudWatchLogsRole} {
		if role != nil {
			roles = append(roles, role)
		}
	}
	return &roles
}

// newOutputs tells people, and the fire drill, what the guard is made of.
func (g *trailGuard) newOutputs() {
	type output struct {
		id    string
		value *string
	}
	outputs := []output{
		{"TrailName", g.TrailName()},
		{"TrailArn", g.TrailArn()},
		{"LogBucketName", g.LogBucket().BucketName()},
		{"LogKeyArn", g.LogKey().KeyArn()},
		{"AutomationRoleArn", g.AutomationRole().RoleArn()},
		{"RunbookName", g.Runbook().Ref()},
		{"AlertTopicArn", g.AlertTopic().TopicArn()},
	}
	rules := []*string{}
	for _, rule := range *g.Rules() {
		rules = append(rules, rule.ConfigRuleName())
	}
	if len(rules) > 0 {
		outputs = append(outputs, output{"ConfigRuleNames", awscdk.Fn_Join(jsii.String(","), &rules)})
	}
	for _, output := range outputs {
		awscdk.NewCfnOutput(g, jsii.String(output.id), &awscdk.CfnOutputProps{Value: output.value})
	}
}
