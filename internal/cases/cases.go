// Package cases holds the guarded trails that the tests synthesize: each is one golden template.
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

// Case is one guarded trail.
type Case struct {
	Name string
	// Region is the Region of the stack, empty for a stack that fits every environment.
	Region string
	Props  func(stack awscdk.Stack) *trailguard.TrailGuardProps
}

// All are the cases, the default one first.
func All() []Case {
	return []Case{
		{Name: "default", Props: defaults},
		{Name: "everything", Props: everything},
		{Name: "supplied", Props: supplied},
		{Name: "owned", Props: owned},
		{Name: "config-only", Props: configOnly},
		{Name: "without-config", Props: withoutConfig},
		{Name: "organization", Props: organization},
		{Name: "govcloud", Region: "us-gov-west-1", Props: defaults},
		{Name: "china", Region: "cn-north-1", Props: defaults},
	}
}

// Stack defines the case in a new app.
func (c Case) Stack() awscdk.Stack {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	stack := awscdk.NewStack(app, jsii.String("TrailGuard"), &awscdk.StackProps{
		Env:         c.environment(),
		Synthesizer: awscdk.NewBootstraplessSynthesizer(nil),
	})
	trailguard.NewTrailGuard(stack, jsii.String("Default"), c.Props(stack))
	return stack
}

func (c Case) environment() *awscdk.Environment {
	if c.Region == "" {
		return nil
	}
	return &awscdk.Environment{Region: jsii.String(c.Region)}
}

func defaults(awscdk.Stack) *trailguard.TrailGuardProps { return nil }

// owned brings resources of the same app, whose policies the guard completes.
func owned(stack awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		LogBucket: awss3.NewBucket(stack, jsii.String("LogBucket"), nil),
		LogKey:    awskms.NewKey(stack, jsii.String("LogKey"), nil),
		AutomationRole: awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
			AssumedBy: awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), nil),
		}),
		AlertTopic: awssns.NewTopic(stack, jsii.String("AlertTopic"), nil),
	}
}

func configOnly(stack awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		RepairOnEvents:         jsii.Bool(false),
		CheckEvery:             awscdk.Duration_Minutes(jsii.Number(0)),
		ServerAccessLogsBucket: awss3.NewBucket(stack, jsii.String("AccessLogs"), nil),
	}
}

// withoutConfig also selects events by their fields.
func withoutConfig(awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		ConfigRules: jsii.Bool(false),
		AdvancedEventSelectors: &[]*trailguard.AdvancedEventSelector{{
			Name: jsii.String("Objects that are deleted"),
			FieldSelectors: &[]*trailguard.AdvancedFieldSelector{
				{Field: jsii.String("eventCategory"), Equals: &[]*string{jsii.String("Data")}},
				{Field: jsii.String("resources.type"), Equals: &[]*string{jsii.String("AWS::S3::Object")}},
				{Field: jsii.String("eventName"), StartsWith: jsii.Strings("Delete")},
			},
		}},
	}
}

func organization(awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		TrailName:      jsii.String("org-trail"),
		OrganizationId: jsii.String("o-a1b2c3d4e5"),
	}
}

// everything sets every property that has a new resource to be set on.
func everything(stack awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		TrailName:          jsii.String("everything-trail"),
		PreviousTrailNames: jsii.Strings("old-trail"),
		OrganizationId:     jsii.String("o-a1b2c3d4e5"),
		S3KeyPrefix:        jsii.String("audit/trails"),
		TrailTags:          &map[string]*string{"owner": jsii.String("security"), "cost-center": jsii.String("4711")},
		DataResources: &[]*trailguard.DataResource{{
			Type:   jsii.String("AWS::S3::Object"),
			Values: jsii.Strings("arn:aws:s3:::payroll/"),
		}},
		InsightTypes:                      &[]trailguard.InsightType{trailguard.InsightType_API_ERROR_RATE},
		SnsTopic:                          awssns.NewTopic(stack, jsii.String("Deliveries"), &awssns.TopicProps{EnforceSSL: jsii.Bool(true)}),
		CloudWatchLogGroup:                awslogs.NewLogGroup(stack, jsii.String("Events"), nil),
		TransitionAfter:                   awscdk.Duration_Days(jsii.Number(30)),
		ExpireAfter:                       awscdk.Duration_Days(jsii.Number(2557)),
		ObjectLockRetention:               awss3.ObjectLockRetention_Compliance(awscdk.Duration_Days(jsii.Number(365))),
		RemovalPolicy:                     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
		RepairOnEvents:                    jsii.Bool(true),
		CheckEvery:                        awscdk.Duration_Minutes(jsii.Number(30)),
		ConfigRules:                       jsii.Bool(true),
		AlertEmailAddresses:               jsii.Strings("security@example.com"),
		AlertSubscriptions:                &[]awssns.ITopicSubscription{awssnssubscriptions.NewUrlSubscription(jsii.String("https://example.com/alerts"), nil)},
		MaximumExecutionFrequency:         awsconfig.MaximumExecutionFrequency_ONE_HOUR,
		MaximumAutomaticAttempts:          jsii.Number(10),
		RetryAttempt:                      awscdk.Duration_Minutes(jsii.Number(10)),
		ConcurrentExecutionRatePercentage: jsii.Number(50),
		ErrorPercentage:                   jsii.Number(100),
		CreateConfigurationRecorder:       jsii.Bool(true),
	}
}

// supplied brings everything that can be brought.
func supplied(stack awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		LogBucket:          awss3.Bucket_FromBucketName(stack, jsii.String("LogBucket"), jsii.String("my-log-bucket")),
		LogKey:             awskms.Key_FromKeyArn(stack, jsii.String("LogKey"), jsii.String("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555")),
		AutomationRole:     awsiam.Role_FromRoleArn(stack, jsii.String("Role"), jsii.String("arn:aws:iam::123456789012:role/my-automation-role"), &awsiam.FromRoleArnOptions{Mutable: jsii.Bool(false)}),
		SnsTopic:           awssns.Topic_FromTopicArn(stack, jsii.String("Topic"), jsii.String("arn:aws:sns:us-east-1:123456789012:my-topic")),
		CloudWatchLogGroup: awslogs.LogGroup_FromLogGroupName(stack, jsii.String("Events"), jsii.String("my-log-group")),
		AlertTopic:         awssns.Topic_FromTopicArn(stack, jsii.String("AlertTopic"), jsii.String("arn:aws:sns:us-east-1:123456789012:my-alerts")),
		CloudWatchLogsRole: awsiam.Role_FromRoleArn(stack, jsii.String("LogsRole"), jsii.String("arn:aws:iam::123456789012:role/my-logs-role"), &awsiam.FromRoleArnOptions{Mutable: jsii.Bool(false)}),
	}
}
