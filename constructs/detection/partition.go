package detection

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
)

// HasRemediation tells whether Config has remediation in the stack's partition. It has none in AWS GovCloud (US), whose
// stacks must name their Region for it to be known.
// https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-config.html
func HasRemediation(scope constructs.Construct) bool {
	region := awscdk.Stack_Of(scope).Region()
	return *awscdk.Token_IsUnresolved(region) || !strings.HasPrefix(*region, "us-gov-")
}
