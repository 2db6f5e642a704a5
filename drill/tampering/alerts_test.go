package tampering

import (
	"encoding/json"
	"fmt"
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
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/eventbridge"
)

// told are the messages that the alert topic accepts while something is done.
func (g guard) told(do func()) []string {
	g.T.Helper()
	before := len(g.Gateway.Calls())
	do()
	messages := []string{}
	for _, call := range g.Gateway.Calls()[before:] {
		if call.Action() != "sns:Publish" || call.Input["TopicArn"] != g.AlertTopicARN || call.ErrorCode != "" {
			continue
		}
		text := call.Input["Message"].(string)
		if subject, ok := call.Input["Subject"].(string); !ok {
			// EventBridge hands a text over as the JSON string that the template makes of it.
			g.Must(json.Unmarshal([]byte(text), &text))
		} else if !strings.HasPrefix(text, subject) {
			g.T.Errorf("the subject of %q is %q", text, subject)
		}
		// What a test does to the guard's parts is told, too: package disarming is about that.
		if !strings.Contains(text, " on the guard of the trail ") {
			messages = append(messages, text)
		}
	}
	return messages
}

// wantTold wants as many messages as beginnings, in this order.
func (g guard) wantTold(got []string, beginnings ...string) {
	g.T.Helper()
	if !slices.EqualFunc(got, beginnings, strings.HasPrefix) {
		g.T.Errorf("people are told\n    %s\nwant\n    %s", strings.Join(got, "\n    "), strings.Join(beginnings, "\n    "))
	}
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

func (g guard) now() string { return g.Clock.Now().UTC().Format(time.RFC3339) }

func (g guard) tamperingMessage(what string, c caller) string {
	return fmt.Sprintf("TAMPERING: %s on the trail %s in account %s, %s, by %s from 127.0.0.1 at %s.",
		what, g.TrailName, api.Account, api.Region, c.Principal.SessionARN(), g.now())
}

// failureMessage is that of an execution which has ended in a status.
func (g guard) failureMessage(r run) string {
	return fmt.Sprintf("REPAIR %s: the trail %s in account %s, %s at %s, execution %s.",
		r.Status, g.TrailName, api.Account, api.Region, r.EndTime.UTC().Format(time.RFC3339), r.ID)
}

// TestPeopleAreToldOfTamperingAndRepair is about every call that counts as tampering, by every form of caller: one message says
// who made it, and one what was put back. Of the guard's own calls nobody is told.
func TestPeopleAreToldOfTamperingAndRepair(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		for _, c := range callers {
			for id, what := range sorted(map[string][2]string{
				"T01": {"StopLogging", "IsLogging: found false, declared true"},
				"T02": {"DeleteTrail", `Trail: found null, declared "trailguard"`},
				"T05": {"UpdateTrail", "EnableLogFileValidation: found false, declared true"},
				"T14": {"PutEventSelectors", `EventSelectors: found [{"ReadWriteType": "ReadOnly"`},
				"T18": {"PutInsightSelectors", "InsightSelectors: found [], declared "},
			}) {
				attack := attack{scenario(id), c, true}
				want := []string{g.tamperingMessage(what[0], c), "REPAIRED: CloudTrail trail trailguard\n" + what[1]}
				got := g.told(func() {
					g.Must(g.tamper(attack, drill.Target{}))
					g.Settle()
				})
				if g.unnoticed(deployed.EventPath, attack, true) {
					want = nil
					g.Must(g.begin(nil))
					g.Settle()
				}
				g.wantTold(got, want...)
			}
		}
		before := len(g.Executions())
		g.wantTold(g.told(func() { g.Pass(time.Hour) })) // all is well, and nothing is said
		g.wantExecutions(before, 1)
	})
}

// breakages are what makes every repair fail.
var breakages = map[string]struct {
	breakIt func(g guard)
	says    string // the runbook; empty if it cannot speak either
}{
	"the automation role has no permission": {func(g guard) { g.removePolicies(g.AutomationRoleARN) }, ""},
	"the bucket is gone": {func(g guard) {
		_, err := g.Clients.S3.DeleteBucket(g.T.Context(), &s3.DeleteBucketInput{Bucket: &g.LogBucketName})
		g.Must(err)
	}, "LEFT: bucket: An error occurred (S3BucketDoesNotExistException) "},
	"the bucket's policy is gone": {func(g guard) {
		_, err := g.Clients.S3.DeleteBucketPolicy(g.T.Context(), &s3.DeleteBucketPolicyInput{Bucket: &g.LogBucketName})
		g.Must(err)
	}, "LEFT: bucket: An error occurred (InsufficientS3BucketPolicyException) "},
	"the key is disabled": {func(g guard) {
		_, err := g.Clients.KMS.DisableKey(g.T.Context(), &kms.DisableKeyInput{KeyId: aws.String(g.LogKeyARN[strings.LastIndexByte(g.LogKeyARN, '/')+1:])})
		g.Must(err)
	}, "LEFT: key: An error occurred (KmsException) "},
	"the key's policy shuts CloudTrail out": {func(g guard) {
		_, err := g.Clients.KMS.PutKeyPolicy(g.T.Context(), &kms.PutKeyPolicyInput{KeyId: &g.LogKeyARN, PolicyName: aws.String("default"), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + api.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`,
		)})
		g.Must(err)
	}, "LEFT: key: An error occurred (InsufficientEncryptionPolicyException) "},
}

// TestARepairThatCannotSucceedIsTold breaks what the repair needs, and tampers, on each path. The runbook says why where it can,
// and EventBridge that the execution failed.
func TestARepairThatCannotSucceedIsTold(t *testing.T) {
	t.Parallel()
	i := 0
	for name, broken := range sorted(breakages) {
		i++
		t.Run(name, func(t *testing.T) {
			inTurn(t, i, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "without-store")) // nobody mends what is broken
				elsewhere := g.elsewhere()
				g.Pass(0)
				broken.breakIt(g)
				g.Settle()
				for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath, deployed.ConfigPath} {
					g.Only(path)
					g.startLogging() // so that events arrive
					ids := []string{"T01", "T08"}
					if strings.Contains(name, "key") {
						ids[1] = "T06"
					}
					before := len(g.Executions())
					var want []string
					got := g.told(func() {
						want = append(want, g.tamperingMessage("UpdateTrail", callers[1]))
						err := g.tamper(attack{scenario(ids[1]), callers[1], false}, elsewhere)
						if testbed.HasCode(err, "InsufficientEncryptionPolicyException", "KmsException") {
							t.Fatal(err)
						}
						g.Must(err)
						want = append(want, g.tamperingMessage("StopLogging", callers[1]))
						g.Must(g.tamper(attack{scenario("T01"), callers[1], false}, elsewhere))
						g.Settle()
						if path != deployed.EventPath {
							g.Pass(period(path))
						}
					})
					runs := g.since(before)
					failed := 0
					for _, r := range runs {
						if r.Status != "Failed" {
							continue // it began when the rest was done
						}
						failed++
						if !slices.Contains(got, g.failureMessage(r)) {
							t.Errorf("on the path %s: nobody is told that %s failed: %q", path, r.ID, got)
						}
						said := slices.ContainsFunc(got, func(message string) bool {
							return strings.HasPrefix(message, "NOT REPAIRED: CloudTrail trail trailguard\n") && strings.Contains(message, "\n"+broken.says) && message == r.Message
						})
						if said != (broken.says != "") {
							t.Errorf("on the path %s: the reason %q is told: %v: %q", path, broken.says, said, got)
						}
					}
					if failed == 0 {
						t.Errorf("on the path %s: the executions were %v", path, said(runs))
					}
					for _, message := range want {
						if !slices.Contains(got, message) {
							t.Errorf("on the path %s: nobody is told %q: %q", path, message, got)
						}
					}
					if logs := !slices.ContainsFunc(g.Unmet(), func(one string) bool { return strings.HasPrefix(one, "IsLogging") }); logs != (broken.says != "") {
						t.Errorf("on the path %s: that the trail logs is %v", path, logs)
					}
				}
			})
		})
	}
}

// removePolicies takes every permission from a role.
func (g guard) removePolicies(roleARN string) {
	g.T.Helper()
	client, name := iam.NewFromConfig(g.Config(localaws.Administrator)), roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	listed, err := client.ListRolePolicies(g.T.Context(), &iam.ListRolePoliciesInput{RoleName: &name})
	g.Must(err)
	for _, policy := range listed.PolicyNames {
		_, err := client.DeleteRolePolicy(g.T.Context(), &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy})
		g.Must(err)
	}
}

// delivery is the role with which EventBridge reaches the targets of the guard's rules, and the queue for what it could not deliver.
func (g guard) delivery() (role, queueARN string) {
	g.T.Helper()
	for _, rule := range g.eventRules() {
		for _, target := range rule.targets {
			if target.RoleArn != nil {
				return *target.RoleArn, *target.DeadLetterConfig.Arn
			}
		}
	}
	g.T.Fatal("no rule has a target with a role")
	return "", ""
}

// TestAnEventThatCannotStartTheRunbookRaisesTheAlarm is about what comes between the event, or the schedule, and the runbook.
func TestAnEventThatCannotStartTheRunbookRaisesTheAlarm(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		name    string
		breakIt func(g guard)
		code    string // the dead letter's
	}{
		{"the runbook is deleted", func(g guard) {
			_, err := g.Clients.SSM.DeleteDocument(g.T.Context(), &ssm.DeleteDocumentInput{Name: &g.RunbookName})
			g.Must(err)
		}, "AutomationDefinitionNotFoundException"},
		{"the role may not start it", func(g guard) { notAllowed(targetRole, "ssm:StartAutomationExecution")(g) }, "NO_PERMISSIONS"},
	} {
		for _, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath} {
			t.Run(test.name+", "+string(path), func(t *testing.T) {
				inTurn(t, i, func(t *testing.T, a *account) {
					g := guarded(t, a, testbed.ReadTemplate(t, "default"))
					g.Only(path)
					if g.undelivered() {
						t.Error("the alarm is raised when all is well")
					}
					test.breakIt(g)
					want := g.tamperingMessage("StopLogging", callers[0])
					got := g.told(func() {
						g.strike("T01")
						g.Settle()
						if path == deployed.SchedulePath {
							g.Pass(time.Hour)
						}
					})
					g.wantTold(got, want)
					g.wantNotRepaired()
					if metrics := g.Bus().Metrics()[g.rule(path)]; metrics.FailedInvocations != 1 || metrics.InvocationsSentToDlq != 1 {
						t.Errorf("the rule's metrics are %+v", metrics)
					}
					if !g.undelivered() {
						t.Error("the alarm is not raised")
					}
					_, queue := g.delivery()
					letters, err := sqs.NewFromConfig(g.Config(localaws.Administrator)).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
						QueueUrl: queueURL(queue), MessageAttributeNames: []string{"All"},
					})
					g.Must(err)
					is := map[deployed.Path]string{deployed.EventPath: `"eventName":"StopLogging"`, deployed.SchedulePath: `"detail-type":"Scheduled Event"`}[path]
					if len(letters.Messages) != 1 || !strings.Contains(*letters.Messages[0].Body, is) ||
						aws.ToString(letters.Messages[0].MessageAttributes["ERROR_CODE"].StringValue) != test.code {
						t.Errorf("the dead letters are %+v", letters.Messages)
					}
				})
			})
		}
	}
}

// TestANoticeThatCannotBeGivenRaisesTheAlarm: the alarm reaches the topic without the role of the notices.
func TestANoticeThatCannotBeGivenRaisesTheAlarm(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		for _, word := range []string{"sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"} {
			restore := notAllowed(targetRole, word)(g)
			got := g.told(func() {
				g.strike("T01")
				g.Settle()
			})
			g.WantRepaired()
			if count(got, "TAMPERING: ") != 0 || count(got, "REPAIRED: ") != 1 {
				t.Errorf("without %s people are told %q", word, got)
			}
			if !g.undelivered() {
				t.Errorf("without %s the alarm is not raised", word)
			}
			_, queue := g.delivery()
			client := sqs.NewFromConfig(g.Config(localaws.Administrator))
			_, err := client.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: queueURL(queue)})
			g.Must(err)
			if g.undelivered() {
				t.Error("the alarm is raised when the queue is empty")
			}
			restore()
		}
	})
}

// TestADeadLetterHasToComeFromARuleOfTheAccount is about who may raise the alarm.
func TestADeadLetterHasToComeFromARuleOfTheAccount(t *testing.T) {
	inTurn(t, 0, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "default"))
		_, queue := g.delivery()
		eventBridge, own := api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}, "arn:aws:events:"+api.Region+":"+api.Account+":rule/"
		sources := map[string]bool{
			own + "other": true, strings.Replace(own, api.Account, "999999999999", 1) + "other": false, strings.Replace(own, "rule/", "event-bus/", 1) + "other": false,
		}
		for _, rule := range g.eventRules() {
			sources[own+*rule.Name] = true
		}
		for source, lets := range sources {
			err := g.IAM.Authorize(t.Context(), eventBridge, "sqs:SendMessage", queue, map[string][]string{"aws:SourceArn": {source}, "aws:SourceAccount": {api.Account}})
			if (err == nil) != lets {
				t.Errorf("a dead letter of %s is answered with %v", source, err)
			}
		}
	})
}

// TestTheTopicTakesAlarmsOfTheAccountOnly is about who may tell people something without a role: no rule of anybody's, and no
// alarm of another account's.
func TestTheTopicTakesAlarmsOfTheAccountOnly(t *testing.T) {
	inTurn(t, 1, func(t *testing.T, a *account) {
		g := deploy(t, a, testbed.ReadTemplate(t, "default"))
		for _, who := range []struct {
			service, arn, account string
			lets                  bool
		}{
			{"cloudwatch.amazonaws.com", "arn:aws:cloudwatch:" + api.Region + ":" + api.Account + ":alarm:any", api.Account, true},
			{"cloudwatch.amazonaws.com", "arn:aws:cloudwatch:" + api.Region + ":210987654321:alarm:any", "210987654321", false},
			{"events.amazonaws.com", "arn:aws:events:" + api.Region + ":" + api.Account + ":rule/any", api.Account, false},
			{"events.amazonaws.com", "arn:aws:events:" + api.Region + ":210987654321:rule/any", "210987654321", false},
		} {
			err := g.IAM.AuthorizePublish(t.Context(), api.Principal{Type: api.AWSService, ARN: who.service}, g.AlertTopicARN, map[string][]string{
				"aws:SourceArn": {who.arn}, "aws:SourceAccount": {who.account},
			})
			if (err == nil) != who.lets {
				t.Errorf("%s is answered with %v", who.arn, err)
			}
		}
	})
}

func queueURL(arn string) *string {
	return aws.String("http://127.0.0.1/" + api.Account + "/" + arn[strings.LastIndexByte(arn, ':')+1:])
}

// alarm is the deployed alarm on a metric of this stack. What it says must reach the topic.
func (g guard) alarm(metric string) cloudwatchtypes.MetricAlarm {
	g.T.Helper()
	described, err := cloudwatch.NewFromConfig(g.Config(localaws.Administrator)).DescribeAlarms(g.T.Context(), &cloudwatch.DescribeAlarmsInput{})
	g.Must(err)
	var found []cloudwatchtypes.MetricAlarm
	for _, alarm := range described.MetricAlarms {
		if aws.ToString(alarm.MetricName) == metric && slices.Equal(alarm.AlarmActions, []string{g.AlertTopicARN}) {
			found = append(found, alarm)
		}
	}
	if len(found) != 1 {
		g.T.Fatalf("%d alarms on %s tell the topic", len(found), metric)
	}
	alarm := found[0]
	service := api.Principal{Type: api.AWSService, ARN: "cloudwatch.amazonaws.com"}
	g.Must(g.IAM.AuthorizePublish(g.T.Context(), service, g.AlertTopicARN, map[string][]string{
		"aws:SourceArn": {aws.ToString(alarm.AlarmArn)}, "aws:SourceAccount": {api.Account},
	}))
	if alarm.ComparisonOperator != cloudwatchtypes.ComparisonOperatorGreaterThanThreshold || *alarm.EvaluationPeriods != 5 || aws.ToInt32(alarm.DatapointsToAlarm) != 1 ||
		len(alarm.Dimensions) != 1 || aws.ToString(alarm.TreatMissingData) != "notBreaching" || alarm.ActionsEnabled != nil && !*alarm.ActionsEnabled {
		g.T.Fatalf("the alarm %+v is not evaluated here", alarm)
	}
	return alarm
}

// undelivered tells whether the alarm on what could not be delivered is raised now.
func (g guard) undelivered() bool {
	g.T.Helper()
	alarm := g.alarm("ApproximateNumberOfMessagesVisible")
	if *alarm.Namespace != "AWS/SQS" || *alarm.Dimensions[0].Name != "QueueName" || alarm.Statistic != cloudwatchtypes.StatisticSum {
		g.T.Fatalf("the alarm %+v is not evaluated here", alarm)
	}
	got, err := sqs.NewFromConfig(g.Config(localaws.Administrator)).GetQueueAttributes(g.T.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: queueURL(":" + *alarm.Dimensions[0].Value), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
	})
	g.Must(err)
	var visible float64
	_, err = fmt.Sscan(got.Attributes["ApproximateNumberOfMessages"], &visible)
	g.Must(err)
	return visible > *alarm.Threshold
}

// floodRings is how often the alarm on a flood has rung since a moment. An alarm rings when a period is above its threshold and
// none of those before that it looks at was.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
func (g guard) floodRings(since time.Time) int {
	g.T.Helper()
	alarm := g.alarm("Invocations")
	if *alarm.Namespace != "AWS/Events" || *alarm.Dimensions[0].Name != "RuleName" || alarm.Statistic != cloudwatchtypes.StatisticSum {
		g.T.Fatalf("the alarm %+v is not evaluated here", alarm)
	}
	period := time.Duration(*alarm.Period) * time.Second
	sums, total := map[time.Time]float64{}, 0
	for _, delivery := range g.Bus().Deliveries() {
		if delivery.Rule == *alarm.Dimensions[0].Value && delivery.Outcome != eventbridge.Retrying {
			total++
			if !delivery.Time.Before(since) {
				sums[delivery.Time.Truncate(period)]++
			}
		}
	}
	if counted := g.Bus().Metrics()[*alarm.Dimensions[0].Value].Invocations; counted != total {
		g.T.Fatalf("EventBridge counts %d invocations, and made %d", counted, total)
	}
	rings, raisedUntil := 0, time.Time{}
	for at := since.Truncate(period); !at.After(g.Clock.Now()); at = at.Add(period) {
		if sums[at] <= *alarm.Threshold {
			continue
		}
		if !at.Before(raisedUntil) {
			rings++
		}
		raisedUntil = at.Add(time.Duration(*alarm.EvaluationPeriods) * period)
	}
	return rings
}
