package localaws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
)

// PutRecorder gives the account the configuration recorder of its own that an account with AWS Config has, and that the
// guard uses by default. config is that of an administrator.
// https://docs.aws.amazon.com/config/latest/developerguide/stop-start-recorder.html
func PutRecorder(ctx context.Context, config aws.Config) error {
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("asking in which account to make the configuration recorder: %w", err)
	}
	place := api.PlaceOf(aws.ToString(identity.Arn))
	bucket := aws.String("config-" + place.Account)
	input := &s3.CreateBucketInput{Bucket: bucket}
	if config.Region != "us-east-1" { // which is the one that must not be named
		input.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(config.Region)}
	}
	if _, err := s3.NewFromConfig(config).CreateBucket(ctx, input); err != nil {
		return fmt.Errorf("making the bucket of the account's configuration recorder: %w", err)
	}
	client, name := configservice.NewFromConfig(config), aws.String("default")
	role := place.GlobalARN("iam", "role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig")
	if _, err := client.PutConfigurationRecorder(ctx, &configservice.PutConfigurationRecorderInput{
		ConfigurationRecorder: &configtypes.ConfigurationRecorder{
			Name: name, RoleARN: &role, RecordingGroup: &configtypes.RecordingGroup{AllSupported: true},
		},
	}); err != nil {
		return fmt.Errorf("making the account's configuration recorder: %w", err)
	}
	if _, err := client.PutDeliveryChannel(ctx, &configservice.PutDeliveryChannelInput{
		DeliveryChannel: &configtypes.DeliveryChannel{Name: name, S3BucketName: bucket},
	}); err != nil {
		return fmt.Errorf("making the account's delivery channel: %w", err)
	}
	if _, err := client.StartConfigurationRecorder(ctx, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: name}); err != nil {
		return fmt.Errorf("starting the account's configuration recorder: %w", err)
	}
	return nil
}
