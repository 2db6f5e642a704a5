package disarming

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

// evaluation is a reading of how CloudWatch evaluates an alarm over missing data: it asks for more periods than it evaluates, how many more
// is not documented, and fills in what is missing only if it has not got enough.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
type evaluation struct{ more int }

var evaluations = []evaluation{{0}, {1}, {2}, {3}}

// alarm is the deployed alarm, and what it watches.
type alarm struct {
	cloudwatchtypes.MetricAlarm
	g testbed.Guard
}

func missingDigests(g testbed.Guard) alarm {
	g.T.Helper()
	described, err := cloudwatch.NewFromConfig(g.Admin).DescribeAlarms(g.T.Context(), &cloudwatch.DescribeAlarmsInput{})
	g.Must(err)
	i := slices.IndexFunc(described.MetricAlarms, func(a cloudwatchtypes.MetricAlarm) bool { return aws.ToString(a.MetricName) == "MatchedEvents" })
	if i < 0 {
		g.T.Fatal("there is no alarm on MatchedEvents")
	}
	a := described.MetricAlarms[i]
	if a.ComparisonOperator != cloudwatchtypes.ComparisonOperatorLessThanThreshold || *a.Threshold != 1 || *a.EvaluationPeriods != 3 || a.DatapointsToAlarm != nil ||
		aws.ToString(a.TreatMissingData) != "breaching" || *a.Namespace != "AWS/Events" || len(a.Dimensions) != 1 || *a.Dimensions[0].Name != "RuleName" ||
		!slices.Equal(a.AlarmActions, []string{g.AlertTopicARN}) || a.ActionsEnabled != nil && !*a.ActionsEnabled {
		g.T.Fatalf("the alarm %+v is not evaluated here", a)
	}
	service := api.Principal{Type: api.AWSService, ARN: "cloudwatch.amazonaws.com"}
	g.Must(g.IAM.AuthorizePublish(g.T.Context(), service, g.AlertTopicARN, map[string][]string{
		"aws:SourceArn": {aws.ToString(a.AlarmArn)}, "aws:SourceAccount": {api.Account},
	}))
	return alarm{a, g}
}

// rings are the times at which the alarm rings, from one time to another: it is evaluated at the end of each period. The metric is there only
// if it is not zero, so that each period has data or breaches.
func (a alarm) rings(e evaluation, from, to time.Time) []time.Time {
	period := time.Duration(*a.Period) * time.Second
	has := map[time.Time]bool{}
	for _, at := range a.g.Bus().MatchedAt(*a.Dimensions[0].Value) {
		has[at.Truncate(period)] = true
	}
	var rings []time.Time
	raised := false
	for end := from.Truncate(period).Add(period); !end.After(to); end = end.Add(period) {
		found := 0
		for n := range int(*a.EvaluationPeriods) + e.more {
			if has[end.Add(-time.Duration(n+1)*period)] {
				found++
			}
		}
		// What was found does not breach: it rings if nothing was found.
		if found == 0 && !raised {
			rings = append(rings, end)
		}
		raised = found == 0
	}
	return rings
}

// TestTheSwitchIsSilentInAHealthyWeek: from the deployment on, if the guard looks each hour, and if nobody calls anything.
func TestTheSwitchIsSilentInAHealthyWeek(t *testing.T) {
	for i, name := range []string{"default", "everything", "organization"} {
		for _, idle := range []bool{false, true} {
			if !idle && name != "default" {
				continue
			}
			t.Run(name+map[bool]string{true: ", idle", false: ""}[idle], func(t *testing.T) {
				in(t, i, func(t *testing.T, a *account) {
					g := a.guarded(t, testbed.ReadTemplate(t, name))
					since := g.Clock.Now()
					g.HoldConfig(true)
					defer g.HoldConfig(false)
					step := time.Hour
					if idle {
						g.Only()
						step = 24 * time.Hour
					}
					for passed := time.Duration(0); passed < 7*24*time.Hour; passed += step {
						g.Pass(step)
					}
					for _, e := range evaluations {
						if rings := missingDigests(g).rings(e, since, g.Clock.Now()); len(rings) > 0 {
							t.Errorf("the alarm rings at %v, after the deployment at %v", rings, since)
						}
					}
					if n := len(g.Bus().MatchedAt(*missingDigests(g).Dimensions[0].Value)); n < 7*24 {
						t.Errorf("the rule matched %d events in a week", n)
					}
				})
			})
		}
	}
}

// causes are what keeps the log from arriving.
var causes = map[string]func(g testbed.Guard){
	"T01 the trail is stopped": func(g testbed.Guard) {
		g.Must(of(g.Clients.CloudTrail.StopLogging(g.T.Context(), &cloudtrail.StopLoggingInput{Name: &g.TrailName})))
	},
	"T02 the trail is deleted": func(g testbed.Guard) {
		g.Must(of(g.Clients.CloudTrail.DeleteTrail(g.T.Context(), &cloudtrail.DeleteTrailInput{Name: &g.TrailName})))
	},
	"T05 validation is off": func(g testbed.Guard) {
		g.Must(of(g.Clients.CloudTrail.UpdateTrail(g.T.Context(), &cloudtrail.UpdateTrailInput{Name: &g.TrailName, EnableLogFileValidation: aws.Bool(false)})))
	},
	"T08 the trail logs into another bucket": func(g testbed.Guard) {
		bucket := "elsewhere"
		g.Must(of(g.Clients.S3.CreateBucket(g.T.Context(), &s3.CreateBucketInput{Bucket: &bucket})))
		g.Must(of(g.Clients.S3.PutBucketPolicy(g.T.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["s3:GetBucketAcl","s3:PutObject"],` +
				`"Resource":["arn:aws:s3:::elsewhere","arn:aws:s3:::elsewhere/*"]}]}`)})))
		g.Must(of(g.Clients.CloudTrail.UpdateTrail(g.T.Context(), &cloudtrail.UpdateTrailInput{Name: &g.TrailName, S3BucketName: &bucket})))
	},
	"T21 the bucket's policy denies CloudTrail": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.PutBucketPolicy(g.T.Context(), &s3.PutBucketPolicyInput{Bucket: &g.LogBucketName, Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::` + g.LogBucketName + `/*"}]}`)})))
	},
	"T22 the bucket's policy is deleted": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.DeleteBucketPolicy(g.T.Context(), &s3.DeleteBucketPolicyInput{Bucket: &g.LogBucketName})))
	},
	"T23 the bucket is deleted": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.DeleteBucket(g.T.Context(), &s3.DeleteBucketInput{Bucket: &g.LogBucketName})))
	},
	"T28 the key is disabled": func(g testbed.Guard) {
		g.Must(of(g.Clients.KMS.DisableKey(g.T.Context(), &kms.DisableKeyInput{KeyId: keyID(g)})))
	},
	"T29 the key's deletion is scheduled": func(g testbed.Guard) {
		g.Must(of(g.Clients.KMS.ScheduleKeyDeletion(g.T.Context(), &kms.ScheduleKeyDeletionInput{KeyId: keyID(g)})))
	},
	"T30 the key's policy leaves CloudTrail out": func(g testbed.Guard) {
		g.Must(of(g.Clients.KMS.PutKeyPolicy(g.T.Context(), &kms.PutKeyPolicyInput{KeyId: &g.LogKeyARN, PolicyName: aws.String("default"), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + api.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`)})))
	},
	"the bucket sends no events": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.PutBucketNotificationConfiguration(g.T.Context(), &s3.PutBucketNotificationConfigurationInput{
			Bucket: &g.LogBucketName, NotificationConfiguration: &s3types.NotificationConfiguration{},
		})))
	},
	"the switch's own rule is disabled": func(g testbed.Guard) {
		for _, rule := range g.Rules {
			if strings.Contains(rule.Name, "AlertingDigests") {
				g.Must(of(g.Clients.Events.DisableRule(g.T.Context(), &awseventbridge.DisableRuleInput{Name: &rule.Name})))
			}
		}
	},
}

// TestTheSwitchRingsWhateverKeepsTheLogFromArriving: with all repair off, three hours after the last digest file, and at the latest as many hours later as CloudWatch
// asks for more periods; once.
func TestTheSwitchRingsWhateverKeepsTheLogFromArriving(t *testing.T) {
	i := 0
	for _, name := range sorted(causes) {
		i++
		t.Run(name, func(t *testing.T) {
			in(t, i, func(t *testing.T, a *account) {
				g := a.guarded(t, testbed.ReadTemplate(t, "default"))
				g.HoldConfig(true)
				defer g.HoldConfig(false)
				g.Only()
				g.Settle()
				g.Pass(10*time.Hour + 20*time.Minute)
				if rings := missingDigests(g).rings(evaluation{0}, g.Clock.Now().Add(-9*time.Hour), g.Clock.Now()); len(rings) > 0 {
					t.Errorf("the alarm rings at %v when all is well", rings)
				}
				causes[name](g)
				g.Settle()
				broken := g.Clock.Now()
				for range 12 {
					g.Pass(time.Hour)
				}
				for _, e := range evaluations {
					rings := missingDigests(g).rings(e, broken, g.Clock.Now())
					latest := broken.Truncate(time.Hour).Add(time.Duration(4+e.more) * time.Hour)
					if len(rings) != 1 || rings[0].After(latest) {
						t.Errorf("after what was done at %v, with %d periods more, the alarm rings at %v, not until %v", broken, e.more, rings, latest)
					}
				}
			})
		})
	}
}

// harmless are what lets the log arrive. The switch cannot ring for it; others tell of it.
var harmless = map[string]func(g testbed.Guard){
	"T20 log files expire after a day": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.PutBucketLifecycleConfiguration(g.T.Context(), &s3.PutBucketLifecycleConfigurationInput{
			Bucket: &g.LogBucketName, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
				Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")}, Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1)},
			}}},
		})))
	},
	"T24 versioning is suspended": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.PutBucketVersioning(g.T.Context(), &s3.PutBucketVersioningInput{
			Bucket: &g.LogBucketName, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended},
		})))
	},
	"T26 the encryption by default is deleted": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.DeleteBucketEncryption(g.T.Context(), &s3.DeleteBucketEncryptionInput{Bucket: &g.LogBucketName})))
	},
	"T27 the bucket may be public": func(g testbed.Guard) {
		g.Must(of(g.Clients.S3.DeletePublicAccessBlock(g.T.Context(), &s3.DeletePublicAccessBlockInput{Bucket: &g.LogBucketName})))
	},
	"T31 the key is not rotated": func(g testbed.Guard) {
		g.Must(of(g.Clients.KMS.DisableKeyRotation(g.T.Context(), &kms.DisableKeyRotationInput{KeyId: keyID(g)})))
	},
}

// TestTheSwitchIsSilentWhileTheLogArrives is what the README says that the switch does not see.
func TestTheSwitchIsSilentWhileTheLogArrives(t *testing.T) {
	for i, name := range sorted(harmless) {
		t.Run(name, func(t *testing.T) {
			in(t, i, func(t *testing.T, a *account) {
				g := a.guarded(t, testbed.ReadTemplate(t, "default"))
				g.HoldConfig(true)
				defer g.HoldConfig(false)
				g.Only()
				harmless[name](g)
				g.Settle()
				changed := g.Clock.Now()
				for range 12 {
					g.Pass(time.Hour)
				}
				for _, e := range evaluations {
					if rings := missingDigests(g).rings(e, changed, g.Clock.Now()); len(rings) > 0 {
						t.Errorf("with %d periods more, the alarm rings at %v", e.more, rings)
					}
				}
			})
		})
	}
}

// TestAnotherTrailsDigestsDoNotCount: files of another trail in the same bucket, of another Region, and that are no digest files.
func TestAnotherTrailsDigestsDoNotCount(t *testing.T) {
	in(t, 0, func(t *testing.T, a *account) {
		g := a.guarded(t, testbed.ReadTemplate(t, "default"))
		g.Only()
		g.Settle()
		rule := *missingDigests(g).Dimensions[0].Value
		for key, counts := range map[string]bool{
			"AWSLogs/" + api.Account + "/CloudTrail-Digest/us-east-1/2030/01/01/" + api.Account + "_CloudTrail-Digest_us-east-1_trailguard_us-east-1_20300101T010131Z.json.gz":          true,
			"AWSLogs/" + api.Account + "/CloudTrail-Digest/us-east-1/2030/01/01/" + api.Account + "_CloudTrail-Digest_us-east-1_trailguard_us-east-1_20300101T010131Z_backfill.json.gz": true,
			"AWSLogs/" + api.Account + "/CloudTrail-Digest/us-east-1/2030/01/01/" + api.Account + "_CloudTrail-Digest_us-east-1_other_us-east-1_20300101T010131Z.json.gz":               false,
			"AWSLogs/" + api.Account + "/CloudTrail-Digest/eu-west-1/2030/01/01/" + api.Account + "_CloudTrail-Digest_eu-west-1_trailguard_us-east-1_20300101T010131Z.json.gz":          false,
			"AWSLogs/" + api.Account + "/CloudTrail/us-east-1/2030/01/01/" + api.Account + "_CloudTrail_us-east-1_20300101T0105Z_9nYN7gp2eWAJHIfT.json.gz":                              false,
			"AWSLogs/210987654321/CloudTrail-Digest/us-east-1/2030/01/01/210987654321_CloudTrail-Digest_us-east-1_trailguard_us-east-1_20300101T010131Z.json.gz":                        false,
		} {
			before := len(g.Bus().MatchedAt(rule))
			g.Must(g.Bus().Publish(t.Context(), map[string]any{
				"version": "0", "id": "1", "source": "aws.s3", "detail-type": "Object Created", "account": api.Account, "region": api.Region,
				"time": "2030-01-01T01:02:00Z", "resources": []any{}, "detail": map[string]any{
					"bucket": map[string]any{"name": g.LogBucketName}, "object": map[string]any{"key": key}, "reason": "PutObject",
				},
			}))
			g.Settle()
			if got := len(g.Bus().MatchedAt(rule)) > before; got != counts {
				t.Errorf("that %s counts is %v", key, got)
			}
		}
	})
}

func keyID(g testbed.Guard) *string {
	return aws.String(g.LogKeyARN[strings.LastIndexByte(g.LogKeyARN, '/')+1:])
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
