package localaws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// toolkit is what the command cdk deploy looks for of the stack that cdk bootstrap makes, if a template is too long for a request.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
const toolkit = `{
  "Resources": {"StagingBucket": {"Type": "AWS::S3::Bucket"}},
  "Outputs": {"BucketName": {"Value": {"Ref": "StagingBucket"}}, "BucketDomainName": {"Value": {"Fn::GetAtt": ["StagingBucket", "RegionalDomainName"]}}}
}`

// Bootstrap lets the CDK deploy templates that are too long for a request: it makes the bucket that they are uploaded to. config is that of an
// administrator.
func Bootstrap(ctx context.Context, config aws.Config) error {
	return CreateStack(ctx, config, "CDKToolkit", toolkit)
}
