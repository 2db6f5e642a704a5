package iam

import (
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// sent is which of the condition keys aws:SourceArn, aws:SourceAccount and aws:SourceOrgID, the last together with
// aws:SourceOrgPaths, a service sends with an action that it does itself. A key of which no page of AWS's says that it is sent is absent: a policy that works without it works in any case.
type sent struct {
	service, action string
	via             string // the service that asks for the action: sns for the key of a topic
	arn, account    bool
	organization    bool // the page is that of the condition key: it is sent for every resource of an account in an organization
	page            string
}

// sentKeys is what the services send, one fact a line.
var sentKeys = []sent{
	{"cloudtrail", "s3:GetBucketAcl", "", true, true, true, "https://github.com/aws/aws-cdk/issues/15515"},
	{"cloudtrail", "s3:PutObject", "", true, true, true, "https://github.com/aws/aws-cdk/issues/15515"},
	{"cloudtrail", "kms:DescribeKey", "", true, false, true, "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html"},
	{"cloudtrail", "kms:GenerateDataKey", "", true, false, true, "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html"},
	{"cloudtrail", "sns:Publish", "", true, false, false, "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html"},
	{"cloudtrail", "kms:GenerateDataKey", "sns", false, false, false, "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html"},
	{"cloudtrail", "kms:Decrypt", "sns", false, false, false, "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-permissions-for-sns-notifications.html"},
	{"cloudtrail", "sts:AssumeRole", "", false, false, false, "https://github.com/prowler-cloud/prowler/issues/4714"},
	{"cloudwatch", "sns:Publish", "", true, true, false, "https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"},
	{"cloudwatch", "kms:GenerateDataKey", "sns", false, false, false, "https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger"},
	{"cloudwatch", "kms:Decrypt", "sns", false, false, false, "https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger"},
	{"events", "sns:Publish", "", false, false, false, "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"},
	{"events", "kms:GenerateDataKey", "sns", false, false, false, "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"},
	{"events", "kms:Decrypt", "sns", false, false, false, "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"},
	{"events", "sqs:SendMessage", "", true, false, false, "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"},
	{"events", "sts:AssumeRole", "", true, true, false, "https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html"},
	{"ssm", "sts:AssumeRole", "", true, true, false, "https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html"},
}

// sentBy are the condition keys of a question without those that the service does not send. Whoever is no service sends
// what it is said to send.
func sentBy(p api.Principal, q question) (map[string][]string, error) {
	if p.Type != api.AWSService {
		return q.keys, nil
	}
	keys := make(map[string][]string, len(q.keys))
	for key, values := range q.keys {
		isARN, isAccount := strings.EqualFold(key, "aws:SourceArn"), strings.EqualFold(key, "aws:SourceAccount")
		if isARN || isAccount {
			fact, err := factOf(p, q)
			if err != nil {
				return nil, err
			}
			if isARN && !fact.arn || isAccount && !fact.account {
				continue
			}
		}
		keys[key] = values
	}
	return keys, nil
}

func factOf(p api.Principal, q question) (sent, error) {
	for _, fact := range sentKeys {
		if fact.service+".amazonaws.com" == p.ARN && fact.action == q.action && fact.via == q.via {
			return fact, nil
		}
	}
	return sent{}, fmt.Errorf("it is not known which source %s sends with %s: sentKeys lacks the fact", p.ARN, q.action)
}
