package drill

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/drill/deployed"
)

func (l *look) delivery(context.Context) (Verdict, string, error) {
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	for _, problem := range []*string{status.LatestDeliveryError, status.LatestDigestDeliveryError} {
		if aws.ToString(problem) != "" {
			return didNotHold("the latest delivery failed: %s", *problem)
		}
	}
	return delivered("log files", status.LatestDeliveryTime)
}

func (l *look) notification(context.Context) (Verdict, string, error) {
	if !l.guard.Declared.Has(deployed.SNSTopicARN) {
		return notSeen("the trail has no SNS topic")
	}
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	if problem := aws.ToString(status.LatestNotificationError); problem != "" {
		return didNotHold("the latest notification failed: %s", problem)
	}
	return delivered("notifications", status.LatestNotificationTime)
}

func (l *look) cloudWatchLogs(context.Context) (Verdict, string, error) {
	if !l.guard.Declared.Has(deployed.CloudWatchLogsLogGroupARN) {
		return notSeen("the trail has no CloudWatch Logs log group")
	}
	status, err := l.status()
	if err != nil {
		return "", "", err
	}
	if problem := aws.ToString(status.LatestCloudWatchLogsDeliveryError); problem != "" {
		return didNotHold("the latest delivery to CloudWatch Logs failed: %s", problem)
	}
	return delivered("events for CloudWatch Logs", status.LatestCloudWatchLogsDeliveryTime)
}

func delivered(what string, at *time.Time) (Verdict, string, error) {
	if at == nil {
		return notSeen("no %s have been delivered yet", what)
	}
	return held("%s were delivered at %s, and nothing failed since", what, clock(*at))
}
