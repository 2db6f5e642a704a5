package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
)

// TestTheAppIsDeployedComparedChangedAndDestroyed takes the repository's app through its life with the real CDK.
func TestTheAppIsDeployedComparedChangedAndDestroyed(t *testing.T) {
	ctx := t.Context()
	p := &program{environ: environment()}
	found, err := p.findTools()
	if err != nil {
		t.Fatal(err)
	}
	local, err := localaws.Start(ctx, localaws.Options{Python: found.python, NodeModules: found.nodeModules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	config := local.Config(localaws.Administrator)
	if err := localaws.PutRecorder(ctx, config); err != nil {
		t.Fatal(err)
	}
	if err := localaws.Bootstrap(ctx, config); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	cdk := p.newCDK(found, local.URL(), api.Region, t.TempDir(), local.Credentials(localaws.Administrator), func(line string) { printed.WriteString(line + "\n") })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	first, second := t.TempDir(), t.TempDir()
	_, err = cdk.synth(ctx, first)
	must(err)
	must(cdk.run(ctx, "synth", "--quiet", "--output", second, "-c", "trailguard:expireAfterDays=400"))
	must(cdk.deploy(ctx, first))
	must(local.Advance(ctx, 0))
	guard, err := deployed.ReadGuard(ctx, drill.NewClients(config).Reads(), "TrailGuard")
	must(err)
	trail, err := cloudtrail.NewFromConfig(config).GetTrail(ctx, &cloudtrail.GetTrailInput{Name: &guard.TrailARN})
	must(err)
	bucket := aws.ToString(trail.Trail.S3BucketName)

	difference := func(folder string) string {
		printed.Reset()
		must(cdk.run(ctx, "diff", "--app", folder, "--method=template"))
		return printed.String()
	}
	if got := difference(first); !strings.Contains(got, "There were no differences") {
		t.Errorf("what is deployed differs from the template:\n%s", got)
	}
	if got := difference(second); !strings.Contains(got, "ExpirationInDays") {
		t.Errorf("the difference does not show the expiry:\n%s", got)
	}
	must(cdk.deploy(ctx, second))
	if got := expiry(ctx, t, config, bucket); got != 400 {
		t.Errorf("log files expire after %d days, not after 400", got)
	}

	must(cdk.run(ctx, "destroy", "--app", second, "--force"))
	if _, err := s3.NewFromConfig(config).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Errorf("the log bucket is gone: %v", err)
	}
	status, err := cloudtrail.NewFromConfig(config).GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &guard.TrailARN})
	must(err)
	if !aws.ToBool(status.IsLogging) {
		t.Error("the trail is not logging any more")
	}
	rules, err := configservice.NewFromConfig(config).DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{})
	must(err)
	if len(rules.ConfigRules) > 0 {
		t.Errorf("%d rules are left", len(rules.ConfigRules))
	}
}

// expiry is the age in days at which log files expire.
func expiry(ctx context.Context, t *testing.T, config aws.Config, bucket string) int32 {
	t.Helper()
	got, err := s3.NewFromConfig(config).GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{
		Bucket: aws.String(bucket),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range got.Rules {
		if rule.Expiration != nil {
			return aws.ToInt32(rule.Expiration.Days)
		}
	}
	return 0
}
