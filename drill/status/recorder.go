package status

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

const recorded = types.ResourceTypeTrail

// lookAtRecording looks whether AWS Config records trails, continuously, and delivers what it records: the recorder is often not the
// stack's.
func lookAtRecording(ctx context.Context, v *view, f *Finding) {
	described, err := v.Config.DescribeConfigurationRecorders(ctx, &configservice.DescribeConfigurationRecordersInput{})
	if f.read(err) == seen {
		if len(described.ConfigurationRecorders) == 0 {
			f.wrong(v.recorderMend("aws configservice put-configuration-recorder"), "there is no configuration recorder: no rule is evaluated")
		}
		for _, recorder := range described.ConfigurationRecorders {
			f.Name = aws.ToString(recorder.Name)
			lookAtRecorded(v, recorder, f)
		}
	}
	statuses, err := v.Config.DescribeConfigurationRecorderStatus(ctx, &configservice.DescribeConfigurationRecorderStatusInput{})
	if f.read(err) == seen {
		for _, status := range statuses.ConfigurationRecordersStatus {
			if !status.Recording {
				f.wrong("aws configservice start-configuration-recorder --configuration-recorder-name "+aws.ToString(status.Name), "it is not recording")
			}
			if status.LastStatus == types.RecorderStatusFailure {
				f.wrong("mend what the error says", "it fails: %s %s", aws.ToString(status.LastErrorCode), aws.ToString(status.LastErrorMessage))
			}
		}
	}
	channels, err := v.Config.DescribeDeliveryChannels(ctx, &configservice.DescribeDeliveryChannelsInput{})
	if f.read(err) == seen && len(channels.DeliveryChannels) == 0 {
		f.wrong(v.recorderMend("aws configservice put-delivery-channel"), "there is no delivery channel: the recorder cannot start")
	}
}

// recorderMend is what makes the recorder or the channel again.
func (v *view) recorderMend(byHand string) string {
	if len(v.stack.of("AWS::Config::ConfigurationRecorder")) > 0 {
		return revert
	}
	return byHand
}

// lookAtRecorded looks whether a recorder records trails, and how often.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RecordingGroup.html
func lookAtRecorded(v *view, recorder types.ConfigurationRecorder, f *Finding) {
	change := v.recorderMend("aws configservice put-configuration-recorder, with " + string(recorded) + " among its types")
	if group := recorder.RecordingGroup; group != nil {
		excluded := group.ExclusionByResourceTypes != nil && slices.Contains(group.ExclusionByResourceTypes.ResourceTypes, recorded)
		everything := group.AllSupported || group.RecordingStrategy != nil && group.RecordingStrategy.UseOnly == types.RecordingStrategyTypeExclusionByResourceTypes ||
			group.ExclusionByResourceTypes != nil && len(group.ExclusionByResourceTypes.ResourceTypes) > 0
		if excluded || !everything && !slices.Contains(group.ResourceTypes, recorded) {
			f.wrong(change, "it does not record %s", recorded)
		}
	}
	mode := recorder.RecordingMode
	if mode == nil {
		return
	}
	often := mode.RecordingFrequency
	for _, override := range mode.RecordingModeOverrides {
		if slices.Contains(override.ResourceTypes, recorded) {
			often = override.RecordingFrequency
		}
	}
	if often != "" && often != types.RecordingFrequencyContinuous {
		f.wrong(change+" and CONTINUOUS", "it records %s %s: what changes is seen up to a day later", recorded, often)
	}
}

// lookAtRecorder compares the recorder with the template's.
func lookAtRecorder(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.Config.DescribeConfigurationRecorders(ctx, &configservice.DescribeConfigurationRecordersInput{ConfigurationRecorderNames: []string{r.name}})
	switch f.read(err, "NoSuchConfigurationRecorderException") {
	case gone:
		f.wrong(revert, "it is deleted: no rule is evaluated")
	case seen:
		for _, recorder := range described.ConfigurationRecorders {
			have, _ := plain(recorder).(map[string]any)
			group, _ := pruned(r.properties["RecordingGroup"]).(map[string]any)
			had, _ := have["RecordingGroup"].(map[string]any)
			f.compare(revert, "RecordingGroup", group, without(had, "RecordingStrategy"))
			f.compare(revert, "RoleARN", r.properties["RoleARN"], have["RoleARN"])
		}
	}
}

// lookAtDeliveryChannel compares the delivery channel with the template's.
func lookAtDeliveryChannel(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.Config.DescribeDeliveryChannels(ctx, &configservice.DescribeDeliveryChannelsInput{DeliveryChannelNames: []string{r.name}})
	switch f.read(err, "NoSuchDeliveryChannelException") {
	case gone:
		f.wrong(revert, "it is deleted: the recorder cannot start again")
	case seen:
		for _, channel := range described.DeliveryChannels {
			f.compare(revert, "S3BucketName", r.properties["S3BucketName"], orNone(aws.ToString(channel.S3BucketName)))
			f.compare(revert, "S3KeyPrefix", r.properties["S3KeyPrefix"], orNone(aws.ToString(channel.S3KeyPrefix)))
			f.compare(revert, "S3KmsKeyArn", r.properties["S3KmsKeyArn"], orNone(aws.ToString(channel.S3KmsKeyArn)))
		}
	}
}
