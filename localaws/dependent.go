package localaws

import (
	"context"
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/localaws/api"
)

// passedRoles are the members that hold the ARN of a role which the caller passes to a service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
var passedRoles = map[string]struct{ member, service string }{
	"cloudtrail:CreateTrail":          {"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"},
	"cloudtrail:UpdateTrail":          {"CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"},
	"config:PutConfigurationRecorder": {"ConfigurationRecorder.roleARN", "config.amazonaws.com"},
	"config:PutRemediationConfigurations": {
		"RemediationConfigurations.Parameters.AutomationAssumeRole.StaticValue.Values", automationService,
	},
	"events:PutRule":                  {"RoleArn", "events.amazonaws.com"},
	"events:PutTargets":               {"Targets.RoleArn", "events.amazonaws.com"},
	"cloudformation:CreateStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:UpdateStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:DeleteStack":      {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:CreateChangeSet":  {"RoleARN", "cloudformation.amazonaws.com"},
	"cloudformation:ExecuteChangeSet": {"RoleARN", "cloudformation.amazonaws.com"},
	"logs:PutSubscriptionFilter":      {"roleArn", "logs.amazonaws.com"},
}

// dependentQuestions are what a call needs beside its own action: the dependent actions of the Service Authorization
// Reference, which the data that is read here does not hold, and the roles that it passes.
func (g *Gateway) dependentQuestions(ctx context.Context, call api.Call) ([]question, error) {
	var all []question
	if passed, ok := passedRoles[call.Action()]; ok {
		for _, role := range first(call, passed.member) {
			all = append(all, passRole(role, passed.service))
		}
	}
	switch call.Action() {
	// A runbook that names the role it runs with passes it.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
	case "ssm:CreateDocument", "ssm:UpdateDocument":
		var runbook struct {
			AssumeRole string `yaml:"assumeRole"`
		}
		if yaml.Unmarshal([]byte(text(call.Input, "Content")), &runbook) == nil && isARN(runbook.AssumeRole) {
			all = append(all, passRole(runbook.AssumeRole, automationService))
		}
	// https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-remediation.html
	case "config:PutRemediationConfigurations":
		return g.withServiceLinkedRole(ctx, all, "remediation.config.amazonaws.com")
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
	case "cloudtrail:CreateTrail", "cloudtrail:UpdateTrail":
		if organization, _ := call.Input["IsOrganizationTrail"].(bool); organization {
			all = append(all,
				question{action: "organizations:DescribeOrganization", resource: anyResource},
				question{action: "organizations:ListAWSServiceAccessForOrganization", resource: anyResource},
				question{action: "iam:GetRole", resource: serviceLinkedRole("cloudtrail.amazonaws.com")},
			)
			return g.withServiceLinkedRole(ctx, all, "cloudtrail.amazonaws.com")
		}
	}
	return all, nil
}

func isARN(text string) bool { return len(text) > 4 && text[:4] == "arn:" }

func passRole(role, service string) question {
	return question{action: "iam:PassRole", resource: role, keys: map[string][]string{"iam:PassedToService": {service}}}
}

func serviceLinkedRole(service string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/aws-service-role/%s/%s", api.Partition, api.Account, service, serviceLinkedRoles[service])
}

// withServiceLinkedRole adds that a service makes its role with the caller's permission, unless the role exists.
func (g *Gateway) withServiceLinkedRole(ctx context.Context, all []question, service string) ([]question, error) {
	_, err := g.role(ctx, serviceLinkedRoles[service])
	if !isRefusal(err) {
		return all, err
	}
	return append(all, question{
		action: "iam:CreateServiceLinkedRole", resource: serviceLinkedRole(service), keys: map[string][]string{"iam:AWSServiceName": {service}},
	}), nil
}
