package main

import (
	"reflect"
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

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// configuration is the trailguard block of cdk.json. A key on the command line wins over the block's:
// -c trailguard:trailName=my-trail. The keys are named after the fields of trailguard.TrailGuardProps; an object of a field, such
// as a bucket or a duration, is given by its name, its ARN or its number.
type configuration struct {
	// Mode is account for the one stack TrailGuard, or organization for the stacks of an organization.
	//
	// Default: - account.
	Mode *string `json:"mode" prop:"-"`
	// Account is the id of the account that the stack is deployed to.
	//
	// Default: - the template fits every account.
	Account *string `json:"account" prop:"-"`
	// Region is the Region that the stack is deployed to, such as eu-central-1.
	//
	// Default: - the template fits every Region in which CloudFormation has remediation of AWS Config.
	Region *string `json:"region" prop:"-"`
	// IAMEvents defines a second stack, TrailGuardIamEvents, that hands the events of calls on the guard's roles on to the stack's Region from
	// the one in which the events of IAM arrive, such as us-east-1.
	//
	// Default: - calls on the guard's roles are told only if the stack is in that Region.
	IAMEvents *bool `json:"iamEvents" prop:"-"`

	TrailName              *string                              `json:"trailName"`
	PreviousTrailNames     *[]*string                           `json:"previousTrailNames"`
	OrganizationID         *string                              `json:"organizationId"`
	TrailAccount           *string                              `json:"trailAccount"`
	S3KeyPrefix            *string                              `json:"s3KeyPrefix"`
	DataResources          *[]*trailguard.DataResource          `json:"dataResources"`
	AdvancedEventSelectors *[]*trailguard.AdvancedEventSelector `json:"advancedEventSelectors"`
	InsightTypes           *[]trailguard.InsightType            `json:"insightTypes"`
	TrailTags              *map[string]*string                  `json:"trailTags"`

	SNSTopicARN            *string `json:"snsTopicArn" prop:"SnsTopic"`
	CloudWatchLogGroupName *string `json:"cloudWatchLogGroupName" prop:"CloudWatchLogGroup"`
	CloudWatchLogsRoleARN  *string `json:"cloudWatchLogsRoleArn" prop:"CloudWatchLogsRole"`

	LogBucketName           *string  `json:"logBucketName" prop:"LogBucket"`
	LogKeyARN               *string  `json:"logKeyArn" prop:"LogKey"`
	TransitionAfterDays     *float64 `json:"transitionAfterDays" prop:"TransitionAfter"`
	ExpireAfterDays         *float64 `json:"expireAfterDays" prop:"ExpireAfter"`
	ObjectLockRetentionDays *float64 `json:"objectLockRetentionDays" prop:"ObjectLockRetention"`
	// ObjectLockMode is the mode of ObjectLockRetention.
	//
	// Default: - GOVERNANCE.
	ObjectLockMode             *string              `json:"objectLockMode" prop:"ObjectLockRetention"`
	ServerAccessLogsBucketName *string              `json:"serverAccessLogsBucketName" prop:"ServerAccessLogsBucket"`
	RemovalPolicy              awscdk.RemovalPolicy `json:"removalPolicy"`

	AutomationRoleARN                 *string                             `json:"automationRoleArn" prop:"AutomationRole"`
	RepairOnEvents                    *bool                               `json:"repairOnEvents"`
	RepairLogStore                    *bool                               `json:"repairLogStore"`
	CheckEveryMinutes                 *float64                            `json:"checkEveryMinutes" prop:"CheckEvery"`
	ConfigRules                       *bool                               `json:"configRules"`
	AlertTopicARN                     *string                             `json:"alertTopicArn" prop:"AlertTopic"`
	AlertEmailAddresses               *[]*string                          `json:"alertEmailAddresses"`
	AlarmOnMissingDigests             *bool                               `json:"alarmOnMissingDigests"`
	CentralEventBusARN                *string                             `json:"centralEventBusArn" prop:"CentralEventBus"`
	MaximumExecutionFrequency         awsconfig.MaximumExecutionFrequency `json:"maximumExecutionFrequency"`
	MaximumAutomaticAttempts          *float64                            `json:"maximumAutomaticAttempts"`
	RetryAttemptSeconds               *float64                            `json:"retryAttemptSeconds" prop:"RetryAttempt"`
	ConcurrentExecutionRatePercentage *float64                            `json:"concurrentExecutionRatePercentage"`
	ErrorPercentage                   *float64                            `json:"errorPercentage"`
	CreateConfigurationRecorder       *bool                               `json:"createConfigurationRecorder"`

	organizationConfiguration
}

// configurationKey is a key of the configuration with the property that it sets, empty if it sets none.
type configurationKey struct {
	key, prop string
	// ofOrganization tells whether it is of the mode organization alone.
	ofOrganization bool
	index          []int
}

// field is the value of a key.
func (c *configuration) field(k configurationKey) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.index)
}

// keys are the keys of the configuration, in order.
var keys = func() (keys []configurationKey) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[configuration]()) {
		if field.Anonymous {
			continue
		}
		key := field.Tag.Get("json")
		prop, named := field.Tag.Lookup("prop")
		if !named {
			prop = strings.ToUpper(key[:1]) + key[1:]
		}
		keys = append(keys, configurationKey{key, strings.TrimPrefix(prop, "-"), len(field.Index) > 1, field.Index})
	}
	return keys
}()

// given is the value of a key, nil if it has none.
func given[T any](c configuration, key string) *T {
	i := slices.IndexFunc(keys, func(k configurationKey) bool { return k.key == key })
	return c.field(keys[i]).Interface().(*T)
}

// parts are what the lists of the configuration bring into the template, by their keys.
func (c configuration) parts() map[string]string {
	return map[string]string{
		"dataResources":          validation.JSON(c.DataResources),
		"advancedEventSelectors": validation.JSON(c.AdvancedEventSelectors),
		"trailTags":              validation.JSON(c.TrailTags),
		"alertEmailAddresses":    validation.JSON(c.AlertEmailAddresses),
		"organizationalUnitIds":  validation.JSON(c.OrganizationalUnitIDs),
		"accountFilter":          validation.JSON(c.AccountFilter),
		"breakGlassRoleArns":     validation.JSON(c.BreakGlassRoleARNs),
		"logReaderAccounts":      validation.JSON(c.LogReaderAccounts),
	}
}

// inKeys returns an error of TrailGuardProps with the configuration's keys in place of the properties' names.
func inKeys(err error) error { return validation.Renamed(err, key) }

// key is the first key that sets a property. What no key sets keeps its name.
func key(prop string) string {
	for _, k := range keys {
		if k.prop == prop {
			return k.key
		}
	}
	return prop
}

func (c configuration) trailName() string {
	if c.TrailName == nil {
		return trailguard.DefaultTrailName
	}
	return *c.TrailName
}

// environment is nil if neither the account nor the Region is given: the template then fits every environment.
func (c configuration) environment() *awscdk.Environment {
	if c.Account == nil && c.Region == nil {
		return nil
	}
	return &awscdk.Environment{Account: c.Account, Region: c.Region}
}

// props imports what the configuration names into the scope.
func (c configuration) props(scope constructs.Construct) *trailguard.TrailGuardProps {
	props := &trailguard.TrailGuardProps{
		TrailName:                         c.TrailName,
		PreviousTrailNames:                c.PreviousTrailNames,
		OrganizationId:                    c.OrganizationID,
		TrailAccount:                      c.TrailAccount,
		S3KeyPrefix:                       c.S3KeyPrefix,
		DataResources:                     c.DataResources,
		AdvancedEventSelectors:            c.AdvancedEventSelectors,
		InsightTypes:                      c.InsightTypes,
		TrailTags:                         c.TrailTags,
		TransitionAfter:                   days(c.TransitionAfterDays),
		ExpireAfter:                       days(c.ExpireAfterDays),
		ObjectLockRetention:               c.objectLockRetention(),
		RemovalPolicy:                     c.RemovalPolicy,
		RepairOnEvents:                    c.RepairOnEvents,
		RepairLogStore:                    c.RepairLogStore,
		ConfigRules:                       c.ConfigRules,
		AlertEmailAddresses:               c.AlertEmailAddresses,
		AlarmOnMissingDigests:             c.AlarmOnMissingDigests,
		MaximumExecutionFrequency:         c.MaximumExecutionFrequency,
		MaximumAutomaticAttempts:          c.MaximumAutomaticAttempts,
		ConcurrentExecutionRatePercentage: c.ConcurrentExecutionRatePercentage,
		ErrorPercentage:                   c.ErrorPercentage,
		CreateConfigurationRecorder:       c.CreateConfigurationRecorder,
	}
	if c.RetryAttemptSeconds != nil {
		props.RetryAttempt = awscdk.Duration_Seconds(c.RetryAttemptSeconds)
	}
	if c.CheckEveryMinutes != nil {
		props.CheckEvery = awscdk.Duration_Minutes(c.CheckEveryMinutes)
	}
	if c.SNSTopicARN != nil {
		props.SnsTopic = awssns.Topic_FromTopicArn(scope, jsii.String("SnsTopic"), c.SNSTopicARN)
	}
	if c.AlertTopicARN != nil {
		props.AlertTopic = awssns.Topic_FromTopicArn(scope, jsii.String("AlertTopic"), c.AlertTopicARN)
	}
	if c.CentralEventBusARN != nil {
		props.CentralEventBus = awsevents.EventBus_FromEventBusArn(scope, jsii.String("CentralEventBus"), c.CentralEventBusARN)
	}
	if c.CloudWatchLogGroupName != nil {
		props.CloudWatchLogGroup = awslogs.LogGroup_FromLogGroupName(scope, jsii.String("CloudWatchLogGroup"), c.CloudWatchLogGroupName)
	}
	if c.CloudWatchLogsRoleARN != nil {
		props.CloudWatchLogsRole = awsiam.Role_FromRoleArn(scope, jsii.String("CloudWatchLogsRole"), c.CloudWatchLogsRoleARN, nil)
	}
	if c.LogBucketName != nil {
		props.LogBucket = awss3.Bucket_FromBucketName(scope, jsii.String("LogBucket"), c.LogBucketName)
	}
	if c.LogKeyARN != nil {
		props.LogKey = awskms.Key_FromKeyArn(scope, jsii.String("LogKey"), c.LogKeyARN)
	}
	if c.ServerAccessLogsBucketName != nil {
		props.ServerAccessLogsBucket = awss3.Bucket_FromBucketName(scope, jsii.String("ServerAccessLogsBucket"), c.ServerAccessLogsBucketName)
	}
	if c.AutomationRoleARN != nil {
		props.AutomationRole = awsiam.Role_FromRoleArn(scope, jsii.String("AutomationRole"), c.AutomationRoleARN, nil)
	}
	return props
}

func (c configuration) objectLockRetention() awss3.ObjectLockRetention {
	if c.ObjectLockRetentionDays == nil {
		return nil
	}
	if c.ObjectLockMode != nil && *c.ObjectLockMode == string(awss3.ObjectLockMode_COMPLIANCE) {
		return awss3.ObjectLockRetention_Compliance(days(c.ObjectLockRetentionDays))
	}
	return awss3.ObjectLockRetention_Governance(days(c.ObjectLockRetentionDays))
}

func days(value *float64) awscdk.Duration {
	if value == nil {
		return nil
	}
	return awscdk.Duration_Days(value)
}
