package detection

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// remediationSupport tells whether Config has remediation where the stack is deployed. It has none in AWS GovCloud (US).
// https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-config.html
type remediationSupport struct {
	// never is true where the stack's Region is known, and known to have none.
	never bool
	// condition decides when the stack is deployed. It is nil where the stack's Region is known.
	condition awscdk.CfnCondition
}

func newRemediationSupport(scope constructs.Construct) remediationSupport {
	region := awscdk.Stack_Of(scope).Region()
	if !*awscdk.Token_IsUnresolved(region) {
		return remediationSupport{never: strings.HasPrefix(*region, "us-gov-")}
	}
	isGovCloud := awscdk.Fn_ConditionEquals(awscdk.Aws_PARTITION(), jsii.String("aws-us-gov"))
	return remediationSupport{condition: awscdk.NewCfnCondition(scope, jsii.String("HasRemediation"), &awscdk.CfnConditionProps{
		Expression: awscdk.Fn_ConditionNot(isGovCloud),
	})}
}
