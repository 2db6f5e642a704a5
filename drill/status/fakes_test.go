package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/trailguard/trailguard/drill/deployed"
)

// noon is when the fakes are looked at.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { return aws.Time(noon.Add(-d)) }

// refusal is an error of AWS.
func refusal(service, operation, code string) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: "no"}}
}

// The fakes answer what the local AWS does not.

type fakeTrail struct {
	CloudTrail
	status *cloudtrail.GetTrailStatusOutput
	trails []trailtypes.Trail
}

func (f fakeTrail) GetTrailStatus(context.Context, *cloudtrail.GetTrailStatusInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error) {
	return f.status, nil
}

func (f fakeTrail) DescribeTrails(context.Context, *cloudtrail.DescribeTrailsInput, ...func(*cloudtrail.Options)) (*cloudtrail.DescribeTrailsOutput, error) {
	return &cloudtrail.DescribeTrailsOutput{TrailList: f.trails}, nil
}

type fakeConfig struct {
	Config
	recorder   configtypes.ConfigurationRecorder
	status     configtypes.ConfigurationRecorderStatus
	evaluation configtypes.ConfigRuleEvaluationStatus
}

func (f fakeConfig) DescribeConfigurationRecorders(context.Context, *configservice.DescribeConfigurationRecordersInput, ...func(*configservice.Options)) (*configservice.DescribeConfigurationRecordersOutput, error) {
	return &configservice.DescribeConfigurationRecordersOutput{ConfigurationRecorders: []configtypes.ConfigurationRecorder{f.recorder}}, nil
}

func (f fakeConfig) DescribeConfigurationRecorderStatus(context.Context, *configservice.DescribeConfigurationRecorderStatusInput, ...func(*configservice.Options)) (*configservice.DescribeConfigurationRecorderStatusOutput, error) {
	return &configservice.DescribeConfigurationRecorderStatusOutput{ConfigurationRecordersStatus: []configtypes.ConfigurationRecorderStatus{f.status}}, nil
}

func (f fakeConfig) DescribeDeliveryChannels(context.Context, *configservice.DescribeDeliveryChannelsInput, ...func(*configservice.Options)) (*configservice.DescribeDeliveryChannelsOutput, error) {
	return &configservice.DescribeDeliveryChannelsOutput{DeliveryChannels: []configtypes.DeliveryChannel{{}}}, nil
}

func (f fakeConfig) DescribeConfigRules(context.Context, *configservice.DescribeConfigRulesInput, ...func(*configservice.Options)) (*configservice.DescribeConfigRulesOutput, error) {
	return &configservice.DescribeConfigRulesOutput{ConfigRules: []configtypes.ConfigRule{{ConfigRuleState: configtypes.ConfigRuleStateActive, MaximumExecutionFrequency: "One_Hour"}}}, nil
}

func (f fakeConfig) DescribeConfigRuleEvaluationStatus(context.Context, *configservice.DescribeConfigRuleEvaluationStatusInput, ...func(*configservice.Options)) (*configservice.DescribeConfigRuleEvaluationStatusOutput, error) {
	return &configservice.DescribeConfigRuleEvaluationStatusOutput{ConfigRulesEvaluationStatus: []configtypes.ConfigRuleEvaluationStatus{f.evaluation}}, nil
}

type fakeOrganizations struct {
	Organizations
	organization *orgtypes.Organization
	policy       string // empty if there is none
	targets      []string
}

func (f fakeOrganizations) DescribePolicy(context.Context, *organizations.DescribePolicyInput, ...func(*organizations.Options)) (*organizations.DescribePolicyOutput, error) {
	if f.policy == "" {
		return nil, refusal("Organizations", "DescribePolicy", "PolicyNotFoundException")
	}
	return &organizations.DescribePolicyOutput{Policy: &orgtypes.Policy{Content: &f.policy}}, nil
}

func (f fakeOrganizations) ListTargetsForPolicy(context.Context, *organizations.ListTargetsForPolicyInput, ...func(*organizations.Options)) (*organizations.ListTargetsForPolicyOutput, error) {
	var targets []orgtypes.PolicyTargetSummary
	for _, target := range f.targets {
		targets = append(targets, orgtypes.PolicyTargetSummary{TargetId: &target})
	}
	return &organizations.ListTargetsForPolicyOutput{Targets: targets}, nil
}

func (f fakeOrganizations) DescribeOrganization(context.Context, *organizations.DescribeOrganizationInput, ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error) {
	if f.organization == nil {
		return nil, refusal("Organizations", "DescribeOrganization", "AWSOrganizationsNotInUseException")
	}
	return &organizations.DescribeOrganizationOutput{Organization: f.organization}, nil
}

func (f fakeOrganizations) ListAWSServiceAccessForOrganization(context.Context, *organizations.ListAWSServiceAccessForOrganizationInput, ...func(*organizations.Options)) (*organizations.ListAWSServiceAccessForOrganizationOutput, error) {
	return &organizations.ListAWSServiceAccessForOrganizationOutput{EnabledServicePrincipals: []orgtypes.EnabledServicePrincipal{{ServicePrincipal: aws.String("cloudtrail.amazonaws.com")}}}, nil
}

type fakeStackSets struct {
	CloudFormation
	set       *cfntypes.StackSet
	instances []cfntypes.StackInstanceSummary
}

func (f fakeStackSets) DescribeStackSet(context.Context, *cloudformation.DescribeStackSetInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackSetOutput, error) {
	if f.set == nil {
		return nil, refusal("CloudFormation", "DescribeStackSet", "StackSetNotFoundException")
	}
	return &cloudformation.DescribeStackSetOutput{StackSet: f.set}, nil
}

func (f fakeStackSets) ListStackInstances(context.Context, *cloudformation.ListStackInstancesInput, ...func(*cloudformation.Options)) (*cloudformation.ListStackInstancesOutput, error) {
	return &cloudformation.ListStackInstancesOutput{Summaries: f.instances}, nil
}

type fakeSSM struct {
	SSM
	runs []ssmtypes.AutomationExecutionMetadata // the latest first
}

func (f fakeSSM) DescribeAutomationExecutions(context.Context, *ssm.DescribeAutomationExecutionsInput, ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error) {
	return &ssm.DescribeAutomationExecutionsOutput{AutomationExecutionMetadataList: f.runs}, nil
}

// GetAutomationExecution answers with the parameters that the id of an execution of the log store stands for.
func (f fakeSSM) GetAutomationExecution(_ context.Context, in *ssm.GetAutomationExecutionInput, _ ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error) {
	i := slices.IndexFunc(f.runs, func(run ssmtypes.AutomationExecutionMetadata) bool {
		return *run.AutomationExecutionId == *in.AutomationExecutionId
	})
	got := &ssmtypes.AutomationExecution{AutomationExecutionStatus: f.runs[i].AutomationExecutionStatus, FailureMessage: f.runs[i].FailureMessage}
	if strings.HasPrefix(*in.AutomationExecutionId, "store") {
		got.Parameters = map[string][]string{"Resource": {"log store"}}
	}
	return &ssm.GetAutomationExecutionOutput{AutomationExecution: got}, nil
}

type fakeSNS struct {
	SNS
	subscriptions []snstypes.Subscription
}

func (f fakeSNS) ListSubscriptionsByTopic(context.Context, *sns.ListSubscriptionsByTopicInput, ...func(*sns.Options)) (*sns.ListSubscriptionsByTopicOutput, error) {
	return &sns.ListSubscriptionsByTopicOutput{Subscriptions: f.subscriptions}, nil
}

func (f fakeSNS) GetSubscriptionAttributes(context.Context, *sns.GetSubscriptionAttributesInput, ...func(*sns.Options)) (*sns.GetSubscriptionAttributesOutput, error) {
	return &sns.GetSubscriptionAttributesOutput{}, nil
}

type fakeKMS struct {
	KMS
	state  kmstypes.KeyState // empty if there is no key
	policy string
}

func (f fakeKMS) DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	if f.state == "" {
		return nil, refusal("KMS", "DescribeKey", "NotFoundException")
	}
	return &kms.DescribeKeyOutput{KeyMetadata: &kmstypes.KeyMetadata{KeyState: f.state}}, nil
}

func (f fakeKMS) GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	return &kms.GetKeyPolicyOutput{Policy: &f.policy}, nil
}

type fakeS3 struct {
	S3
	policy *s3.GetBucketPolicyOutput
	err    error
}

func (f fakeS3) GetBucketPolicy(context.Context, *s3.GetBucketPolicyInput, ...func(*s3.Options)) (*s3.GetBucketPolicyOutput, error) {
	return f.policy, f.err
}

type fakeIAM struct{ IAM }

func (fakeIAM) GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	return nil, refusal("IAM", "GetRole", "NoSuchEntity")
}

// fakePolicy is the document of a policy of a role, which is gone if it is empty.
type fakePolicy struct {
	IAM
	document string
}

func (f fakePolicy) GetRolePolicy(context.Context, *iam.GetRolePolicyInput, ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error) {
	if f.document == "" {
		return nil, refusal("IAM", "GetRolePolicy", "NoSuchEntity")
	}
	return &iam.GetRolePolicyOutput{PolicyDocument: &f.document}, nil
}

type fakeEvents struct {
	Events
	policy *string
}

func (f fakeEvents) DescribeEventBus(context.Context, *eventbridge.DescribeEventBusInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error) {
	if f.policy == nil {
		return nil, refusal("EventBridge", "DescribeEventBus", "ResourceNotFoundException")
	}
	return &eventbridge.DescribeEventBusOutput{Policy: f.policy}, nil
}

type fakeLogs struct {
	Logs
	filters []logtypes.SubscriptionFilter
}

func (f fakeLogs) DescribeSubscriptionFilters(context.Context, *cloudwatchlogs.DescribeSubscriptionFiltersInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeSubscriptionFiltersOutput, error) {
	return &cloudwatchlogs.DescribeSubscriptionFiltersOutput{SubscriptionFilters: f.filters}, nil
}

// fakeView is a guard whose stack has made little.
func fakeView(clients Clients) *view {
	s := &stack{name: "guard", described: cfntypes.Stack{Outputs: []cfntypes.Output{
		{OutputKey: aws.String("LogStoreLogBucketStatements8E87AA92"), OutputValue: aws.String(`[{"Sid": "CloudTrailWrite", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]`)},
		{OutputKey: aws.String("LogStoreLogKeyStatements8E87AA92"), OutputValue: aws.String(`[{"Sid": "CloudTrailEncrypt", "Effect": "Allow", "Action": "kms:GenerateDataKey*", "Resource": "*"}]`)},
	}}, resources: []resource{
		{id: "Schedule", kind: "AWS::Events::Rule", name: "guard-Schedule", properties: map[string]any{
			"ScheduleExpression": "rate(30 minutes)", "Targets": []any{map[string]any{"Arn": "arn:aws:ssm:us-east-1:123456789012:automation-definition/runbook:1"}},
		}},
	}}
	return &view{Clients: clients, stack: s, now: noon, guard: deployed.Guard{
		Stack: "guard", TrailName: "trailguard", TrailARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/trailguard", LogBucketName: "logs", LogKeyARN: "arn:aws:kms:us-east-1:123456789012:key/1",
		AutomationRoleARN: "arn:aws:iam::123456789012:role/supplied", RunbookName: "runbook", AlertTopicARN: "arn:topic", Declared: deployed.Declared{deployed.LogFileValidationEnabled: "true"},
	}}
}

func TestWhatTheLocalAWSDoesNotDoIsFound(t *testing.T) {
	logging := func(change func(*cloudtrail.GetTrailStatusOutput)) Clients {
		status := &cloudtrail.GetTrailStatusOutput{IsLogging: aws.Bool(true), StartLoggingTime: ago(48 * time.Hour), LatestDeliveryTime: ago(time.Minute), LatestDigestDeliveryTime: ago(time.Hour)}
		change(status)
		return Clients{CloudTrail: fakeTrail{status: status}}
	}
	run := func(status ssmtypes.AutomationExecutionStatus, start time.Duration) ssmtypes.AutomationExecutionMetadata {
		return ssmtypes.AutomationExecutionMetadata{AutomationExecutionId: aws.String(fmt.Sprintf("x-%.0f", start.Minutes())), DocumentName: aws.String("runbook"), AutomationExecutionStatus: status, ExecutionStartTime: ago(start)}
	}
	ofLogStore := func(run ssmtypes.AutomationExecutionMetadata) ssmtypes.AutomationExecutionMetadata {
		run.AutomationExecutionId, run.DocumentName = aws.String("store-"+*run.AutomationExecutionId), aws.String("both")
		return run
	}
	ofTrail := func(run ssmtypes.AutomationExecutionMetadata) ssmtypes.AutomationExecutionMetadata {
		run.DocumentName = aws.String("both")
		return run
	}
	recording := func(change func(*fakeConfig)) Clients {
		config := fakeConfig{recorder: configtypes.ConfigurationRecorder{Name: aws.String("default"), RecordingGroup: &configtypes.RecordingGroup{AllSupported: true}}, status: configtypes.ConfigurationRecorderStatus{Recording: true}}
		change(&config)
		return Clients{Config: config}
	}
	daily := configtypes.RecordingFrequencyDaily
	evaluated := func(change func(*configtypes.ConfigRuleEvaluationStatus)) Clients {
		config := fakeConfig{evaluation: configtypes.ConfigRuleEvaluationStatus{FirstActivatedTime: ago(48 * time.Hour), LastSuccessfulEvaluationTime: ago(time.Hour)}}
		change(&config.evaluation)
		return Clients{Config: config}
	}
	configRule := func(ctx context.Context, v *view, f *Finding) {
		lookAtConfigRule(ctx, v, resource{name: "rule", properties: map[string]any{"MaximumExecutionFrequency": "One_Hour"}}, f)
	}
	filter := func(ctx context.Context, v *view, f *Finding) {
		lookAtSubscriptionFilter(ctx, v, resource{name: "filter", properties: map[string]any{"LogGroupName": "group", "DestinationArn": "arn:lambda", "FilterPattern": ""}}, f)
	}
	bus := func(ctx context.Context, v *view, f *Finding) {
		lookAtEventBus(ctx, v, resource{name: "bus", properties: map[string]any{"Policy": map[string]any{"Statement": []any{map[string]any{"Sid": "In", "Effect": "Allow"}}}}}, f)
	}
	statement := func(ctx context.Context, v *view, f *Finding) {
		lookAtEventBusPolicy(ctx, v, resource{name: "In", properties: map[string]any{"StatementId": "In", "EventBusName": "bus", "Statement": map[string]any{"Effect": "Allow"}}}, f)
	}
	rolePolicy := func(ctx context.Context, v *view, f *Finding) {
		lookAtRolePolicy(ctx, v, resource{name: "p", properties: map[string]any{"PolicyName": "p", "Roles": []any{"r"},
			"PolicyDocument": map[string]any{"Statement": []any{map[string]any{"Sid": "Do", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}}}}, f)
	}
	open := func(ctx context.Context, v *view, f *Finding) { lookAtEventBus(ctx, v, resource{name: "bus"}, f) }
	set := func(ctx context.Context, v *view, f *Finding) {
		lookAtStackSet(ctx, v, resource{name: "set:1", properties: map[string]any{"CallAs": "DELEGATED_ADMIN", "TemplateBody": `{"Resources": {}}`, "AutoDeployment": map[string]any{"Enabled": true}}}, f)
	}
	rollsOut := func(change func(*fakeStackSets)) Clients {
		fake := fakeStackSets{set: &cfntypes.StackSet{StackSetName: aws.String("set"), TemplateBody: aws.String(`{ "Resources": { } }`), AutoDeployment: &cfntypes.AutoDeployment{Enabled: aws.Bool(true)}},
			instances: []cfntypes.StackInstanceSummary{{Account: aws.String("111122223333"), Region: aws.String("us-east-1"), Status: cfntypes.StackInstanceStatusCurrent}}}
		change(&fake)
		return Clients{CloudFormation: fake}
	}
	denies := func(ctx context.Context, v *view, f *Finding) {
		lookAtOrganizationPolicy(ctx, v, resource{name: "p-1", properties: map[string]any{"TargetIds": []any{"ou-1"}, "Content": map[string]any{"Statement": []any{map[string]any{"Sid": "No", "Effect": "Deny"}}}}}, f)
	}
	const no = `{"Statement": {"Sid": "No", "Effect": "Deny"}}`
	runs := func(ctx context.Context, v *view, f *Finding) { lookAtRuns(ctx, v, resource{name: "runbook"}, f) }
	runsOfBoth := func(ctx context.Context, v *view, f *Finding) {
		start := func(input string) any {
			return map[string]any{"Arn": "arn:aws:ssm:us-east-1:123456789012:automation-definition/both:1", "Input": input}
		}
		v.stack.resources = []resource{{kind: "AWS::Events::Rule", properties: map[string]any{
			"ScheduleExpression": "rate(1 hour)", "Targets": []any{start(`{"StartedBy":["schedule"]}`), start(`{"Resource":["log store"]}`)},
		}}}
		lookAtRuns(ctx, v, resource{name: "both"}, f)
	}
	subscribed := func(arn string) snstypes.Subscription {
		return snstypes.Subscription{SubscriptionArn: &arn, Protocol: aws.String("email"), Endpoint: aws.String("a@example.com")}
	}
	for _, test := range []struct {
		name    string
		clients Clients
		look    func(context.Context, *view, *Finding)
		// says is what must be told as a problem, a warning or not seen; empty if all is whole.
		says, mend string
	}{
		{"all is delivered", logging(func(*cloudtrail.GetTrailStatusOutput) {}), lookAtDelivery, "", ""},
		{"no digest for hours", logging(func(s *cloudtrail.GetTrailStatusOutput) { s.LatestDigestDeliveryTime = ago(4 * time.Hour) }), lookAtDelivery,
			"no digest file was delivered for 3h0m0s: one comes each hour; the last: 2030-01-02 08:00:00 UTC", "log bucket"},
		{"no digest yet", logging(func(s *cloudtrail.GetTrailStatusOutput) {
			s.LatestDigestDeliveryTime, s.StartLoggingTime = nil, ago(time.Hour)
		}), lookAtDelivery, "", ""},
		{"an error", logging(func(s *cloudtrail.GetTrailStatusOutput) { s.LatestDeliveryError = aws.String("KMS.DisabledException") }), lookAtDelivery, "log files are not delivered: KMS.DisabledException", "let CloudTrail use the key"},
		{"an error older than the last delivery", logging(func(s *cloudtrail.GetTrailStatusOutput) {
			s.LatestDeliveryError, s.LatestDeliveryAttemptTime = aws.String("AccessDenied"), aws.String(ago(time.Hour).Format(time.RFC3339))
		}), lookAtDelivery, "", ""},
		{"an error of digests", logging(func(s *cloudtrail.GetTrailStatusOutput) { s.LatestDigestDeliveryError = aws.String("AccessDenied") }), lookAtDelivery, "digest files are not delivered: AccessDenied", "let CloudTrail write"},
		{"an error of a topic that is not declared", logging(func(s *cloudtrail.GetTrailStatusOutput) { s.LatestNotificationError = aws.String("NotFound") }), lookAtDelivery, "", ""},
		{"T57: the name in another Region", Clients{CloudTrail: fakeTrail{status: &cloudtrail.GetTrailStatusOutput{}, trails: []trailtypes.Trail{
			{Name: aws.String("trailguard"), TrailARN: aws.String("arn:aws:cloudtrail:eu-west-1:123456789012:trail/trailguard"), HomeRegion: aws.String("eu-west-1")},
		}}}, lookAtOtherTrails, "arn:aws:cloudtrail:eu-west-1:123456789012:trail/trailguard has the guarded trail's name", "aws cloudtrail delete-trail --region eu-west-1 --name trailguard"},
		{"a trail that does not log", Clients{CloudTrail: fakeTrail{status: &cloudtrail.GetTrailStatusOutput{}, trails: []trailtypes.Trail{{Name: aws.String("other"), TrailARN: aws.String("arn:other")}}}}, lookAtOtherTrails, "", ""},
		{"T47: the account left the organization", Clients{Organizations: fakeOrganizations{}}, lookAtOrganization, "the account is in no organization", "invite the account again"},
		{"consolidated billing only", Clients{Organizations: fakeOrganizations{organization: &orgtypes.Organization{FeatureSet: orgtypes.OrganizationFeatureSetConsolidatedBilling}}}, lookAtOrganization,
			"the organization has the features CONSOLIDATED_BILLING only", "aws organizations enable-all-features"},
		{"an organization", Clients{Organizations: fakeOrganizations{organization: &orgtypes.Organization{FeatureSet: orgtypes.OrganizationFeatureSetAll}}}, lookAtOrganization, "", ""},
		{"it runs", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{run("InProgress", 0), run("Success", 30*time.Minute), run("Failed", 2*time.Hour)}}}, runs, "", ""},
		{"it does not run any more", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{run("Success", 2*time.Hour)}}}, runs, "it has not run since 2030-01-02 10:00:00 UTC, and should each 30m0s", "start-automation-execution"},
		{"it runs for both", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{ofLogStore(run("Success", 0)), ofTrail(run("Success", 0))}}}, runsOfBoth, "", ""},
		{"it does not run for the log store any more", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{ofTrail(run("Success", 0)), ofLogStore(run("Success", 3*time.Hour))}}}, runsOfBoth,
			"it has not run for the log store since 2030-01-02 09:00:00 UTC, and should each 1h0m0s", `start-automation-execution --document-name both --document-version 1 --parameters '{"Resource":["log store"]}'`},
		{"it never ran for the trail", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{ofLogStore(run("Success", 0))}}}, runsOfBoth, "it has not run yet, and should each 1h0m0s", "start-automation-execution"},
		{"the last for the log store failed", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{ofTrail(run("Success", 0)), ofLogStore(run("Failed", time.Minute))}}}, runsOfBoth,
			"the last run for the log store, at ", "aws ssm get-automation-execution --automation-execution-id store-x-1; then aws ssm start-automation-execution"},
		{"it never ran", Clients{SSM: fakeSSM{}}, runs, "it has not run yet, and should each 30m0s", "start-automation-execution"},
		{"the last failed", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{run("TimedOut", time.Minute), run("Success", time.Hour)}}}, runs, "is TimedOut", "aws ssm get-automation-execution --automation-execution-id x-1"},
		{"T60: the queue is full", Clients{SSM: fakeSSM{runs: []ssmtypes.AutomationExecutionMetadata{run("Pending", 0), run("Pending", time.Minute), run("Success", time.Hour)}}}, runs, "2 runs wait for others to end", "stop-automation-execution"},
		{"it records", recording(func(*fakeConfig) {}), lookAtRecording, "", ""},
		{"T33: it records each day", recording(func(c *fakeConfig) { c.recorder.RecordingMode = &configtypes.RecordingMode{RecordingFrequency: daily} }), lookAtRecording, "it records AWS::CloudTrail::Trail DAILY", "CONTINUOUS"},
		{"T33: it records trails each day", recording(func(c *fakeConfig) {
			c.recorder.RecordingMode = &configtypes.RecordingMode{RecordingFrequency: configtypes.RecordingFrequencyContinuous, RecordingModeOverrides: []configtypes.RecordingModeOverride{
				{RecordingFrequency: daily, ResourceTypes: []configtypes.ResourceType{recorded}},
			}}
		}), lookAtRecording, "it records AWS::CloudTrail::Trail DAILY", "CONTINUOUS"},
		{"the recorder fails", recording(func(c *fakeConfig) {
			c.status.LastStatus, c.status.LastErrorCode = configtypes.RecorderStatusFailure, aws.String("AccessDenied")
		}), lookAtRecording, "it fails: AccessDenied", "mend what the error says"},
		{"it is evaluated", evaluated(func(*configtypes.ConfigRuleEvaluationStatus) {}), configRule, "", ""},
		{"it is not evaluated", evaluated(func(e *configtypes.ConfigRuleEvaluationStatus) { e.LastSuccessfulEvaluationTime = ago(3 * time.Hour) }), configRule, "it was last evaluated at 2030-01-02 09:00:00 UTC, and should be each 1h0m0s", "start-config-rules-evaluation"},
		{"its evaluation fails", evaluated(func(e *configtypes.ConfigRuleEvaluationStatus) {
			e.LastFailedEvaluationTime, e.LastErrorCode = ago(time.Minute), aws.String("Internal")
		}), configRule, "failed: Internal", "start-config-rules-evaluation"},
		{"people", Clients{SNS: fakeSNS{subscriptions: []snstypes.Subscription{subscribed("arn:1")}}}, lookAtPeople, "", ""},
		{"somebody has not confirmed", Clients{SNS: fakeSNS{subscriptions: []snstypes.Subscription{subscribed("arn:1"), subscribed("PendingConfirmation")}}}, lookAtPeople, "email a@example.com has not confirmed", "confirm it"},
		{"nobody has confirmed", Clients{SNS: fakeSNS{subscriptions: []snstypes.Subscription{subscribed("PendingConfirmation")}}}, lookAtPeople, "nobody has a confirmed subscription", "aws sns subscribe"},
		{"a key that is gone", Clients{KMS: fakeKMS{}}, func(ctx context.Context, v *view, f *Finding) { lookAtKey(ctx, v, resource{name: "key"}, f) }, "it is deleted, for good", "deploy with another key"},
		{"a supplied key", Clients{KMS: fakeKMS{state: "Enabled", policy: `{"Statement": {"Effect": "Allow", "Action": "kms:GenerateDataKey*", "Resource": "*"}}`}}, lookAtSuppliedKey, "", ""},
		{"a supplied key that is disabled", Clients{KMS: fakeKMS{state: "Disabled"}}, lookAtSuppliedKey, "it is Disabled", "aws kms enable-key"},
		{"a supplied key with another policy", Clients{KMS: fakeKMS{state: "Enabled", policy: `{}`}}, lookAtSuppliedKey, "statement CloudTrailEncrypt of the output LogStoreLogKeyStatements8E87AA92 is not in its policy", ""},
		{"a supplied bucket", Clients{S3: fakeS3{policy: &s3.GetBucketPolicyOutput{Policy: aws.String(`{"Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["*"]}]}`)}}}, lookAtSuppliedBucket, "", ""},
		{"a supplied bucket without a policy", Clients{S3: fakeS3{err: refusal("S3", "GetBucketPolicy", "NoSuchBucketPolicy")}}, lookAtSuppliedBucket, "it has no policy", "LogBucketStatements"},
		{"a supplied bucket that is gone", Clients{S3: fakeS3{err: refusal("S3", "GetBucketPolicy", "NoSuchBucket")}}, lookAtSuppliedBucket, "it is deleted", "another LogBucket"},
		{"a supplied bucket of another account", Clients{S3: fakeS3{err: refusal("S3", "GetBucketPolicy", "AccessDenied")}}, lookAtSuppliedBucket, "the caller may not call s3:GetBucketPolicy", ""},
		{"a policy of a role", Clients{IAM: fakePolicy{document: `{"Statement":[{"Sid":"Do","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`}}, rolePolicy, "", ""},
		{"a policy of a role that is gone", Clients{IAM: fakePolicy{}}, rolePolicy, "policy p of role r is deleted", revert},
		{"a policy of a role that says something else", Clients{IAM: fakePolicy{document: `{"Statement":[{"Sid":"Do","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`}}, rolePolicy,
			"statement Do: Effect is Deny, want Allow", revert},
		{"a supplied role that is gone", Clients{IAM: fakeIAM{}}, lookAtSuppliedRole, "it is deleted", "another AutomationRole"},
		{"a bus", Clients{Events: fakeEvents{policy: aws.String(`{"Statement": [{"Sid": "In", "Effect": "Allow"}]}`)}}, bus, "", ""},
		{"a bus that is gone", Clients{Events: fakeEvents{}}, bus, "it is deleted", revert},
		{"a bus with another policy", Clients{Events: fakeEvents{policy: aws.String(`{"Statement": [{"Sid": "In", "Effect": "Deny"}]}`)}}, bus, "statement In: Effect is Deny, want Allow", revert},
		{"a statement of a bus", Clients{Events: fakeEvents{policy: aws.String(`{"Version": "2012-10-17", "Statement": [{"Sid": "In", "Effect": "Allow"}, {"Sid": "Other"}]}`)}}, statement, "", ""},
		{"a statement of a bus that is gone", Clients{Events: fakeEvents{policy: aws.String(`{"Statement": [{"Sid": "Other"}]}`)}}, statement, "statement {", revert},
		{"a statement of a bus that lets others in", Clients{Events: fakeEvents{policy: aws.String(`{"Statement": [{"Sid": "In", "Effect": "Allow", "Principal": "*"}]}`)}}, statement, "statement {", revert},
		{"a statement of a bus that is deleted", Clients{Events: fakeEvents{}}, statement, "the bus is deleted", revert},
		{"a bus that somebody has opened", Clients{Events: fakeEvents{policy: aws.String(`{"Statement": [{"Sid": "All", "Effect": "Allow"}]}`)}}, open, "statement All of its policy is not in the template", "aws events remove-permission --event-bus-name bus --statement-id All"},
		{"a StackSet", rollsOut(func(*fakeStackSets) {}), set, "", ""},
		{"a StackSet that is gone", rollsOut(func(s *fakeStackSets) { s.set = nil }), set, "it is deleted", revert},
		{"a StackSet with another template", rollsOut(func(s *fakeStackSets) { s.set.TemplateBody = aws.String(`{"Resources": {"Queue": {}}}`) }), set, "TemplateBody.Resources.Queue is {}, want not set", revert},
		{"a StackSet that leaves accounts that join alone", rollsOut(func(s *fakeStackSets) { s.set.AutoDeployment.Enabled = aws.Bool(false) }), set, "AutoDeployment.Enabled is false, want true", revert},
		{"a stack that is behind", rollsOut(func(s *fakeStackSets) {
			s.instances[0].Status, s.instances[0].StatusReason, s.instances[0].OrganizationalUnitId = cfntypes.StackInstanceStatusOutdated, aws.String("no recorder"), aws.String("ou-1")
		}), set, "the stack of account 111122223333, us-east-1, is OUTDATED: no recorder",
			"aws cloudformation update-stack-instances --call-as DELEGATED_ADMIN --stack-set-name set --regions us-east-1 --deployment-targets OrganizationalUnitIds=ou-1,AccountFilterType=INTERSECTION,Accounts=111122223333"},
		{"an organization policy", Clients{Organizations: fakeOrganizations{policy: no, targets: []string{"ou-1", "ou-2"}}}, denies, "", ""},
		{"T46: an organization policy that is gone", Clients{Organizations: fakeOrganizations{}}, denies, "it is deleted", revert},
		{"T46: an organization policy that allows", Clients{Organizations: fakeOrganizations{policy: strings.Replace(no, "Deny", "Allow", 1), targets: []string{"ou-1"}}}, denies, "statement No: Effect is Allow, want Deny", revert},
		{"T46: an organization policy that is detached", Clients{Organizations: fakeOrganizations{policy: no, targets: []string{"ou-2"}}}, denies, "it is not attached to ou-1", "aws organizations attach-policy --policy-id p-1 --target-id ou-1"},
		{"T42: a subscription filter", Clients{Logs: fakeLogs{filters: []logtypes.SubscriptionFilter{{FilterName: aws.String("filter"), DestinationArn: aws.String("arn:lambda")}}}}, filter, "", ""},
		{"T42: a subscription filter that is gone", Clients{Logs: fakeLogs{}}, filter, "it is deleted", revert},
		{"T42: a subscription filter that goes elsewhere", Clients{Logs: fakeLogs{filters: []logtypes.SubscriptionFilter{{FilterName: aws.String("filter"), DestinationArn: aws.String("arn:other")}}}}, filter, "DestinationArn is arn:other, want arn:lambda", revert},
		{"the network fails", Clients{S3: fakeS3{err: &smithy.OperationError{ServiceID: "S3", OperationName: "GetBucketPolicy", Err: errors.New("connection refused")}}}, lookAtSuppliedBucket, "GetBucketPolicy failed: connection refused", ""},
		{"no answer in time", Clients{S3: fakeS3{err: &smithy.OperationError{ServiceID: "S3", OperationName: "GetBucketPolicy", Err: context.DeadlineExceeded}}}, lookAtSuppliedBucket, "GetBucketPolicy failed: no answer in time", ""},
	} {
		f := Finding{Name: "name"}
		test.look(t.Context(), fakeView(test.clients), &f)
		var told []Problem
		told = append(append(told, f.Problems...), f.Warnings...)
		for _, one := range f.NotSeen {
			told = append(told, Problem{What: one.What})
		}
		switch {
		case test.says == "" && len(told) > 0:
			t.Errorf("%s: got %q, want nothing", test.name, told)
		case test.says != "" && (len(told) == 0 || !strings.Contains(told[0].What, test.says) || !strings.Contains(told[0].Mend, test.mend)):
			t.Errorf("%s: got %q, want %q, %q", test.name, told, test.says, test.mend)
		}
	}
}

// TestAPartThatDoesNotAnswerIsNotWaitedForLonger has AWS never answer.
func TestAPartThatDoesNotAnswerIsNotWaitedForLonger(t *testing.T) {
	hangs := part{look: func(ctx context.Context, _ *view, f *Finding) {
		<-ctx.Done()
		f.read(&smithy.OperationError{ServiceID: "S3", OperationName: "GetBucketPolicy", Err: ctx.Err()})
	}}
	answers := part{look: func(_ context.Context, _ *view, f *Finding) { f.read(nil) }}
	parts, told := []part{hangs, answers}, 0
	fakeView(Clients{}).lookAt(t.Context(), parts, Options{Timeout: time.Millisecond, Progress: func(done, all int, _ Finding) {
		if told++; told != done || all != 2 {
			t.Errorf("%d of %d parts are told as the %dth", done, all, told)
		}
	}})
	if told != 2 || !parts[1].Whole() || len(parts[0].NotSeen) != 1 || parts[0].NotSeen[0].What != "GetBucketPolicy failed: no answer in time" {
		t.Errorf("got %+v", parts)
	}
}
