package closedloop

import (
	"encoding/json"
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
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill/deployed"
)

// breakage is something that the trail depends on and that is gone.
type breakage struct {
	name string
	// spoil breaks it, and returns how to mend it.
	spoil func(g guard) (mend func())
	// left are the settings that cannot be restored, part their part, err AWS's error, and mend what people can do.
	left            []deployed.Setting
	part, err, mend string
}

var breakages = []breakage{
	{"the topic is deleted", func(g guard) func() { return g.deleteTopic(g.declaredText("SnsTopicName")) }, []deployed.Setting{deployed.SNSTopicARN},
		"SNS", "InvalidSnsTopicNameException", "Restore it and its policy."},
	{"the log group is deleted", guard.deleteLogGroup, []deployed.Setting{deployed.CloudWatchLogsLogGroupARN, deployed.CloudWatchLogsRoleARN},
		"CloudWatch Logs", "InvalidCloudWatchLogsLogGroupArnException", "Restore it and its policy."},
	{"the role for CloudWatch Logs has no policy", guard.deleteLogsPolicy, []deployed.Setting{deployed.CloudWatchLogsLogGroupARN, deployed.CloudWatchLogsRoleARN},
		"CloudWatch Logs", "InvalidCloudWatchLogsRoleArnException", "Restore it and its policy."},
	{"the key is disabled", func(g guard) func() { return g.disableKey(g.LogKeyARN) }, []deployed.Setting{deployed.KMSKeyID},
		"key", "KmsException", "Enable it, cancel its deletion, restore its policy."},
	{"the key is to be deleted", guard.scheduleKeyDeletion, []deployed.Setting{deployed.KMSKeyID},
		"key", "KmsException", "Enable it, cancel its deletion, restore its policy."},
	{"the key's policy leaves CloudTrail out", guard.closeKey, []deployed.Setting{deployed.KMSKeyID},
		"key", "InsufficientEncryptionPolicyException", "Enable it, cancel its deletion, restore its policy."},
	{"the bucket's policy is deleted", func(g guard) func() {
		policy := g.bucketPolicy()
		g.deleteBucketPolicy()
		return func() { g.putBucketPolicy(policy) }
	}, []deployed.Setting{deployed.S3BucketName, deployed.S3KeyPrefix}, "bucket", "InsufficientS3BucketPolicyException", "Restore it and its policy."},
}

// TestWhatIsBrokenKeepsNothingElseFromBeingRestored: every setting is wrong, and one cannot be put right.
func TestWhatIsBrokenKeepsNothingElseFromBeingRestored(t *testing.T) {
	onShared(t, "everything", func(g guard) {
		for _, broken := range breakages {
			for name, tamper := range map[string]func(g guard){"everything is tampered with": ruin, "the trail is deleted": guard.deleteTrails} {
				g.step(broken.name+", "+name, func(g guard) {
					g.healthy()
					mend := broken.spoil(g)
					tamper(g)
					g.Clock.Advance(time.Second)
					x := g.repair()
					if exists := len(g.trailARNs()) > 0; !exists && broken.part == "bucket" {
						// CloudTrail makes no trail without a bucket that it may write to.
						g.wantFailed(x, "NOT REPAIRED: ", "LEFT: trail: ", broken.err, broken.mend)
					} else {
						g.wantFailed(x, "NOT REPAIRED: ", "LEFT: "+broken.part+": An error occurred ("+broken.err+") when calling the ", broken.mend)
						g.wantOnlyLeft(broken.left)
					}
					mend()
					g.wantSuccess(g.repair())
					g.WantRepaired()
				})
			}
		}
	})
}

// wantOnlyLeft reports settings other than these that are not as declared, and those of these that are.
func (g guard) wantOnlyLeft(left []deployed.Setting) {
	g.T.Helper()
	var found []string
	for _, unmet := range g.Unmet() {
		name, _, _ := strings.Cut(unmet, " ")
		found = append(found, name)
	}
	var want []string
	for _, setting := range left {
		want = append(want, string(setting))
	}
	if slices.Sort(found); !slices.Equal(found, want) {
		g.T.Errorf("not as declared are %v, want %v: %v", found, want, g.Unmet())
	}
}

// TestWhatIsBrokenAndNotTamperedWithFailsNothing: a topic that is gone is no setting of the trail that differs. People are
// told that CloudTrail cannot use it.
func TestWhatIsBrokenAndNotTamperedWithFailsNothing(t *testing.T) {
	onShared(t, "everything", func(g guard) {
		for _, test := range []struct {
			broken breakage
			told   string
		}{
			{breakages[0], "LatestNotificationError: "}, {breakages[1], "LatestCloudWatchLogsDeliveryError: "}, {breakages[2], "LatestCloudWatchLogsDeliveryError: "},
		} {
			g.step(test.broken.name, func(g guard) {
				g.healthy()
				mend := test.broken.spoil(g)
				g.Must(g.CloudTrail().Deliver(g.T.Context()))
				e := g.elsewhere()
				g.update(cloudtrail.UpdateTrailInput{S3BucketName: &e.bucket, KmsKeyId: &e.key, EnableLogFileValidation: no})
				g.Clock.Advance(time.Second)
				x := g.repair()
				g.wantSuccess(x)
				g.WantRepaired()
				if message := strings.Join(told(x), "\n"); !strings.Contains(message, test.told) {
					g.T.Errorf("people were told\n%s\nwant %s", message, test.told)
				}
				mend()
			})
		}
	})
}

// TestPeopleAreToldWhichTrailsFillTheRegion, when there is no room for the guard's own.
func TestPeopleAreToldWhichTrailsFillTheRegion(t *testing.T) {
	onShared(t, "default", func(g guard) {
		g.Only(deployed.SchedulePath)
		before := len(g.Executions())
		bucket := g.elsewhere().bucket
		var decoys []string
		for i := range 5 {
			decoys = append(decoys, fmt.Sprintf("decoy-%d", i))
			g.createTrail(cloudtrail.CreateTrailInput{Name: &decoys[i], S3BucketName: &bucket})
		}
		g.Pass(schedulePeriod)
		for _, x := range g.since(before) {
			g.wantFailed(x, "NOT REPAIRED: CloudTrail trail trailguard", "LEFT: trail: An error occurred (MaximumNumberOfTrailsExceededException)",
				"A Region has at most five trails: delete one.")
			for _, decoy := range decoys {
				g.wantFailed(x, "Trail "+decoy+" writes to "+bucket)
			}
		}
		if len(g.since(before)) == 0 {
			t.Error("nothing was executed")
		}
		g.delete(decoys[3])
		g.Pass(schedulePeriod)
		g.WantRepaired()
	})
}

func (g guard) deleteTopic(topic string) (mend func()) {
	g.T.Helper()
	ctx, topics := g.T.Context(), sns.NewFromConfig(g.Admin)
	before, err := topics.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	g.Must(err)
	_, err = topics.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &topic})
	g.Must(err)
	return func() {
		_, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(topic[strings.LastIndexByte(topic, ':')+1:])})
		g.Must(err)
		for _, name := range []string{"Policy", "KmsMasterKeyId"} {
			if value := before.Attributes[name]; value != "" {
				_, err = topics.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: &name, AttributeValue: &value})
				g.Must(err)
			}
		}
	}
}

func (g guard) deleteLogGroup() (mend func()) {
	g.T.Helper()
	ctx, groups := g.T.Context(), cloudwatchlogs.NewFromConfig(g.Admin)
	name := aws.String(strings.Split(g.declaredText("CloudWatchLogsLogGroupArn"), ":")[6])
	_, err := groups.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name})
	g.Must(err)
	return func() {
		_, err := groups.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
		g.Must(err)
	}
}

func (g guard) deleteLogsPolicy() (mend func()) {
	g.T.Helper()
	ctx, roles, name := g.T.Context(), iam.NewFromConfig(g.Admin), roleName(g.declaredText("CloudWatchLogsRoleArn"))
	listed, err := roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	g.Must(err)
	policy := listed.PolicyNames[0]
	got, err := roles.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: &policy})
	g.Must(err)
	document, err := url.PathUnescape(*got.PolicyDocument)
	g.Must(err)
	_, err = roles.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: &policy})
	g.Must(err)
	return func() {
		_, err := roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: &policy, PolicyDocument: &document})
		g.Must(err)
	}
}

// keyID is a key as each operation of KMS takes it.
func keyID(arn string) *string { return roleName(arn) }

func (g guard) disableKey(arn string) (mend func()) {
	g.T.Helper()
	_, err := g.Clients.KMS.DisableKey(g.T.Context(), &kms.DisableKeyInput{KeyId: keyID(arn)})
	g.Must(err)
	return func() {
		_, err := g.Clients.KMS.EnableKey(g.T.Context(), &kms.EnableKeyInput{KeyId: keyID(arn)})
		g.Must(err)
	}
}

func (g guard) scheduleKeyDeletion() (mend func()) {
	g.T.Helper()
	_, err := g.Clients.KMS.ScheduleKeyDeletion(g.T.Context(), &kms.ScheduleKeyDeletionInput{KeyId: keyID(g.LogKeyARN)})
	g.Must(err)
	return func() {
		_, err := g.Clients.KMS.CancelKeyDeletion(g.T.Context(), &kms.CancelKeyDeletionInput{KeyId: keyID(g.LogKeyARN)})
		g.Must(err)
		_, err = g.Clients.KMS.EnableKey(g.T.Context(), &kms.EnableKeyInput{KeyId: keyID(g.LogKeyARN)})
		g.Must(err)
	}
}

// closeKey takes CloudTrail out of the key's policy.
func (g guard) closeKey() (mend func()) {
	g.T.Helper()
	put := func(policy string) {
		_, err := g.Clients.KMS.PutKeyPolicy(g.T.Context(), &kms.PutKeyPolicyInput{KeyId: keyID(g.LogKeyARN), PolicyName: aws.String("default"), Policy: &policy})
		g.Must(err)
	}
	before := g.keyPolicy(g.LogKeyARN)
	var document map[string]any
	g.Must(json.Unmarshal([]byte(before), &document))
	document["Statement"] = slices.DeleteFunc(document["Statement"].([]any), func(statement any) bool {
		return strings.Contains(g.encode(statement), "cloudtrail.amazonaws.com")
	})
	put(g.encode(document))
	return func() { put(before) }
}
