package localaws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/localaws/api"
)

// PutRecorder gives the account the configuration recorder of its own that an account with AWS Config has, and that the
// guard uses by default. config is that of an administrator.
// https://docs.aws.amazon.com/config/latest/developerguide/stop-start-recorder.html
func PutRecorder(ctx context.Context, config aws.Config) error {
	bucket := aws.String("config-" + api.Account)
	if _, err := s3.NewFromConfig(config).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		return fmt.Errorf("making the bucket of the account's configuration recorder: %w", err)
	}
	client, name := configservice.NewFromConfig(config), aws.String("default")
	role := "arn:" + api.Partition + ":iam::" + api.Account + ":role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
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
