package localaws

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/iam"
)

// delivered tells EventBridge of digest files, if the bucket sends its object events there: in the account of the bucket, at the end of each
// hour. Of a trail of all Regions those of its home Region are simulated, and of an organization trail those of the account that owns it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
func (e *environment) delivered(ctx context.Context, t cloudtrail.Trail, ends []time.Time) error {
	owner, err := e.common.bucketOwner(ctx, t.S3BucketName)
	if err != nil {
		return fmt.Errorf("looking for the owner of bucket %s: %w", t.S3BucketName, err)
	}
	sends, err := iam.Cached(&e.common.others.authorizer(owner).Cache, "s3", "notifications of "+t.S3BucketName, func() (bool, error) {
		return e.common.others.directory(owner).SendsToEventBridge(ctx, t.S3BucketName)
	})
	if err != nil || !sends {
		return err
	}
	folder, err := e.folder(ctx, t)
	if err != nil {
		return err
	}
	for _, end := range ends {
		if err := e.common.others.bus(owner).Publish(ctx, objectCreated(e.place, owner, t.S3BucketName, digestKey(e.place, folder, t, end), end)); err != nil {
			return err
		}
	}
	return nil
}

// folder is where the log files of a trail's own account lie.
func (e *environment) folder(ctx context.Context, t cloudtrail.Trail) (string, error) {
	folder := "AWSLogs/"
	if t.S3KeyPrefix != "" {
		folder = strings.TrimSuffix(t.S3KeyPrefix, "/") + "/" + folder
	}
	if t.IsOrganizationTrail {
		membership, err := e.membership(ctx)
		if err != nil {
			return "", err
		}
		folder += cmp.Or(membership.ID, defaultOrganizationID) + "/"
	}
	return folder + e.place.Account, nil
}

// digestKey is the key of a digest file.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
func digestKey(place api.Place, folder string, t cloudtrail.Trail, end time.Time) string {
	end = end.UTC()
	return fmt.Sprintf("%s/CloudTrail-Digest/%s/%s/%s_CloudTrail-Digest_%[2]s_%[5]s_%[6]s_%[7]s.json.gz",
		folder, place.Region, end.Format("2006/01/02"), place.Account, t.Name, t.HomeRegion, end.Format("20060102T150405Z"))
}

// objectCreated is S3's event of a new object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func objectCreated(place api.Place, owner, bucket, key string, at time.Time) map[string]any {
	return map[string]any{
		"version": "0", "id": api.UUID(api.ObjectEventID, at.Unix()/3600), "detail-type": "Object Created", "source": "aws.s3",
		"account": owner, "time": at.UTC().Format(time.RFC3339), "region": place.Region, "resources": []any{place.BucketARN(bucket)},
		"detail": map[string]any{
			"version": "0", "bucket": map[string]any{"name": bucket},
			"object":     map[string]any{"key": key, "size": 1024, "etag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": fmt.Sprintf("%016X", at.Unix())},
			"request-id": api.UUID(api.RequestID, at.Unix()/3600), "requester": trailService.ARN, "source-ip-address": trailService.ARN, "reason": "PutObject",
		},
	}
}
