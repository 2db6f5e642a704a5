package remediation

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// RoleProps are the properties of NewRole.
type RoleProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// AutomationRole is an existing role. It gets the permissions; an imported role that cannot be changed must already have them.
	//
	// Default: - a new role is created.
	AutomationRole awsiam.IRole

	// AlertTopic is a topic to which the runbook publishes.
	//
	// Default: - it publishes to none.
	AlertTopic awssns.ITopic

	// CentralEventBus is an event bus on which the runbook puts its reports.
	//
	// Default: - it puts them on none.
	CentralEventBus awsevents.IEventBus

	// ConfigRules tells whether the runbook deletes remediation exceptions of Config rules, and starts the configuration recorder.
	ConfigRules bool
}

// NewRole defines the role that Automation assumes to restore the trail: it may do what the runbook does, on the one trail.
// It panics where props.Validate or props.ValidateIn returns an error. A role of another stack of the app gets its permissions from a policy with the
// id.
//
//	Automation ──assumes──► role ──may restore──► the trail of Settings
//	                         └──may tell──► AlertTopic, CentralEventBus
func NewRole(scope constructs.Construct, id *string, props *RoleProps) awsiam.IRole {
	if props == nil {
		props = &RoleProps{}
	}
	validation.Panic("Role", id, validation.Required("id", id != nil), props.Validate())
	validation.Panic("Role", id, props.ValidateIn(scope))
	role := props.AutomationRole
	if role != nil {
		supplied.AddToRole(scope, *id, "AutomationRole", role, statements(scope, props)...)
		return role
	}
	restore := statements(scope, props)
	return awsiam.NewRole(scope, id, &awsiam.RoleProps{
		// Another guard of the trail says the same of its role: by that `trailguard status` finds it.
		Description: jsii.String("Restores " + props.Settings.Name),
		AssumedBy:   automation(),
		Path:        jsii.String(detection.GuardRolePath),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"RestoreTrail": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &restore}),
		},
	})
}

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *RoleProps) Validate() error { return errors.Join(p.Settings.Validate(), p.ValidateOptional()) }

// ValidateOptional returns an error that names every optional property that cannot be used, nil where there is none.
// https://docs.aws.amazon.com/config/latest/APIReference/API_StaticValue.html
func (p *RoleProps) ValidateOptional() error {
	const longest = 256
	if p.AutomationRole == nil {
		return nil
	}
	arn := *p.AutomationRole.RoleArn()
	if *awscdk.Token_IsUnresolved(arn) || len(arn) <= longest {
		return nil
	}
	return validation.Problem("AutomationRole", "%q has %d characters, and AWS Config passes at most %d to a runbook: give a role with a shorter path or name",
		arn, len(arn), longest)
}

// ValidateIn returns an error if the role is of another account than the scope's stack.
func (p *RoleProps) ValidateIn(scope constructs.Construct) error {
	if p.AutomationRole == nil {
		return nil
	}
	return supplied.OfAccount(scope, "AutomationRole", p.AutomationRole.Env(), "Automation assumes roles of its own account only: give one of those")
}

// statements are what the runbook's script needs, and no more.
func statements(scope constructs.Construct, props *RoleProps) []awsiam.PolicyStatement {
	settings := props.Settings
	actions := []string{
		"cloudtrail:CreateTrail",
		"cloudtrail:GetEventSelectors",
		"cloudtrail:GetInsightSelectors",
		"cloudtrail:GetTrail",
		"cloudtrail:GetTrailStatus",
		"cloudtrail:PutEventSelectors",
		"cloudtrail:PutInsightSelectors",
		"cloudtrail:StartLogging",
		"cloudtrail:UpdateTrail",
	}
	if len(settings.Tags) > 0 {
		actions = append(actions, "cloudtrail:AddTags", "cloudtrail:ListTags")
	}
	everywhere := []string{"cloudtrail:DescribeTrails"}
	if props.ConfigRules && partition.HasRemediation(scope) {
		everywhere = append(everywhere, "config:DeleteRemediationExceptions", "config:DescribeConfigurationRecorderStatus",
			"config:DescribeRemediationExceptions", "config:StartConfigurationRecorder")
	}
	if settings.IsOrganizationTrail {
		everywhere = append(everywhere, readOrganization...)
	}
	statements := []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:       jsii.String("RestoreTrail"),
			Actions:   jsii.Strings(actions...),
			Resources: jsii.Strings(settings.ARN),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:     jsii.String("ReadTrailsAndArmConfig"),
			Actions: jsii.Strings(everywhere...),
			// These actions take no resource, or are asked without one, as the recorder's status is. Nobody knows the recorder's name here, and an
			// account has one in a Region.
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html
			// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
			Resources: jsii.Strings("*"),
		}),
	}
	if props.AlertTopic != nil {
		statements = append(statements, alerting.Publish(props.AlertTopic)...)
	}
	if props.CentralEventBus != nil {
		statements = append(statements, alerting.PutEvents(props.CentralEventBus))
	}
	if settings.OwnerAccount != "" {
		statements = append(statements, createByName(settings.Name))
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
		statements = append(statements, organizationStatements()...)
	}
	return statements
}

// createByName lets a delegated administrator make the organization's trail. CreateTrail takes a name, not an ARN: whether IAM is then asked about
// a trail of the administrator's account, as for other calls that give a name, or about one of the account that will own it, is not documented.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html
func createByName(name string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:       jsii.String("CreateTrailByName"),
		Actions:   jsii.Strings("cloudtrail:CreateTrail"),
		Resources: &[]*string{awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/"+name), nil)},
	})
}

// readOrganization is what CreateTrail and UpdateTrail ask of an organization.
var readOrganization = []string{
	"organizations:DescribeOrganization", "organizations:ListAWSServiceAccessForOrganization", "organizations:ListAccounts",
}

// organizationStatements are what CreateTrail and UpdateTrail need besides for an organization trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
func organizationStatements() []awsiam.PolicyStatement {
	serviceLinkedRole := func(name string) *string {
		return awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/"+name), nil)
	}
	return []awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:     jsii.String("ReadServiceLinkedRoles"),
			Actions: jsii.Strings("iam:GetRole"),
			Resources: &[]*string{
				serviceLinkedRole("cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail"),
				serviceLinkedRole("organizations.amazonaws.com/AWSServiceRoleForOrganizations"),
			},
		}),
		// CloudTrail makes the role with the caller's permission, if the organization has none yet.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/using-service-linked-roles.html
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:       jsii.String("CreateServiceLinkedRole"),
			Actions:   jsii.Strings("iam:CreateServiceLinkedRole"),
			Resources: &[]*string{serviceLinkedRole("cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail")},
			Conditions: &map[string]interface{}{
				"StringEquals": map[string]interface{}{"iam:AWSServiceName": "cloudtrail.amazonaws.com"},
			},
		}),
	}
}

// automation is the principal ssm.amazonaws.com, for executions in this account only.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
func automation() awsiam.IPrincipal {
	executions := awscdk.Fn_Sub(jsii.String("arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:automation-execution/*"), nil)
	return awsiam.NewServicePrincipal(jsii.String("ssm.amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]interface{}{
			"ArnLike": map[string]interface{}{"aws:SourceArn": executions},
		},
	})
}
