package tampering

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
	"github.com/trailguard/trailguard/drill/internal/localaws/authorize"
)

// told are the messages that the alert topic accepts while something is done.
func (g guard) told(do func()) []string {
	g.t.Helper()
	before := len(g.Gateway.Calls())
	do()
	messages := []string{}
	for _, call := range g.Gateway.Calls()[before:] {
		if call.Action() == "sns:Publish" && call.Input["TopicArn"] == g.AlertTopicARN && call.ErrorCode == "" {
			text := call.Input["Message"].(string)
			// EventBridge hands a text over as the JSON string that the template makes of it.
			g.must(json.Unmarshal([]byte(text), &text))
			messages = append(messages, text)
		}
	}
	return messages
}

func (g guard) wantTold(got []string, want ...string) {
	g.t.Helper()
	if !slices.Equal(got, want) {
		g.t.Errorf("people are told\n    %s\nwant\n    %s", strings.Join(got, "\n    "), strings.Join(want, "\n    "))
	}
}

func (g guard) now() string { return g.Clock.Now().UTC().Format(time.RFC3339) }

func (g guard) tamperingMessage(what string, c caller) string {
	return fmt.Sprintf("TAMPERING: %s on the trail %s in account %s, %s, by %s from 127.0.0.1 at %s.",
		what, g.TrailName, api.Account, api.Region, authorize.SessionARN(c.Principal), g.now())
}

// repairMessages are those of the one execution after the first n.
func (g guard) repairMessages(n int, status string) []string {
	g.t.Helper()
	started := g.since(n)
	if len(started) != 1 {
		g.t.Fatalf("%d executions were started, want 1", len(started))
	}
	message := func(status string, at time.Time) string {
		return fmt.Sprintf("REPAIR %s: the trail %s in account %s, %s at %s, execution %s.",
			status, g.TrailName, api.Account, api.Region, at.UTC().Format(time.RFC3339), started[0].ID)
	}
	return []string{message("InProgress", started[0].StartTime), message(status, started[0].EndTime)}
}

// TestPeopleAreToldOfTamperingAndRepair is about every call that counts as tampering, by every form of caller.
func TestPeopleAreToldOfTamperingAndRepair(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, readTemplate(t, "default"))
		for _, c := range callers {
			for id, what := range map[string]string{
				"T01": "StopLogging", "T02": "DeleteTrail", "T05": "UpdateTrail", "T14": "PutEventSelectors", "T18": "PutInsightSelectors",
			} {
				attack := attack{scenario(id), c, true}
				want, before := []string{g.tamperingMessage(what, c)}, len(g.Executions())
				got := g.told(func() {
					g.must(g.tamper(attack, drill.Target{}))
					g.settle()
				})
				if attack.isUnseen(a) {
					g.must(g.begin(nil))
					g.settle()
					continue
				}
				g.wantTold(got, append(want, g.repairMessages(before, "Success")...)...)
			}
		}
	})
}

// count is the number of messages that begin with a text.
func count(messages []string, beginning string) int {
	n := 0
	for _, message := range messages {
		if strings.HasPrefix(message, beginning) {
			n++
		}
	}
	return n
}

// breakages are what makes every repair fail.
var breakages = map[string]func(g guard){
	"the automation role has no permission": func(g guard) { g.removePolicies(g.AutomationRoleARN) },
	"the bucket is gone": func(g guard) {
		_, err := g.admin.S3.DeleteBucket(g.t.Context(), &s3.DeleteBucketInput{Bucket: &g.LogBucketName})
		g.must(err)
	},
	"the bucket's policy is gone": func(g guard) {
		_, err := g.admin.S3.DeleteBucketPolicy(g.t.Context(), &s3.DeleteBucketPolicyInput{Bucket: &g.LogBucketName})
		g.must(err)
	},
	"the key is disabled": func(g guard) {
		_, err := g.admin.KMS.DisableKey(g.t.Context(), &kms.DisableKeyInput{KeyId: aws.String(g.LogKeyARN[strings.LastIndexByte(g.LogKeyARN, '/')+1:])})
		g.must(err)
	},
	"the key's policy shuts CloudTrail out": func(g guard) {
		_, err := g.admin.KMS.PutKeyPolicy(g.t.Context(), &kms.PutKeyPolicyInput{KeyId: &g.LogKeyARN, PolicyName: aws.String("default"), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + api.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`,
		)})
		g.must(err)
	},
}

// TestARepairThatCannotSucceedIsTold breaks what the repair needs, and tampers.
func TestARepairThatCannotSucceedIsTold(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(breakages)) {
		t.Run(name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, "default"))
				g.configLooks(0)
				breakages[name](g)
				g.settle()

				stop := attack{scenario("T01"), callers[1], false}
				want, before := []string{g.tamperingMessage("StopLogging", callers[1])}, len(g.Executions())
				got := g.told(func() {
					g.must(g.tamper(stop, drill.Target{}))
					g.settle()
				})
				g.wantTold(got, append(want, g.repairMessages(before, "Failed")...)...)

				g.repairOnEvents(false)
				g.must(g.tamper(stop, drill.Target{}))
				g.must(g.tamper(attack{scenario("T05"), callers[1], false}, drill.Target{}))
				before = len(g.Executions())
				got = g.told(func() { g.configLooks(period) })
				started := g.since(before)
				if told := count(got, "REPAIR Failed: ") + count(got, "REPAIR TimedOut: "); len(started) == 0 || told != len(started) {
					t.Errorf("people are told of %d failures of %d executions that Config started: %q", told, len(started), got)
				}
				if told := count(got, "NON_COMPLIANT: the trail "+g.TrailName+" in account "+api.Account+", "+api.Region+", by the rule "); told == 0 {
					t.Errorf("nobody is told of Config's verdict: %q", got)
				}
			})
		})
	}
}

// removePolicies takes every permission from a role.
func (g guard) removePolicies(roleARN string) {
	g.t.Helper()
	client, name := iam.NewFromConfig(g.Config(localaws.Administrator)), roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	listed, err := client.ListRolePolicies(g.t.Context(), &iam.ListRolePoliciesInput{RoleName: &name})
	g.must(err)
	for _, policy := range listed.PolicyNames {
		_, err := client.DeleteRolePolicy(g.t.Context(), &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy})
		g.must(err)
	}
}

// startTarget is the target that starts the runbook on tampering, and its rule.
func (g guard) startTarget() (rule, role, queueARN string) {
	g.t.Helper()
	for _, rule := range g.eventRules() {
		for _, target := range rule.targets {
			if target.RoleArn != nil {
				return *rule.Name, *target.RoleArn, *target.DeadLetterConfig.Arn
			}
		}
	}
	g.t.Fatal("no rule starts the runbook")
	return "", "", ""
}

// TestAnEventThatCannotStartTheRunbookRaisesTheAlarm is about what comes between the event and the runbook.
func TestAnEventThatCannotStartTheRunbookRaisesTheAlarm(t *testing.T) {
	for i, test := range []struct {
		name    string
		breakIt func(g guard)
		queued  int
		code    string // the dead letter's
	}{
		{"the runbook is deleted", func(g guard) {
			_, err := g.admin.SSM.DeleteDocument(g.t.Context(), &ssm.DeleteDocumentInput{Name: &g.RunbookName})
			g.must(err)
		}, 1, "AutomationDefinitionNotFoundException"},
		{"the role may not start it", func(g guard) {
			_, role, _ := g.startTarget()
			g.removePolicies(role)
		}, 1, "NO_PERMISSIONS"},
		{"nor is there a queue", func(g guard) {
			_, role, queue := g.startTarget()
			g.removePolicies(role)
			client := sqs.NewFromConfig(g.Config(localaws.Administrator))
			_, err := client.DeleteQueue(g.t.Context(), &sqs.DeleteQueueInput{QueueUrl: queueURL(queue)})
			g.must(err)
		}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, readTemplate(t, "default"))
				if g.alarms(failedInvocations | queueDepth) {
					t.Error("the alarm is raised when all is well")
				}
				test.breakIt(g)
				want := []string{g.tamperingMessage("StopLogging", callers[0])}
				got := g.told(func() {
					g.must(g.tamper(attack{scenario("T01"), callers[0], false}, drill.Target{}))
					g.settle()
				})
				g.wantTold(got, want...)
				g.wantNotRepaired()
				rule, _, queue := g.startTarget()
				if metrics := g.Bus().Metrics()[rule]; metrics.FailedInvocations != 1 || metrics.InvocationsSentToDlq != test.queued {
					t.Errorf("the rule's metrics are %+v", metrics)
				}
				if test.queued == 0 {
					if !g.alarms(failedInvocations) {
						t.Error("the alarm is not raised")
					}
					return
				}
				// AWS may not count an invocation as failed that it puts into the queue: each metric alone must do.
				if !g.alarms(failedInvocations) || !g.alarms(queueDepth) || !g.alarms(failedInvocations|queueDepth) {
					t.Error("the alarm is not raised")
				}
				letters, err := sqs.NewFromConfig(g.Config(localaws.Administrator)).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
					QueueUrl: queueURL(queue), MessageAttributeNames: []string{"All"},
				})
				g.must(err)
				if len(letters.Messages) != 1 || !strings.Contains(*letters.Messages[0].Body, `"eventName":"StopLogging"`) ||
					aws.ToString(letters.Messages[0].MessageAttributes["ERROR_CODE"].StringValue) != test.code {
					t.Errorf("the dead letters are %+v", letters.Messages)
				}
			})
		})
	}
}

func queueURL(arn string) *string {
	return aws.String("http://127.0.0.1/" + api.Account + "/" + arn[strings.LastIndexByte(arn, ':')+1:])
}

// reported are the metrics that AWS reports.
type reported int

const (
	failedInvocations reported = 1 << iota
	queueDepth
)

// alarms evaluates the deployed alarm, and tells whether it is raised and the topic accepts what it says.
func (g guard) alarms(metrics reported) bool {
	g.t.Helper()
	described, err := cloudwatch.NewFromConfig(g.Config(localaws.Administrator)).DescribeAlarms(g.t.Context(), &cloudwatch.DescribeAlarmsInput{})
	g.must(err)
	if n := len(described.MetricAlarms); n != 1 {
		g.t.Fatalf("there are %d alarms", n)
	}
	alarm := described.MetricAlarms[0]
	if !slices.Equal(alarm.AlarmActions, []string{g.AlertTopicARN}) {
		g.t.Errorf("the alarm tells %v", alarm.AlarmActions)
	}
	service := api.Principal{Type: api.AWSService, ARN: "cloudwatch.amazonaws.com"}
	g.must(g.Gateway.Authorize(g.t.Context(), service, "sns:Publish", g.AlertTopicARN, map[string][]string{
		"aws:SourceArn": {aws.ToString(alarm.AlarmArn)}, "aws:SourceAccount": {api.Account},
	}))
	values, expression := map[string]float64{}, ""
	for _, query := range alarm.Metrics {
		if query.Expression != nil {
			expression = *query.Expression
			continue
		}
		if value, ok := g.metric(*query.MetricStat.Metric, metrics); ok {
			values[*query.Id] = value
		}
	}
	if alarm.ComparisonOperator != cloudwatchtypes.ComparisonOperatorGreaterThanThreshold || *alarm.EvaluationPeriods != 1 {
		g.t.Fatalf("the alarm's comparison %s over %d periods is not evaluated here", alarm.ComparisonOperator, *alarm.EvaluationPeriods)
	}
	return g.sum(expression, values) > *alarm.Threshold
}

// metric is the value that a metric has, if it is reported.
func (g guard) metric(m cloudwatchtypes.Metric, metrics reported) (value float64, ok bool) {
	g.t.Helper()
	if len(m.Dimensions) != 1 {
		g.t.Fatalf("metric %s has %d dimensions", *m.MetricName, len(m.Dimensions))
	}
	dimension := m.Dimensions[0]
	switch *m.Namespace + " " + *m.MetricName + " " + *dimension.Name {
	case "AWS/Events FailedInvocations RuleName":
		return float64(g.Bus().Metrics()[*dimension.Value].FailedInvocations), metrics&failedInvocations != 0
	case "AWS/SQS ApproximateNumberOfMessagesVisible QueueName":
		if metrics&queueDepth == 0 {
			return 0, false
		}
		got, err := sqs.NewFromConfig(g.Config(localaws.Administrator)).GetQueueAttributes(g.t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: queueURL(":" + *dimension.Value), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
		})
		g.must(err)
		_, err = fmt.Sscan(got.Attributes["ApproximateNumberOfMessages"], &value)
		g.must(err)
		return value, true
	}
	g.t.Fatalf("metric %s %s is not evaluated here", *m.Namespace, *m.MetricName)
	return 0, false
}

// sum evaluates the one form of metric math that is in use: FILL(a, 0) + FILL(b, 0).
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
func (g guard) sum(expression string, values map[string]float64) float64 {
	g.t.Helper()
	total := 0.0
	for _, term := range strings.Split(expression, " + ") {
		id, filler := "", 0.0
		if _, err := fmt.Sscanf(strings.NewReplacer("(", " ", ",", " ", ")", "").Replace(term), "FILL %s %g", &id, &filler); err != nil {
			g.t.Fatalf("the expression %q is not evaluated here: %v", expression, err)
		}
		if value, ok := values[id]; ok {
			filler = value
		}
		total += filler
	}
	return total
}
