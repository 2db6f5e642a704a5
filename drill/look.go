package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// look is what the checks look at. What several of them need is read once.
type look struct {
	clients   Clients
	guard     deployed.Guard
	now       time.Time
	results   []Result
	scenarios []string // of the assumption that is judged
	resources func() (deployed.Resources, error)
	rules     func() ([]deployed.EventRule, error)
	listed    func() ([]deployed.Execution, error) // the latest executions, with their steps
	deployed  func() (time.Time, error)
	status    func() (*cloudtrail.GetTrailStatusOutput, error)
	ownCalls  func() ([]trailEvent, error)
}

// looked is how many of the latest executions are looked at, with their steps.
const looked = deployed.LatestExecutions

func newLook(ctx context.Context, clients Clients, guard deployed.Guard, now time.Time) *look {
	reads := clients.Reads()
	l := &look{clients: clients, guard: guard, now: now}
	l.resources = sync.OnceValues(func() (deployed.Resources, error) { return deployed.ReadResources(ctx, reads, guard) })
	l.rules = sync.OnceValues(func() ([]deployed.EventRule, error) {
		resources, err := l.resources()
		if err != nil {
			return nil, err
		}
		return deployed.ReadEventRules(ctx, reads, guard, resources)
	})
	l.listed = sync.OnceValues(func() ([]deployed.Execution, error) {
		all, err := deployed.ListExecutions(ctx, clients.SSM, guard.RunbookName)
		all = all[max(0, len(all)-looked):]
		for i := range all {
			if err == nil {
				all[i], err = deployed.ReadSteps(ctx, clients.SSM, all[i])
			}
		}
		return all, err
	})
	l.deployed = sync.OnceValues(func() (time.Time, error) { return readDeployment(ctx, clients.CloudFormation, guard.Stack) })
	l.status = sync.OnceValues(func() (*cloudtrail.GetTrailStatusOutput, error) {
		return clients.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &guard.TrailARN})
	})
	l.ownCalls = sync.OnceValues(func() ([]trailEvent, error) { return readOwnCalls(ctx, clients.CloudTrail, guard) })
	return l
}

// executions are those of the latest executions that restore the trail.
func (l *look) executions() ([]deployed.Execution, error) {
	all, err := l.listed()
	return slices.DeleteFunc(slices.Clone(all), func(x deployed.Execution) bool { return x.OfLogStore }), err
}

// startedBy are the executions that one of the starters started.
func (l *look) startedBy(starters ...string) ([]deployed.Execution, error) {
	all, err := l.executions()
	return slices.DeleteFunc(slices.Clone(all), func(x deployed.Execution) bool { return !slices.Contains(starters, x.StartedBy) }), err
}

// reach tells whether the executions that are looked at reach back to a time.
func (l *look) reach(t time.Time) bool {
	all, err := l.listed()
	return err == nil && (len(all) < looked || all[0].Start.Before(t))
}

// trailEvent is the part of a CloudTrail event that the guard's patterns look at.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type trailEvent struct {
	EventName         string         `json:"eventName"`
	EventTime         time.Time      `json:"eventTime"`
	ErrorCode         *string        `json:"errorCode"`
	RequestParameters map[string]any `json:"requestParameters"`
	UserIdentity      struct {
		ARN            string `json:"arn"`
		SessionContext struct {
			SessionIssuer struct {
				ARN string `json:"arn"`
			} `json:"sessionIssuer"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
}

// trailParameters are the parameters in which the script's calls name the trail.
var trailParameters = map[string]string{
	"CreateTrail": "name", "StartLogging": "name", "UpdateTrail": "name", "PutEventSelectors": "trailName", "PutInsightSelectors": "trailName",
}

// readOwnCalls are the events of the script's calls that the event history holds, by the session of the automation role.
func readOwnCalls(ctx context.Context, api cloudtrail.LookupEventsAPIClient, guard deployed.Guard) ([]trailEvent, error) {
	role := guard.AutomationRoleARN[strings.LastIndexByte(guard.AutomationRoleARN, '/')+1:]
	var own []trailEvent
	for _, name := range slices.Sorted(maps.Keys(trailParameters)) {
		input := &cloudtrail.LookupEventsInput{LookupAttributes: []trailtypes.LookupAttribute{
			{AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: &name},
		}}
		for pages := cloudtrail.NewLookupEventsPaginator(api, input); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("looking for the events of %s: %w", name, err)
			}
			for _, found := range page.Events {
				var event trailEvent
				if err := json.Unmarshal([]byte(aws.ToString(found.CloudTrailEvent)), &event); err != nil {
					return nil, fmt.Errorf("reading an event of %s: %w", name, err)
				}
				if strings.Contains(event.UserIdentity.ARN, ":assumed-role/"+role+"/") {
					own = append(own, event)
				}
			}
		}
	}
	return own, nil
}

// complete are the ends of a deployment that start the runbook.
var complete = []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}

// readDeployment is when the latest deployment of a stack ended; zero if it is not known.
func readDeployment(ctx context.Context, api cloudformation.DescribeStackEventsAPIClient, stack string) (time.Time, error) {
	for pages := cloudformation.NewDescribeStackEventsPaginator(api, &cloudformation.DescribeStackEventsInput{StackName: &stack}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the events of stack %s: %w", stack, err)
		}
		for _, event := range page.StackEvents { // the latest first
			if aws.ToString(event.PhysicalResourceId) == aws.ToString(event.StackId) && slices.Contains(complete, string(event.ResourceStatus)) {
				return aws.ToTime(event.Timestamp), nil
			}
		}
	}
	return time.Time{}, nil
}
