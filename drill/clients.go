package drill

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Clients are the services that the drill calls, in the trail's home Region. Those of whoever tampers call as the tamperer.
type Clients struct {
	CloudFormation *cloudformation.Client
	CloudTrail     *cloudtrail.Client
	CloudWatch     *cloudwatch.Client
	Config         *configservice.Client
	Events         *eventbridge.Client
	IAM            *iam.Client
	KMS            *kms.Client
	Logs           *cloudwatchlogs.Client
	S3             *s3.Client
	SNS            *sns.Client
	SQS            *sqs.Client
	SSM            *ssm.Client
}

// Reads are the clients through which a guard is read.
func (c Clients) Reads() deployed.Clients {
	return deployed.Clients{CloudFormation: c.CloudFormation, CloudTrail: c.CloudTrail, Events: c.Events, SSM: c.SSM}
}

// NewClients makes the clients of one caller.
func NewClients(config aws.Config) Clients {
	return Clients{
		CloudFormation: cloudformation.NewFromConfig(config),
		CloudTrail:     cloudtrail.NewFromConfig(config),
		CloudWatch:     cloudwatch.NewFromConfig(config),
		Config:         configservice.NewFromConfig(config),
		Events:         eventbridge.NewFromConfig(config),
		IAM:            iam.NewFromConfig(config),
		KMS:            kms.NewFromConfig(config),
		Logs:           cloudwatchlogs.NewFromConfig(config),
		S3:             s3.NewFromConfig(config),
		SNS:            sns.NewFromConfig(config),
		SQS:            sqs.NewFromConfig(config),
		SSM:            ssm.NewFromConfig(config),
	}
}

// TrailAPI are the calls with which a trail is tampered with.
type TrailAPI interface {
	StopLogging(context.Context, *cloudtrail.StopLoggingInput, ...func(*cloudtrail.Options)) (*cloudtrail.StopLoggingOutput, error)
	DeleteTrail(context.Context, *cloudtrail.DeleteTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.DeleteTrailOutput, error)
	UpdateTrail(context.Context, *cloudtrail.UpdateTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.UpdateTrailOutput, error)
	PutEventSelectors(context.Context, *cloudtrail.PutEventSelectorsInput, ...func(*cloudtrail.Options)) (*cloudtrail.PutEventSelectorsOutput, error)
	PutInsightSelectors(context.Context, *cloudtrail.PutInsightSelectorsInput, ...func(*cloudtrail.Options)) (*cloudtrail.PutInsightSelectorsOutput, error)
	RemoveTags(context.Context, *cloudtrail.RemoveTagsInput, ...func(*cloudtrail.Options)) (*cloudtrail.RemoveTagsOutput, error)
}
