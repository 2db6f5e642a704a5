package closedloop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// clock is a time as people are told it.
func clock(t time.Time) string { return t.UTC().Format(time.DateTime) }

// link is where people find an execution.
func link(x *automation.Execution) string {
	return "https://" + api.Region + ".console.aws.amazon.com/systems-manager/automation/execution/" + x.ID
}

// madeAt is when an execution made a call that was not refused, for the first time.
func madeAt(x *automation.Execution, name string) time.Time {
	for _, call := range x.Calls {
		if call.API == name && call.ErrorCode == "" {
			return call.Time
		}
	}
	return time.Time{}
}

// wantMessage reports that an execution told people anything but one message of these lines, or reports another.
func (g guard) wantMessage(x *automation.Execution, lines ...string) {
	g.T.Helper()
	want := strings.Join(lines, "\n")
	if got := told(x); len(got) != 1 || got[0] != want {
		g.T.Errorf("people were told\n%s\nwant\n%s", strings.Join(got, "\n---\n"), want)
	}
	if got := g.reportOf(x).Message; got != want {
		g.T.Errorf("the report says\n%s\nwant\n%s", got, want)
	}
	for _, call := range x.Calls {
		if call.Service == "sns" && (call.Input["Subject"] != lines[0] || call.Input["TopicArn"] != g.AlertTopicARN) {
			g.T.Errorf("the subject is %q, to %s: want the first line, to %s", call.Input["Subject"], call.Input["TopicArn"], g.AlertTopicARN)
		}
	}
}

func TestTheMessageSaysSinceWhenNothingWasLogged(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		g.stop()
		stopped := g.Clock.Now()
		g.Clock.Advance(11 * time.Minute)
		x := g.repair()
		started := madeAt(x, "StartLogging").Add(x.Calls[1].Time.Sub(x.Calls[0].Time))
		g.wantMessage(x,
			"REPAIRED: CloudTrail trail trailguard",
			"IsLogging: found false, declared true",
			fmt.Sprintf("Nothing was logged from %s to %s", clock(stopped), clock(started)),
			"Account "+api.Account+", started by hand: "+link(x),
		)
		r := g.reportOf(x)
		if r.StartedBy != "hand" || !slices.Equal(r.Writes, []string{"start_logging"}) || len(r.Wrong) > 0 || r.NotTold != "" {
			t.Errorf("the report is %+v", r)
		}
	})
}

// TestALogThatIsNotDeliveredIsToldUntilItIs, by one look that writes nothing: no call of the guard's to CloudTrail makes the log arrive.
func TestALogThatIsNotDeliveredIsToldUntilItIs(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		g.Must(g.CloudTrail().Deliver(t.Context()))
		policy := g.bucketPolicy()
		g.deleteBucketPolicy()
		g.Clock.Advance(time.Hour)
		g.Must(g.CloudTrail().Deliver(t.Context()))
		g.wantLeftAlone() // the log store's own repair has not had its turn
		g.Clock.Advance(2 * time.Hour)
		g.Must(g.CloudTrail().Deliver(t.Context()))
		for range 2 {
			began := g.Clock.Now()
			x := g.repair()
			g.wantFailed(x, "NOT REPAIRED: CloudTrail trail trailguard\nLEFT: delivery: ", "Restore it and its policy.", "\nLatestDeliveryError: AccessDenied\n")
			if made := writes(x); len(made) > 0 || g.Clock.Now().Sub(began) > time.Minute {
				t.Errorf("in %s the run wrote %v", g.Clock.Now().Sub(began), made)
			}
		}
		g.putBucketPolicy(policy)
		g.Must(g.CloudTrail().Deliver(t.Context()))
		g.wantLeftAlone()
	})
}

// TestWhatWasFoundIsToldInFull: the selectors that an intruder overwrote are nowhere else.
func TestWhatWasFoundIsToldInFull(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.healthy()
		var arns []string
		for i := range 250 {
			arns = append(arns, fmt.Sprintf("arn:aws:s3:::a-bucket-with-a-name-of-some-length-%03d/and-a-prefix/", i))
		}
		g.putSelectors(types.EventSelector{
			ReadWriteType: types.ReadWriteTypeReadOnly, ExcludeManagementEventSources: []string{"kms.amazonaws.com"},
			DataResources: []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: arns}},
		})
		e := g.elsewhere()
		g.update(cloudtrail.UpdateTrailInput{S3BucketName: &e.bucket, KmsKeyId: empty})
		x := g.repair()
		g.wantSuccess(x)
		message := strings.Join(told(x), "\n")
		lines := strings.Split(message, "\n")
		for _, want := range []string{
			fmt.Sprintf(`S3BucketName: found "elsewhere", declared %q`, g.LogBucketName),
			fmt.Sprintf(`KmsKeyId: found "", declared %q`, g.LogKeyARN),
		} {
			if !slices.Contains(lines, want) {
				t.Errorf("the message does not say %s, but\n%s", want, message)
			}
		}
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "EventSelectors: found ") })
		if i < 0 {
			t.Fatalf("the message says nothing of the selectors: %s", message)
		}
		found, declared, _ := strings.Cut(strings.TrimPrefix(lines[i], "EventSelectors: found "), ", declared ")
		var selectors []types.EventSelector
		g.Must(json.Unmarshal([]byte(found), &selectors))
		if len(selectors) != 1 || selectors[0].ReadWriteType != types.ReadWriteTypeReadOnly || !slices.Equal(selectors[0].DataResources[0].Values, arns) ||
			!slices.Equal(selectors[0].ExcludeManagementEventSources, []string{"kms.amazonaws.com"}) {
			t.Errorf("the selectors that were found are told as %s", found)
		}
		g.Must(json.Unmarshal([]byte(declared), &selectors))
		if got := g.reportOf(x).Changed["EventSelectors"].Found; len(g.encode(got)) < len(g.encode(arns)) {
			t.Errorf("the report shortens what was found: %v", got)
		}
	})
}

func TestARepairThatFindsAllWellSaysNothing(t *testing.T) {
	onShared(t, "everything", func(g guard) {
		g.healthy()
		g.wantLeftAlone()
	})
}

func TestADeliveryErrorIsTold(t *testing.T) {
	onShared(t, "everything", func(g guard) {
		g.healthy()
		policy := g.bucketPolicy()
		g.deleteBucketPolicy()
		g.Must(g.CloudTrail().Deliver(t.Context()))
		g.stop()
		x := g.repair()
		g.wantSuccess(x)
		if message := told(x); len(message) != 1 || !strings.Contains(message[0], "\nLatestDeliveryError: AccessDenied\n") {
			t.Errorf("while CloudTrail is shut out, people are told\n%s", strings.Join(message, "\n"))
		}

		g.putBucketPolicy(policy)
		g.Clock.Advance(time.Minute)
		g.Must(g.CloudTrail().Deliver(t.Context()))
		g.stop()
		x = g.repair()
		g.wantSuccess(x)
		if message := told(x); len(message) != 1 || strings.Contains(message[0], "DeliveryError") {
			t.Errorf("after a delivery, people are told\n%s", strings.Join(message, "\n"))
		}
	})
}

// TestAMessageThatCannotBeSentFailsNothing: the trail is repaired, and the report says why nobody was told.
func TestAMessageThatCannotBeSentFailsNothing(t *testing.T) {
	onShared(t, "default", func(g guard) {
		for _, test := range []struct {
			name  string
			spoil func(g guard) (mend func())
			want  string
		}{
			{"denied", func(g guard) func() {
				g.Gateway.SetFaults(localaws.Faults{Before: localaws.FailNext("sns:Publish", 1, "AuthorizationError")})
				return func() {}
			}, "AuthorizationError"},
			{"the key of the topic is disabled", func(g guard) func() { return g.disableKey(g.alertKey()) }, "KMSDisabled"},
			{"the topic is gone", func(g guard) func() { return g.deleteTopic(g.AlertTopicARN) }, "NotFound"},
		} {
			g.step(test.name, func(g guard) {
				g.healthy()
				g.stop()
				mend := test.spoil(g)
				x := g.repair()
				mend()
				g.wantSuccess(x)
				g.WantRepaired()
				r := g.reportOf(x)
				if len(told(x)) > 0 || !strings.Contains(r.NotTold, test.want) || !strings.Contains(r.Message, "IsLogging: found false") {
					g.T.Errorf("people were told %v, and the report is %+v", told(x), r)
				}
			})
		}
		g.healthy()
		g.stop()
		if x := g.repair(); len(told(x)) != 1 {
			t.Errorf("once all is mended, people are told %v", told(x))
		}
	})
}

func TestAnExceptionThatWasDeletedIsTold(t *testing.T) {
	onShared(t, "default", func(g guard) {
		exceptions := g.exempt()
		x := g.repair()
		g.wantSuccess(x)
		message := strings.Join(told(x), "\n")
		for _, exception := range exceptions {
			want := *exception.ConfigRuleName + ": found \"exempted\", declared \"remediated\""
			if !strings.Contains(message, want) {
				t.Errorf("the message does not say %q, but\n%s", want, message)
			}
		}
		if left := g.exceptions(); len(left) > 0 {
			t.Errorf("exceptions are left: %v", left)
		}
	})
}
