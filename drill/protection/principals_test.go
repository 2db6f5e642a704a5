package protection_test

import (
	"strings"

	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/localaws/api"
)

const (
	member       = "111122223333"
	archive      = "222233334444"
	management   = "999988887777"
	stranger     = "555566667777"
	organization = "o-a1b2c3d4e5"
	home         = "eu-west-1"

	archiveKey    = "arn:aws:kms:eu-west-1:222233334444:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	archiveBucket = "trailguard-logs-222233334444-eu-west-1"
	elsewhere     = "security-lake-of-old" // a log bucket that is named otherwise
	stack         = "StackSet-TrailGuard-0a1b2c3d-0000-4000-8000-000000000000"
	ownBucket     = "stackset-trailguard-0a1b2c3d-00-logstorebucket-a1b2c3"
)

// strict are options with every choice that denies.
func strict() protection.Options {
	options := protection.Defaults()
	options.OrganizationID = organization
	options.TrailNames = []string{"TrailGuard", "organization-trail"}
	options.BucketNames = []string{elsewhere}
	options.KeyARNs = []string{archiveKey}
	options.BreakGlassRoleARNs = []string{
		"arn:aws:iam::*:role/BreakGlass", "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Emergency_*",
	}
	options.DenyConfigChanges, options.DenyStopAutomation = true, true
	return options
}

// lenient are options that leave out every choice.
func lenient() protection.Options {
	options := strict()
	options.ExemptCDK, options.DenyCreateTrail, options.DenyPolicyChanges = false, false, false
	options.DenyConfigChanges, options.DenyStopAutomation = false, false
	return options
}

func role(account, name string) api.Principal {
	return api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::" + account + ":role/" + name, SessionName: "session"}
}

func user(account, name string) api.Principal {
	return api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::" + account + ":user/" + name}
}

func root(account string) api.Principal {
	return api.Principal{Type: api.Root, ARN: "arn:aws:iam::" + account + ":root"}
}

func service(name string) api.Principal {
	return api.Principal{Type: api.AWSService, ARN: name + ".amazonaws.com"}
}

// exemptRoles are the names of roles that the policies do not bind, each by another pattern.
var exemptRoles = []string{
	"trailguard/StackSet-TrailGuard-0a1b2-AutomationRoleC58D7324-a1b2c3", // the guard's, by its path
	"StackSet-TrailGuard-0a1b2-EventRulesTargetRole2F019C-a1b2c3",        // the guard's, by CloudFormation's name of it
	"TrailGuardCentral-TargetRole-a1b2c3",                                // that of a stack that is not of the StackSet
	"stacksets-exec-0123456789abcdef0123456789abcdef",                    // service-managed StackSets
	"AWSCloudFormationStackSetExecutionRole",                             // self-managed StackSets
	"BreakGlass",
	"aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Emergency_0123456789abcdef",
	"cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1", // the CDK's bootstrap; it must be the last: it is a choice
}

// lookAlikes are principals whose ARNs look like those of exempt roles. They can be made by anybody, and are bound.
var lookAlikes = []api.Principal{
	// Other paths.
	role(member, "x/trailguard/AutomationRole"), role(member, "x/stacksets-exec-0123456789abcdef0123456789abcdef"),
	role(member, "x/AWSCloudFormationStackSetExecutionRole"), role(member, "AWSCloudFormationStackSetExecutionRole/x"),
	role(member, "x/BreakGlass"), role(member, "BreakGlass/x"), role(member, "x/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"),
	role(member, "x/AWSReservedSSO_Emergency_0123456789abcdef"), role(member, "sso.amazonaws.com/eu-west-1/AWSReservedSSO_Emergency_0123456789abcdef"),
	role(member, "x/StackSet-TrailGuard-a"),
	// Another case. The names of roles are compared without it, and so are taken once, but policies compare with it.
	role(member, "TRAILGUARD/AutomationRole"), role(member, "StackSets-exec-0123456789abcdef0123456789abcdef"),
	role(member, "awscloudformationstacksetexecutionrole"), role(member, "breakglass"), role(member, "CDK-hnb659fds-cfn-exec-role-111122223333-eu-west-1"),
	role(member, "stackset-trailguard-a"),
	// Something before or after.
	role(member, "AWSCloudFormationStackSetExecutionRole2"), role(member, "BreakGlass2"), role(member, "MyBreakGlass"),
	role(member, "mystacksets-exec-0123456789abcdef0123456789abcdef"), role(member, "stacksets-exec"), role(member, "trailguard"),
	role(member, "my-cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"), role(member, "cdk-hnb659fds-deploy-role-111122223333-eu-west-1"),
	role(member, "StackSet-Trail"),
	// Users, whose paths may hold almost anything, and sessions, whose names may.
	user(member, "trailguard/AutomationRole"), user(member, "BreakGlass"), user(member, "x:role/trailguard/AutomationRole"),
	user(member, "role/stacksets-exec-0123456789abcdef0123456789abcdef"),
	{Type: api.AssumedRole, ARN: "arn:aws:iam::" + member + ":role/Admin", SessionName: "BreakGlass"},
	{Type: api.FederatedUser, ARN: "arn:aws:sts::" + member + ":federated-user/BreakGlass", SessionName: "BreakGlass"},
}

// administrators are the principals of an account that may do everything, as far as its own policies go.
func administrators(account string) []api.Principal {
	return []api.Principal{
		role(account, "Admin"), user(account, "mallory"), root(account),
		role(account, "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_AWSAdministratorAccess_0123456789abcdef"),
		role(account, "OrganizationAccountAccessRole"),
	}
}

// linked is a service-linked role, which no service control policy binds.
var linked = role(member, "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig")

// short is a principal in the name of a question.
func short(p api.Principal) string {
	_, name, _ := strings.Cut(p.ARN, "::")
	if p.Type == api.AWSService {
		name = p.ARN
	}
	return name
}
