package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
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

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

// configuration is the trailguard block of cdk.json. A key of the block may also be given on the command line, where it
// wins: -c trailguard:trailName=my-trail. The keys are those of trailguard.TrailGuardProps; what is an object there is
// named here by its name, its ARN or its number.
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
	CheckEveryMinutes                 *float64                            `json:"checkEveryMinutes" prop:"CheckEvery"`
	ConfigRules                       *bool                               `json:"configRules"`
	AlertTopicARN                     *string                             `json:"alertTopicArn" prop:"AlertTopic"`
	AlertEmailAddresses               *[]*string                          `json:"alertEmailAddresses"`
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

const (
	block    = "trailguard"
	override = block + ":"
)

// readConfiguration reads the configuration from the context of the app. The error names every key that is unknown and
// every value of the wrong type.
func readConfiguration(context any) (configuration, error) {
	given, err := contextKeys(context)
	if err != nil {
		return configuration{}, err
	}
	var c configuration
	fields := map[string]any{}
	for _, k := range keys {
		fields[k.key] = c.field(k).Addr().Interface()
	}

	var problems []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		field, known := fields[key]
		if !known {
			problems = append(problems, fmt.Errorf("%s: is not a key of the configuration: use %s",
				key, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
			continue
		}
		if text := shown(given[key]); strings.Contains(text, "${Token[") || strings.Contains(text, "#{Token[") {
			problems = append(problems, fmt.Errorf("%s: %s has a token of the CDK in it, which only code can make: give what it stands for", key, text))
			continue
		}
		if err := decode(given[key], field); err != nil {
			reflect.ValueOf(field).Elem().SetZero() // what was decoded in part would be judged below
			problems = append(problems, fmt.Errorf("%s: %v is not %s", key, shown(given[key]), kind(field)))
		}
	}
	return c, errors.Join(append(problems, c.check())...)
}

// contextKeys returns the keys of the block, with those of the command line put over them.
func contextKeys(context any) (map[string]any, error) {
	all, _ := context.(map[string]any)
	given := map[string]any{}
	if value, ok := all[block]; ok {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: %s is not an object: use {\"trailName\": \"my-trail\"}, or -c %strailName=my-trail", block, shown(value), override)
		}
		maps.Copy(given, object)
	}
	for key, value := range all {
		if name, ok := strings.CutPrefix(key, override); ok {
			given[name] = value
		}
	}
	return given, nil
}

// decode puts a value of the context into the field. All values of the command line are strings: what is not one in the
// field is read from the string as JSON.
func decode(value, field any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the value: %w", err)
	}
	err = strictly(text, field)
	if line, ok := value.(string); ok && err != nil {
		err = strictly([]byte(line), field)
	}
	return err
}

// strictly decodes JSON and refuses keys that the field's objects do not have: left out, they would change what is declared.
func strictly(text []byte, field any) error {
	if !json.Valid(text) {
		return errors.New("is no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(field)
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// kind is what a field takes, in the words of JSON.
func kind(field any) string {
	switch field.(type) {
	case **bool:
		return "a boolean: use true or false"
	case **float64:
		return "a number: use digits only"
	case **[]*trailguard.DataResource:
		return `a list of data resources: use [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::my-bucket/"]}]`
	case **[]*trailguard.AdvancedEventSelector:
		return `a list of advanced event selectors: use [{"name": "...", "fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]`
	case **map[string]*string:
		return `an object of strings: use {"key": "value"}`
	case **[]*string:
		return `a list of strings: use ["one", "two"]`
	case **organization.AccountFilter:
		return `an account filter: use {"type": "DIFFERENCE", "accounts": ["123456789012"]}`
	case **[]trailguard.InsightType:
		return `a list of types: use ["ApiCallRateInsight", "ApiErrorRateInsight"]`
	default:
		return "a string: put it in quotes"
	}
}

// forms are what the strings of some keys look like. The CDK would panic with what it finds when some of them are imported.
var forms = []struct {
	key, pattern string
	// advice says what a string that does not match is not.
	advice  string
	example string
}{
	{"account", account, anAccount, "123456789012"},
	{"region", `^[a-z]{2,}(-[a-z]+)+-[0-9]$`, "a Region: use a code such as eu-central-1", "eu-central-1"},
	{"trailAccount", `^[0-9]{12}$`, "an account id: use 12 digits", "123456789012"},
	{"snsTopicArn", arn("sns", topic), aTopic, "arn:aws:sns:eu-central-1:123456789012:deliveries"},
	{"cloudWatchLogGroupName", `^[A-Za-z0-9_/.#-]{1,512}$`, "the name of a log group: use 1-512 letters, digits and _ / . # -", "audit/events"},
	{"cloudWatchLogsRoleArn", arn("iam", role), aRole, "arn:aws:iam::123456789012:role/logs"},
	{"logKeyArn", arn("kms", keyID), aKey, "arn:aws:kms:eu-central-1:123456789012:key/1"},
	{"automationRoleArn", arn("iam", role), aRole, "arn:aws:iam::123456789012:role/automation"},
	{"alertTopicArn", arn("sns", topic), aTopic, "arn:aws:sns:eu-central-1:123456789012:alerts"},
	{"centralEventBusArn", arn("events", "event-bus/[A-Za-z0-9._/-]{1,256}"), "the ARN of an event bus: use arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
		"arn:aws:events:eu-central-1:123456789012:event-bus/trailguard"},
	{"mode", `^(account|organization)$`, "a mode: use account or organization", "account"},
	{"managementAccount", account, anAccount, "111122223333"},
	{"delegatedAdministratorAccount", account, anAccount, "222233334444"},
	{"logArchiveAccount", account, anAccount, "333344445555"},
	{"logArchiveKeyArn", arn("kms", keyID), aKey, "arn:aws:kms:eu-central-1:333344445555:key/1"},
	{"securityAccount", account, anAccount, "444455556666"},
	{"members", `^(watch|guard)$`, "what members are: use watch or guard", "watch"},
	{"memberLogs", `^(archive|own)$`, "where members write: use archive or own", "archive"},
	{"objectLockMode", `^(GOVERNANCE|COMPLIANCE)$`, "a mode: use GOVERNANCE or COMPLIANCE", "COMPLIANCE"},
}

const (
	account   = "^[0-9]{12}$"
	anAccount = "an account id: use 12 digits"
	keyID     = "key/[A-Za-z0-9-]+"
	aKey      = "the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID"
	topic     = `[A-Za-z0-9_-]{1,256}(\.fifo)?`
	aTopic    = "the ARN of a topic: use arn:aws:sns:REGION:ACCOUNT:NAME"
	role      = "role/[!-~]+"
	aRole     = "the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME"
)

// arn matches the ARNs of a service in every partition.
func arn(service, resource string) string {
	return `^arn:aws[a-z-]*:` + service + `:[a-z0-9-]*:[0-9]{12}:` + resource + `$`
}

// given is the value of a key, nil if it has none.
func given[T any](c configuration, key string) *T {
	i := slices.IndexFunc(keys, func(k configurationKey) bool { return k.key == key })
	return c.field(keys[i]).Interface().(*T)
}

// check refuses what only the configuration can get wrong. Everything else is checked by TrailGuardProps.Validate.
func (c configuration) check() error {
	var problems []error
	for _, form := range forms {
		if value := given[string](c, form.key); value != nil && !regexp.MustCompile(form.pattern).MatchString(*value) {
			problems = append(problems, fmt.Errorf("%s: %q is not %s", form.key, *value, form.advice))
		}
	}
	for _, key := range []string{"logBucketName", "serverAccessLogsBucketName"} {
		if name := given[string](c, key); name != nil {
			problems = append(problems, trail.CheckBucketName(key, *name))
		}
	}
	for _, key := range []string{"transitionAfterDays", "expireAfterDays", "objectLockRetentionDays", "retryAttemptSeconds"} {
		if value := given[float64](c, key); value != nil && (*value < 1 || *value != float64(int(*value))) {
			problems = append(problems, fmt.Errorf("%s: %v is out of range: use a whole number from 1", key, *value))
		}
	}
	if minutes := c.CheckEveryMinutes; minutes != nil && *minutes < 0 {
		problems = append(problems, fmt.Errorf("checkEveryMinutes: %v is out of range: use a whole number from 5 to 1440, or 0 for never", *minutes))
	}
	if days := c.ObjectLockRetentionDays; days != nil && *days > mostLockedDays {
		problems = append(problems, fmt.Errorf("objectLockRetentionDays: %v is out of range: use a whole number from 1 to %d", *days, mostLockedDays))
	}
	if c.ObjectLockMode != nil && c.ObjectLockRetentionDays == nil {
		problems = append(problems, errors.New("objectLockMode: has no retention: give objectLockRetentionDays too, or leave out objectLockMode"))
	}
	if c.Mode == nil || *c.Mode == modeAccount || *c.Mode == modeOrganization {
		problems = append(problems, c.checkMode())
	}
	return errors.Join(problems...)
}

// mostLockedDays are 100 years, the longest retention that S3 takes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
const mostLockedDays = 36_500

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

// environment is nil where neither the account nor the Region is given: the template then fits every environment.
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
		ConfigRules:                       c.ConfigRules,
		AlertEmailAddresses:               c.AlertEmailAddresses,
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
