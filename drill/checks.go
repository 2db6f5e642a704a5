package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Verdict is what a drill found about an assumption.
type Verdict string

// The verdicts.
const (
	Held       Verdict = "held"
	DidNotHold Verdict = "did not hold"
	NotSeen    Verdict = "not seen" // nothing showed it, or it may not be read
)

// look is what the checks look at. What several of them need is read once.
type look struct {
	clients    Clients
	guard      deployed.Guard
	now        time.Time
	results    []Result
	scenarios  []string // of the assumption that is judged
	resources  func() (deployed.Resources, error)
	rules      func() ([]deployed.EventRule, error)
	executions func() ([]deployed.Execution, error)
	deployed   func() (time.Time, error)
	status     func() (*cloudtrail.GetTrailStatusOutput, error)
	ownCalls   func() ([]trailEvent, error)
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
	l.executions = sync.OnceValues(func() ([]deployed.Execution, error) {
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

func held(format string, args ...any) (Verdict, string, error) {
	return Held, fmt.Sprintf(format, args...), nil
}

func didNotHold(format string, args ...any) (Verdict, string, error) {
	return DidNotHold, fmt.Sprintf(format, args...), nil
}

func notSeen(format string, args ...any) (Verdict, string, error) {
	return NotSeen, fmt.Sprintf(format, args...), nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

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
func readOwnCalls(ctx context.Context, api *cloudtrail.Client, guard deployed.Guard) ([]trailEvent, error) {
	role := guard.AutomationRoleARN[strings.LastIndexByte(guard.AutomationRoleARN, '/')+1:]
	var own []trailEvent
	for _, name := range slices.Sorted(maps.Keys(trailParameters)) {
		found, err := api.LookupEvents(ctx, &cloudtrail.LookupEventsInput{LookupAttributes: []trailtypes.LookupAttribute{
			{AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: &name},
		}})
		if err != nil {
			return nil, fmt.Errorf("looking for the events of %s: %w", name, err)
		}
		for _, one := range found.Events {
			var event trailEvent
			if err := json.Unmarshal([]byte(aws.ToString(one.CloudTrailEvent)), &event); err != nil {
				return nil, fmt.Errorf("reading an event of %s: %w", name, err)
			}
			if strings.Contains(event.UserIdentity.ARN, ":assumed-role/"+role+"/") {
				own = append(own, event)
			}
		}
	}
	return own, nil
}

// parametersOfEvents looks at the script's calls: it names the trail by its name.
func (l *look) parametersOfEvents(context.Context) (Verdict, string, error) {
	events, err := l.ownCalls()
	n := 0
	for _, event := range events {
		if event.ErrorCode != nil {
			continue
		}
		n++
		if parameter := trailParameters[event.EventName]; event.RequestParameters[parameter] != l.guard.TrailName {
			return didNotHold("the event of the script's %s at %s has %s in requestParameters.%s",
				event.EventName, clock(event.EventTime), encode(event.RequestParameters[parameter]), parameter)
		}
	}
	switch {
	case err != nil:
		return "", "", err
	case n == 0 && len(events) > 0 && l.wroteLongAgo():
		return didNotHold("each of the %d events of the script's calls has an errorCode, and some calls succeeded", len(events))
	case n == 0:
		return notSeen("the event history holds no successful call of the script")
	}
	return held("so are %d events of the script's calls", n)
}

// wroteLongAgo tells whether a call of one of the latest executions succeeded so long ago that the event history must hold it.
// AWS speaks of minutes and promises none.
func (l *look) wroteLongAgo() bool {
	const late = time.Hour
	all, err := l.executions()
	return err == nil && slices.ContainsFunc(all, func(x deployed.Execution) bool {
		return x.Report != nil && len(x.Report.Writes) > 0 && x.Start.Before(l.now.Add(-late))
	})
}

func (l *look) issuerOfEvents(context.Context) (Verdict, string, error) {
	events, err := l.ownCalls()
	for _, event := range events {
		if issuer := event.UserIdentity.SessionContext.SessionIssuer.ARN; issuer != l.guard.AutomationRoleARN {
			return didNotHold("the event of the script's %s at %s names %q", event.EventName, clock(event.EventTime), issuer)
		}
	}
	if err != nil || len(events) == 0 {
		return NotSeen, "the event history holds no call of the script", err
	}
	return held("so are %d events of the script's calls", len(events))
}

// sample is an event, and whether it starts the runbook and is told to people as tampering.
type sample struct {
	what         string
	event        map[string]any
	starts, told bool
}

// samples are events that the patterns tell apart. The roles of guards are in the path trailguard.
func (l *look) samples() []sample {
	account, region, name := l.guard.Account(), l.guard.Region(), l.guard.TrailName
	of := func(source, detailType string, detail map[string]any) map[string]any {
		return map[string]any{
			"version": "0", "id": "00000000-0000-0000-0000-000000000000", "source": source, "detail-type": detailType, "account": account,
			"time": clock(l.now), "region": region, "resources": []any{}, "detail": detail,
		}
	}
	call := func(event string, parameters map[string]any, issuer string, more map[string]any) map[string]any {
		identity := map[string]any{"type": "Root"}
		if issuer != "" {
			identity = map[string]any{"type": "AssumedRole", "sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": issuer}}}
		}
		detail := map[string]any{
			"eventSource": "cloudtrail.amazonaws.com", "eventName": event, "requestParameters": parameters, "userIdentity": identity,
			"readOnly": false, "managementEvent": true,
		}
		maps.Copy(detail, more)
		return of("aws.cloudtrail", "AWS API Call via CloudTrail", detail)
	}
	named := func(trail string) map[string]any { return map[string]any{"name": trail} }
	partition := l.guard.Partition()
	role := func(path string) string { return "arn:" + partition + ":iam::" + account + ":role/" + path }
	return []sample{
		{"StopLogging by the trail's name, by the root user", call("StopLogging", named(name), "", nil), true, true},
		{"UpdateTrail by the trail's ARN, by a role", call("UpdateTrail", named(l.guard.TrailARN), role("Operations"), nil), true, true},
		{"PutEventSelectors without parameters", call("PutEventSelectors", nil, "", nil), true, true},
		{"StopLogging by the automation role", call("StopLogging", named(name), l.guard.AutomationRoleARN, nil), true, false},
		{"StopLogging by another guard's role", call("StopLogging", named(name), role("trailguard/Another"), nil), false, true},
		{"StopLogging of another trail", call("StopLogging", named(name+"2"), "", nil), false, false},
		{"StopLogging that was refused", call("StopLogging", named(name), "", map[string]any{"errorCode": "AccessDenied"}), false, false},
		{"PutInsightSelectors of an event data store", call("PutInsightSelectors", map[string]any{"eventDataStore": "store"}, "", nil), false, false},
		{"GuardDuty's finding", of("aws.guardduty", "GuardDuty Finding", map[string]any{"type": "Stealth:IAMUser/CloudTrailLoggingDisabled"}), true, false},
	}
}

// patterns has EventBridge itself match the deployed patterns of tampering with events.
func (l *look) patterns(ctx context.Context) (Verdict, string, error) {
	rules, err := l.rules()
	tested := 0
	for _, rule := range rules {
		if !strings.Contains(rule.Pattern, "StopLogging") {
			continue
		}
		for _, one := range l.samples() {
			want := one.told
			if rule.Starts {
				want = one.starts
			}
			got, err := l.clients.Events.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: &rule.Pattern, Event: aws.String(encode(one.event))})
			if err != nil {
				return "", "", fmt.Errorf("testing the pattern of rule %s: %w", rule.Name, err)
			}
			if tested++; got.Result != want {
				return didNotHold("rule %s, %s: it matches is %t, want %t", rule.Name, one.what, got.Result, want)
			}
		}
	}
	if err != nil || tested == 0 {
		return NotSeen, "no rule of the stack looks for tampering", err
	}
	return held("EventBridge itself matched %d pairs of a rule and an event so", tested)
}

// complete are the ends of a deployment that start the runbook.
var complete = []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}

// readDeployment is when the latest deployment of a stack ended; zero if it is not known.
func readDeployment(ctx context.Context, api *cloudformation.Client, stack string) (time.Time, error) {
	page, err := api.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the events of stack %s: %w", stack, err)
	}
	for _, event := range page.StackEvents { // the latest first
		if aws.ToString(event.PhysicalResourceId) == aws.ToString(event.StackId) && slices.Contains(complete, string(event.ResourceStatus)) {
			return aws.ToTime(event.Timestamp), nil
		}
	}
	return time.Time{}, nil
}

const (
	// soon is how long after its cause an execution of the schedule is taken to come from it.
	soon = 10 * time.Minute
	// skew is how far two clocks may be apart.
	skew = time.Minute
)

// scheduled are the executions that the schedule's rule started in a time.
func (l *look) scheduled(from, to time.Time) ([]deployed.Execution, error) {
	all, err := l.executions()
	return slices.DeleteFunc(slices.Clone(all), func(x deployed.Execution) bool {
		return x.StartedBy != "schedule" || x.Start.Before(from) || x.Start.After(to)
	}), err
}

// reach tells whether the executions that are looked at reach back to a time.
func (l *look) reach(t time.Time) bool {
	all, err := l.executions()
	return err == nil && (len(all) < looked || all[0].Start.Before(t))
}

// scheduleRule is the rule of the schedule and the end of a deployment; why says why it shows nothing.
func (l *look) scheduleRule() (rule deployed.EventRule, why string, err error) {
	rules, err := l.rules()
	i := slices.IndexFunc(rules, func(r deployed.EventRule) bool { return r.Starts && r.Path == deployed.SchedulePath })
	switch {
	case err != nil:
		return deployed.EventRule{}, "", err
	case i < 0:
		return deployed.EventRule{}, "no rule of the stack has a schedule or waits for its deployment", nil
	case !rules[i].Enabled:
		return deployed.EventRule{}, fmt.Sprintf("rule %s is disabled", rules[i].Name), nil
	}
	return rules[i], "", nil
}

// afterDeployment is the execution that the end of the latest deployment started; why says why there is none to be seen, and
// is empty where there should be one.
func (l *look) afterDeployment() (x *deployed.Execution, ended time.Time, why string, err error) {
	if _, why, err = l.scheduleRule(); err != nil || why != "" {
		return nil, ended, why, err
	}
	if ended, err = l.deployed(); err != nil || ended.IsZero() {
		return nil, ended, "the stack's events do not hold the end of a deployment", err
	}
	found, err := l.scheduled(ended.Add(-skew), ended.Add(soon))
	switch {
	case err != nil:
		return nil, ended, "", err
	case len(found) > 0:
		return &found[0], ended, "", nil
	case l.now.Before(ended.Add(soon)):
		why = fmt.Sprintf("the deployment ended at %s, too short a time ago", clock(ended))
	case !l.reach(ended) || l.now.Sub(ended) > 24*time.Hour:
		why = fmt.Sprintf("the deployment ended at %s, too long ago", clock(ended))
	}
	return nil, ended, why, nil
}

func (l *look) startAtDeployment(context.Context) (Verdict, string, error) {
	x, ended, why, err := l.afterDeployment()
	switch {
	case err != nil || why != "":
		return NotSeen, why, err
	case x == nil:
		return didNotHold("the deployment ended at %s, and no execution of the schedule's rule began within %s", clock(ended), soon)
	}
	return held("the deployment ended at %s, and execution %s began at %s", clock(ended), x.ID, clock(x.Start))
}

func (l *look) firstRun(context.Context) (Verdict, string, error) {
	x, ended, why, err := l.afterDeployment()
	switch {
	case err != nil || why != "":
		return NotSeen, why, err
	case x == nil:
		return notSeen("no execution began after the deployment that ended at %s", clock(ended))
	case !x.Ended():
		return notSeen("execution %s has not ended", x.ID)
	case x.Status != "Success":
		return didNotHold("execution %s, the first after the deployment, ended as %s: %s", x.ID, x.Status, x.Failure)
	}
	return held("execution %s, the first after the deployment, ended as Success", x.ID)
}

var ratePattern = regexp.MustCompile(`^rate\(([0-9]+) (minute|hour|day)s?\)$`)

// period is that of a schedule expression; 0 if it has none that is known.
func period(expression string) time.Duration {
	parts := ratePattern.FindStringSubmatch(expression)
	if parts == nil {
		return 0
	}
	// A number that is too large has no period that is known.
	n, _ := strconv.Atoi(parts[1])
	return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
}

func (l *look) schedule(context.Context) (Verdict, string, error) {
	rule, why, err := l.scheduleRule()
	if err != nil || why != "" {
		return NotSeen, why, err
	}
	every := period(rule.Schedule)
	if every == 0 || rule.Pattern == "" {
		return notSeen("rule %s has not both a pattern and a rate: its schedule is %q", rule.Name, rule.Schedule)
	}
	ended, err := l.deployed()
	if err != nil {
		return "", "", err
	}
	from := l.now.Add(-every - soon)
	if from.Before(ended) {
		return notSeen("the deployment ended at %s, less than %s ago", clock(ended), every+soon)
	}
	// An execution right after the deployment comes from the pattern.
	if after := ended.Add(soon); from.Before(after) {
		from = after
	}
	found, err := l.scheduled(from, l.now)
	switch {
	case err != nil:
		return "", "", err
	case len(found) > 0:
		return held("the schedule started execution %s at %s", found[0].ID, clock(found[0].Start))
	case !l.reach(from):
		return notSeen("the latest %d executions do not reach back to %s", looked, clock(from))
	}
	return didNotHold("rule %s has %s, and no execution of its began between %s and %s", rule.Name, rule.Schedule, clock(from), clock(l.now))
}

// startedBy are the executions that one of these started.
func (l *look) startedBy(starters ...string) ([]deployed.Execution, error) {
	all, err := l.executions()
	return slices.DeleteFunc(slices.Clone(all), func(x deployed.Execution) bool { return !slices.Contains(starters, x.StartedBy) }), err
}

func (l *look) startedByEventBridge(ctx context.Context) (Verdict, string, error) {
	found, err := l.startedBy("event", "schedule")
	if err != nil {
		return "", "", err
	}
	if len(found) > 0 {
		return held("EventBridge started execution %s", found[len(found)-1].ID)
	}
	rules, err := l.rules()
	for _, rule := range rules {
		if rule.DeadLetters == "" {
			continue
		}
		dead, err := countMessages(ctx, l.clients.SQS, rule.DeadLetters)
		if err != nil {
			return "", "", err
		}
		if dead != "0" {
			return didNotHold("%s events that could not start the runbook lie in queue %s, and EventBridge started none of the latest executions",
				dead, rule.DeadLetters)
		}
	}
	return NotSeen, "EventBridge started none of the latest executions, and none failed to start", err
}

func countMessages(ctx context.Context, api *sqs.Client, queue string) (string, error) {
	name := queue[strings.LastIndexByte(queue, ':')+1:]
	url, err := api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", fmt.Errorf("looking for queue %s: %w", name, err)
	}
	const number = sqstypes.QueueAttributeNameApproximateNumberOfMessages
	got, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{number}})
	if err != nil {
		return "", fmt.Errorf("reading queue %s: %w", name, err)
	}
	return got.Attributes[string(number)], nil
}

func (l *look) version(context.Context) (Verdict, string, error) {
	found, err := l.startedBy("event", "schedule", "Config")
	for _, x := range found {
		if x.Version != "1" {
			return didNotHold("execution %s, started by %s, is one of version %s", x.ID, x.StartedBy, x.Version)
		}
	}
	if err != nil || len(found) == 0 {
		return NotSeen, "neither EventBridge nor AWS Config started one of the latest executions", err
	}
	return held("so are %d executions", len(found))
}

func (l *look) script(context.Context) (Verdict, string, error) {
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var failed *deployed.Execution
	for _, x := range slices.Backward(all) {
		if x.Report != nil {
			return held("the script of execution %s reported what it did", x.ID)
		}
		if x.Ended() && x.Status != "Cancelled" && failed == nil {
			failed = &x
		}
	}
	if failed != nil {
		return didNotHold("execution %s ended as %s without a report of the script: %s", failed.ID, failed.Status, failed.Failure)
	}
	return notSeen("no execution has ended")
}

func (l *look) roundTrip(context.Context) (Verdict, string, error) {
	const enough = 3
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var wrote []deployed.Execution
	for _, x := range all {
		switch {
		case x.Report == nil:
		case len(x.Report.Writes) > 0:
			wrote = append(wrote, x)
		case x.Status == "Success":
			return held("execution %s found nothing to change", x.ID)
		}
	}
	if len(wrote) >= enough {
		last := wrote[len(wrote)-1]
		return didNotHold("each of %d executions changed something, the last one, %s, by %s", len(wrote), last.ID, strings.Join(last.Report.Writes, ", "))
	}
	return notSeen("%d executions ended, and each changed something", len(wrote))
}

func (l *look) startedByConfig(ctx context.Context) (Verdict, string, error) {
	resources, err := l.resources()
	if err != nil {
		return "", "", err
	}
	if len(resources["AWS::Config::RemediationConfiguration"]) == 0 {
		return notSeen("the stack has no remediation of AWS Config")
	}
	found, err := l.startedBy("Config")
	if err != nil {
		return "", "", err
	}
	if len(found) > 0 {
		return held("AWS Config started execution %s", found[len(found)-1].ID)
	}
	for _, name := range l.guard.ConfigRuleNames {
		got, err := l.clients.Config.DescribeRemediationExecutionStatus(ctx, &configservice.DescribeRemediationExecutionStatusInput{ConfigRuleName: &name})
		var none *configtypes.NoSuchRemediationConfigurationException
		if errors.As(err, &none) {
			continue
		}
		if err != nil {
			return "", "", fmt.Errorf("reading the remediations of rule %s: %w", name, err)
		}
		for _, one := range got.RemediationExecutionStatuses {
			if at := aws.ToTime(one.InvocationTime); one.State == configtypes.RemediationExecutionStateFailed && l.reach(at) {
				return didNotHold("the remediation of rule %s at %s failed, and none of the latest executions was started by AWS Config", name, clock(at))
			}
		}
	}
	return notSeen("AWS Config started none of the latest executions")
}

// compliance compares the verdict of the custom policy rule with what the runbook saw: a run that found nothing to change, and
// none since that changed anything, show that the trail was as declared when the verdict was recorded.
func (l *look) compliance(ctx context.Context) (Verdict, string, error) {
	if len(l.guard.ConfigRuleNames) == 0 {
		return notSeen("the guard has no rules of AWS Config")
	}
	described, err := l.clients.Config.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: l.guard.ConfigRuleNames})
	if err != nil {
		return "", "", fmt.Errorf("reading the rules of AWS Config: %w", err)
	}
	i := slices.IndexFunc(described.ConfigRules, func(r configtypes.ConfigRule) bool {
		return r.Source != nil && r.Source.Owner == configtypes.OwnerCustomPolicy
	})
	if i < 0 {
		return notSeen("none of the rules has a custom policy")
	}
	name := aws.ToString(described.ConfigRules[i].ConfigRuleName)
	got, err := l.clients.Config.GetComplianceDetailsByConfigRule(ctx, &configservice.GetComplianceDetailsByConfigRuleInput{ConfigRuleName: &name})
	if err != nil {
		return "", "", fmt.Errorf("reading the verdicts of rule %s: %w", name, err)
	}
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var declaredSince time.Time
	for _, x := range all {
		switch {
		case x.Report == nil || len(x.Report.Writes) > 0:
			declaredSince = time.Time{}
		case x.Status == "Success" && declaredSince.IsZero():
			declaredSince = x.End
		}
	}
	compliant := false
	for _, result := range got.EvaluationResults {
		at := aws.ToTime(result.ResultRecordedTime)
		switch result.ComplianceType {
		case configtypes.ComplianceTypeCompliant:
			compliant = true
		case configtypes.ComplianceTypeNonCompliant:
			if !declaredSince.IsZero() && at.After(declaredSince) {
				return didNotHold("rule %s was NON_COMPLIANT at %s, and no run changed anything since %s", name, clock(at), clock(declaredSince))
			}
			return notSeen("rule %s was NON_COMPLIANT at %s, when the trail may not have been as declared", name, clock(at))
		}
	}
	if !compliant {
		return notSeen("rule %s has no verdict", name)
	}
	return held("rule %s is COMPLIANT", name)
}

func (l *look) delivery(context.Context) (Verdict, string, error) {
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	for _, problem := range []*string{status.LatestDeliveryError, status.LatestDigestDeliveryError} {
		if aws.ToString(problem) != "" {
			return didNotHold("the latest delivery failed: %s", *problem)
		}
	}
	return delivered("log files", status.LatestDeliveryTime)
}

func (l *look) notification(context.Context) (Verdict, string, error) {
	if !l.guard.Declared.Has(deployed.SNSTopicARN) {
		return notSeen("the trail has no SNS topic")
	}
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	if problem := aws.ToString(status.LatestNotificationError); problem != "" {
		return didNotHold("the latest notification failed: %s", problem)
	}
	return delivered("notifications", status.LatestNotificationTime)
}

func (l *look) cloudWatchLogs(context.Context) (Verdict, string, error) {
	if !l.guard.Declared.Has(deployed.CloudWatchLogsLogGroupARN) {
		return notSeen("the trail has no CloudWatch Logs log group")
	}
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	if problem := aws.ToString(status.LatestCloudWatchLogsDeliveryError); problem != "" {
		return didNotHold("the latest delivery to CloudWatch Logs failed: %s", problem)
	}
	return delivered("events for CloudWatch Logs", status.LatestCloudWatchLogsDeliveryTime)
}

func delivered(what string, at *time.Time) (Verdict, string, error) {
	if at == nil {
		return notSeen("no %s have been delivered yet", what)
	}
	return held("%s were delivered at %s, and nothing failed since", what, clock(*at))
}

func (l *look) exceptions(context.Context) (Verdict, string, error) {
	all, err := l.executions()
	armed := map[string]string{} // the execution, by rule
	for _, x := range all {
		if x.Report != nil {
			for _, rule := range x.Report.Armed {
				armed[rule] = x.ID
			}
		}
	}
	for _, x := range all {
		for _, rule := range l.guard.ConfigRuleNames {
			// Of two runs at once, one may find that the other has deleted the exception.
			if x.Report != nil && x.Report.Wrong[rule] != "" && armed[rule] == "" {
				return didNotHold("execution %s could not arm rule %s: %s", x.ID, rule, x.Report.Wrong[rule])
			}
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(armed)) {
		return held("execution %s deleted an exception of rule %s", armed[rule], rule)
	}
	return NotSeen, "none of the latest executions found an exception", err
}

// attempts are the results of the scenarios of the assumption that is judged, without those that were refused.
func (l *look) attempts() []Result {
	return slices.DeleteFunc(slices.Clone(l.results), func(r Result) bool {
		return r.Refused != "" || !slices.Contains(l.scenarios, r.Attempt.Scenario.ID)
	})
}

func (l *look) notRun() (Verdict, string, error) {
	ids := strings.Join(l.scenarios, ", ")
	if len(l.attempts()) == 0 {
		return notSeen("none of %s was done", ids)
	}
	return notSeen("no run of the runbook reported that it found anything after %s", ids)
}

func (l *look) startedByEvent(context.Context) (Verdict, string, error) {
	const within = time.Minute
	rules, err := l.rules()
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(rules, func(r deployed.EventRule) bool { return r.Starts && r.Path == deployed.EventPath })
	if i < 0 || !rules[i].Enabled {
		return notSeen("no rule that is enabled starts the runbook on events")
	}
	if len(l.attempts()) == 0 {
		return l.notRun()
	}
	var most time.Duration
	n := 0
	for _, r := range l.attempts() {
		first, overtaken := time.Duration(-1), false
		for _, x := range r.Executions {
			after := x.Start.Sub(r.Began)
			switch {
			case x.StartedBy == "event" && (first < 0 || after < first):
				first = max(0, after)
			case x.StartedBy != "event" && x.Report != nil && len(x.Report.Writes) > 0:
				// It may have ended the attempt before the event was there.
				overtaken = overtaken || after <= within
			}
		}
		name := r.Attempt.Scenario.ID + " " + r.Attempt.Call()
		switch {
		case first > within:
			return didNotHold("%s: the event started the runbook after %s", name, first.Round(time.Second))
		case first < 0 && !overtaken:
			return didNotHold("%s: no event started the runbook in %s", name, r.Elapsed.Round(time.Second))
		case first >= 0:
			n, most = n+1, max(most, first)
		}
	}
	if n == 0 {
		return notSeen("another run repaired before the event was there")
	}
	return held("the events of %d calls started the runbook, after %s at most", n, most.Round(time.Second))
}

// startedByLastEvent is startedByEvent where no other trail logs.
func (l *look) startedByLastEvent(ctx context.Context) (Verdict, string, error) {
	listed, err := l.clients.CloudTrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		return "", "", fmt.Errorf("listing the trails: %w", err)
	}
	for _, trail := range listed.TrailList {
		if aws.ToString(trail.TrailARN) == l.guard.TrailARN {
			continue
		}
		status, err := l.clients.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: trail.TrailARN})
		if err != nil {
			return "", "", fmt.Errorf("reading the status of trail %s: %w", aws.ToString(trail.TrailARN), err)
		}
		if aws.ToBool(status.IsLogging) {
			return notSeen("it is not the only trail: %s logs, too", aws.ToString(trail.TrailARN))
		}
	}
	return l.startedByEvent(ctx)
}

// takenAway are the settings that scenarios take away with UpdateTrail, as the script names them.
var takenAway = map[string][]string{
	"T03": {"IsMultiRegionTrail"}, "T05": {"EnableLogFileValidation"}, "T06": {"KmsKeyId"},
	"T10": {"CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"}, "T11": {"SnsTopicName"},
}

// found are the settings that the runs of an attempt found wrong.
func (r Result) found() []string {
	changed := map[string]bool{}
	for _, x := range r.Executions {
		if x.Report != nil {
			for setting := range x.Report.Changed {
				changed[setting] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

func (l *look) updateLeavesAlone(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		found := r.found()
		for _, setting := range found {
			if !slices.Contains(takenAway[r.Attempt.Scenario.ID], setting) {
				return didNotHold("%s %s: the run found %s wrong", r.Attempt.Scenario.ID, r.Attempt.Call(), strings.Join(found, ", "))
			}
		}
		n += min(1, len(found))
	}
	if n == 0 {
		return l.notRun()
	}
	return held("after %d calls the run found wrong what they gave, and nothing else", n)
}

func (l *look) emptyClears(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		if slices.Contains(r.Unmet, changedNothing) {
			return didNotHold("%s %s: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), changedNothing)
		}
		n += min(1, len(r.found()))
	}
	if n == 0 {
		return l.notRun()
	}
	return held("%d calls took away what the run found missing", n)
}

func (l *look) createdAgain(context.Context) (Verdict, string, error) {
	n := 0
	for _, r := range l.attempts() {
		for _, x := range r.Executions {
			switch {
			case x.Report == nil:
			case x.Report.Wrong["trail"] != "":
				return didNotHold("%s %s: execution %s: %s", r.Attempt.Scenario.ID, r.Attempt.Call(), x.ID, x.Report.Wrong["trail"])
			case slices.Contains(x.Report.Writes, "create_trail"):
				n++
			}
		}
	}
	if n == 0 {
		return l.notRun()
	}
	return held("%d runs created the trail", n)
}
