// Package remediation puts the trail back: the runbook that does it, and the role with which it may.
package remediation

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/trail"
)

// RemediationProps are the properties of a Remediation.
type RemediationProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// Role is an existing role that Automation assumes. An imported role must already have the permissions and the trust
	// that the README shows, for CDK cannot add them.
	//
	// Default: - a new role is created that may do what the runbook does, on the one trail.
	Role awsiam.IRole
}

// Remediation is the runbook that restores one trail.
type Remediation interface {
	constructs.Construct
	// Runbook is the SSM Automation document.
	Runbook() awsssm.CfnDocument
	// Role is the role that Automation assumes.
	Role() awsiam.IRole
	// Parameters are the parameters that start the runbook. It accepts no other values.
	Parameters() []Parameter
}

type remediation struct {
	constructs.Construct
	settings trail.Settings
	role     awsiam.IRole
	runbook  awsssm.CfnDocument
}

// NewRemediation defines a Remediation.
//
//	Runbook ──assumes──► Role ──may restore──► the trail of Settings.Name
func NewRemediation(scope constructs.Construct, id *string, props *RemediationProps) Remediation {
	this := &remediation{settings: props.Settings}
	constructs.NewConstruct_Override(this, scope, id)
	this.role = this.newRole(props)
	this.runbook = this.newRunbook()
	return this
}

func (r *remediation) Runbook() awsssm.CfnDocument { return r.runbook }
func (r *remediation) Role() awsiam.IRole          { return r.role }
func (r *remediation) Parameters() []Parameter     { return Parameters(r.settings, *r.role.RoleArn()) }

func (r *remediation) newRole(props *RemediationProps) awsiam.IRole {
	role := props.Role
	if role == nil {
		role = awsiam.NewRole(r, jsii.String("Role"), &awsiam.RoleProps{
			Description: jsii.String("Lets the runbook restore the trail " + r.settings.Name),
			AssumedBy:   automation(r),
		})
	}
	for _, statement := range r.statements() {
		if !*role.AddToPrincipalPolicy(statement).StatementAdded {
			awscdk.Annotations_Of(r).AddWarningV2(jsii.String("trailguard:importedAutomationRole"), jsii.String(
				"AutomationRole is imported, so its policy cannot be changed here: give it the statements that the README lists"))
		}
	}
	return role
}

// statements are what the runbook's steps need, and no more.
func (r *remediation) statements() []awsiam.PolicyStatement {
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
			Resources: jsii.Strings(r.settings.ARN),
		}),
	}
	if r.settings.CloudWatchLogsRoleARN != "" {
		statements = append(statements, awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:       jsii.String("PassCloudWatchLogsRole"),
			Actions:   jsii.Strings("iam:PassRole"),
			Resources: jsii.Strings(r.settings.CloudWatchLogsRoleARN),
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"iam:PassedToService": "cloudtrail.amazonaws.com"},
			},
		}))
	}
	if r.settings.IsOrganizationTrail {
		statements = append(statements, organizationStatements(r)...)
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

// newRunbook leaves the name to CloudFormation: a fixed name could not be replaced.
func (r *remediation) newRunbook() awsssm.CfnDocument {
	return awsssm.NewCfnDocument(r, jsii.String("Runbook"), &awsssm.CfnDocumentProps{
		DocumentType:   jsii.String("Automation"),
		DocumentFormat: jsii.String("YAML"),
		UpdateMethod:   jsii.String("NewVersion"),
		Content:        content(document(r.settings, *r.role.RoleArn())),
	})
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

// content is the runbook in the form that the CDK takes: its JSON.
func content(runbook assets.Runbook) any {
	text, err := json.Marshal(runbook)
	if err != nil {
		panic(fmt.Errorf("remediation: encoding the runbook: %w", err))
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		panic(fmt.Errorf("remediation: decoding the runbook: %w", err))
	}
	return value
}
