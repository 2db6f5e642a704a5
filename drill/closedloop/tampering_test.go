package closedloop

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/localaws/api"
)

// change makes a change of a trail, as an administrator does. Time passes before, since CloudTrail may take one change a
// second.
func (g guard) change(change func(ctx context.Context, client *cloudtrail.Client) error) {
	g.T.Helper()
	g.Clock.Advance(time.Second)
	g.Must(change(g.T.Context(), g.Clients.CloudTrail))
}

func (g guard) update(input cloudtrail.UpdateTrailInput) {
	g.T.Helper()
	input.Name = &g.TrailName
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.UpdateTrail(ctx, &input)
		return err
	})
}

func (g guard) putSelectors(selectors ...types.EventSelector) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: &g.TrailName, EventSelectors: selectors})
		return err
	})
}

func (g guard) putAdvancedSelector(fields ...types.AdvancedFieldSelector) {
	g.T.Helper()
	g.putAdvanced(types.AdvancedEventSelector{FieldSelectors: fields})
}

func (g guard) putAdvanced(selectors ...types.AdvancedEventSelector) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: &g.TrailName, AdvancedEventSelectors: selectors})
		return err
	})
}

func field(name string, values ...string) types.AdvancedFieldSelector {
	return types.AdvancedFieldSelector{Field: &name, Equals: values}
}

func (g guard) putInsights(kinds ...types.InsightType) {
	g.T.Helper()
	selectors := []types.InsightSelector{}
	for _, kind := range kinds {
		selectors = append(selectors, types.InsightSelector{InsightType: kind})
	}
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{TrailName: &g.TrailName, InsightSelectors: selectors})
		return err
	})
}

func (g guard) tag(key, value string) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: &g.TrailARN, TagsList: []types.Tag{{Key: &key, Value: &value}}})
		return err
	})
}

func (g guard) untag(key string) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.RemoveTags(ctx, &cloudtrail.RemoveTagsInput{ResourceId: &g.TrailARN, TagsList: []types.Tag{{Key: &key}}})
		return err
	})
}

func (g guard) stop() { g.T.Helper(); g.stopBy(g.TrailName) }

func (g guard) stopBy(nameOrARN string) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: &nameOrARN})
		return err
	})
}

func (g guard) deleteTrails() {
	g.T.Helper()
	for _, arn := range g.trailARNs() {
		g.delete(arn)
	}
}

func (g guard) delete(nameOrARN string) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: &nameOrARN})
		return err
	})
}

func (g guard) createTrail(input cloudtrail.CreateTrailInput) {
	g.T.Helper()
	g.change(func(ctx context.Context, client *cloudtrail.Client) error {
		_, err := client.CreateTrail(ctx, &input)
		return err
	})
}

// healthy brings the trail into its declared state.
func (g guard) healthy() {
	g.T.Helper()
	if len(g.Unmet()) == 0 {
		return
	}
	g.deleteTrails()
	g.Clock.Advance(time.Second)
	g.wantSuccess(g.repair())
	if unmet := g.Unmet(); len(unmet) > 0 {
		g.T.Fatalf("the trail cannot be made: %v", unmet)
	}
}

// foreign is what an attacker sends the log to.
type foreign struct{ bucket, key, topic, logGroup, logRole string }

// elsewhere makes, once, a bucket, a key, a topic, and a log group with a role, all of which let CloudTrail in.
func (g guard) elsewhere() *foreign {
	g.T.Helper()
	ctx, admin, e := g.T.Context(), g.Admin, g.foreign
	if e.bucket != "" {
		return e
	}
	*e = foreign{
		bucket:   "elsewhere",
		logGroup: fmt.Sprintf("arn:aws:logs:%s:%s:log-group:elsewhere:*", api.Region, api.Account),
		logRole:  fmt.Sprintf("arn:aws:iam::%s:role/elsewhere", api.Account),
	}
	letIn := func(action, resources string) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + api.Account + `:root"},"Action":"` + action + `","Resource":` + resources + `},
			{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"` + action + `","Resource":` + resources + `}]}`)
	}
	buckets := s3.NewFromConfig(admin)
	_, err := buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &e.bucket})
	g.Must(err)
	_, err = buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &e.bucket, Policy: letIn("s3:*", `["arn:aws:s3:::elsewhere","arn:aws:s3:::elsewhere/*"]`)})
	g.Must(err)
	key, err := kms.NewFromConfig(admin).CreateKey(ctx, &kms.CreateKeyInput{Policy: letIn("kms:*", `"*"`)})
	g.Must(err)
	e.key = *key.KeyMetadata.Arn
	topic, err := sns.NewFromConfig(admin).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("elsewhere")})
	g.Must(err)
	e.topic = *topic.TopicArn
	_, err = sns.NewFromConfig(admin).SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{
		TopicArn: &e.topic, AttributeName: aws.String("Policy"), AttributeValue: letIn("sns:Publish", `"*"`),
	})
	g.Must(err)
	groups := cloudwatchlogs.NewFromConfig(admin)
	_, err = groups.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("elsewhere")})
	g.Must(err)
	roles := iam.NewFromConfig(admin)
	_, err = roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("elsewhere"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
	)})
	g.Must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("elsewhere"), PolicyName: aws.String("logs"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`,
	)})
	g.Must(err)
	return e
}

// withOpenBucket makes a change while the log bucket lets CloudTrail write anywhere.
func (g guard) withOpenBucket(change func()) {
	g.T.Helper()
	policy := g.bucketPolicy()
	var document map[string]any
	g.Must(json.Unmarshal([]byte(policy), &document))
	document["Statement"] = append(document["Statement"].([]any), map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*",
		"Resource": []any{"arn:aws:s3:::" + g.LogBucketName, "arn:aws:s3:::" + g.LogBucketName + "/*"},
	})
	open, err := json.Marshal(document)
	g.Must(err)
	g.putBucketPolicy(string(open))
	change()
	g.putBucketPolicy(policy)
}

func (g guard) bucketPolicy() string {
	g.T.Helper()
	got, err := g.Clients.S3.GetBucketPolicy(g.T.Context(), &s3.GetBucketPolicyInput{Bucket: &g.LogBucketName})
	g.Must(err)
	return *got.Policy
}

func (g guard) putBucketPolicy(policy string) {
	g.T.Helper()
	_, err := g.Clients.S3.PutBucketPolicy(g.T.Context(), &s3.PutBucketPolicyInput{Bucket: &g.LogBucketName, Policy: &policy})
	g.Must(err)
}

func (g guard) deleteBucketPolicy() {
	g.T.Helper()
	_, err := g.Clients.S3.DeleteBucketPolicy(g.T.Context(), &s3.DeleteBucketPolicyInput{Bucket: &g.LogBucketName})
	g.Must(err)
}

// tampering is a way to blind a trail that is in its declared state.
type tampering struct {
	name string
	// everything limits it to the template that sets everything.
	everything bool
	do         func(g guard)
	// writes are the changes that bring the trail back, each kind named once.
	writes []string
}

var (
	yes, no = aws.Bool(true), aws.Bool(false)
	empty   = aws.String("")
)

var anObject = []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3:::other/"}}}

// What brings one part of a trail back.
var (
	starting          = []string{"StartLogging"}
	updating          = []string{"UpdateTrail"}
	puttingSelectors  = []string{"PutEventSelectors"}
	puttingInsights   = []string{"PutInsightSelectors"}
	creating          = []string{"CreateTrail", "StartLogging", "PutInsightSelectors"}
	creatingWithExtra = []string{"CreateTrail", "StartLogging", "PutEventSelectors", "UpdateTrail", "PutInsightSelectors", "AddTags"}
)

// tamperings are the ways to blind the trail through CloudTrail's own API.
var tamperings = []tampering{
	{name: "stopped by name", do: func(g guard) { g.stop() }, writes: starting},
	{name: "stopped by ARN", do: func(g guard) { g.stopBy(g.TrailARN) }, writes: starting},
	{name: "deleted", do: func(g guard) { g.deleteTrails() }, writes: creating},
	{name: "not multi-Region", do: func(g guard) { g.update(cloudtrail.UpdateTrailInput{IsMultiRegionTrail: no}) }, writes: updating},
	{name: "without global service events, so not multi-Region either", do: func(g guard) {
		g.update(cloudtrail.UpdateTrailInput{IsMultiRegionTrail: no, IncludeGlobalServiceEvents: no})
	}, writes: updating},
	{name: "without log file validation", do: func(g guard) { g.update(cloudtrail.UpdateTrailInput{EnableLogFileValidation: no}) }, writes: updating},
	{name: "without a key", do: func(g guard) { g.update(cloudtrail.UpdateTrailInput{KmsKeyId: empty}) }, writes: updating},
	{name: "another key", do: func(g guard) {
		g.update(cloudtrail.UpdateTrailInput{KmsKeyId: aws.String(g.elsewhere().key)})
	}, writes: updating},
	{name: "another bucket", do: takeElsewhere, writes: updating},
	{name: "another prefix", do: changePrefix, writes: updating},
	{name: "without a prefix", everything: true, do: func(g guard) {
		g.withOpenBucket(func() { g.update(cloudtrail.UpdateTrailInput{S3KeyPrefix: empty}) })
	}, writes: updating},
	{name: "another log group", do: func(g guard) {
		e := g.elsewhere()
		g.update(cloudtrail.UpdateTrailInput{CloudWatchLogsLogGroupArn: &e.logGroup, CloudWatchLogsRoleArn: &e.logRole})
	}, writes: updating},
	{name: "without CloudWatch Logs", everything: true, do: func(g guard) {
		g.update(cloudtrail.UpdateTrailInput{CloudWatchLogsLogGroupArn: empty, CloudWatchLogsRoleArn: empty})
	}, writes: updating},
	{name: "another topic", do: func(g guard) {
		g.update(cloudtrail.UpdateTrailInput{SnsTopicName: aws.String(g.elsewhere().topic)})
	}, writes: updating},
	{name: "without a topic", everything: true, do: func(g guard) { g.update(cloudtrail.UpdateTrailInput{SnsTopicName: empty}) }, writes: updating},
	{name: "no organization trail", everything: true, do: func(g guard) {
		g.update(cloudtrail.UpdateTrailInput{IsOrganizationTrail: no})
	}, writes: updating},
	{name: "without management events", do: func(g guard) {
		g.putSelectors(types.EventSelector{IncludeManagementEvents: no, DataResources: anObject})
	}, writes: puttingSelectors},
	{name: "read events only", do: func(g guard) {
		g.putSelectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeReadOnly})
	}, writes: puttingSelectors},
	{name: "write events only", do: func(g guard) {
		g.putSelectors(types.EventSelector{ReadWriteType: types.ReadWriteTypeWriteOnly})
	}, writes: puttingSelectors},
	{name: "without the events of KMS and RDS Data", do: func(g guard) {
		g.putSelectors(types.EventSelector{ExcludeManagementEventSources: []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}})
	}, writes: puttingSelectors},
	{name: "other data events", do: func(g guard) { g.putSelectors(types.EventSelector{DataResources: anObject}) }, writes: puttingSelectors},
	{name: "without data events", everything: true, do: func(g guard) { g.putSelectors(types.EventSelector{}) }, writes: puttingSelectors},
	{name: "advanced selectors without management events", do: func(g guard) {
		g.putAdvancedSelector(field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object"))
	}, writes: puttingSelectors},
	{name: "advanced selectors of read events", do: func(g guard) {
		g.putAdvancedSelector(field("eventCategory", "Management"), field("readOnly", "true"))
	}, writes: puttingSelectors},
	{name: "without Insights", do: func(g guard) { g.putInsights() }, writes: puttingInsights},
	{name: "one type of Insights", do: func(g guard) { g.putInsights(types.InsightTypeApiCallRateInsight) }, writes: puttingInsights},
	{name: "another owner", everything: true, do: func(g guard) { g.tag("owner", "nobody") }, writes: []string{"AddTags"}},
	{name: "without a tag", everything: true, do: func(g guard) { g.untag("owner") }, writes: []string{"AddTags"}},
	{name: "all settings at once", do: clearSettings, writes: updating},
	{name: "everything at once", do: ruin, writes: []string{"StartLogging", "PutEventSelectors", "UpdateTrail", "PutInsightSelectors"}},
}

func takeElsewhere(g guard) {
	g.update(cloudtrail.UpdateTrailInput{S3BucketName: aws.String(g.elsewhere().bucket)})
}

func changePrefix(g guard) {
	g.withOpenBucket(func() { g.update(cloudtrail.UpdateTrailInput{S3KeyPrefix: aws.String("other")}) })
}

// clearSettings clears in one call what one call can clear.
func clearSettings(g guard) {
	g.update(cloudtrail.UpdateTrailInput{
		SnsTopicName: empty, CloudWatchLogsLogGroupArn: empty, CloudWatchLogsRoleArn: empty, KmsKeyId: empty,
		IsMultiRegionTrail: no, IncludeGlobalServiceEvents: no, EnableLogFileValidation: no,
	})
}

// ruin leaves nothing of the trail but its name and tags, and stops it.
func ruin(g guard) {
	e := g.elsewhere()
	g.putInsights()
	g.putAdvancedSelector(field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object"))
	clearSettings(g)
	g.update(cloudtrail.UpdateTrailInput{S3BucketName: &e.bucket, S3KeyPrefix: aws.String("other"), KmsKeyId: &e.key, SnsTopicName: &e.topic})
	g.stop()
}

// tamperingsOf are the ways that a template leaves. A trail that is made anew has no extras.
func tamperingsOf(template string) []tampering {
	var all []tampering
	for _, one := range tamperings {
		if one.everything && template != "everything" {
			continue
		}
		if one.name == "deleted" && template == "everything" {
			one.writes = creatingWithExtra
		}
		all = append(all, one)
	}
	return all
}
