package tampering

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// extra is what a trail writes to besides its bucket.
type extra struct {
	// settings of the trail that cannot be put back without it.
	settings []deployed.Setting
	// delivery is what the runbook tells of a trail that still writes to it, refusal of one that cannot be made to.
	delivery, refusal string
	// remove deletes it, and returns how it is made again.
	remove func(g guard) (restore func())
}

// text is a declared setting.
func (g guard) text(setting deployed.Setting) string {
	return strings.Trim(g.Declared[setting], `"`)
}

// extras are those of the template "everything".
var extras = map[string]extra{
	"the topic": {[]deployed.Setting{deployed.SNSTopicARN}, "LatestNotificationError: ", "LEFT: SNS: An error occurred (InvalidSnsTopicNameException) ",
		func(g guard) func() {
			ctx, client, arn := g.T.Context(), sns.NewFromConfig(g.Config(localaws.Administrator)), g.text(deployed.SNSTopicARN)
			was, err := client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
			g.Must(err)
			_, err = client.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn})
			g.Must(err)
			return func() {
				_, err := client.CreateTopic(ctx, &sns.CreateTopicInput{
					Name: aws.String(arn[strings.LastIndexByte(arn, ':')+1:]), Attributes: map[string]string{"Policy": was.Attributes["Policy"]},
				})
				g.Must(err)
			}
		}},
	"the log group": {[]deployed.Setting{deployed.CloudWatchLogsLogGroupARN, deployed.CloudWatchLogsRoleARN}, "LatestCloudWatchLogsDeliveryError: ",
		"LEFT: CloudWatch Logs: An error occurred (InvalidCloudWatchLogsLogGroupArnException) ",
		func(g guard) func() {
			ctx, client := g.T.Context(), cloudwatchlogs.NewFromConfig(g.Config(localaws.Administrator))
			_, rest, _ := strings.Cut(g.text(deployed.CloudWatchLogsLogGroupARN), ":log-group:")
			name := strings.TrimSuffix(rest, ":*")
			_, err := client.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name})
			g.Must(err)
			return func() {
				_, err := client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name})
				g.Must(err)
			}
		}},
	"the policy of the role for the log group": {[]deployed.Setting{deployed.CloudWatchLogsLogGroupARN, deployed.CloudWatchLogsRoleARN}, "LatestCloudWatchLogsDeliveryError: ",
		"LEFT: CloudWatch Logs: An error occurred (InvalidCloudWatchLogsRoleArnException) ",
		func(g guard) func() {
			ctx, client, arn := g.T.Context(), iam.NewFromConfig(g.Config(localaws.Administrator)), g.text(deployed.CloudWatchLogsRoleARN)
			name := aws.String(arn[strings.LastIndexByte(arn, '/')+1:])
			listed, err := client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
			g.Must(err)
			policy := &listed.PolicyNames[0]
			was, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: policy})
			g.Must(err)
			_, err = client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: policy})
			g.Must(err)
			document, err := url.PathUnescape(*was.PolicyDocument)
			g.Must(err)
			return func() {
				_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: &document})
				g.Must(err)
			}
		}},
}

// unmetBut are the settings that are not as declared, without those that some extras leave.
func (g guard) unmetBut(broken ...extra) []string {
	g.T.Helper()
	return slices.DeleteFunc(g.Unmet(), func(one string) bool {
		return slices.ContainsFunc(broken, func(e extra) bool {
			return slices.ContainsFunc(e.settings, func(s deployed.Setting) bool { return strings.HasPrefix(one, string(s)+" ") })
		})
	})
}

// TestABrokenExtraKeepsNothingElseFromBeingRepaired is T55: what the trail writes to besides its bucket is deleted, and then the
// trail is sent elsewhere, cleared, or deleted. All that can be is put back, and the message names what cannot, and why.
func TestABrokenExtraKeepsNothingElseFromBeingRepaired(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "everything"))
		elsewhere := g.elsewhere()
		cases := map[string][]extra{"all of them": nil}
		for name, one := range extras {
			cases[name] = []extra{one}
			if name != "the policy of the role for the log group" { // without the group nobody misses it
				cases["all of them"] = append(cases["all of them"], one)
			}
		}
		for name, broken := range sorted(cases) {
			for i, path := range []deployed.Path{deployed.EventPath, deployed.SchedulePath} {
				if accounts[i] != a {
					continue
				}
				var mends []func()
				for _, one := range broken {
					mends = append(mends, one.remove(g))
				}
				t.Run(name+", "+string(path), func(t *testing.T) {
					g := g.in(t)
					g.Only(path)
					g.Settle()
					g.Must(g.CloudTrail().Deliver(t.Context())) // CloudTrail notices

					for _, id := range []string{"T08", "T19", "T02"} {
						before := len(g.Executions())
						said := g.told(func() {
							g.startLogging()
							g.Must(g.tamper(attack{scenario(id), callers[0], false}, elsewhere))
							g.Settle()
							if path == deployed.SchedulePath || id == "T02" {
								g.Only(deployed.SchedulePath) // the event of the deletion may be lost
								g.Pass(30 * time.Minute)
								g.Only(path)
							}
						})
						if unmet := g.unmetBut(broken...); len(unmet) > 0 {
							t.Errorf("after %s the trail is not as declared: %s", id, strings.Join(unmet, "; "))
						}
						runs := g.since(before)
						i := slices.IndexFunc(runs, func(r run) bool { return r.told != "" })
						if i < 0 {
							t.Fatalf("after %s people are told %q", id, said)
						}
						first := runs[i]
						status, subject := automation.Failed, "NOT REPAIRED: CloudTrail trail everything-trail\n"
						if id == "T08" { // what it writes to besides is as declared: it is only not there
							status, subject = automation.Success, "REPAIRED: CloudTrail trail everything-trail\n"
						}
						if first.Status != status || !slices.Contains(said, first.told) || !strings.HasPrefix(first.told, subject) {
							t.Errorf("after %s an execution is %s, and people are told %q", id, first.Status, said)
						}
						for _, one := range broken {
							reason := one.refusal
							if id == "T08" {
								reason = one.delivery
							}
							if !strings.Contains(first.told, "\n"+reason) {
								t.Errorf("after %s the message is %q, want it to say %q", id, first.told, reason)
							}
						}
						if failed := first.Status == automation.Failed; failed != slices.Contains(said, g.failureMessage(first)) {
							t.Errorf("after %s an execution is %s, and people are told %q", id, first.Status, said)
						}
					}
				})
				for _, mend := range mends {
					mend()
				}
				g.Only(deployed.SchedulePath)
				g.Pass(30 * time.Minute)
				g.WantRepaired()
			}
		}
	})
}

// TestAFullRegionIsToldByTrail is T56: the trail is deleted, and its place taken. The message names the trails that are there, and
// once one of them is deleted the next run makes the guarded one again.
func TestAFullRegionIsToldByTrail(t *testing.T) {
	inEach(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		const bucket, quota = "junk-bucket", 5
		g.openBucket(bucket)
		mallory := g.attacker(callers[1])
		g.strike("T01") // so that the event of the deletion is lost under each reading
		g.Only()
		g.Settle()
		g.Only(deployed.AllPaths)
		g.HoldConfig(true)
		g.strike("T02")
		for i := range quota {
			_, err := mallory.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String(fmt.Sprintf("junk-%d", i)), S3BucketName: aws.String(bucket)})
			g.Must(err)
		}
		g.Settle()
		for range 2 { // in each run
			before := len(g.Executions())
			said := g.told(func() { g.Pass(time.Hour) })
			runs := g.since(before)
			if len(runs) != 1 || runs[0].Status != automation.Failed || !slices.Contains(said, g.failureMessage(runs[0])) || !slices.Contains(said, runs[0].Message) {
				t.Fatalf("%d executions, and people are told %q", len(runs), said)
			}
			want := []string{"NOT REPAIRED: CloudTrail trail trailguard\n", "LEFT: trail: An error occurred (MaximumNumberOfTrailsExceededException) ", "delete one"}
			for i := range quota {
				want = append(want, fmt.Sprintf("Trail junk-%d writes to %s", i, bucket))
			}
			for _, part := range want {
				if !strings.Contains(runs[0].Message, part) {
					t.Errorf("the message is %q, want it to say %q", runs[0].Message, part)
				}
			}
		}
		_, err := g.Clients.CloudTrail.DeleteTrail(t.Context(), &cloudtrail.DeleteTrailInput{Name: aws.String("junk-3")})
		g.Must(err)
		before := len(g.Executions())
		said := g.told(func() { g.Pass(time.Hour) })
		g.WantRepaired()
		if runs := g.since(before); runs[0].Status != automation.Success || !slices.Contains(said, runs[0].Message) {
			t.Errorf("the execution is %s, and people are told %q", runs[0].Status, said)
		}
	})
}
