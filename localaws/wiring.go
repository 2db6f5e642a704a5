package localaws

import (
	"cmp"
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudformation"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/sns"
	"github.com/trailguard/trailguard/localaws/ssm"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
	"github.com/trailguard/trailguard/localaws/sts"
)

// remediationRole is the service-linked role with which Config starts remediations.
// https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-remediation.html
func (a *AWS) remediationRole() api.Principal {
	return api.Principal{
		Type: api.AssumedRole, SessionName: "ConfigRemediation",
		ARN: a.options.Place.GlobalARN("iam", "role/aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation"),
	}
}

// remediationPolicy is the part of the role's managed policy, ConfigRemediationServiceRolePolicy, that is used here.
const remediationPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["ssm:GetDocument","ssm:DescribeDocument","ssm:StartAutomationExecution"],"Resource":"*"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}}]}`

// services are the parts of AWS that run in Go. Reset replaces them.
type services struct {
	trails      *cloudtrail.Service
	config      *config.Service
	events      *eventbridge.Service
	automations *ssm.Service
}

// service registers itself with the gateway.
type service interface{ Register(api.Registry) }

// renew makes the services anew, without state, and puts the gateway before them.
func (a *AWS) renew() {
	place := a.options.Place
	s := &services{events: &eventbridge.Service{Rules: eventbridge.NewClientRules(awseventbridge.NewFromConfig(a.direct)), Fail: a.Gateway.Fail}}
	s.events.Bus = eventbridge.NewBus(s.events.Rules, &targets{
		place: place, gateway: a.Gateway, iam: a.IAM, configs: map[string]aws.Config{},
	}, a.Clock, a.options.Readings.Events)
	emit := func(event map[string]any) {
		if err := s.events.Bus.Publish(context.Background(), event); err != nil {
			a.Gateway.Fail(err)
		}
	}
	s.trails = cloudtrail.New(cloudtrail.Options{
		Clock: a.Clock, Place: place, Organization: a.options.Organization, RateLimited: a.options.RateLimited,
		DefaultSelectorsAreCustom: a.options.Readings.DefaultSelectorsAreCustom,
		Environment: &environment{
			place: place, iam: a.IAM, directory: a.directory, organizationID: cmp.Or(a.options.OrganizationID, "o-exampleorgid"),
		},
	})
	s.config = config.New(config.Options{
		Clock: a.Clock, Place: place, Trails: func() []config.Trail { return trailsForConfig(s.trails.Trails()) },
		EvaluatePolicy: a.evaluatePolicy, Emit: s.events.Bus.Publish, StartAutomation: a.startRemediation(),
		DocumentExists: a.directory.DocumentExists, BucketExists: a.directory.BucketExists,
		Unset: a.options.Readings.UnsetFields, ResourceID: a.options.Readings.TrailResourceID, Attempts: a.options.Readings.AttemptCount,
	})
	s.automations = ssm.New(ssm.Options{
		Place: place, Clock: a.Clock, IDs: a.ids, Worker: a.worker, Document: a.document, Authorize: a.IAM.Authorize,
		AccessKey: func(p api.Principal) string {
			return a.Gateway.ServiceCredentials(p, "ssm.amazonaws.com", nil).AccessKeyID
		},
		Send: a.send, Emit: emit, Fail: a.Gateway.Fail, Ended: s.config.AutomationFinished,
	})
	registry := &gateway.Services{}
	// Observers are told in this order: policies and rules are forgotten before anybody looks at them.
	for _, each := range []service{
		a.IAM, s.events, sts.Service{Credentials: a.Gateway.Credentials}, sns.Service{CheckKey: a.IAM.CheckTopicKey}, s.config, s.automations,
		cloudformation.New(cloudformation.Options{Config: a.direct, Clock: a.Clock, IDs: a.ids, Emit: emit, Fail: a.Gateway.Fail}),
		s.trails,
	} {
		each.Register(registry)
	}
	registry.Check("config:PutRemediationConfigurations", a.checkRemediations)
	registry.Observe(&cloudtrail.Recorder{
		Clock: a.Clock, IDs: a.ids, Logs: s.trails.Logs, History: s.trails.History().Add, Emit: emit,
		DropDeletionOfLastTrail: a.options.Readings.DropDeletionOfLastTrail,
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = s
	a.Gateway.Use(registry)
}

// current are the services of now.
func (a *AWS) current() *services {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.services
}

// trailsForConfig are CloudTrail's trails as Config sees them.
func trailsForConfig(trails []cloudtrail.Trail) []config.Trail {
	seen := make([]config.Trail, 0, len(trails))
	for _, t := range trails {
		seen = append(seen, config.Trail{
			Name: t.Name, ARN: t.ARN, HomeRegion: t.HomeRegion, S3BucketName: t.S3BucketName, S3KeyPrefix: t.S3KeyPrefix,
			SNSTopicName: t.SNSTopicName, SNSTopicARN: t.SNSTopicARN, CloudWatchLogsLogGroupARN: t.CloudWatchLogsLogGroupARN,
			CloudWatchLogsRoleARN: t.CloudWatchLogsRoleARN, KMSKeyID: t.KMSKeyID,
			IncludeGlobalServiceEvents: t.IncludeGlobalServiceEvents, IsMultiRegionTrail: t.IsMultiRegionTrail,
			IsOrganizationTrail: t.IsOrganizationTrail, LogFileValidationEnabled: t.LogFileValidationEnabled,
			HasCustomEventSelectors: t.HasCustomEventSelectors, HasInsightSelectors: t.HasInsightSelectors,
			Tags: t.Tags, IsLogging: t.IsLogging, LogsAllManagementEvents: t.LogsAllManagementEvents(),
		})
	}
	return seen
}

// startRemediation is how Config starts a runbook: by a call, with its service-linked role.
func (a *AWS) startRemediation() func(context.Context, string, string, map[string][]string) (string, error) {
	client := awsssm.NewFromConfig(a.Gateway.Config(a.Gateway.ServiceCredentials(a.remediationRole(), "config.amazonaws.com", nil)))
	return func(ctx context.Context, document, version string, parameters map[string][]string) (string, error) {
		input := &awsssm.StartAutomationExecutionInput{DocumentName: &document, Parameters: parameters}
		if version != "" {
			input.DocumentVersion = &version
		}
		started, err := client.StartAutomationExecution(ctx, input)
		if err != nil {
			return "", moto.Refused(err)
		}
		return aws.ToString(started.AutomationExecutionId), nil
	}
}

// document is a version of a document, which moto keeps.
func (a *AWS) document(ctx context.Context, name, version string) (ssm.Document, error) {
	return iam.Cached(&a.IAM.Cache, "ssm", name+" "+version, func() (ssm.Document, error) {
		found, err := a.directory.Document(ctx, name, version)
		return ssm.Document(found), err
	})
}

// send answers the request of a script.
func (a *AWS) send(r *http.Request) (automation.Answer, error) {
	answer, record, err := a.Gateway.Send(r)
	if err != nil {
		return automation.Answer{}, err
	}
	return automation.Answer{
		Status: answer.Status, Header: answer.Header, Body: answer.Body, Call: record.Call, ErrorCode: record.ErrorCode,
	}, nil
}
