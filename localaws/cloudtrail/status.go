package cloudtrail

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/localaws/api"
)

// getTrailStatus returns what is happening to a trail. An error member is there only while the latest attempt failed.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
func (s *Service) getTrailStatus(_ context.Context, call api.Call, in *cloudtrail.GetTrailStatusInput) (*cloudtrail.GetTrailStatusOutput, error) {
	t, err := s.find(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	return &cloudtrail.GetTrailStatusOutput{
		IsLogging:                         &t.IsLogging,
		StartLoggingTime:                  at(t.StartLoggingTime),
		StopLoggingTime:                   at(t.StopLoggingTime),
		LatestDeliveryTime:                at(t.Log.Time),
		LatestDeliveryError:               optional(t.Log.Error),
		LatestDigestDeliveryTime:          at(t.Digest.Time),
		LatestDigestDeliveryError:         optional(t.Digest.Error),
		LatestNotificationTime:            at(t.Notification.Time),
		LatestNotificationError:           optional(t.Notification.Error),
		LatestCloudWatchLogsDeliveryTime:  at(t.CloudWatchLogs.Time),
		LatestCloudWatchLogsDeliveryError: optional(t.CloudWatchLogs.Error),

		TimeLoggingStarted:                 text(t.StartLoggingTime),
		TimeLoggingStopped:                 text(t.StopLoggingTime),
		LatestDeliveryAttemptTime:          text(t.Log.AttemptTime),
		LatestDeliveryAttemptSucceeded:     text(t.Log.Time),
		LatestNotificationAttemptTime:      text(t.Notification.AttemptTime),
		LatestNotificationAttemptSucceeded: text(t.Notification.Time),
	}, nil
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// text is a time as the members that are kept for old callers show it: empty if there is none.
func text(t time.Time) *string {
	shown := ""
	if !t.IsZero() {
		shown = t.UTC().Format(time.RFC3339)
	}
	return &shown
}

func (s *Service) startLogging(_ context.Context, call api.Call, in *cloudtrail.StartLoggingInput) (*cloudtrail.StartLoggingOutput, error) {
	t, err := s.findAtHome(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	if !t.IsLogging {
		t.IsLogging, t.StartLoggingTime = true, s.options.Clock.Now()
		s.store(t)
	}
	return &cloudtrail.StartLoggingOutput{}, nil
}

func (s *Service) stopLogging(_ context.Context, call api.Call, in *cloudtrail.StopLoggingInput) (*cloudtrail.StopLoggingOutput, error) {
	t, err := s.findAtHome(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	if t.IsLogging {
		t.IsLogging, t.StopLoggingTime = false, s.options.Clock.Now()
		s.store(t)
	}
	return &cloudtrail.StopLoggingOutput{}, nil
}
