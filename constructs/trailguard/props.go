package trailguard

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// TrailGuardProps are the properties of a TrailGuard. All of them are optional.
type TrailGuardProps struct {
	// TrailName is the name of the guarded trail, 3-128 characters. A trail of that name in the stack's account and
	// Region is adopted: it gets the declared settings. Otherwise the guard creates it.
	//
	// Default: - the trail is named trailguard.
	TrailName *string

	// OrganizationId is the id, such as o-a1b2c3d4e5, of the organization that the trail covers. The stack must then be
	// in the organization's management account, or in that of its delegated administrator, with TrailAccount. Before it is taken
	// away, make the trail its account's: the guard does not, and the log bucket would refuse the log files of an organization
	// trail.
	//
	// Default: - the trail covers its own account. A trail that is found to be an organization trail remains one.
	OrganizationId *string

	// TrailAccount is the id of the account that owns the trail: of the organization's management account, if the stack is in the
	// account of its delegated administrator for CloudTrail. The guard then sees a call that is made in the management account at
	// its next look only, and has no Config rules.
	//
	// Default: - the stack's account.
	TrailAccount *string

	// PreviousTrailNames are names that the trail had before. A trail of such a name is not guarded, but may go on writing
	// to the log bucket until somebody deletes it.
	//
	// Default: - the trail has always had its name.
	PreviousTrailNames *[]*string

	// S3KeyPrefix is what the log files' keys begin with, at most 200 characters.
	//
	// Default: - the keys begin with AWSLogs/.
	S3KeyPrefix *string

	// DataResources are the resources whose data events are logged besides all management events.
	//
	// Default: - no data events are logged.
	DataResources *[]*DataResource

	// AdvancedEventSelectors select the data events and network activity events that are logged besides all management
	// events, by their fields. They take the place of DataResources.
	//
	// Default: - the events of DataResources are logged.
	AdvancedEventSelectors *[]*AdvancedEventSelector

	// InsightTypes are the types of CloudTrail Insights that are on. An empty list turns Insights off.
	//
	// Default: - all types are on.
	InsightTypes *[]InsightType

	// TrailTags are tags that the trail has, at most 50. Other tags of the trail are left alone.
	//
	// Default: - no tags are declared.
	TrailTags *map[string]*string

	// SnsTopic is a topic that CloudTrail tells of each delivered log file. An imported topic must already let CloudTrail
	// publish to it.
	//
	// Default: - nobody is told.
	SnsTopic awssns.ITopic

	// CloudWatchLogGroup is a log group that CloudTrail sends the events to as well.
	//
	// Default: - the events go to the log bucket only.
	CloudWatchLogGroup awslogs.ILogGroup

	// CloudWatchLogsRole is an existing role with which CloudTrail writes to CloudWatchLogGroup. An imported role must
	// already have the permissions that the README shows.
	//
	// Default: - a new role is created where there is a CloudWatchLogGroup.
	CloudWatchLogsRole awsiam.IRole

	// LogBucket is an existing bucket for the log files, in the Region of the key. An imported bucket must already have
	// the policy statements that the README shows.
	//
	// Default: - a new bucket is created: versioned, encrypted with the key, closed to the public and to plain HTTP.
	LogBucket awss3.IBucket

	// LogKey is an existing KMS key for the log files. An imported key must already have the policy statements that the
	// README shows.
	//
	// Default: - a new key is created and rotated every year.
	LogKey awskms.IKey

	// TransitionAfter is the age, in whole days, at which log files move to the storage class S3 Glacier Instant Retrieval.
	//
	// Default: - after 90 days.
	TransitionAfter awscdk.Duration

	// ExpireAfter is the age, in whole days, at which log files are deleted.
	//
	// Default: - log files are kept for good.
	ExpireAfter awscdk.Duration

	// ObjectLockRetention turns S3 Object Lock on and keeps every log file from deletion for the given time. A bucket's Object
	// Lock cannot be turned off again.
	//
	// Default: - Object Lock is off.
	ObjectLockRetention awss3.ObjectLockRetention

	// ServerAccessLogsBucket is an existing bucket for the access log of the log bucket.
	//
	// Default: - a new bucket is created where the log bucket is new.
	ServerAccessLogsBucket awss3.IBucket

	// RemovalPolicy is what becomes of the new buckets and the new key when they are taken out of the stack.
	//
	// Default: - they are retained.
	RemovalPolicy awscdk.RemovalPolicy

	// AutomationRole is an existing role with which the runbook restores the trail. An imported role must already have
	// the permissions and the trust that the README shows.
	//
	// Default: - a new role is created that may do what the runbook does, on the one trail.
	AutomationRole awsiam.IRole

	// RepairOnEvents tells whether tampering starts the runbook within seconds, through EventBridge.
	//
	// Default: - it does.
	RepairOnEvents *bool

	// RepairLogStore tells whether the runbook restores the log store, too, on the same triggers but for AWS Config, with a role of its own:
	// the policies and the settings of the log bucket, of the new bucket for its access log, and of the key, as far as the app defines them.
	// What is imported is not restored. The command cdk deploy, which sends the template as YAML, then needs an environment that is
	// bootstrapped: in YAML the template has more than the 51,200 bytes that CloudFormation takes in a request.
	//
	// Default: - what the app defines of the log store is repaired.
	RepairLogStore *bool

	// CheckEvery is how often the runbook looks at the trail itself, 5 minutes to 24 hours, in whole minutes. Zero turns it
	// off. It also looks at the end of each deployment of the stack.
	//
	// Default: - every hour.
	CheckEvery awscdk.Duration

	// ConfigRules tells whether AWS Config evaluates the trail, keeps the record of that, and starts the runbook.
	//
	// Default: - it does, and the account must have a configuration recorder.
	ConfigRules *bool

	// AlertTopic is an existing topic that is told of tampering and repairs. An imported topic, and the key of an encrypted
	// one, must already have the policy statements that the README shows.
	//
	// Default: - a new topic is created, encrypted with a key of its own.
	AlertTopic awssns.ITopic

	// AlertEmailAddresses are told by e-mail, once each has confirmed its subscription.
	//
	// Default: - nobody is told by e-mail.
	AlertEmailAddresses *[]*string

	// AlertSubscriptions are further subscriptions of the alert topic.
	//
	// Default: - there are none.
	AlertSubscriptions *[]awssns.ITopicSubscription

	// AlarmOnMissingDigests tells whether the alert topic is told when no digest file of the trail has arrived in the new log bucket for
	// three hours: whatever the cause, its log does not arrive. The bucket then sends the events of all its objects to EventBridge.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
	//
	// Default: - it is told, if the log bucket is new.
	AlarmOnMissingDigests *bool

	// CentralEventBus is an event bus, in the stack's Region, that gets the events of tampering and of failed repairs as well, and
	// each report of a repair: with the source trailguard and the type TrailGuard Repair. It may be of another account, whose policy
	// of the bus must let the stack's account put events. It must not be the default bus of the stack's own account.
	//
	// Default: - no event leaves the account.
	CentralEventBus awsevents.IEventBus

	// MaximumExecutionFrequency is how often the two periodic Config rules look at the trail.
	//
	// Default: - every 24 hours.
	MaximumExecutionFrequency awsconfig.MaximumExecutionFrequency

	// MaximumAutomaticAttempts is how many remediations, 1-25, may fail before Config stops remediating.
	//
	// Default: - Config's own: 5.
	MaximumAutomaticAttempts *float64

	// RetryAttempt is the time, 1-2,678,000 seconds, in which Config counts failed remediations.
	//
	// Default: - Config's own: 60 seconds.
	RetryAttempt awscdk.Duration

	// ConcurrentExecutionRatePercentage is the share of resources, 1-100 percent, that Config remediates at once.
	//
	// Default: - Config's own: 10 percent.
	ConcurrentExecutionRatePercentage *float64

	// ErrorPercentage is the share of failed remediations, 1-100 percent, at which Config starts no more.
	//
	// Default: - Config's own: 50 percent.
	ErrorPercentage *float64

	// CreateConfigurationRecorder creates a configuration recorder that records trails only, and its delivery channel.
	// An account has at most one of each in a Region.
	//
	// Default: - the account's own recorder is used, and it must record AWS::CloudTrail::Trail.
	CreateConfigurationRecorder *bool
}

// PropError says of one property why it cannot be used: what Validate and ValidateIn return, and what the constructor panics with, is
// made of PropErrors. errors.As finds the first of them, validation.PropErrors all.
type PropError = validation.PropError

// DataResource selects the data events of one type of resource.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
type DataResource struct {
	// Type is AWS::S3::Object, AWS::Lambda::Function or AWS::DynamoDB::Table.
	Type *string
	// Values are the ARNs, or the beginnings of ARNs, of the resources.
	Values *[]*string
}

// AdvancedEventSelector selects events by their fields. It has the field eventCategory with Equals Data, and resources.type, or
// NetworkActivity, and eventSource.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
type AdvancedEventSelector struct {
	// Name is what the selector is called, at most 1,000 characters.
	//
	// Default: - it has no name.
	Name *string
	// FieldSelectors are the conditions, all of which an event meets.
	FieldSelectors *[]*AdvancedFieldSelector
}

// AdvancedFieldSelector is a condition. One value of one of its operators is enough to meet it, and none of the operators whose
// names begin with Not.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
type AdvancedFieldSelector struct {
	// Field is the name of the field, such as resources.ARN.
	Field *string

	Equals, NotEquals, StartsWith, NotStartsWith, EndsWith, NotEndsWith *[]*string
}

// InsightType is a type of CloudTrail Insights.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-insights-events-with-cloudtrail.html
type InsightType string

const (
	// InsightType_API_CALL_RATE finds an unusual number of write calls.
	InsightType_API_CALL_RATE InsightType = "ApiCallRateInsight"
	// InsightType_API_ERROR_RATE finds an unusual number of failed calls.
	InsightType_API_ERROR_RATE InsightType = "ApiErrorRateInsight"
)

// DefaultTrailName is the name of the guarded trail where none is given.
const DefaultTrailName = "trailguard"

var insightTypes = []InsightType{InsightType_API_CALL_RATE, InsightType_API_ERROR_RATE}

// Validate returns an error that names every property that cannot be used, nil where there is none. Nil props are fine.
func (p *TrailGuardProps) Validate() error {
	props := resolve(p)
	return errors.Join(
		props.logStore().Validate(),
		props.checkDataResources(),
		props.checkAdvancedEventSelectors(),
		props.checkTags(),
		props.checkInsightTypes(),
		props.checkSnsTopic(),
		props.checkCloudWatchLogs(),
		props.role().ValidateOptional(),
		props.configRules().ValidateOptional(),
		props.remediation().ValidateOptional(),
		props.eventRules().ValidateOptional(),
		props.checkTriggers(),
		props.checkRepairLogStore(),
		props.checkMissingDigests(),
		props.alerts().Validate(),
	)
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none. It
// compares the stack's account and Region with those of supplied resources if both are known. Nil props are fine.
func (p *TrailGuardProps) ValidateIn(scope constructs.Construct) error {
	props := resolve(p)
	return errors.Join(
		props.logStore().ValidateIn(scope),
		props.checkPartition(scope),
		props.checkTrailAccount(scope),
		props.checkCentralEventBus(scope),
		props.checkDelivery(scope),
		props.role().ValidateIn(scope),
		props.remediation().ValidateIn(scope),
		props.alerts().ValidateIn(scope),
	)
}

// resolve returns a copy of the props with the defaults that several parts share.
func resolve(p *TrailGuardProps) *TrailGuardProps {
	props := TrailGuardProps{}
	if p != nil {
		props = *p
	}
	if props.TrailName == nil {
		props.TrailName = jsii.String(DefaultTrailName)
	}
	if props.InsightTypes == nil {
		props.InsightTypes = &insightTypes
	}
	return &props
}

func (p *TrailGuardProps) logStore() *logstore.LogStoreProps {
	return &logstore.LogStoreProps{
		TrailName:              p.TrailName,
		TrailAccount:           p.TrailAccount,
		PreviousTrailNames:     p.PreviousTrailNames,
		S3KeyPrefix:            p.S3KeyPrefix,
		OrganizationId:         p.OrganizationId,
		LogBucket:              p.LogBucket,
		LogKey:                 p.LogKey,
		TransitionAfter:        p.TransitionAfter,
		ExpireAfter:            p.ExpireAfter,
		ObjectLockRetention:    p.ObjectLockRetention,
		ServerAccessLogsBucket: p.ServerAccessLogsBucket,
		RemovalPolicy:          p.RemovalPolicy,
		SendDigestEvents:       jsii.Bool(p.alarmsOnMissingDigests()),
	}
}

// alarmsOnMissingDigests tells whether there is the alarm: of a supplied bucket, its owner decides what it sends.
func (p *TrailGuardProps) alarmsOnMissingDigests() bool {
	return p.LogBucket == nil && (p.AlarmOnMissingDigests == nil || *p.AlarmOnMissingDigests)
}

func (p *TrailGuardProps) checkMissingDigests() error {
	if p.LogBucket != nil && p.AlarmOnMissingDigests != nil && *p.AlarmOnMissingDigests {
		return validation.Problem("AlarmOnMissingDigests", "applies to a new bucket, and a bucket is supplied: leave out %s, or leave out the bucket",
			validation.Prop("AlarmOnMissingDigests"))
	}
	return nil
}

func (p *TrailGuardProps) configRules() *detection.ConfigRulesProps {
	return &detection.ConfigRulesProps{
		MaximumExecutionFrequency:   p.MaximumExecutionFrequency,
		CreateConfigurationRecorder: p.CreateConfigurationRecorder,
	}
}

func (p *TrailGuardProps) remediation() *remediation.RemediationProps {
	return &remediation.RemediationProps{
		MaximumAutomaticAttempts:          p.MaximumAutomaticAttempts,
		RetryAttempt:                      p.RetryAttempt,
		ConcurrentExecutionRatePercentage: p.ConcurrentExecutionRatePercentage,
		ErrorPercentage:                   p.ErrorPercentage,
	}
}

func (p *TrailGuardProps) role() *remediation.RoleProps {
	return &remediation.RoleProps{AutomationRole: p.AutomationRole}
}

func (p *TrailGuardProps) eventRules() *detection.EventRulesProps {
	return &detection.EventRulesProps{RepairOnEvents: p.RepairOnEvents, CheckEvery: p.CheckEvery}
}

func (p *TrailGuardProps) hasConfigRules() bool { return p.ConfigRules == nil || *p.ConfigRules }

func (p *TrailGuardProps) alerts() *alerting.AlertsProps {
	return &alerting.AlertsProps{
		AlertTopic:          p.AlertTopic,
		AlertEmailAddresses: p.AlertEmailAddresses,
		AlertSubscriptions:  p.AlertSubscriptions,
		RemovalPolicy:       p.RemovalPolicy,
	}
}

func (p *TrailGuardProps) dataResources() []trail.DataResource {
	var resources []trail.DataResource
	for _, given := range listed(p.DataResources) {
		var resource trail.DataResource
		if given != nil {
			resource = trail.DataResource{Type: text(given.Type), Values: texts(given.Values)}
		}
		resources = append(resources, resource)
	}
	return resources
}

func (p *TrailGuardProps) advancedEventSelectors() []trail.AdvancedEventSelector {
	var selectors []trail.AdvancedEventSelector
	for _, given := range listed(p.AdvancedEventSelectors) {
		var selector trail.AdvancedEventSelector
		if given != nil {
			selector.Name = text(given.Name)
			for _, field := range listed(given.FieldSelectors) {
				if field == nil {
					field = &AdvancedFieldSelector{}
				}
				selector.FieldSelectors = append(selector.FieldSelectors, trail.FieldSelector{
					Field: text(field.Field), Equals: texts(field.Equals), NotEquals: texts(field.NotEquals),
					StartsWith: texts(field.StartsWith), NotStartsWith: texts(field.NotStartsWith),
					EndsWith: texts(field.EndsWith), NotEndsWith: texts(field.NotEndsWith),
				})
			}
		}
		selectors = append(selectors, selector)
	}
	return selectors
}

func (p *TrailGuardProps) tags() map[string]string {
	if p.TrailTags == nil {
		return nil
	}
	tags := map[string]string{}
	for key, value := range *p.TrailTags {
		tags[key] = text(value)
	}
	return tags
}

// text is what a string of the CDK's edge holds, empty for none.
func text(given *string) string {
	if given == nil {
		return ""
	}
	return *given
}

func texts(given *[]*string) []string {
	var list []string
	for _, one := range listed(given) {
		list = append(list, text(one))
	}
	return list
}

// listed is what a list of the CDK's edge holds, empty for none.
func listed[T any](given *[]T) []T {
	if given == nil {
		return nil
	}
	return *given
}

// checkDataResources refuses what basic event selectors would refuse.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
func (p *TrailGuardProps) checkDataResources() error {
	const mostValues = 250
	var problems []error
	values := 0
	for i, resource := range p.dataResources() {
		problems = append(problems, trail.CheckDataResource(fmt.Sprintf("DataResources[%d]", i), resource))
		values += len(resource.Values)
	}
	if values > mostValues {
		problems = append(problems, validation.Problem("DataResources", "%d values are too many: give at most %d over all data resources", values, mostValues))
	}
	return errors.Join(problems...)
}

func (p *TrailGuardProps) checkAdvancedEventSelectors() error {
	if len(listed(p.AdvancedEventSelectors)) > 0 && len(listed(p.DataResources)) > 0 {
		return validation.Problem("AdvancedEventSelectors", "take the place of %s, and both are given: leave one out", validation.Prop("DataResources"))
	}
	return trail.CheckAdvancedEventSelectors("AdvancedEventSelectors", p.advancedEventSelectors())
}

func (p *TrailGuardProps) checkTags() error { return trail.CheckTags("TrailTags", p.tags()) }

// checkTriggers refuses properties of Config rules that there are not, and a guard that nothing would start.
func (p *TrailGuardProps) checkTriggers() error {
	if p.hasConfigRules() {
		return nil
	}
	var problems []error
	for _, prop := range []struct {
		name string
		set  bool
	}{
		{"MaximumExecutionFrequency", p.MaximumExecutionFrequency != ""},
		{"MaximumAutomaticAttempts", p.MaximumAutomaticAttempts != nil},
		{"RetryAttempt", p.RetryAttempt != nil},
		{"ConcurrentExecutionRatePercentage", p.ConcurrentExecutionRatePercentage != nil},
		{"ErrorPercentage", p.ErrorPercentage != nil},
		{"CreateConfigurationRecorder", p.CreateConfigurationRecorder != nil && *p.CreateConfigurationRecorder},
	} {
		if prop.set {
			problems = append(problems, validation.Problem(prop.name, "is for Config rules, and %s is false: leave out %s, or %[1]s",
				validation.Prop("ConfigRules"), validation.Prop(prop.name)))
		}
	}
	if detection.StartsNothing(p.RepairOnEvents, p.CheckEvery) {
		problems = append(problems, validation.Problem("ConfigRules", "is false, %s is false and %s is 0, so that nothing would repair the trail: "+
			"turn one of them on", validation.Prop("RepairOnEvents"), validation.Prop("CheckEvery")))
	}
	return errors.Join(problems...)
}

func (p *TrailGuardProps) repairsLogStore() bool {
	if p.RepairLogStore == nil {
		return p.ownsLogStore()
	}
	return *p.RepairLogStore
}

// ownsLogStore tells whether the app defines the log bucket or the log key.
func (p *TrailGuardProps) ownsLogStore() bool {
	return p.LogBucket == nil || p.LogKey == nil || remediation.Owns(p.LogBucket, p.LogKey)
}

// checkRepairLogStore refuses the repair of a log store of which there is nothing to repair.
func (p *TrailGuardProps) checkRepairLogStore() error {
	if !p.repairsLogStore() || p.ownsLogStore() {
		return nil
	}
	return validation.Problem("RepairLogStore", "is true, and %s and %s are imported, whose owner restores them: leave out one of the two, or set %s to false",
		validation.Prop("LogBucket"), validation.Prop("LogKey"), validation.Prop("RepairLogStore"))
}

func (p *TrailGuardProps) checkInsightTypes() error {
	var problems []error
	types := listed(p.InsightTypes)
	for i, insight := range types {
		if !slices.Contains(insightTypes, insight) {
			problems = append(problems, validation.Problem(fmt.Sprintf("InsightTypes[%d]", i), "%q is not a type of Insights: use %s or %s",
				insight, InsightType_API_CALL_RATE, InsightType_API_ERROR_RATE))
		}
		if slices.Contains(types[:i], insight) {
			problems = append(problems, validation.Problem(fmt.Sprintf("InsightTypes[%d]", i), "%q is given twice: leave it out", insight))
		}
	}
	return errors.Join(problems...)
}

// checkSnsTopic refuses a topic that CloudTrail would refuse.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
// https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html
func (p *TrailGuardProps) checkSnsTopic() error {
	const longest = 256
	if p.SnsTopic == nil {
		return nil
	}
	var problems []error
	if p.SnsTopic.Fifo() != nil && *p.SnsTopic.Fifo() {
		problems = append(problems, validation.Problem("SnsTopic", "is a FIFO topic, to which CloudTrail cannot publish: give a standard topic"))
	}
	if arn := *p.SnsTopic.TopicArn(); !*awscdk.Token_IsUnresolved(arn) && len(arn) > longest {
		problems = append(problems, validation.Problem("SnsTopic", "%q has %d characters, and CloudTrail takes at most %d: give a topic with a shorter name",
			arn, len(arn), longest))
	}
	return errors.Join(problems...)
}

var logGroupName = regexp.MustCompile(`^[A-Za-z0-9_/.#-]{1,512}$`)

// checkCloudWatchLogs refuses what CloudWatch Logs would refuse, and a role that could not be compared in a Config rule.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
func (p *TrailGuardProps) checkCloudWatchLogs() error {
	var problems []error
	if p.CloudWatchLogGroup != nil {
		if name := *p.CloudWatchLogGroup.LogGroupName(); !*awscdk.Token_IsUnresolved(name) && !logGroupName.MatchString(name) {
			problems = append(problems, validation.Problem("CloudWatchLogGroup", "%q is not the name of a log group: use 1-512 letters, digits and _ / . # -", name))
		}
	}
	if p.CloudWatchLogsRole != nil {
		if p.CloudWatchLogGroup == nil {
			problems = append(problems, validation.Problem("CloudWatchLogsRole", "has no %s to write to: give %[1]s, or leave out %s",
				validation.Prop("CloudWatchLogGroup"), validation.Prop("CloudWatchLogsRole")))
		}
		if arn := *p.CloudWatchLogsRole.RoleArn(); !trail.IsPlain(arn) {
			problems = append(problems, validation.Problem("CloudWatchLogsRole", "%q cannot be compared in a Config rule: give a role without \" and \\ in its path", arn))
		}
	}
	return errors.Join(problems...)
}

// checkDelivery refuses what CloudTrail would refuse: its topic may be of another account, its log group and role may not.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html
func (p *TrailGuardProps) checkDelivery(scope constructs.Construct) error {
	const (
		ofTheTrail = "CloudTrail delivers to log groups of the trail's account and Region: give one of those"
		ofAccount  = "CloudTrail assumes roles of the trail's account only: give one of those"
	)
	var problems []error
	if p.SnsTopic != nil {
		problems = append(problems, supplied.InRegion(scope, "SnsTopic", p.SnsTopic.Env(), "give a topic of the trail's Region, which gets the notices of all Regions"))
	}
	if p.CloudWatchLogGroup != nil {
		problems = append(problems,
			supplied.OfAccount(scope, "CloudWatchLogGroup", p.CloudWatchLogGroup.Env(), ofTheTrail),
			supplied.InRegion(scope, "CloudWatchLogGroup", p.CloudWatchLogGroup.Env(), ofTheTrail))
	}
	if p.CloudWatchLogsRole != nil {
		problems = append(problems, supplied.OfAccount(scope, "CloudWatchLogsRole", p.CloudWatchLogsRole.Env(), ofAccount))
	}
	return errors.Join(problems...)
}

// ownerAccount is the account that owns the trail, empty if it is known to be the stack's.
func (p *TrailGuardProps) ownerAccount(scope constructs.Construct) string {
	if p.TrailAccount == nil || *p.TrailAccount == *awscdk.Stack_Of(scope).Account() {
		return ""
	}
	return *p.TrailAccount
}

// checkTrailAccount refuses the trail of another account that is not an organization's, for only such a one may be changed from here, and
// Config rules, which see the trails of their own account.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html
func (p *TrailGuardProps) checkTrailAccount(scope constructs.Construct) error {
	owner := p.ownerAccount(scope)
	if owner == "" {
		return nil
	}
	var problems []error
	if p.OrganizationId == nil {
		problems = append(problems, validation.Problem("TrailAccount", "%q owns the trail, which only a delegated administrator of its organization may guard from "+
			"the stack's account: give %s, or leave out %s", owner, validation.Prop("OrganizationId"), validation.Prop("TrailAccount")))
	}
	if p.hasConfigRules() {
		problems = append(problems, validation.Problem("ConfigRules", "are on, and cannot see the trail of the account %s: set %s to false",
			owner, validation.Prop("ConfigRules")))
	}
	return errors.Join(problems...)
}

// checkCentralEventBus refuses a bus on which the runbook cannot put events, and the one whose events are forwarded, to which they would come back.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (p *TrailGuardProps) checkCentralEventBus(scope constructs.Construct) error {
	if p.CentralEventBus == nil {
		return nil
	}
	const field = "CentralEventBus"
	bus := p.CentralEventBus.Env()
	problems := []error{supplied.InRegion(scope, field, bus, "events can be put on buses of their own Region only: give one of the stack's Region")}
	if *p.CentralEventBus.EventBusName() == "default" && *bus.Account == *awscdk.Stack_Of(scope).Account() {
		problems = append(problems, validation.Problem(field, "is the default bus of the stack's account, from which the events are forwarded: give another bus"))
	}
	return errors.Join(problems...)
}

// checkPartition refuses data resources of another partition: they would select nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func (p *TrailGuardProps) checkPartition(scope constructs.Construct) error {
	here := partition.Of(scope)
	if here == "" {
		return nil
	}
	var problems []error
	for i, resource := range p.dataResources() {
		for j, value := range resource.Values {
			given := strings.SplitN(value, ":", 3)
			if len(given) == 3 && strings.HasPrefix(given[1], "aws") && given[1] != here {
				problems = append(problems, validation.Problem(fmt.Sprintf("DataResources[%d].Values[%d]", i, j), "%q is of the partition %s, and the stack is in %s, of %s: begin with arn:%[4]s:%[5]s",
					value, given[1], *awscdk.Stack_Of(scope).Region(), here, strings.SplitN(given[2], ":", 2)[0]))
			}
		}
	}
	return errors.Join(problems...)
}
