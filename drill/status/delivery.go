package status

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill/deployed"
)

// overdue is how long after the last digest file something is wrong: CloudTrail delivers one each hour, also without activity.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
const overdue = 3 * time.Hour

// lookAtDelivery looks whether the log arrives.
func lookAtDelivery(ctx context.Context, v *view, f *Finding) {
	status, err := v.CloudTrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &v.guard.TrailARN})
	switch f.read(err, "TrailNotFoundException") {
	case unseen:
		return
	case gone:
		f.wrong(start(v.guard.RunbookName), "there is no trail, and nothing is delivered")
		return
	}
	for _, delivery := range []struct {
		what     string
		last     *time.Time
		failure  *string
		attempt  *string // text of the latest attempt; nil if CloudTrail says none
		declared bool
	}{
		{"log files", status.LatestDeliveryTime, status.LatestDeliveryError, status.LatestDeliveryAttemptTime, true},
		{"digest files", status.LatestDigestDeliveryTime, status.LatestDigestDeliveryError, nil, true},
		{"notifications", status.LatestNotificationTime, status.LatestNotificationError, status.LatestNotificationAttemptTime,
			v.guard.Declared.Has(deployed.SNSTopicARN)},
		{"events to CloudWatch Logs", status.LatestCloudWatchLogsDeliveryTime, status.LatestCloudWatchLogsDeliveryError, nil,
			v.guard.Declared.Has(deployed.CloudWatchLogsLogGroupARN)},
	} {
		failure := aws.ToString(delivery.failure)
		if failure == "" || !delivery.declared || isNewer(delivery.last, delivery.attempt) {
			continue
		}
		f.wrong(remedy(v, failure), "%s are not delivered: %s; the last that were: %s", delivery.what, failure, at(delivery.last))
	}
	started := aws.ToTime(status.StartLoggingTime)
	digest := aws.ToTime(status.LatestDigestDeliveryTime)
	if aws.ToBool(status.IsLogging) && v.now.Sub(started) > overdue && v.now.Sub(digest) > overdue && v.guard.Declared.Has(deployed.LogFileValidationEnabled) {
		f.wrong("look at the parts of the log bucket and the key, which come below", "no digest file was delivered for %s: one comes each hour; the last: %s", overdue,
			at(status.LatestDigestDeliveryTime))
	}
}

// isNewer tells whether the latest delivery is newer than the latest attempt, so that an error that is shown is an old one.
func isNewer(last *time.Time, attempt *string) bool {
	if last == nil || attempt == nil {
		return false
	}
	tried, err := time.Parse(time.RFC3339, *attempt)
	return err == nil && !last.Before(tried)
}

// remedy says what to do about an error of CloudTrail's delivery.
func remedy(v *view, failure string) string {
	switch {
	case strings.Contains(failure, "KMS"):
		return "let CloudTrail use the key: see the part key, which comes below"
	case strings.Contains(failure, "NoSuchBucket"):
		return revert + ": it makes bucket " + v.guard.LogBucketName + " anew; the files that it held are lost, unless there are copies"
	case strings.Contains(failure, "AccessDenied"):
		return "let CloudTrail write: see the parts bucket policy and key, which come below; " + revert
	}
	return revert
}
