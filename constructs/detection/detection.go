// Package detection notices that the trail is not as declared, and starts the runbook.
package detection

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/trail"
)

// DetectionProps are the properties of a Detection.
type DetectionProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// Runbook is the SSM Automation document that restores the trail.
	Runbook awsssm.CfnDocument

	// Parameters are the parameters that start the runbook.
	Parameters []remediation.Parameter

	// Requires is what the runbook needs to succeed. The rules wait for it: Config evaluates a new rule at once and
	// remediates at once, and after MaximumAutomaticAttempts failures it stops for good.
	Requires []constructs.IDependable

	// MaximumExecutionFrequency is how often the two periodic Config rules look at the trail.
	//
	// Default: - every hour.
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

// Detection is what notices that the trail is not as declared.
type Detection interface {
	constructs.Construct
	// Rules are the Config rules.
	Rules() []awsconfig.CfnConfigRule
}

type detection struct {
	constructs.Construct
	props *DetectionProps
	rules []awsconfig.CfnConfigRule
}

// NewDetection defines a Detection. It panics where props.Validate returns an error.
//
//	TrailEnabledRule ────────┐
//	SecurityTrailEnabledRule ┼─NON_COMPLIANT──► …Remediation ──starts──► Runbook
//	TrailSettingsRule ───────┘
func NewDetection(scope constructs.Construct, id *string, props *DetectionProps) Detection {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("Detection %q: %w", *id, err))
	}

	this := &detection{props: props}
	constructs.NewConstruct_Override(this, scope, id)
	requires := props.Requires
	if props.CreateConfigurationRecorder != nil && *props.CreateConfigurationRecorder {
		requires = append(requires, newRecorder(this, jsii.String("Recorder")))
	}
	this.newTrailEnabledRule()
	this.newSecurityTrailEnabledRule()
	this.newTrailSettingsRule()
	for _, rule := range this.rules {
		rule.Node().AddDependency(requires...)
		if hasRemediation(this) {
			this.newRemediation(rule)
		}
	}
	return this
}

func (d *detection) Rules() []awsconfig.CfnConfigRule { return d.rules }

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *DetectionProps) Validate() error {
	var problems []error
	inRange := func(field string, value *float64, highest float64, unit string) {
		if value == nil || *value >= 1 && *value <= highest && *value == float64(int(*value)) {
			return
		}
		if !*awscdk.Token_IsUnresolved(value) {
			problems = append(problems, fmt.Errorf("%s: %s is out of range: use a whole number of %s from 1 to %.0f",
				field, strconv.FormatFloat(*value, 'f', -1, 64), unit, highest))
		}
	}
	switch p.MaximumExecutionFrequency {
	case "", awsconfig.MaximumExecutionFrequency_ONE_HOUR, awsconfig.MaximumExecutionFrequency_THREE_HOURS,
		awsconfig.MaximumExecutionFrequency_SIX_HOURS, awsconfig.MaximumExecutionFrequency_TWELVE_HOURS,
		awsconfig.MaximumExecutionFrequency_TWENTY_FOUR_HOURS:
	default:
		problems = append(problems, fmt.Errorf("MaximumExecutionFrequency: %q is not a frequency: "+
			"use ONE_HOUR, THREE_HOURS, SIX_HOURS, TWELVE_HOURS or TWENTY_FOUR_HOURS", p.MaximumExecutionFrequency))
	}
	inRange("MaximumAutomaticAttempts", p.MaximumAutomaticAttempts, 25, "attempts")
	if p.RetryAttempt != nil && !*p.RetryAttempt.IsUnresolved() {
		inRange("RetryAttempt", p.RetryAttempt.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}), 2_678_000, "seconds")
	}
	inRange("ConcurrentExecutionRatePercentage", p.ConcurrentExecutionRatePercentage, 100, "percent")
	inRange("ErrorPercentage", p.ErrorPercentage, 100, "percent")
	return errors.Join(problems...)
}

// newTrailEnabledRule notices a trail that is deleted, stopped, or sends its log files elsewhere. Without the bucket,
// any other trail of the account would satisfy it.
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-enabled.html
func (d *detection) newTrailEnabledRule() {
	parameters := map[string]any{"s3BucketName": d.props.Settings.S3BucketName}
	if arn := d.props.Settings.SNSTopicARN; arn != "" {
		parameters["snsTopicArn"] = arn
	}
	if arn := d.props.Settings.CloudWatchLogsLogGroupARN; arn != "" {
		parameters["cloudWatchLogsLogGroupArn"] = arn
	}
	d.newRule("TrailEnabledRule", &awsconfig.CfnConfigRuleProps{
		Description:               jsii.String("The trail " + d.props.Settings.Name + " is logging to its bucket"),
		Source:                    managedRule("CLOUD_TRAIL_ENABLED"),
		InputParameters:           parameters,
		MaximumExecutionFrequency: d.frequency(),
	})
}

// newSecurityTrailEnabledRule notices weakened settings and narrowed event selectors.
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-security-trail-enabled.html
func (d *detection) newSecurityTrailEnabledRule() {
	d.newRule("SecurityTrailEnabledRule", &awsconfig.CfnConfigRuleProps{
		Description:               jsii.String("A trail with every security setting logs all management events"),
		Source:                    managedRule("CLOUDTRAIL_SECURITY_TRAIL_ENABLED"),
		MaximumExecutionFrequency: d.frequency(),
	})
}

// newTrailSettingsRule compares every recorded setting of the trail, each time that Config records a change.
func (d *detection) newTrailSettingsRule() {
	d.newRule("TrailSettingsRule", &awsconfig.CfnConfigRuleProps{
		Description: jsii.String("The trail " + d.props.Settings.Name + " has the declared settings"),
		Scope: &awsconfig.CfnConfigRule_ScopeProperty{
			ComplianceResourceTypes: jsii.Strings("AWS::CloudTrail::Trail"),
		},
		Source: &awsconfig.CfnConfigRule_SourceProperty{
			Owner: jsii.String("CUSTOM_POLICY"),
			CustomPolicyDetails: &awsconfig.CfnConfigRule_CustomPolicyDetailsProperty{
				PolicyRuntime: jsii.String("guard-2.x.x"),
				PolicyText:    jsii.String(guardPolicy(d.props.Settings)),
			},
			SourceDetails: []any{&awsconfig.CfnConfigRule_SourceDetailProperty{
				EventSource: jsii.String("aws.config"),
				MessageType: jsii.String("ConfigurationItemChangeNotification"),
			}},
		},
	})
}

func (d *detection) newRule(id string, props *awsconfig.CfnConfigRuleProps) {
	d.rules = append(d.rules, awsconfig.NewCfnConfigRule(d, jsii.String(id), props))
}

func (d *detection) newRemediation(rule awsconfig.CfnConfigRule) {
	awsconfig.NewCfnRemediationConfiguration(d, jsii.String(*rule.Node().Id()+"Remediation"), &awsconfig.CfnRemediationConfigurationProps{
		ConfigRuleName:           rule.Ref(),
		TargetType:               jsii.String("SSM_DOCUMENT"),
		TargetId:                 d.props.Runbook.Ref(),
		Parameters:               staticValues(d.props.Parameters),
		Automatic:                jsii.Bool(true),
		MaximumAutomaticAttempts: orDefault(d.props.MaximumAutomaticAttempts, 5),
		RetryAttemptSeconds:      d.retryAttemptSeconds(),
		ExecutionControls: &awsconfig.CfnRemediationConfiguration_ExecutionControlsProperty{
			SsmControls: &awsconfig.CfnRemediationConfiguration_SsmControlsProperty{
				ConcurrentExecutionRatePercentage: orDefault(d.props.ConcurrentExecutionRatePercentage, 10),
				ErrorPercentage:                   orDefault(d.props.ErrorPercentage, 50),
			},
		},
	})
}

func (d *detection) retryAttemptSeconds() *float64 {
	if d.props.RetryAttempt == nil {
		return jsii.Number(60)
	}
	return d.props.RetryAttempt.ToSeconds(nil)
}

// frequency is the frequency as Config spells it: ONE_HOUR is One_Hour.
func (d *detection) frequency() *string {
	frequency := d.props.MaximumExecutionFrequency
	if frequency == "" {
		frequency = awsconfig.MaximumExecutionFrequency_ONE_HOUR
	}
	words := strings.Split(string(frequency), "_")
	for i, word := range words {
		words[i] = word[:1] + strings.ToLower(word[1:])
	}
	spelled := strings.Join(words, "_")
	if spelled == "Twenty_Four_Hours" {
		spelled = "TwentyFour_Hours"
	}
	return &spelled
}

func managedRule(identifier string) *awsconfig.CfnConfigRule_SourceProperty {
	return &awsconfig.CfnConfigRule_SourceProperty{
		Owner:            jsii.String("AWS"),
		SourceIdentifier: jsii.String(identifier),
	}
}

// staticValues are the parameters in the form that a remediation takes.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RemediationParameterValue.html
func staticValues(parameters []remediation.Parameter) map[string]any {
	values := map[string]any{}
	for _, parameter := range parameters {
		values[parameter.Name] = map[string]any{
			"StaticValue": map[string]any{"Values": []any{parameter.Text()}},
		}
	}
	return values
}

func orDefault(value *float64, otherwise float64) *float64 {
	if value == nil {
		return jsii.Number(otherwise)
	}
	return value
}
