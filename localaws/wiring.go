package localaws

import (
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
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/sns"
	"github.com/trailguard/trailguard/localaws/ssm"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
	"github.com/trailguard/trailguard/localaws/sts"
)

// remediationPolicy is the part of the role's managed policy, ConfigRemediationServiceRolePolicy, that is used here.
const remediationPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["ssm:GetDocument","ssm:DescribeDocument","ssm:StartAutomationExecution"],"Resource":"*"},
	{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}}]}`

// remediationRole is the service-linked role with which Config starts remediations.
// https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-remediation.html
func remediationRole(place api.Place) api.Principal {
	return api.Principal{
		Type: api.AssumedRole, SessionName: "ConfigRemediation",
		ARN: place.GlobalARN("iam", "role/aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation"),
	}
}

// services are the parts of AWS that run in Go. Reset replaces them.
type services struct {
	trails      *cloudtrail.Service
	config      *config.Service
	events      *eventbridge.Service
	automations *ssm.Service
}

// service registers itself with the gateway.
type service interface{ Register(api.Registry) }

// wiring is what the services have in common.
type wiring struct {
	options        *Options
	common         *common
	clock          *api.Clock
	ids            *api.IDs
	gateway        *gateway.Gateway
	iam            *iam.Authorizer
	direct         aws.Config // of clients that call moto itself
	directory      *moto.Directory
	worker         *automation.Worker
	evaluatePolicy func(context.Context, string, []byte) (config.Verdict, error)
}

// connect makes the gateway before moto, and what decides who may pass it.
func (w *wiring) connect(reference *servicereference.Reference, motoURL string) {
	place := w.options.Place
	w.directory = moto.NewDirectory(w.common.state, place)
	options := iam.Options{
		Place: place, Directory: w.directory, Reference: reference,
		Ask:        func(ctx context.Context, call api.Call) (any, error) { return w.gateway.Ask(ctx, call) },
		Membership: w.common.memberships.membership, PolicyType: w.common.memberships.policyType,
	}
	if !w.common.alone {
		options.Account, options.BucketOwner = w.common.others.authorizer, w.common.bucketOwner
	}
	w.iam = iam.New(options)
	w.gateway = gateway.New(gateway.Options{
		Place: place, Clock: w.clock, IDs: w.ids, Authorizer: w.iam, Backend: motoURL, Timeout: w.options.BackendTimeout,
		Door: w.common.door, Owner: w.common.ownerOf,
	})
	w.iam.Grant(remediationRole(place).ARN, policy.MustParse(policy.Identity, remediationPolicy))
	w.iam.Grant(stackSetsRole(place).ARN, policy.MustParse(policy.Identity, stackSetsPolicy))
	w.gateway.SetHeader(moto.StackSetsKeyHeader, w.common.stackSetsKey(w.gateway))
}

// newServices makes the services, without state, and lets them register.
func (w *wiring) newServices() (*services, *gateway.Services) {
	place := w.options.Place
	rules := eventbridge.NewClientRules(awseventbridge.NewFromConfig(w.direct))
	rules.Region = place.Region
	rules.Elsewhere = func(region string) eventbridge.RulesAPI {
		return awseventbridge.NewFromConfig(w.direct, func(o *awseventbridge.Options) { o.Region = region })
	}
	s := &services{events: &eventbridge.Service{Rules: rules, Fail: w.gateway.Fail, Clock: w.clock, IDs: w.ids, Account: w.common.others.bus}}
	s.events.Bus = eventbridge.NewBus(s.events.Rules, &targets{
		place: place, gateway: w.gateway, iam: w.iam, configs: map[string]aws.Config{}, bus: w.common.others.bus,
	}, w.clock, w.options.Readings.Events)
	emit := func(event map[string]any) {
		to := s.events.Bus
		if account := api.Text(event, "account"); account != place.Account {
			to = w.common.others.bus(account)
		}
		if err := to.Publish(context.Background(), event); err != nil {
			w.gateway.Fail(err)
		}
	}
	membership := func(ctx context.Context) (cloudtrail.Membership, error) {
		return w.common.inCloudTrail(ctx, place.Account)
	}
	found := &environment{place: place, common: w.common, iam: w.iam, directory: w.directory, membership: membership}
	s.trails = cloudtrail.New(cloudtrail.Options{
		Clock: w.clock, Place: place, RateLimited: w.options.RateLimited, Membership: membership,
		Account:                   w.common.others.trails,
		DefaultSelectorsAreCustom: w.options.Readings.DefaultSelectorsAreCustom,
		Environment:               found,
		Digests:                   found.delivered,
	})
	s.config = config.New(config.Options{
		Clock: w.clock, Place: place, Trails: func() []config.Trail { return trailsForConfig(s.trails.Trails()) },
		EvaluatePolicy: w.evaluatePolicy, Emit: s.events.Bus.Publish, StartAutomation: w.startRemediation(),
		DocumentExists: w.directory.DocumentExists, BucketExists: w.directory.BucketExists,
		CheckParameters: func(ctx context.Context, rule, document, version string, names []string) error {
			return checkParameters(ctx, w.directory, rule, document, version, names)
		},
		Unset: w.options.Readings.UnsetFields, ResourceID: w.options.Readings.TrailResourceID, Attempts: w.options.Readings.AttemptCount,
	})
	s.automations = ssm.New(ssm.Options{
		Place: place, Clock: w.clock, IDs: w.ids, Worker: w.worker, Document: w.document, Authorize: w.iam.Authorize,
		AccessKey: func(p api.Principal) string {
			return w.gateway.ServiceCredentials(p, "ssm.amazonaws.com", nil).AccessKeyID
		},
		Send: w.send, Emit: emit, Fail: w.gateway.Fail, Ended: s.config.AutomationFinished,
	})
	registry := &gateway.Services{}
	registry.Observe(w.common)
	registry.Observe(w.common.memberships)
	// Observers see calls in this order: policies and rules are forgotten before anybody looks at them.
	for _, each := range []service{
		w.iam, s.events, sts.Service{Credentials: w.credentials}, sns.Service{CheckKey: w.iam.CheckTopicKey}, s.config, s.automations,
		cloudformation.New(cloudformation.Options{Unread: w.common.unreadStatuses, Clock: w.clock, IDs: w.ids, Emit: emit, Fail: w.gateway.Fail}),
		s.trails,
	} {
		each.Register(registry)
	}
	registry.Observe(&cloudtrail.Recorder{
		Clock: w.clock, IDs: w.ids, Logs: w.logs(s), History: s.trails.History().Add, Emit: emit,
		DropDeletionOfLastTrail: w.options.Readings.DropDeletionOfLastTrail,
	})
	return s, registry
}

// logs tells whether a trail logs a call.
func (w *wiring) logs(s *services) func(api.Call) bool {
	return func(call api.Call) bool {
		logs, err := s.trails.Logs(context.Background(), call)
		if err != nil {
			w.gateway.Fail(err)
		}
		return logs
	}
}

// credentials issues an access key for a principal, in the principal's account.
func (w *wiring) credentials(p api.Principal) aws.Credentials {
	if account := p.Account(); account != w.options.Place.Account {
		return w.common.others.gateway(account).Credentials(p)
	}
	return w.gateway.Credentials(p)
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
func (w *wiring) startRemediation() func(context.Context, string, string, map[string][]string) (string, error) {
	client := awsssm.NewFromConfig(w.gateway.Config(w.gateway.ServiceCredentials(remediationRole(w.options.Place), "config.amazonaws.com", nil)))
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
func (w *wiring) document(ctx context.Context, name, version string) (ssm.Document, error) {
	return iam.Cached(&w.iam.Cache, "ssm", name+" "+version, func() (ssm.Document, error) {
		found, err := w.directory.Document(ctx, name, version)
		return ssm.Document(found), err
	})
}

// send answers the request of a script.
func (w *wiring) send(r *http.Request) (automation.Answer, error) {
	answer, record, err := w.gateway.Send(r)
	if err != nil {
		return automation.Answer{}, err
	}
	return automation.Answer{
		Status: answer.Status, Header: answer.Header, Body: answer.Body, Call: record.Call, ErrorCode: record.ErrorCode,
	}, nil
}
