package config

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// putConfigurationRecorder creates or changes the recorder; it does not start it.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutConfigurationRecorder.html
func (s *Service) putConfigurationRecorder(_ context.Context, _ api.Call, in *configservice.PutConfigurationRecorderInput) (*configservice.PutConfigurationRecorderOutput, error) {
	if in.ConfigurationRecorder == nil {
		return nil, api.Errorf("ValidationException", "ConfigurationRecorder must be given")
	}
	config := *in.ConfigurationRecorder
	if config.Name == nil {
		name := "default"
		config.Name = &name
	}
	switch {
	case *config.Name == "" || len(*config.Name) > 256:
		return nil, api.Errorf("InvalidConfigurationRecorderNameException", "recorder name %q must be 1 to 256 characters", *config.Name)
	case value(config.RoleARN) == "":
		return nil, api.Errorf("InvalidRoleException", "a recorder needs a role")
	case config.ServicePrincipal != nil || config.ConnectorArn != nil || config.RecordingScope != "" || config.ScopeConfiguration != nil:
		return nil, api.NotModelled("a service-linked recorder")
	case config.RecordingMode != nil && (config.RecordingMode.RecordingFrequency != types.RecordingFrequencyContinuous || len(config.RecordingMode.RecordingModeOverrides) > 0):
		return nil, api.NotModelled("a recording mode other than %s", types.RecordingFrequencyContinuous)
	}
	if config.RecordingGroup == nil {
		config.RecordingGroup = &types.RecordingGroup{AllSupported: true}
	}
	if err := checkRecordingGroup(*config.RecordingGroup); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorder != nil && *s.recorder.config.Name != *config.Name {
		return nil, api.Errorf("MaxNumberOfConfigurationRecordersExceededException", "the recorder %s exists already: an account has one a Region", *s.recorder.config.Name)
	}
	if s.recorder == nil {
		s.recorder = &recorder{}
	}
	arn := s.options.Place.ARN("config", "configuration-recorder/"+*config.Name)
	config.Arn = &arn
	s.recorder.config = config
	return &configservice.PutConfigurationRecorderOutput{}, nil
}

// checkRecordingGroup applies the rules for which resource types are recorded.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RecordingGroup.html
func checkRecordingGroup(group types.RecordingGroup) error {
	excluded := group.ExclusionByResourceTypes != nil && len(group.ExclusionByResourceTypes.ResourceTypes) > 0
	given := 0
	for _, one := range []bool{group.AllSupported, len(group.ResourceTypes) > 0, excluded} {
		if one {
			given++
		}
	}
	if given != 1 {
		return api.Errorf("InvalidRecordingGroupException", "a recording group has exactly one of allSupported, resourceTypes and exclusionByResourceTypes")
	}
	if group.IncludeGlobalResourceTypes && !group.AllSupported {
		return api.Errorf("InvalidRecordingGroupException", "includeGlobalResourceTypes needs allSupported")
	}
	if group.RecordingStrategy == nil {
		return nil
	}
	fits := map[types.RecordingStrategyType]bool{
		types.RecordingStrategyTypeAllSupportedResourceTypes: group.AllSupported,
		types.RecordingStrategyTypeInclusionByResourceTypes:  len(group.ResourceTypes) > 0,
		types.RecordingStrategyTypeExclusionByResourceTypes:  excluded,
		types.RecordingStrategyType(""):                      true,
	}[group.RecordingStrategy.UseOnly]
	if !fits {
		return api.Errorf("InvalidRecordingGroupException", "the recording strategy %s does not fit the recording group", group.RecordingStrategy.UseOnly)
	}
	return nil
}

// recorderNamed returns the recorder. The caller holds mu.
func (s *Service) recorderNamed(name string) (*recorder, error) {
	if s.recorder == nil || *s.recorder.config.Name != name {
		return nil, api.Errorf("NoSuchConfigurationRecorderException", "cannot find configuration recorder with the specified name %q", name)
	}
	return s.recorder, nil
}

func (s *Service) startConfigurationRecorder(_ context.Context, _ api.Call, in *configservice.StartConfigurationRecorderInput) (*configservice.StartConfigurationRecorderOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.recorderNamed(value(in.ConfigurationRecorderName))
	if err != nil {
		return nil, err
	}
	if s.channel == nil {
		return nil, api.Errorf("NoAvailableDeliveryChannelException", "delivery channel is not available to start configuration recorder")
	}
	r.recording, r.started = true, s.options.Clock.Now()
	return &configservice.StartConfigurationRecorderOutput{}, nil
}

func (s *Service) stopConfigurationRecorder(_ context.Context, _ api.Call, in *configservice.StopConfigurationRecorderInput) (*configservice.StopConfigurationRecorderOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.recorderNamed(value(in.ConfigurationRecorderName))
	if err != nil {
		return nil, err
	}
	r.recording, r.stopped = false, s.options.Clock.Now()
	return &configservice.StopConfigurationRecorderOutput{}, nil
}

func (s *Service) deleteConfigurationRecorder(_ context.Context, _ api.Call, in *configservice.DeleteConfigurationRecorderInput) (*configservice.DeleteConfigurationRecorderOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.recorderNamed(value(in.ConfigurationRecorderName)); err != nil {
		return nil, err
	}
	s.recorder = nil
	return &configservice.DeleteConfigurationRecorderOutput{}, nil
}

// recordersNamed returns the recorder if it is asked for, by its name or by none. The caller holds mu.
func (s *Service) recordersNamed(names []string, arn, servicePrincipal *string) ([]*recorder, error) {
	if arn != nil || servicePrincipal != nil {
		return nil, api.NotModelled("a recorder by its ARN or its service")
	}
	for _, name := range names {
		if _, err := s.recorderNamed(name); err != nil {
			return nil, err
		}
	}
	if s.recorder == nil {
		return nil, nil
	}
	return []*recorder{s.recorder}, nil
}

func (s *Service) describeConfigurationRecorders(_ context.Context, _ api.Call, in *configservice.DescribeConfigurationRecordersInput) (*configservice.DescribeConfigurationRecordersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	recorders, err := s.recordersNamed(in.ConfigurationRecorderNames, in.Arn, in.ServicePrincipal)
	if err != nil {
		return nil, err
	}
	out := &configservice.DescribeConfigurationRecordersOutput{ConfigurationRecorders: []types.ConfigurationRecorder{}}
	for _, r := range recorders {
		out.ConfigurationRecorders = append(out.ConfigurationRecorders, r.config)
	}
	return out, nil
}

func (s *Service) describeConfigurationRecorderStatus(_ context.Context, _ api.Call, in *configservice.DescribeConfigurationRecorderStatusInput) (*configservice.DescribeConfigurationRecorderStatusOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	recorders, err := s.recordersNamed(in.ConfigurationRecorderNames, in.Arn, in.ServicePrincipal)
	if err != nil {
		return nil, err
	}
	out := &configservice.DescribeConfigurationRecorderStatusOutput{ConfigurationRecordersStatus: []types.ConfigurationRecorderStatus{}}
	for _, r := range recorders {
		status := types.ConfigurationRecorderStatus{
			Name: r.config.Name, Arn: r.config.Arn, Recording: r.recording,
			LastStartTime: at(r.started), LastStopTime: at(r.stopped), LastStatus: types.RecorderStatusPending,
		}
		if !r.started.IsZero() {
			status.LastStatus, status.LastStatusChangeTime = types.RecorderStatusSuccess, at(r.started)
		}
		out.ConfigurationRecordersStatus = append(out.ConfigurationRecordersStatus, status)
	}
	return out, nil
}

// putDeliveryChannel creates or changes the delivery channel; nothing is delivered through it.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutDeliveryChannel.html
func (s *Service) putDeliveryChannel(ctx context.Context, _ api.Call, in *configservice.PutDeliveryChannelInput) (*configservice.PutDeliveryChannelOutput, error) {
	if in.DeliveryChannel == nil {
		return nil, api.Errorf("ValidationException", "DeliveryChannel must be given")
	}
	channel := *in.DeliveryChannel
	if channel.Name == nil {
		name := "default"
		channel.Name = &name
	}
	if *channel.Name == "" || len(*channel.Name) > 256 {
		return nil, api.Errorf("InvalidDeliveryChannelNameException", "delivery channel name %q must be 1 to 256 characters", *channel.Name)
	}
	exists, err := s.options.BucketExists(ctx, value(channel.S3BucketName))
	if err != nil {
		return nil, fmt.Errorf("looking for bucket %s: %w", value(channel.S3BucketName), err)
	}
	if value(channel.S3BucketName) == "" || !exists {
		return nil, api.Errorf("NoSuchBucketException", "cannot find a S3 bucket with an empty or unknown bucket name %q", value(channel.S3BucketName))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorder == nil {
		return nil, api.Errorf("NoAvailableConfigurationRecorderException", "configuration recorder is not available to put delivery channel")
	}
	if s.channel != nil && *s.channel.Name != *channel.Name {
		return nil, api.Errorf("MaxNumberOfDeliveryChannelsExceededException", "the delivery channel %s exists already: an account has one a Region", *s.channel.Name)
	}
	s.channel = &channel
	return &configservice.PutDeliveryChannelOutput{}, nil
}

func (s *Service) describeDeliveryChannels(_ context.Context, _ api.Call, in *configservice.DescribeDeliveryChannelsInput) (*configservice.DescribeDeliveryChannelsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.DeliveryChannelNames {
		if s.channel == nil || *s.channel.Name != name {
			return nil, noSuchChannel(name)
		}
	}
	out := &configservice.DescribeDeliveryChannelsOutput{DeliveryChannels: []types.DeliveryChannel{}}
	if s.channel != nil {
		out.DeliveryChannels = append(out.DeliveryChannels, *s.channel)
	}
	return out, nil
}

func (s *Service) deleteDeliveryChannel(_ context.Context, _ api.Call, in *configservice.DeleteDeliveryChannelInput) (*configservice.DeleteDeliveryChannelOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := value(in.DeliveryChannelName)
	if s.channel == nil || *s.channel.Name != name {
		return nil, noSuchChannel(name)
	}
	if s.recorder != nil && s.recorder.recording {
		return nil, api.Errorf("LastDeliveryChannelDeleteFailedException", "failed to delete last specified delivery channel %q, because there is a running configuration recorder", name)
	}
	s.channel = nil
	return &configservice.DeleteDeliveryChannelOutput{}, nil
}

func noSuchChannel(name string) error {
	return api.Errorf("NoSuchDeliveryChannelException", "cannot find delivery channel with specified name %q", name)
}
