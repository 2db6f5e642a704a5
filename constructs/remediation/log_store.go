package remediation

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/validation"
)

// LogStoreRemediationProps are the properties of a LogStoreRemediation.
type LogStoreRemediationProps struct {
	// LogStore is what is restored: its bucket, its key and the bucket of its access log, as far as this app defines them. What is imported
	// belongs to somebody else.
	LogStore logstore.LogStore

	// TrailName is the name of the trail, or trails, that messages call the log store by.
	TrailName *string

	// AlertTopic is told of tampering, and of each run that changed something, or could not. AlertTopic, CentralEventBus or both are required.
	//
	// Default: - only the event bus is told.
	AlertTopic awssns.ITopic

	// CentralEventBus is an event bus that gets the same events and reports.
	//
	// Default: - only the topic is told.
	CentralEventBus awsevents.IEventBus

	// Remediation restores the trail: its runbook restores the log store, too, each in executions of its own, with a role of its own.
	//
	// Default: - the construct has a runbook of its own.
	Remediation Remediation

	// EventRules start a runbook regularly: the log store is then looked at, too, and whoever has them tells of runs that fail, or do not start.
	//
	// Default: - the construct has a schedule, a role and a queue of its own, and tells of that itself.
	EventRules detection.EventRules

	// RepairOnEvents tells whether tampering starts the runbook. People are told of it all the same.
	//
	// Default: - it does, within seconds.
	RepairOnEvents *bool

	// CheckEvery is how often the runbook looks at the log store, if there are no EventRules.
	//
	// Default: - every hour.
	CheckEvery awscdk.Duration
}

// LogStoreRemediation is the runbook that restores a log store, its role, and what starts it.
type LogStoreRemediation interface {
	constructs.Construct
	// Runbook is the SSM Automation document, which may be that of the Remediation.
	Runbook() awsssm.CfnDocument
	// Role is the role with which the runbook restores the log store.
	Role() awsiam.Role
	// Tampering is the rule that tells people of tampering, and starts the runbook.
	Tampering() awsevents.IRule
	// Validate returns an error if the rule's pattern is longer than EventBridge takes. The synthesis then fails with it.
	Validate() error
}

type logStoreRemediation struct {
	constructs.Construct
	findings  validation.Findings
	props     *LogStoreRemediationProps
	declared  *declared
	role      awsiam.Role
	runbook   awsssm.CfnDocument
	tampering awsevents.IRule
}

// OwnsLogStore tells whether there is anything to restore of a log store: a bucket or a key that the app defines.
func OwnsLogStore(store logstore.LogStore) bool {
	return store != nil && Owns(store.Bucket(), store.Key())
}

// Owns tells whether the app defines the bucket or the key.
func Owns(bucket awss3.IBucket, key awskms.IKey) bool {
	return ownBucket(bucket) != nil || ownKey(key) != nil
}

func ownBucket(bucket awss3.IBucket) awss3.IBucket {
	if bucket != nil {
		if _, isDefined := bucket.Node().DefaultChild().(awss3.CfnBucket); isDefined {
			return bucket
		}
	}
	return nil
}

func ownKey(key awskms.IKey) awskms.CfnKey {
	resource, _ := key.Node().DefaultChild().(awskms.CfnKey)
	return resource
}

// NewLogStoreRemediation defines a LogStoreRemediation. It panics where props.Validate returns an error.
//
//	calls against bucket or key, but for those of guards ──► Tampering ──tell──► AlertTopic, CentralEventBus
//	                                                             └──start──┐
//	each hour, the end of the stack's deployment ──► Schedule ────start────┴─► Runbook ──assumes──► Role ──restores──► LogStore
//	                                                                             └──► RepairFailed ──tell──► AlertTopic, CentralEventBus
//
// A bucket or a key that is gone is not made anew: a log that is missing must be missed, and CloudFormation would not know the new one. The
// runbook tells people what to do.
func NewLogStoreRemediation(scope constructs.Construct, id *string, props *LogStoreRemediationProps) LogStoreRemediation {
	if props == nil {
		props = &LogStoreRemediationProps{}
	}
	validation.Panic("LogStoreRemediation", id, props.Validate())

	this := &logStoreRemediation{props: props, declared: &declared{
		key: ownKey(props.LogStore.Key()), log: ownBucket(props.LogStore.Bucket()), accessLog: ownBucket(props.LogStore.ServerAccessLogsBucket()),
	}}
	constructs.NewConstruct_Override(this, scope, id)
	this.role = this.newRole()
	this.runbook = this.newRunbook()
	this.newRules()
	return this
}

func (r *logStoreRemediation) Runbook() awsssm.CfnDocument { return r.runbook }
func (r *logStoreRemediation) Role() awsiam.Role           { return r.role }
func (r *logStoreRemediation) Tampering() awsevents.IRule  { return r.tampering }
func (r *logStoreRemediation) Validate() error             { return r.findings.Validate() }

// Validate returns an error that names every property that is missing, nil where there is none.
func (p *LogStoreRemediationProps) Validate() error {
	problems := []error{
		validation.Required("LogStore", p.LogStore != nil),
		validation.Required("TrailName", p.TrailName != nil),
	}
	if p.AlertTopic == nil && p.CentralEventBus == nil {
		problems = append(problems, validation.Problem("AlertTopic", "is not given, and neither is %s, so that nobody would be told: give one of them",
			validation.Prop("CentralEventBus")))
	}
	if p.LogStore != nil && !OwnsLogStore(p.LogStore) {
		problems = append(problems, validation.Problem("LogStore", "has a bucket and a key that are imported, which their owner restores: give a log store with one of its own"))
	}
	return errors.Join(problems...)
}

func (r *logStoreRemediation) newRunbook() awsssm.CfnDocument {
	part := &logStorePart{
		declared: *awscdk.Token_AsString(awscdk.Lazy_UncachedAny(r.declared, nil), nil),
		roleARN:  *r.role.RoleArn(),
	}
	if r.props.Remediation != nil {
		r.props.Remediation.alsoRestore(part)
		return r.props.Remediation.Runbook()
	}
	d := newDocument(r, *r.props.TrailName, r.props.AlertTopic, r.props.CentralEventBus)
	d.logStore = part
	return newRunbook(r, d)
}

// start starts the runbook for the log store.
func (r *logStoreRemediation) start() detection.Start {
	start := detection.Start{Runbook: r.runbook, Role: r.role}
	if r.props.Remediation != nil {
		start.Resource = string(assets.LogStore)
	}
	return start
}

// newRules defines what starts the runbook, and the notice of tampering, which one rule does together with the start: so that calls of the
// guards' own roles do neither. What such a role does to the log store, the schedule finds.
func (r *logStoreRemediation) newRules() {
	props, theStore, start := r.props, "the log store of "+*r.props.TrailName, r.start()
	var targets *detection.Targets
	if props.EventRules != nil {
		targets = props.EventRules.Targets()
		targets.LetStart(start)
		props.EventRules.AlsoOnSchedule(start)
	} else {
		targets = r.newTargets(theStore, start)
	}
	pattern := detection.LogStorePattern(r.parts()...)
	r.findings.AtSynthesis(r, detection.CheckLogStorePattern("Tampering", pattern, *props.TrailName))
	reached := alerting.CallTargets(props.AlertTopic, props.CentralEventBus, theStore)
	if props.RepairOnEvents == nil || *props.RepairOnEvents {
		reached = append(reached, start.Target("Runbook", "event"))
	}
	r.tampering = targets.Define(r, jsii.String("Tampering"), &awsevents.CfnRuleProps{EventPattern: pattern}, reached...)
}

// newTargets defines what a guard's EventRules and notices are to a log store with a guard: the schedule, and who is told of runs that fail, or do
// not start.
func (r *logStoreRemediation) newTargets(theStore string, start detection.Start) *detection.Targets {
	targets, props := detection.DefineTargets(r), r.props
	targets.LetStart(start)
	if props.AlertTopic != nil {
		targets.Allow(alerting.Publish(props.AlertTopic)...)
	}
	if props.CentralEventBus != nil {
		targets.Allow(alerting.PutEvents(props.CentralEventBus))
	}
	schedule := detection.DefineSchedule(r, targets, props.CheckEvery, start)
	targets.Define(r, jsii.String("RepairFailed"), &awsevents.CfnRuleProps{EventPattern: alerting.RepairFailedPattern(r.runbook).Object()},
		alerting.RepairFailedTargets(props.AlertTopic, props.CentralEventBus, theStore)...)
	if props.AlertTopic != nil {
		alerting.TellUnstarted(r, props.AlertTopic, targets.DeadLetterQueue(), schedule, theStore)
	}
	return targets
}

// parts are what the calls of tampering are about.
func (r *logStoreRemediation) parts() []detection.LogStorePart {
	var parts []detection.LogStorePart
	if r.declared.key != nil {
		parts = append(parts, detection.LogStorePart{KeyID: *r.declared.key.Ref(), KeyARN: *r.declared.key.AttrArn()})
	}
	for _, bucket := range []awss3.IBucket{r.declared.log, r.declared.accessLog} {
		if bucket != nil {
			parts = append(parts, detection.LogStorePart{BucketName: *bucket.BucketName()})
		}
	}
	return parts
}

// newRole is a role that may do what the runbook does to the one log store. It has no permission for an object.
func (r *logStoreRemediation) newRole() awsiam.Role {
	var statements []awsiam.PolicyStatement
	if key := r.declared.key; key != nil {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("RestoreKey"),
			Actions: jsii.Strings("kms:CancelKeyDeletion", "kms:DescribeKey", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
				"kms:GetKeyRotationStatus", "kms:PutKeyPolicy"),
			Resources: &[]*string{key.AttrArn()},
		}))
	}
	buckets, actions := []*string{}, []string{
		"s3:GetBucketLogging", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning",
		"s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
		"s3:PutBucketAcl", "s3:PutBucketLogging", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock",
		"s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
	}
	for _, bucket := range []awss3.IBucket{r.declared.log, r.declared.accessLog} {
		if bucket == nil {
			continue
		}
		buckets = append(buckets, bucket.BucketArn())
		if bucket.Node().DefaultChild().(awss3.CfnBucket).ObjectLockConfiguration() != nil {
			actions = append(actions, "s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration")
		}
	}
	if len(buckets) > 0 {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("RestoreBuckets"), Actions: jsii.Strings(actions...), Resources: &buckets,
		}))
	}
	if r.props.AlertTopic != nil {
		statements = append(statements, alerting.Publish(r.props.AlertTopic)...)
	}
	if r.props.CentralEventBus != nil {
		statements = append(statements, alerting.PutEvents(r.props.CentralEventBus))
	}
	return awsiam.NewRole(r, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: automation(),
		Path:      jsii.String(detection.GuardRolePath),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"RestoreLogStore": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements}),
		},
	})
}
