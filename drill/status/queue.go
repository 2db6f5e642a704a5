package status

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var noQueue = []string{"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}

// queueName is the name of a queue with a URL.
func queueName(url string) string { return url[strings.LastIndex(url, "/")+1:] }

// lookAtQueue compares a queue with the template's, and looks whether it is empty: what is in it are events that nobody was told of.
func lookAtQueue(ctx context.Context, v *view, r resource, f *Finding) {
	f.Name = queueName(r.name)
	got, err := v.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &r.name, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	switch f.read(err, noQueue...) {
	case gone:
		f.wrong(revert, "it is deleted: events that start nothing are lost")
	case seen:
		for _, name := range []string{"KmsMasterKeyId", "MessageRetentionPeriod", "RedrivePolicy", "SqsManagedSseEnabled"} {
			// Without a retention period a message is kept for four days.
			if want := r.properties[name]; want != nil || name != "MessageRetentionPeriod" && name != "SqsManagedSseEnabled" {
				mend := revert
				if want == nil { // CloudFormation leaves what the template does not declare
					mend = "aws sqs set-queue-attributes --queue-url " + r.name + " --attributes " + name + "="
				}
				f.compare(mend, name, want, orNone(got.Attributes[name]))
			}
		}
		if n := got.Attributes["ApproximateNumberOfMessages"]; n != "" && n != "0" {
			f.wrong("read what was not done: aws sqs receive-message --queue-url "+r.name+"; then aws sqs purge-queue --queue-url "+r.name,
				"it holds %s events that did not start the runbook, or that nobody was told of", n)
		}
	}
}

// lookAtQueuePolicy compares the policy of queues with the template's.
func lookAtQueuePolicy(ctx context.Context, v *view, r resource, f *Finding) {
	for _, queue := range list(r.properties["Queues"]) {
		url, isURL := queue.(string)
		if !isURL {
			f.compare(revert, "Queues", queue, nil)
			continue
		}
		f.Name = queueName(url)
		got, err := v.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNamePolicy}})
		switch f.read(err, noQueue...) {
		case gone:
			f.wrong(revert, "the queue is deleted")
		case seen:
			f.comparePolicy(r.properties["PolicyDocument"], got.Attributes["Policy"])
		}
	}
}
