// Package detection starts the runbook: EventBridge rules, within seconds of an event and on a schedule, and Config rules,
// which also keep the record of whether the trail is as declared.
package detection

import (
	"errors"
	"maps"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// ConfigRulesProps are the properties of ConfigRules.
type ConfigRulesProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// Requires is what the runbook needs to succeed. The rules wait for it: Config evaluates a new rule at once and
	// remediates at once, and after MaximumAutomaticAttempts failures it stops for good.
	Requires *[]constructs.IDependable

	// MaximumExecutionFrequency is how often the two periodic Config rules look at the trail.
	//
	// Default: - every 24 hours.
	MaximumExecutionFrequency awsconfig.MaximumExecutionFrequency

	// CreateConfigurationRecorder creates a configuration recorder that records trails only, and its delivery channel.
	// An account has at most one of each in a Region.
	//
	// Default: - the account's own recorder is used, and it must record AWS::CloudTrail::Trail.
	CreateConfigurationRecorder *bool
}

// ConfigRules are the Config rules that compare one trail with its declared state.
type ConfigRules interface {
	constructs.Construct
	// Rules are the rules. By their ids, TrailEnabled reports on the account, whether the trail logs to its bucket;
	// SecurityTrailEnabled on the account, whether a trail logs all management events with every security setting; and
	// TrailSettings on the trail, whether it has every declared setting.
	Rules() *[]awsconfig.IRule
	// Validate returns an error if a rule is longer than AWS Config takes. The synthesis then fails with it.
	Validate() error
}

type configRules struct {
	constructs.Construct
	findings validation.Findings
	props    *ConfigRulesProps
	rules    []awsconfig.IRule
}

// NewConfigRules defines ConfigRules. It panics where props.Validate returns an error.
//
//	Requires ◄──wait for── TrailEnabled ◄── SecurityTrailEnabled (both periodic) ◄── TrailSettings (on change)
func NewConfigRules(scope constructs.Construct, id *string, props *ConfigRulesProps) ConfigRules {
	if props == nil {
		props = &ConfigRulesProps{}
	}
	validation.Panic("ConfigRules", id, props.Validate())

	this := &configRules{props: props}
	constructs.NewConstruct_Override(this, scope, id)
	var requires []constructs.IDependable
	if props.Requires != nil {
		requires = append(requires, *props.Requires...)
	}
	if props.CreateConfigurationRecorder != nil && *props.CreateConfigurationRecorder {
		requires = append(requires, newRecorder(this, jsii.String("Recorder")))
	}
	this.rules = []awsconfig.IRule{this.newTrailEnabled(), this.newSecurityTrailEnabled(), this.newTrailSettings()}
	// One after the other, so that only the first names all that it waits for.
	for _, rule := range this.rules {
		rule.Node().AddDependency(requires...)
		requires = []constructs.IDependable{rule}
	}
	return this
}

func (r *configRules) Rules() *[]awsconfig.IRule { return &r.rules }
func (r *configRules) Validate() error           { return r.findings.Validate() }

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *ConfigRulesProps) Validate() error {
	return errors.Join(p.Settings.Validate(), checkPlain(p.Settings), p.ValidateOptional())
}

// ValidateOptional returns an error that names every optional property that cannot be used, nil where there is none.
func (p *ConfigRulesProps) ValidateOptional() error {
	switch p.MaximumExecutionFrequency {
	case "", awsconfig.MaximumExecutionFrequency_ONE_HOUR, awsconfig.MaximumExecutionFrequency_THREE_HOURS,
		awsconfig.MaximumExecutionFrequency_SIX_HOURS, awsconfig.MaximumExecutionFrequency_TWELVE_HOURS,
		awsconfig.MaximumExecutionFrequency_TWENTY_FOUR_HOURS:
		return nil
	}
	return validation.Problem("MaximumExecutionFrequency", "%q is not a frequency: "+
		"use ONE_HOUR, THREE_HOURS, SIX_HOURS, TWELVE_HOURS or TWENTY_FOUR_HOURS", p.MaximumExecutionFrequency)
}

// newTrailEnabled notices a trail that is deleted, stopped, or sends its log files elsewhere. Without the bucket, any other
// trail of the account would satisfy it.
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-enabled.html
func (r *configRules) newTrailEnabled() awsconfig.IRule {
	parameters := map[string]any{"s3BucketName": r.props.Settings.S3BucketName}
	if arn := r.props.Settings.SNSTopicARN; arn != "" {
		parameters["snsTopicArn"] = arn
	}
	if arn := r.props.Settings.CloudWatchLogsLogGroupARN; arn != "" {
		parameters["cloudWatchLogsLogGroupArn"] = arn
	}
	r.findings.AtSynthesis(r, checkInputParameters(r.props.Settings, parameters))
	return newConfigRule(r, jsii.String("TrailEnabled"), &awsconfig.CfnConfigRuleProps{
		Source:                    managedRule("CLOUD_TRAIL_ENABLED"),
		InputParameters:           parameters,
		MaximumExecutionFrequency: r.frequency(),
	})
}

// checkInputParameters refuses more than a rule takes.
// https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html
func checkInputParameters(settings trail.Settings, parameters map[string]any) error {
	const longestBucketName = 63
	parameters = maps.Clone(parameters)
	parameters["s3BucketName"] = strings.Repeat("x", longestBucketName)
	return validation.Text{
		Name: "the input parameters of the rule TrailEnabled", Taker: "AWS Config", Unit: "characters", Most: 1024,
		Has:   validation.Characters(validation.JSON(parameters)),
		Parts: map[string]string{"SnsTopic": settings.SNSTopicARN, "CloudWatchLogGroup": settings.CloudWatchLogsLogGroupARN},
	}.Check()
}

// newSecurityTrailEnabled notices weakened settings and narrowed event selectors.
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-security-trail-enabled.html
func (r *configRules) newSecurityTrailEnabled() awsconfig.IRule {
	return newConfigRule(r, jsii.String("SecurityTrailEnabled"), &awsconfig.CfnConfigRuleProps{
		Source:                    managedRule("CLOUDTRAIL_SECURITY_TRAIL_ENABLED"),
		MaximumExecutionFrequency: r.frequency(),
	})
}

// newTrailSettings compares every recorded setting of the trail, each time that Config records a change.
func (r *configRules) newTrailSettings() awsconfig.IRule {
	policy := guardPolicy(r.props.Settings)
	r.findings.AtSynthesis(r, checkPolicy(r.props.Settings, policy))
	return newConfigRule(r, jsii.String("TrailSettings"), &awsconfig.CfnConfigRuleProps{
		Scope: &awsconfig.CfnConfigRule_ScopeProperty{
			ComplianceResourceTypes: jsii.Strings("AWS::CloudTrail::Trail"),
		},
		Source: &awsconfig.CfnConfigRule_SourceProperty{
			Owner: jsii.String("CUSTOM_POLICY"),
			CustomPolicyDetails: &awsconfig.CfnConfigRule_CustomPolicyDetailsProperty{
				PolicyRuntime: jsii.String("guard-2.x.x"),
				PolicyText:    &policy,
			},
			SourceDetails: []any{&awsconfig.CfnConfigRule_SourceDetailProperty{
				EventSource: jsii.String("aws.config"),
				MessageType: jsii.String("ConfigurationItemChangeNotification"),
			}},
		},
	})
}

// frequency is the frequency as Config spells it: ONE_HOUR is One_Hour.
// https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html
func (r *configRules) frequency() *string {
	frequency := r.props.MaximumExecutionFrequency
	if frequency == "" {
		frequency = awsconfig.MaximumExecutionFrequency_TWENTY_FOUR_HOURS
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
