package drill

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/deployed"
)

// Clients are the services that the drill calls, in the trail's home Region.
type Clients struct {
	CloudFormation *cloudformation.Client
	CloudTrail     *cloudtrail.Client
	Config         *configservice.Client
	Events         *eventbridge.Client
	KMS            *kms.Client
	S3             *s3.Client
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
		Config:         configservice.NewFromConfig(config),
		Events:         eventbridge.NewFromConfig(config),
		KMS:            kms.NewFromConfig(config),
		S3:             s3.NewFromConfig(config),
		SQS:            sqs.NewFromConfig(config),
		SSM:            ssm.NewFromConfig(config),
	}
}
