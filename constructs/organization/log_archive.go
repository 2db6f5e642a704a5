package organization

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/validation"
)

// LogArchiveProps are the properties of a LogArchive. TrailName, MemberTrailName or both are required.
type LogArchiveProps struct {
	// OrganizationId is the id, such as o-a1b2c3d4e5, of the organization whose log files the archive takes.
	OrganizationId *string

	// TrailName is the name of the organization trail. It needs TrailAccount.
	//
	// Default: - there is no organization trail, or it writes elsewhere.
	TrailName *string

	// TrailAccount is the id of the organization's management account, which owns the organization trail and stands in its ARN.
	//
	// Default: - there is no organization trail, or it writes elsewhere.
	TrailAccount *string

	// PreviousTrailNames are names that the organization trail had before. A trail of such a name may go on writing to the archive.
	//
	// Default: - the trail has always had its name.
	PreviousTrailNames *[]*string

	// MemberTrailName is the name of the trails that the organization's accounts have themselves, the management account included.
	//
	// Default: - no trail writes but the organization trail.
	MemberTrailName *string

	// MemberAccounts are the ids, at most 50, of the only accounts whose trails of MemberTrailName may write.
	//
	// Default: - those of every account of the organization may.
	MemberAccounts *[]*string

	// ReaderAccounts are the ids, at most 50, of accounts of the organization whose principals may list, read and decrypt the log files, as far
	// as their own account lets them.
	//
	// Default: - principals of the stack's account may, as far as that lets them.
	ReaderAccounts *[]*string

	// BucketName is the name of the bucket, by which the other stacks find it.
	//
	// Default: - LogArchiveBucketName of the stack's account and Region: trailguard-logs-ACCOUNT-REGION.
	BucketName *string

	// S3KeyPrefix is what the log files' keys begin with, at most 200 characters.
	//
	// Default: - the keys begin with AWSLogs/.
	S3KeyPrefix *string

	// TransitionAfter is the age, in whole days, at which log files move to the storage class S3 Glacier Instant Retrieval.
	//
	// Default: - after 90 days.
	TransitionAfter awscdk.Duration

	// ExpireAfter is the age, in whole days, at which log files are deleted.
	//
	// Default: - log files are kept for good.
	ExpireAfter awscdk.Duration

	// ObjectLockRetention turns S3 Object Lock on and keeps every log file from deletion for the given time.
	//
	// Default: - Object Lock is off.
	ObjectLockRetention awss3.ObjectLockRetention

	// ServerAccessLogsBucket is an existing bucket for the access log of the bucket.
	//
	// Default: - a new bucket is created.
	ServerAccessLogsBucket awss3.IBucket

	// AlarmOnMissingDigests tells whether there is an alarm if no digest file has arrived in the bucket for three hours: of the organization
	// trail, in the account that owns it; of no trail of MemberTrailName, if there is no organization trail. The bucket then sends the
	// events of all its objects to EventBridge.
	//
	// Default: - there is.
	AlarmOnMissingDigests *bool

	// RepairLogStore tells whether a runbook restores the bucket, the new bucket of its access log and the key: their policies and settings, with
	// what is added to them in Go. It is started within seconds of a call against them, regularly, and at the end of the stack's deployment.
	// What cannot be restored, as a bucket that is gone, is told.
	//
	// Default: - it does.
	RepairLogStore *bool

	// RepairOnEvents tells whether a call against them starts the runbook. People are told of it all the same.
	//
	// Default: - it does, within seconds.
	RepairOnEvents *bool

	// CheckEvery is how often the runbook is started regularly: whole minutes from 5 minutes to 24 hours, or 0 for never.
	//
	// Default: - every hour.
	CheckEvery awscdk.Duration

	// CentralEventBus gets what is told, such as that of Central in the security account. It may be in another account.
	//
	// Default: - the events stay in the account, and AlertTopic is told.
	CentralEventBus awsevents.IEventBus

	// AlertTopic is an existing topic of the account that is told.
	//
	// Default: - a new topic is created, encrypted with a key of its own, if there is no CentralEventBus or somebody is to be told by e-mail.
	AlertTopic awssns.ITopic

	// AlertEmailAddresses are told by e-mail, once each has confirmed its subscription.
	//
	// Default: - nobody is told by e-mail.
	AlertEmailAddresses *[]*string

	// RemovalPolicy is what becomes of the buckets and the keys when they are taken out of the stack.
	//
	// Default: - they are retained.
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *LogArchiveProps) Validate() error {
	if p == nil {
		p = &LogArchiveProps{}
	}
	problems := []error{validation.Required("OrganizationId", p.OrganizationId != nil)}
	if p.TrailName == nil && p.MemberTrailName == nil {
		problems = append(problems, validation.Problem("TrailName", "is not given, and neither is %s, so that no trail could write: give one of them",
			validation.Prop("MemberTrailName")))
		return errors.Join(problems...)
	}
	if p.TrailName != nil && p.TrailAccount == nil {
		problems = append(problems, validation.Problem("TrailAccount", "is not given, and is the account that owns the organization trail: give the management account"))
	}
	return errors.Join(append(problems, p.logStore(p.BucketName).Validate(), p.checkTriggers(), p.alerts().Validate())...)
}

// checkTriggers refuses a repair that nothing would start.
func (p *LogArchiveProps) checkTriggers() error {
	if !p.repairs() {
		return nil
	}
	if detection.StartsNothing(p.RepairOnEvents, p.CheckEvery) {
		return validation.Problem("RepairLogStore", "is not false, %s is false and %s is 0, so that nothing would repair the archive: turn one of the two on, or set %s to false",
			validation.Prop("RepairOnEvents"), validation.Prop("CheckEvery"), validation.Prop("RepairLogStore"))
	}
	return (&detection.EventRulesProps{CheckEvery: p.CheckEvery}).ValidateOptional()
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none.
func (p *LogArchiveProps) ValidateIn(scope constructs.Construct) error {
	if p == nil || p.TrailName == nil && p.MemberTrailName == nil {
		return nil
	}
	return errors.Join(p.logStore(p.bucketName(scope)).ValidateIn(scope), p.alerts().ValidateIn(scope))
}

func (p *LogArchiveProps) alerts() *alerting.AlertsProps {
	return &alerting.AlertsProps{AlertTopic: p.AlertTopic, AlertEmailAddresses: p.AlertEmailAddresses, RemovalPolicy: p.RemovalPolicy}
}

func (p *LogArchiveProps) alarmsOnMissingDigests() bool {
	return p.AlarmOnMissingDigests == nil || *p.AlarmOnMissingDigests
}
func (p *LogArchiveProps) repairs() bool { return p.RepairLogStore == nil || *p.RepairLogStore }

// tellsTopic tells whether the account has a topic that is told.
func (p *LogArchiveProps) tellsTopic() bool {
	return p.CentralEventBus == nil || p.AlertTopic != nil || len(listed(p.AlertEmailAddresses)) > 0
}

func (p *LogArchiveProps) logStore(bucketName *string) *logstore.LogStoreProps {
	return &logstore.LogStoreProps{
		TrailName:              p.TrailName,
		TrailAccount:           p.TrailAccount,
		PreviousTrailNames:     p.PreviousTrailNames,
		OrganizationId:         p.OrganizationId,
		MemberTrailName:        p.MemberTrailName,
		MemberAccounts:         p.MemberAccounts,
		ReaderAccounts:         p.ReaderAccounts,
		BucketName:             bucketName,
		S3KeyPrefix:            p.S3KeyPrefix,
		TransitionAfter:        p.TransitionAfter,
		ExpireAfter:            p.ExpireAfter,
		ObjectLockRetention:    p.ObjectLockRetention,
		ServerAccessLogsBucket: p.ServerAccessLogsBucket,
		RemovalPolicy:          p.RemovalPolicy,
		SendDigestEvents:       jsii.Bool(p.alarmsOnMissingDigests()),
	}
}

// bucketName is that by which the other stacks find the bucket.
func (p *LogArchiveProps) bucketName(scope constructs.Construct) *string {
	if p.BucketName != nil {
		return p.BucketName
	}
	stack := awscdk.Stack_Of(scope)
	return jsii.String(LogArchiveBucketName(*stack.Account(), *stack.Region()))
}

// LogArchive keeps the log files of an organization's trails.
type LogArchive interface {
	constructs.Construct
	// LogStore is the bucket and the key.
	LogStore() logstore.LogStore
	// AlertTopic is the topic that is told, nil if CentralEventBus alone is, or nobody.
	AlertTopic() awssns.ITopic
}

type logArchive struct {
	constructs.Construct
	logStore   logstore.LogStore
	alertTopic awssns.ITopic
}

// NewLogArchive defines a LogArchive, in an account that few can reach. It panics where props.Validate or props.ValidateIn returns an error.
//
//	the organization trail, of TrailAccount ──┐
//	trails of MemberTrailName, of each account ──write──► LogStore (Bucket, Key) ◄──read── ReaderAccounts
//	                                                          ▲ └──seen by──► StoreRemediation ──tells──► Alerting (Topic), CentralEventBus
//	                                                          └──restored by─────────┘
//	                                                          └──digest files──► MissingDigests (alarm) ──► Alerting (Topic), CentralEventBus
//
// The bucket has a fixed name. The ARN of the key has none that could be foretold: the output LogKeyArn is copied into the stacks that need it.
func NewLogArchive(scope constructs.Construct, id *string, props *LogArchiveProps) LogArchive {
	validation.Panic("LogArchive", id, props.Validate(), props.ValidateIn(scope))

	this := &logArchive{}
	constructs.NewConstruct_Override(this, scope, id)
	this.logStore = logstore.NewLogStore(this, jsii.String("LogStore"), props.logStore(props.bucketName(scope)))
	if (props.repairs() || this.logStore.DigestKeys() != nil) && props.tellsTopic() {
		this.alertTopic = alerting.NewAlerts(this, jsii.String("Alerting"), props.alerts()).Topic()
	}
	if props.repairs() {
		this.repair(props)
	}
	if this.logStore.DigestKeys() != nil {
		this.tellMissingDigests(props)
	}
	this.newOutputs()
	return this
}

func (a *logArchive) LogStore() logstore.LogStore { return a.logStore }
func (a *logArchive) AlertTopic() awssns.ITopic   { return a.alertTopic }

// repair defines what restores the log store, and whom it tells.
func (a *logArchive) repair(props *LogArchiveProps) {
	remediation.NewLogStoreRemediation(a, jsii.String("StoreRemediation"), &remediation.LogStoreRemediationProps{
		LogStore:        a.logStore,
		TrailName:       textOr(props.TrailName, text(props.MemberTrailName)),
		AlertTopic:      a.alertTopic,
		CentralEventBus: props.CentralEventBus,
		RepairOnEvents:  props.RepairOnEvents,
		CheckEvery:      props.CheckEvery,
	})
}

// tellMissingDigests tells if the log does not arrive: the account's topic, and the event bus, which an alarm cannot tell itself, of each
// time that the alarm rings.
func (a *logArchive) tellMissingDigests(props *LogArchiveProps) {
	of := "the trails " + *textOr(props.MemberTrailName, "")
	if props.TrailName != nil {
		of = "the trail " + *props.TrailName
	}
	alarm := alerting.TellMissingDigests(a, alerting.MissingDigests{Of: of, Bucket: a.logStore.Bucket(), Keys: a.logStore.DigestKeys(), AlertTopic: a.alertTopic})
	if props.CentralEventBus == nil {
		return
	}
	notices := newNotices(a, nil, nil, props.CentralEventBus)
	pattern := alarmPattern()
	pattern["resources"] = []any{alarm.AttrArn()}
	notices.add(notice{id: "Alarm", pattern: pattern})
	notices.tellUndelivered()
}

func (a *logArchive) newOutputs() {
	awscdk.NewCfnOutput(a, jsii.String("LogBucketName"), &awscdk.CfnOutputProps{Value: a.logStore.Bucket().BucketName()})
	key := awscdk.NewCfnOutput(a, jsii.String("LogKeyArn"), &awscdk.CfnOutputProps{Value: a.logStore.Key().KeyArn()})
	stack := awscdk.Stack_Of(a)
	if a.alertTopic != nil {
		awscdk.NewCfnOutput(a, jsii.String("AlertTopicArn"), &awscdk.CfnOutputProps{Value: a.alertTopic.TopicArn()})
	}
	command := fmt.Sprintf(`aws cloudformation describe-stacks --stack-name %s --query "Stacks[0].Outputs[?OutputKey=='%s'].OutputValue" --output text`,
		*stack.StackName(), fmt.Sprint(stack.Resolve(key.LogicalId())))
	key.SetDescription(jsii.String("Copied into the stacks that write to the archive. It is read by: " + command))
}
