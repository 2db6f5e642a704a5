package remediation

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/trail"
)

// NewRole defines the role that Automation assumes to restore the trail: it may do what the runbook does, on the one trail.
// A role that is given gets the same permissions; one that is imported and cannot be changed must already have them.
//
//	Automation ──assumes──► role ──may restore──► the trail of settings.Name
func NewRole(scope constructs.Construct, id *string, settings trail.Settings, given awsiam.IRole) awsiam.IRole {
	role := given
	if role == nil {
		role = awsiam.NewRole(scope, id, &awsiam.RoleProps{
			Description: jsii.String("Lets the runbook restore the trail " + settings.Name),
			AssumedBy:   automation(scope),
		})
	}
	for _, statement := range statements(scope, settings) {
		if !*role.AddToPrincipalPolicy(statement).StatementAdded {
			awscdk.Annotations_Of(scope).AddWarningV2(jsii.String("trailguard:importedAutomationRole"), jsii.String(
				"AutomationRole is imported, so its policy cannot be changed here: give it the statements that the README lists"))
		}
	}
	return role
}

// statements are what the runbook's steps need, and no more.
func statements(scope constructs.Construct, settings trail.Settings) []awsiam.PolicyStatement {
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("RestoreTrail"),
			Actions: jsii.Strings(
				"cloudtrail:CreateTrail",
				"cloudtrail:GetEventSelectors",
				"cloudtrail:GetInsightSelectors",
				"cloudtrail:GetTrail",
				"cloudtrail:GetTrailStatus",
				"cloudtrail:PutEventSelectors",
				"cloudtrail:PutInsightSelectors",
				"cloudtrail:StartLogging",
				"cloudtrail:UpdateTrail",
			),
			Resources: jsii.Strings(settings.ARN),
		}),
	}
	if detection.HasRemediation(scope) {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:     jsii.String("ArmConfig"),
			Actions: jsii.Strings("config:DeleteRemediationExceptions"),
			// This action takes no resource.
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html
			Resources: jsii.Strings("*"),
		}))
	}
	if settings.CloudWatchLogsRoleARN != "" {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:       jsii.String("PassCloudWatchLogsRole"),
			Actions:   jsii.Strings("iam:PassRole"),
			Resources: jsii.Strings(settings.CloudWatchLogsRoleARN),
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"iam:PassedToService": "cloudtrail.amazonaws.com"},
			},
		}))
	}
	if settings.IsOrganizationTrail {
		statements = append(statements, organizationStatements(scope)...)
	}
	return statements
}

// organizationStatements are what CreateTrail and UpdateTrail need besides for an organization trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
func organizationStatements(scope constructs.Construct) []awsiam.PolicyStatement {
	serviceLinkedRole := func(name string) *string {
		return awscdk.Stack_Of(scope).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("iam"), Region: jsii.String(""), Resource: jsii.String("role"),
			ResourceName: jsii.String("aws-service-role/" + name),
		})
	}
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("ReadOrganization"),
			Actions: jsii.Strings(
				"organizations:DescribeOrganization",
				"organizations:ListAWSServiceAccessForOrganization",
				"organizations:ListAccounts",
			),
			// These actions take no resource.
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
			Resources: jsii.Strings("*"),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:     jsii.String("ReadServiceLinkedRoles"),
			Actions: jsii.Strings("iam:GetRole"),
			Resources: &[]*string{
				serviceLinkedRole("cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail"),
				serviceLinkedRole("organizations.amazonaws.com/AWSServiceRoleForOrganizations"),
			},
		}),
	}
}

// automation is the principal ssm.amazonaws.com, for executions in this account only.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
func automation(scope constructs.Construct) awsiam.IPrincipal {
	stack := awscdk.Stack_Of(scope)
	executions := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Region: jsii.String("*"),
		Resource: jsii.String("automation-execution"), ResourceName: jsii.String("*"),
	})
	return awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]interface{}{
			"StringEquals": map[string]interface{}{"aws:SourceAccount": stack.Account()},
			"ArnLike":      map[string]interface{}{"aws:SourceArn": executions},
		},
	})
}
