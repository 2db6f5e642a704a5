package cases

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

// Update is a change of a property of a guard that is deployed.
type Update struct {
	Prop, Name string
	// Before sets what is deployed first, nil for the defaults.
	Before, After func(stack awscdk.Stack, p *trailguard.TrailGuardProps)
}

// Templates are the guard before and after the update.
func (u Update) Templates() (before, after Case) {
	state := func(set func(awscdk.Stack, *trailguard.TrailGuardProps)) Case {
		return Case{Name: u.Prop, Props: func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			p := &trailguard.TrailGuardProps{}
			if set != nil {
				set(stack, p)
			}
			return p
		}}
	}
	return state(u.Before), state(u.After)
}

// Updates change each property. Supplied resources are of the same stack, so that they can be deployed with it.
func Updates() []Update {
	type props = trailguard.TrailGuardProps
	emails := func(addresses ...string) func(awscdk.Stack, *props) {
		return func(_ awscdk.Stack, p *props) { p.AlertEmailAddresses = jsii.Strings(addresses...) }
	}
	withLogGroup := func(stack awscdk.Stack, p *props) {
		p.CloudWatchLogGroup = awslogs.NewLogGroup(stack, jsii.String("Events"), nil)
	}
	renamed := func(previous ...string) func(awscdk.Stack, *props) {
		return func(_ awscdk.Stack, p *props) {
			p.TrailName = jsii.String("renamed-trail")
			if len(previous) > 0 {
				p.PreviousTrailNames = jsii.Strings(previous...)
			}
		}
	}
	return []Update{
		{"TrailName", "another", nil, renamed()},
		{"OrganizationId", "set", nil, func(_ awscdk.Stack, p *props) { p.OrganizationId = jsii.String("o-a1b2c3d4e5") }},
		{"PreviousTrailNames", "with the new name", nil, renamed(trailguard.DefaultTrailName)},
		{"PreviousTrailNames", "dropped", renamed(trailguard.DefaultTrailName), renamed()},
		{"S3KeyPrefix", "set", nil, func(_ awscdk.Stack, p *props) { p.S3KeyPrefix = jsii.String("audit") }},
		{"DataResources", "set", nil, func(_ awscdk.Stack, p *props) {
			p.DataResources = &[]*trailguard.DataResource{{Type: jsii.String("AWS::S3::Object"), Values: jsii.Strings("arn:aws:s3:::payroll/")}}
		}},
		{"AdvancedEventSelectors", "set", nil, func(stack awscdk.Stack, p *props) {
			p.AdvancedEventSelectors = withoutConfig(stack).AdvancedEventSelectors
		}},
		{"InsightTypes", "none", nil, func(_ awscdk.Stack, p *props) { p.InsightTypes = &[]trailguard.InsightType{} }},
		{"TrailTags", "set", nil, func(_ awscdk.Stack, p *props) {
			p.TrailTags = &map[string]*string{"owner": jsii.String("security")}
		}},
		{"SnsTopic", "set", nil, func(stack awscdk.Stack, p *props) {
			p.SnsTopic = awssns.NewTopic(stack, jsii.String("Deliveries"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)})
		}},
		{"CloudWatchLogGroup", "set", nil, withLogGroup},
		{"CloudWatchLogsRole", "set", withLogGroup, func(stack awscdk.Stack, p *props) {
			withLogGroup(stack, p)
			p.CloudWatchLogsRole = awsiam.NewRole(stack, jsii.String("LogsRole"), &awsiam.RoleProps{
				AssumedBy: awsiam.NewServicePrincipal(jsii.String("cloudtrail.amazonaws.com"), nil),
			})
		}},
		{"LogBucket", "supplied", nil, func(stack awscdk.Stack, p *props) {
			p.LogBucket = awss3.NewBucket(stack, jsii.String("LogBucket"), nil)
		}},
		{"LogKey", "supplied", nil, func(stack awscdk.Stack, p *props) { p.LogKey = awskms.NewKey(stack, jsii.String("LogKey"), nil) }},
		{"TransitionAfter", "another", nil, func(_ awscdk.Stack, p *props) { p.TransitionAfter = awscdk.Duration_Days(jsii.Number(30)) }},
		{"ExpireAfter", "set", nil, func(_ awscdk.Stack, p *props) { p.ExpireAfter = awscdk.Duration_Days(jsii.Number(2557)) }},
		{"ObjectLockRetention", "set", nil, func(_ awscdk.Stack, p *props) {
			p.ObjectLockRetention = awss3.ObjectLockRetention_Governance(awscdk.Duration_Days(jsii.Number(365)))
		}},
		{"ServerAccessLogsBucket", "supplied", nil, func(stack awscdk.Stack, p *props) {
			p.ServerAccessLogsBucket = awss3.NewBucket(stack, jsii.String("AccessLogs"), nil)
		}},
		{"RemovalPolicy", "destroy", nil, func(_ awscdk.Stack, p *props) { p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY }},
		{"AutomationRole", "supplied", nil, func(stack awscdk.Stack, p *props) {
			p.AutomationRole = awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
				AssumedBy: awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), nil),
			})
		}},
		{"RepairOnEvents", "off", nil, func(_ awscdk.Stack, p *props) { p.RepairOnEvents = jsii.Bool(false) }},
		{"CheckEvery", "another", nil, func(_ awscdk.Stack, p *props) { p.CheckEvery = awscdk.Duration_Minutes(jsii.Number(5)) }},
		{"CheckEvery", "never", nil, func(_ awscdk.Stack, p *props) { p.CheckEvery = awscdk.Duration_Minutes(jsii.Number(0)) }},
		{"ConfigRules", "off", nil, func(_ awscdk.Stack, p *props) { p.ConfigRules = jsii.Bool(false) }},
		{"AlertTopic", "supplied", emails("a@example.com"), func(stack awscdk.Stack, p *props) {
			emails("a@example.com")(stack, p)
			p.AlertTopic = awssns.NewTopic(stack, jsii.String("Alerts"), nil)
		}},
		{"AlertEmailAddresses", "the first added", emails("b@example.com", "c@example.com"), emails("a@example.com", "b@example.com", "c@example.com")},
		{"AlertEmailAddresses", "another", emails("a@example.com", "b@example.com"), emails("c@example.com", "b@example.com")},
		{"AlertSubscriptions", "set", nil, func(_ awscdk.Stack, p *props) {
			p.AlertSubscriptions = &[]awssns.ITopicSubscription{awssnssubscriptions.NewUrlSubscription(jsii.String("https://example.com/alerts"), nil)}
		}},
		{"MaximumExecutionFrequency", "another", nil, func(_ awscdk.Stack, p *props) {
			p.MaximumExecutionFrequency = awsconfig.MaximumExecutionFrequency_ONE_HOUR
		}},
		{"MaximumAutomaticAttempts", "set", nil, func(_ awscdk.Stack, p *props) { p.MaximumAutomaticAttempts = jsii.Number(10) }},
		{"RetryAttempt", "set", nil, func(_ awscdk.Stack, p *props) { p.RetryAttempt = awscdk.Duration_Minutes(jsii.Number(10)) }},
		{"ConcurrentExecutionRatePercentage", "set", nil, func(_ awscdk.Stack, p *props) { p.ConcurrentExecutionRatePercentage = jsii.Number(50) }},
		{"ErrorPercentage", "set", nil, func(_ awscdk.Stack, p *props) { p.ErrorPercentage = jsii.Number(100) }},
		{"CreateConfigurationRecorder", "on", nil, func(_ awscdk.Stack, p *props) { p.CreateConfigurationRecorder = jsii.Bool(true) }},
	}
}
