package moto

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/trailguard/trailguard/localaws/api"
)

var (
	//go:embed testdata/before.json
	before string
	//go:embed testdata/after.json
	after string
)

// createOrganization makes the account the management account of an organization, with organization policies.
func createOrganization(t *testing.T) {
	t.Helper()
	if err := NewState(server.URL(), time.Minute).CreateOrganization(t.Context(), api.Home(), "o-exampleorgid", nil); err != nil {
		t.Fatal(err)
	}
}

func TestEveryTypeIsCreatedUpdatedPutBackAndDeleted(t *testing.T) {
	cfg := fresh(t)
	createOrganization(t)
	first := create(t, cfg, before)
	wantStatus(t, first, cfntypes.StackStatusCreateComplete)
	ids := physicalIDs(t, cfg)

	second := update(t, cfg, after)
	wantStatus(t, second, cfntypes.StackStatusUpdateComplete)
	for name, id := range physicalIDs(t, cfg) {
		if ids[name] != id && name != "Policy" {
			t.Errorf("%s was %q and is %q", name, ids[name], id)
		}
	}
	out, ctx := outputs(second), t.Context()

	trail := must[*cloudtrail.GetTrailOutput](t)(cloudtrail.NewFromConfig(cfg).GetTrail(ctx, &cloudtrail.GetTrailInput{Name: aws.String("org-trail")}))
	if *trail.Trail.TrailARN != out["TrailArn"] || aws.ToBool(trail.Trail.IsMultiRegionTrail) || !aws.ToBool(trail.Trail.LogFileValidationEnabled) {
		t.Errorf("the trail is %s", encode(t, trail.Trail))
	}
	status := must[*cloudtrail.GetTrailStatusOutput](t)(cloudtrail.NewFromConfig(cfg).GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: aws.String("org-trail")}))
	if aws.ToBool(status.IsLogging) {
		t.Error("the trail is logging")
	}
	role := iam.NewFromConfig(cfg)
	names := must[*iam.ListRolePoliciesOutput](t)(role.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String(out["RoleName"])}))
	if got := strings.Join(names.PolicyNames, " "); len(names.PolicyNames) != 2 || !strings.Contains(got, "two") || !strings.Contains(got, "renamed") {
		t.Errorf("the inline policies are %s", got)
	}
	attached := must[*iam.ListAttachedRolePoliciesOutput](t)(role.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String(out["RoleName"])}))
	if got := string(encode(t, attached.AttachedPolicies)); len(attached.AttachedPolicies) != 2 || !strings.Contains(got, "AWS_ConfigRole") || !strings.Contains(got, out["Boundary"]) {
		t.Errorf("the managed policies are %s", got)
	}
	bus := must[*eventbridge.DescribeEventBusOutput](t)(eventbridge.NewFromConfig(cfg).DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String("bus")}))
	policy := aws.ToString(bus.Policy)
	if *bus.Description != "two" || !strings.Contains(policy, "aws:PrincipalOrgID") || strings.Contains(policy, "111122223333") {
		t.Errorf("the event bus is %s", encode(t, bus))
	}
	bucket, client := aws.String(out["BucketName"]), s3Client(cfg)
	if got, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}); err == nil {
		t.Errorf("the bucket still has a lifecycle: %s", encode(t, got.Rules))
	}
	if got, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket}); err == nil {
		t.Errorf("the bucket still has a public access block: %s", encode(t, got))
	}
	tags := must[*s3.GetBucketTaggingOutput](t)(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket}))
	same(t, "the bucket's tags", tags.TagSet, `[{"Key": "a", "Value": "3"}]`)
	key := must[*kms.DescribeKeyOutput](t)(kms.NewFromConfig(cfg).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(out["KeyId"])}))
	if !key.KeyMetadata.Enabled || aws.ToString(key.KeyMetadata.Description) != "d" {
		t.Errorf("the key is %s", encode(t, key.KeyMetadata))
	}
	attributes := must[*sqs.GetQueueAttributesOutput](t)(sqs.NewFromConfig(cfg).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(out["QueueUrl"]), AttributeNames: []sqstypes.QueueAttributeName{"All"},
	})).Attributes
	if attributes["VisibilityTimeout"] != "60" || attributes["Policy"] != "" || !strings.Contains(attributes["RedrivePolicy"], "maxReceiveCount") {
		t.Errorf("the queue's attributes are %v", attributes)
	}

	wantStatus(t, update(t, cfg, before), cfntypes.StackStatusUpdateComplete)
	remove(t, cfg)
	if out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("guard")}); err == nil {
		t.Errorf("the stack is %s: %s", out.Stacks[0].StackStatus, aws.ToString(out.Stacks[0].StackStatusReason))
	}
	key = must[*kms.DescribeKeyOutput](t)(kms.NewFromConfig(cfg).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(out["KeyId"])}))
	if key.KeyMetadata.DeletionDate == nil {
		t.Error("the key's deletion is not scheduled")
	}
}

func physicalIDs(t *testing.T, cfg aws.Config) map[string]string {
	t.Helper()
	out, err := cloudformation.NewFromConfig(cfg).ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("guard")})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, resource := range out.StackResourceSummaries {
		ids[*resource.LogicalResourceId] = aws.ToString(resource.PhysicalResourceId)
	}
	if len(ids) == 0 {
		t.Fatal("the stack has no resources")
	}
	return ids
}
