package iam

import (
	"context"

	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

// automationService is the service that runbooks pass their role to.
const automationService = "ssm.amazonaws.com"

// dependentQuestions are what a call needs beside its own action: the dependent actions of the Service Authorization
// Reference, which the data that is read here does not hold, and the roles that it passes.
func (a *Authorizer) dependentQuestions(ctx context.Context, call api.Call) ([]question, error) {
	var all []question
	if passed := catalog.Of(call.Service, call.Operation).Passes; passed.Member != "" {
		for _, role := range call.First(passed.Member) {
			all = append(all, passRole(role, passed.Service))
		}
	}
	switch call.Action() {
	// A runbook that names the role it runs with passes it.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-iam.html
	case "ssm:CreateDocument", "ssm:UpdateDocument":
		var runbook struct {
			AssumeRole string `yaml:"assumeRole"`
		}
		if yaml.Unmarshal([]byte(call.Text("Content")), &runbook) == nil && isARN(runbook.AssumeRole) {
			all = append(all, passRole(runbook.AssumeRole, automationService))
		}
	// https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-remediation.html
	case "config:PutRemediationConfigurations":
		return a.withServiceLinkedRole(ctx, call.Place, all, "remediation.config.amazonaws.com")
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
	case "cloudtrail:CreateTrail", "cloudtrail:UpdateTrail":
		if organization, _ := call.Input["IsOrganizationTrail"].(bool); organization {
			all = append(all,
				question{action: "organizations:DescribeOrganization", resource: anyResource},
				question{action: "organizations:ListAWSServiceAccessForOrganization", resource: anyResource},
				question{action: "iam:GetRole", resource: serviceLinkedRole(call.Place, "cloudtrail.amazonaws.com")},
			)
			return a.withServiceLinkedRole(ctx, call.Place, all, "cloudtrail.amazonaws.com")
		}
	}
	return all, nil
}

func isARN(text string) bool { return len(text) > 4 && text[:4] == "arn:" }

func passRole(role, service string) question {
	return question{action: "iam:PassRole", resource: role, keys: map[string][]string{"iam:PassedToService": {service}}}
}

func serviceLinkedRole(place api.Place, service string) string {
	return place.GlobalARN("iam", "role/aws-service-role/"+service+"/"+serviceLinkedRoles[service])
}

// withServiceLinkedRole adds that a service makes its role with the caller's permission, unless the role exists.
func (a *Authorizer) withServiceLinkedRole(ctx context.Context, place api.Place, all []question, service string) ([]question, error) {
	_, err := a.role(ctx, serviceLinkedRoles[service])
	if !api.IsRefusal(err) {
		return all, err
	}
	return append(all, question{
		action: "iam:CreateServiceLinkedRole", resource: serviceLinkedRole(place, service), keys: map[string][]string{"iam:AWSServiceName": {service}},
	}), nil
}
