package detection

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
)

// withoutRemediation are the Regions in which CloudFormation has no AWS::Config::RemediationConfiguration, besides those of
// AWS GovCloud (US), as its schemas for each Region say.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html
var withoutRemediation = []string{"ap-east-2", "ap-southeast-6", "ap-southeast-7", "mx-central-1"}

// HasRemediation tells whether Config has remediation in the stack's Region. Where it has none, the stack must name its Region
// for that to be known.
func HasRemediation(scope constructs.Construct) bool {
	region := awscdk.Stack_Of(scope).Region()
	return *awscdk.Token_IsUnresolved(region) || !strings.HasPrefix(*region, "us-gov-") && !slices.Contains(withoutRemediation, *region)
}
