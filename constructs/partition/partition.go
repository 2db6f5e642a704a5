// Package partition is what AWS's partitions and Regions have of what a guard needs, and what they lack.
package partition

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/regioninfo"
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

// Of is the partition of the stack's Region, empty if it is not known.
func Of(scope constructs.Construct) string {
	region := awscdk.Stack_Of(scope).Region()
	if *awscdk.Token_IsUnresolved(region) {
		return ""
	}
	if partition := regioninfo.RegionInfo_Get(region).Partition(); partition != nil {
		return *partition
	}
	return ""
}

// ConsoleDomain is the domain of the management console in a Region, which may be a token: then it is that of the partition aws.
func ConsoleDomain(region string) string {
	for prefix, domain := range map[string]string{"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com", "eusc-": "amazonaws-eusc.eu"} {
		if strings.HasPrefix(region, prefix) {
			return domain
		}
	}
	return "aws.amazon.com"
}

// IAMEventsRegion is the Region in which the events of IAM arrive, of the partition of a Region: its endpoint is there alone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
// https://docs.aws.amazon.com/general/latest/gr/iam-service.html
func IAMEventsRegion(region string) string {
	for prefix, of := range map[string]string{
		"cn-": "cn-north-1", "us-gov-": "us-gov-west-1", "eusc-": "eusc-de-east-1", "us-iso-": "us-iso-east-1", "us-isob-": "us-isob-east-1",
		"us-isof-": "us-isof-south-1", "eu-isoe-": "eu-isoe-west-1",
	} {
		if strings.HasPrefix(region, prefix) {
			return of
		}
	}
	return "us-east-1"
}
