// Package cases holds the guarded trails that the tests synthesize: each is one golden template. It holds, for each property, what
// the tests look at, and a change of it in a guard that is deployed.
package cases

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
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
		{Name: "delegated", Props: delegated},
		{Name: "central", Props: central},
		{Name: "without-store", Props: withoutStore},
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
		ConfigRules:           jsii.Bool(false),
		AlarmOnMissingDigests: jsii.Bool(false),
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

// delegated guards the trail of the management account from the account of a delegated administrator.
func delegated(awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{
		TrailName:      jsii.String("org-trail"),
		OrganizationId: jsii.String("o-a1b2c3d4e5"),
		TrailAccount:   jsii.String("123456789012"),
		ConfigRules:    jsii.Bool(false),
	}
}

// central tells an event bus as well.
func central(stack awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{CentralEventBus: awsevents.NewEventBus(stack, jsii.String("Central"), nil)}
}

// withoutStore leaves the log store to others. Its template is short enough for cdk deploy without a bootstrapped environment.
func withoutStore(awscdk.Stack) *trailguard.TrailGuardProps {
	return &trailguard.TrailGuardProps{RepairLogStore: jsii.Bool(false)}
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
		RepairLogStore:                    jsii.Bool(true),
		CheckEvery:                        awscdk.Duration_Minutes(jsii.Number(30)),
		ConfigRules:                       jsii.Bool(true),
		AlertEmailAddresses:               jsii.Strings("security@example.com"),
		AlarmOnMissingDigests:             jsii.Bool(true),
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

// Option is a property with a value: where that stands in the template, what is there by default, and what is there in the case
// that sets it.
type Option struct {
	Prop, Name string
	// Resource is the logical id of a resource, or the type of the first one, and Path leads to its property.
	Resource, Path string
	Default, Set   string
	// Case is the name of the case, everything if it is empty.
	Case string
}

// String names the option.
func (o Option) String() string {
	if o.Name == "" {
		return o.Prop
	}
	return o.Prop + ", " + o.Name
}

// Options look at each property.
func Options() []Option {
	const (
		document = "AWS::SSM::Document"
		payload  = "Content.mainSteps.0.inputs.InputPayload."
	)
	trailARN := func(name string) string {
		return "map[Fn::Sub:arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/" + name + "]"
	}
	return []Option{
		{Prop: "TrailName", Resource: document, Path: payload + "Name", Default: "trailguard", Set: "everything-trail"},
		{Prop: "PreviousTrailNames", Resource: "LogStoreBucketPolicyA9D99A2D", Path: "PolicyDocument.Statement.1.Condition.StringEquals.aws:SourceArn",
			Default: trailARN("trailguard"), Set: "[" + trailARN("everything-trail") + " " + trailARN("old-trail") + "]"},
		{Prop: "OrganizationId", Resource: document, Path: payload + "IsOrganizationTrail", Default: "<nil>", Set: "true"},
		{Prop: "TrailAccount", Resource: document, Path: payload + "TrailArn", Default: "<nil>",
			Set: "map[Fn::Sub:arn:${AWS::Partition}:cloudtrail:${AWS::Region}:123456789012:trail/org-trail]", Case: "delegated"},
		{Prop: "CentralEventBus", Resource: document, Path: payload + "CentralEventBusArn", Default: "<nil>", Set: "map[Fn::GetAtt:[Central7FB44904 Arn]]", Case: "central"},
		{Prop: "CentralEventBus", Name: "tampering", Resource: "AlertingTampering3338980B", Path: "Targets.1.Arn", Default: "<nil>",
			Set: "map[Fn::GetAtt:[Central7FB44904 Arn]]", Case: "central"},
		{Prop: "S3KeyPrefix", Resource: document, Path: payload + "S3KeyPrefix", Default: "<nil>", Set: "audit/trails"},
		{Prop: "DataResources", Resource: document, Path: payload + "EventSelectors.0.DataResources", Default: "<nil>", Set: "[map[Type:AWS::S3::Object Values:[arn:aws:s3:::payroll/]]]"},
		{Prop: "AdvancedEventSelectors", Resource: document, Path: payload + "AdvancedEventSelectors", Default: "<nil>",
			Set: "[map[FieldSelectors:[map[Equals:[Management] Field:eventCategory]] Name:All management events] " +
				"map[FieldSelectors:[map[Equals:[Data] Field:eventCategory] map[Equals:[AWS::S3::Object] Field:resources.type] " +
				"map[Field:eventName StartsWith:[Delete]]] Name:Objects that are deleted]]",
			Case: "without-config"},
		{Prop: "InsightTypes", Resource: document, Path: payload + "InsightSelectors",
			Default: "[map[InsightType:ApiCallRateInsight] map[InsightType:ApiErrorRateInsight]]", Set: "[map[InsightType:ApiErrorRateInsight]]"},
		{Prop: "TrailTags", Resource: document, Path: payload + "TagsList", Default: "<nil>", Set: "[map[Key:cost-center Value:4711] map[Key:owner Value:security]]"},
		{Prop: "SnsTopic", Resource: document, Path: payload + "SnsTopicName", Default: "<nil>", Set: "map[Ref:DeliveriesBF2F7293]"},
		{Prop: "CloudWatchLogGroup", Resource: document, Path: payload + "CloudWatchLogsLogGroupArn", Default: "<nil>", Set: "map[Fn::GetAtt:[EventsD32975C2 Arn]]"},
		{Prop: "CloudWatchLogsRole", Resource: document, Path: payload + "CloudWatchLogsRoleArn", Default: "<nil>", Set: "map[Fn::GetAtt:[CloudWatchLogsRoleA37E13B4 Arn]]"},
		{Prop: "TransitionAfter", Resource: "LogStoreBucket0AD36629", Path: "LifecycleConfiguration.Rules.0.Transitions.0.TransitionInDays", Default: "90", Set: "30"},
		{Prop: "ExpireAfter", Resource: "LogStoreBucket0AD36629", Path: "LifecycleConfiguration.Rules.0.ExpirationInDays", Default: "<nil>", Set: "2557"},
		{Prop: "ObjectLockRetention", Resource: "LogStoreBucket0AD36629", Path: "ObjectLockConfiguration.Rule.DefaultRetention", Default: "<nil>", Set: "map[Days:365 Mode:COMPLIANCE]"},
		{Prop: "RepairOnEvents", Resource: "EventRulesTampering76AE5C63", Path: "Targets.0.Id", Default: "Runbook", Set: "Runbook"},
		{Prop: "RepairOnEvents", Name: "off", Resource: "EventRulesTampering76AE5C63", Path: "Targets.0.Id", Default: "Runbook", Set: "<nil>", Case: "config-only"},
		{Prop: "RepairLogStore", Resource: "StoreRemediationTamperingBDA1392A", Path: "Targets.1.Id", Default: "Runbook", Set: "Runbook"},
		{Prop: "RepairLogStore", Name: "off", Resource: "StoreRemediationTamperingBDA1392A", Path: "Targets.1.Id", Default: "Runbook", Set: "<nil>", Case: "without-store"},
		{Prop: "CheckEvery", Resource: "EventRulesScheduleE2B5BCBC", Path: "ScheduleExpression", Default: "rate(60 minutes)", Set: "rate(30 minutes)"},
		{Prop: "CheckEvery", Name: "never", Resource: "EventRulesScheduleE2B5BCBC", Path: "ScheduleExpression", Default: "rate(60 minutes)", Set: "<nil>", Case: "config-only"},
		{Prop: "ConfigRules", Resource: "ConfigRulesTrailEnabled2BBAB97E", Path: "Source.SourceIdentifier", Default: "CLOUD_TRAIL_ENABLED", Set: "CLOUD_TRAIL_ENABLED"},
		{Prop: "ConfigRules", Name: "off", Resource: "ConfigRulesTrailEnabled2BBAB97E", Path: "Source.SourceIdentifier", Default: "CLOUD_TRAIL_ENABLED", Set: "<nil>", Case: "without-config"},
		{Prop: "MaximumExecutionFrequency", Resource: "ConfigRulesTrailEnabled2BBAB97E", Path: "MaximumExecutionFrequency", Default: "TwentyFour_Hours", Set: "One_Hour"},
		{Prop: "MaximumAutomaticAttempts", Resource: "AWS::Config::RemediationConfiguration", Path: "MaximumAutomaticAttempts", Default: "5", Set: "10"},
		{Prop: "RetryAttempt", Resource: "AWS::Config::RemediationConfiguration", Path: "RetryAttemptSeconds", Default: "60", Set: "600"},
		{Prop: "ConcurrentExecutionRatePercentage", Resource: "AWS::Config::RemediationConfiguration", Path: "ExecutionControls.SsmControls.ConcurrentExecutionRatePercentage", Default: "<nil>", Set: "50"},
		{Prop: "ErrorPercentage", Resource: "AWS::Config::RemediationConfiguration", Path: "ExecutionControls.SsmControls.ErrorPercentage", Default: "<nil>", Set: "100"},
		{Prop: "AlertEmailAddresses", Resource: "AlertingEmailsecurityexamplecom4CD17086", Path: "Endpoint", Default: "<nil>", Set: "security@example.com"},
		{Prop: "AlertSubscriptions", Resource: "AlertingTopichttpsexamplecomalertsD8C87C5C", Path: "Endpoint", Default: "<nil>", Set: "https://example.com/alerts"},
		{Prop: "AlarmOnMissingDigests", Resource: "AlertingMissingDigestsE4323E57", Path: "TreatMissingData", Default: "breaching", Set: "breaching"},
		{Prop: "AlarmOnMissingDigests", Name: "off", Resource: "LogStoreBucket0AD36629", Path: "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled",
			Default: "true", Set: "<nil>", Case: "without-config"},
		{Prop: "CreateConfigurationRecorder", Resource: "AWS::Config::ConfigurationRecorder", Path: "RecordingGroup.ResourceTypes", Default: "<nil>", Set: "[AWS::CloudTrail::Trail]"},
		{Prop: "RemovalPolicy", Resource: "LogStoreBucket0AD36629", Path: "DeletionPolicy", Default: "Retain", Set: "RetainExceptOnCreate"},
		{Prop: "LogBucket", Resource: document, Path: payload + "S3BucketName", Default: "map[Ref:LogStoreBucket0AD36629]", Set: "my-log-bucket", Case: "supplied"},
		{Prop: "LogKey", Resource: document, Path: payload + "KmsKeyId", Default: "map[Fn::GetAtt:[LogStoreKeyDBAC2C9C Arn]]",
			Set: "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555", Case: "supplied"},
		{Prop: "ServerAccessLogsBucket", Resource: "LogStoreBucket0AD36629", Path: "LoggingConfiguration.DestinationBucketName",
			Default: "map[Ref:LogStoreServerAccessLogsBucketC4D7B219]", Set: "map[Ref:AccessLogs8B620ECA]", Case: "config-only"},
		{Prop: "AutomationRole", Resource: document, Path: "Content.parameters.AutomationAssumeRole.default", Default: "map[Fn::GetAtt:[AutomationRoleC58D7324 Arn]]",
			Set: "arn:aws:iam::123456789012:role/my-automation-role", Case: "supplied"},
		{Prop: "AlertTopic", Resource: document, Path: payload + "AlertTopicArn", Default: "map[Ref:AlertingTopic08189029]", Set: "arn:aws:sns:us-east-1:123456789012:my-alerts", Case: "supplied"},
	}
}

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
	locked := func(_ awscdk.Stack, p *props) {
		p.ObjectLockRetention = awss3.ObjectLockRetention_Governance(awscdk.Duration_Days(jsii.Number(365)))
	}
	delegatedWithout := func(stack awscdk.Stack, p *props) {
		*p = *delegated(stack)
		p.TrailAccount = nil
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
		{"TrailAccount", "set", delegatedWithout, func(stack awscdk.Stack, p *props) { *p = *delegated(stack) }},
		{"CentralEventBus", "set", nil, func(stack awscdk.Stack, p *props) { p.CentralEventBus = central(stack).CentralEventBus }},
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
		{"ObjectLockRetention", "set", nil, locked},
		{"ServerAccessLogsBucket", "supplied", nil, func(stack awscdk.Stack, p *props) {
			p.ServerAccessLogsBucket = awss3.NewBucket(stack, jsii.String("AccessLogs"), nil)
		}},
		{"AlarmOnMissingDigests", "off", nil, func(_ awscdk.Stack, p *props) { p.AlarmOnMissingDigests = jsii.Bool(false) }},
		{"RemovalPolicy", "destroy", nil, func(_ awscdk.Stack, p *props) { p.RemovalPolicy = awscdk.RemovalPolicy_DESTROY }},
		{"AutomationRole", "supplied", nil, func(stack awscdk.Stack, p *props) {
			p.AutomationRole = awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
				AssumedBy: awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), nil),
			})
		}},
		{"RepairOnEvents", "off", nil, func(_ awscdk.Stack, p *props) { p.RepairOnEvents = jsii.Bool(false) }},
		{"RepairLogStore", "off", nil, func(stack awscdk.Stack, p *props) { *p = *withoutStore(stack) }},
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
