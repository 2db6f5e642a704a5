package protection

import (
	"slices"
	"strings"
)

// A statement denies actions on resources to everybody but those whom its policy exempts. One that has no actions or no resources
// under the options is left out.
type statement struct {
	sid       string
	actions   []string
	resources []string
	when      conditions // further conditions; all must hold
}

// conditions are the values of keys, by operator.
type conditions map[string]map[string][]string

// serviceControl are the statements of the service control policies, in the order in which they are split into documents. The rows
// are those of the drill's catalogue of tampering.
//
// A * in an ARN stands for each Region and account, because one policy is attached to all; for the ends of names, which CloudFormation
// makes up; and, in stack and StackSet ARNs, for their ids. No action has a wildcard: a new action of a service is denied only when a
// row has it.
func (o Options) serviceControl() []statement {
	return []statement{
		// T01-T19, T50, T52, T54 and T57: the guarded trail, and a trail of its name in another Region. PutEventConfiguration sets
		// which events carry tags and condition keys. It costs nobody anything: the trails are the guard's by name.
		{sid: "KeepTrail", actions: []string{
			"cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors",
			"cloudtrail:PutInsightSelectors", "cloudtrail:PutEventConfiguration", "cloudtrail:AddTags", "cloudtrail:RemoveTags",
			"cloudtrail:CreateTrail",
		}, resources: o.arns("cloudtrail:*:*:trail/", o.TrailNames)},

		// T20-T27: what decides whether CloudTrail can deliver, how long files stay and who reads them; and the files. CloudTrail, a
		// service, writes them: it is not bound. Costs nobody anything but the names that begin like the guard's stacks.
		{sid: "KeepLogs", actions: concat(bucketActions, fileActions), resources: o.buckets()},

		// T28-T31: the log keys that are given by their ARNs. A caller can name a key by alias: AWS authorizes by the key's ARN.
		{sid: "KeepLogKey", actions: keyActions, resources: o.KeyARNs},

		// T28-T31 for the keys that the guard's stacks made, of own log stores and of the alert topic: a key's ARN has an id, so they are
		// known by their tag, which is denied to be taken or changed, too. The * stands for the id. Cost: whoever gives a key of their own
		// that tag loses it to the exempt roles.
		{sid: "KeepGuardKeys", actions: keyActions, resources: o.arns("kms:*:*:key/*"), when: conditions{
			"StringLike": {"aws:ResourceTag/" + KeyTag: o.prefixed("", "*")},
		}},

		// T39, T41, T49 and T58: the rules that start the runbook and tell people, all rules of the guard's own buses, and the runbook,
		// also starting it by hand, by a change request or by an association, with whatever values. PutRule can change a pattern.
		// Config's own role is service-linked, and the guard's start role is exempt. Cost: nobody tries the deployed runbook out.
		{sid: "KeepRepairs", actions: []string{
			"events:DisableRule", "events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets",
			"events:DeleteEventBus", "events:UpdateEventBus",
			"ssm:DeleteDocument", "ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion", "ssm:UpdateDocumentMetadata",
			"ssm:ModifyDocumentPermission", "ssm:StartAutomationExecution", "ssm:StartChangeRequestExecution", "ssm:CreateAssociation",
		}, resources: concat(o.arns("events:*:*:rule/", o.prefixed("", "*"), suffixed(o.EventBusNames, "/*")), o.arns("events:*:*:event-bus/", o.EventBusNames),
			o.arns("ssm:*:*:", o.prefixed("document/", "*"), o.prefixed("automation-definition/", "*")))},

		// T42-T44 and T59: what people learn it by: topics with their subscriptions, alarms, also by a rule that mutes them, the queue of
		// what could not be told, and the trail's log group with the filters by which others read it. ReceiveMessage is left: reading the
		// queue is how one learns what went wrong. Cost: whoever has read the queue needs an exempt role to empty it.
		{sid: "KeepAlerts", actions: []string{
			"sns:DeleteTopic", "sns:SetTopicAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe", "sns:AddPermission",
			"sns:RemovePermission", "sns:PutDataProtectionPolicy",
			"cloudwatch:DeleteAlarms", "cloudwatch:DisableAlarmActions", "cloudwatch:SetAlarmState", "cloudwatch:PutMetricAlarm",
			"cloudwatch:PutCompositeAlarm", "cloudwatch:PutLogAlarm", "cloudwatch:PutAlarmMuteRule",
			"sqs:DeleteQueue", "sqs:PurgeQueue", "sqs:SetQueueAttributes", "sqs:AddPermission", "sqs:RemovePermission", "sqs:DeleteMessage",
			"sqs:StartMessageMoveTask",
			"logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy", "logs:PutSubscriptionFilter",
			"logs:DeleteSubscriptionFilter", "logs:DeleteMetricFilter", "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
			"logs:PutDataProtectionPolicy", "logs:PutTransformer", "logs:PutLogGroupDeletionProtection",
		}, resources: concat(o.arns("sns:*:*:", o.prefixed("", "*")), o.arns("cloudwatch:*:*:alarm:", o.prefixed("", "*")),
			o.arns("sqs:*:*:", o.prefixed("", "*")), o.arns("logs:*:*:log-group:", o.prefixed("", "*")))},

		// T48: the guard's stacks and StackSet. With a role for CloudFormation the caller still needs these.
		{sid: "KeepStacks", actions: []string{
			"cloudformation:DeleteStack", "cloudformation:UpdateStack", "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet",
			"cloudformation:DeleteChangeSet", "cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback",
			"cloudformation:RollbackStack", "cloudformation:SetStackPolicy", "cloudformation:UpdateTerminationProtection",
			"cloudformation:CreateStackRefactor", "cloudformation:ExecuteStackRefactor",
			"cloudformation:UpdateStackSet", "cloudformation:DeleteStackSet", "cloudformation:CreateStackInstances",
			"cloudformation:UpdateStackInstances", "cloudformation:DeleteStackInstances", "cloudformation:StopStackSetOperation",
			"cloudformation:ImportStacksToStackSet",
		}, resources: o.arns("cloudformation:*:*:", o.prefixed("stack/", "*"), o.stackSets())},

		// T40, and what would make a look-alike: the exempt roles by the very patterns that exempt them, so that no role that is exempt
		// can be created, changed or opened by one that is not. Cost: bootstrapping for the CDK, and setting up self-managed StackSets,
		// need an exempt role.
		{sid: "KeepExemptRoles", actions: []string{
			"iam:CreateRole", "iam:DeleteRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
			"iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary",
		}, resources: o.exemptRoles()},

		// T53: giving an exempt role to a service, such as the guard's own to a runbook of somebody else. The CDK's role is left out:
		// every deployment with the CDK passes it to CloudFormation.
		{sid: "KeepExemptRolesUnpassed", actions: []string{"iam:PassRole"}, resources: o.unpassedRoles()},

		// T46: the policies of these two types, as the guard's have ids. All resources, because a policy is detached from others, too. Cost:
		// see Options.DenyPolicyChanges.
		{sid: "KeepPolicies", actions: only(o.DenyPolicyChanges, "organizations:UpdatePolicy", "organizations:DeletePolicy",
			"organizations:DetachPolicy", "organizations:DisablePolicyType"), resources: []string{"*"}, when: conditions{
			"StringEquals": {"organizations:PolicyType": {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"}},
		}},

		// What is the account's and not the guard's, by whatever resource it is named:
		//
		// T45 and T47, always: leaving the organization, also by accepting the invitation of another one, and what only the management
		// account can do anyway. LeaveOrganization has no resource. Cost: an account that shall leave is moved to another OU first.
		//
		// T56, T60, and T32-T38, where that is chosen. Costs: see Options.DenyCreateTrail, DenyStopAutomation and DenyConfigChanges.
		{sid: "KeepAccount", actions: concat(
			[]string{
				"organizations:LeaveOrganization", "organizations:AcceptHandshake", "organizations:RemoveAccountFromOrganization",
				"organizations:MoveAccount", "organizations:DisableAWSServiceAccess", "organizations:DeregisterDelegatedAdministrator",
				"cloudtrail:DeregisterOrganizationDelegatedAdmin",
			},
			only(o.DenyCreateTrail, "cloudtrail:CreateTrail"),
			only(o.DenyStopAutomation, "ssm:StopAutomationExecution", "ssm:SendAutomationSignal"),
			only(o.DenyConfigChanges, "config:StopConfigurationRecorder", "config:DeleteConfigurationRecorder",
				"config:PutConfigurationRecorder", "config:DisassociateResourceTypes", "config:DeleteDeliveryChannel", "config:PutDeliveryChannel",
				"config:DeleteConfigRule", "config:PutConfigRule", "config:DeleteEvaluationResults", "config:DeleteRemediationConfiguration",
				"config:PutRemediationConfigurations", "config:PutRemediationExceptions"),
		), resources: []string{"*"}},
	}
}

// resourceControl are the statements of the resource control policies. In them, services are exempt, too: CloudTrail writes the files.
func (o Options) resourceControl() []statement {
	return []statement{
		// T20-T31 by anybody: from the management account, which no service control policy binds, too.
		{sid: "KeepLogs", actions: concat(bucketActions, fileActions), resources: o.buckets(), when: o.notExempt()},
		{sid: "KeepLogKey", actions: keyActions, resources: o.KeyARNs, when: o.notExempt()},

		// The same for strangers, whose roles can be named as the exempt ones are: the account of an exempt role is *.
		{sid: "KeepStrangersOut", actions: concat(bucketActions, fileActions, only(len(o.KeyARNs) > 0, keyActions...)),
			resources: concat(o.buckets(), o.KeyARNs), when: o.stranger()},

		// CloudTrail as the deputy of a trail outside the organization. A request without a source is of no account.
		// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_examples.html
		{sid: "KeepStrangersTrailsOut", actions: concat([]string{"s3:PutObject"}, only(len(o.KeyARNs) > 0, "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")),
			resources: concat(o.files(), o.KeyARNs), when: conditions{
				"StringNotEqualsIfExists": {"aws:SourceOrgID": {o.OrganizationID}},
				"Bool":                    {"aws:PrincipalIsAWSService": {"true"}},
				"Null":                    {"aws:SourceAccount": {"false"}},
			}},

		// A role that was named like one of the guard's before the policies were attached, and trusts somebody: services alone assume the
		// guard's roles, and CloudFormation alone the CDK's.
		{sid: "KeepRolesForServices", actions: []string{"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"},
			resources: concat(o.guardRoles(), only(o.ExemptCDK, o.cdkRole())), when: conditions{
				"BoolIfExists": {"aws:PrincipalIsAWSService": {"false"}},
			}},
	}
}

// bucketActions change what a bucket does with its files and who may reach them. PutReplicationConfiguration is also that of deleting
// one, PutEncryptionConfiguration and PutBucketPublicAccessBlock likewise. CloudTrail does not deliver to a bucket whose requester pays;
// an archive tier makes files unreadable for hours; without notifications nobody notices that files stop to arrive; PutBucketAbac
// makes tags decide.
var bucketActions = []string{
	"s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:DeleteBucket", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning",
	"s3:PutEncryptionConfiguration", "s3:PutBucketPublicAccessBlock", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
	"s3:PutBucketLogging", "s3:PutReplicationConfiguration", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketNotification",
	"s3:PutBucketRequestPayment", "s3:PutIntelligentTieringConfiguration", "s3:PutBucketTagging", "s3:PutBucketAbac", "s3:PutBucketWebsite",
}

// fileActions change or delete files. ReplicateObject and ReplicateDelete do so by another bucket's replication.
var fileActions = []string{
	"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging",
	"s3:PutObjectVersionTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention",
	"s3:UpdateObjectEncryption", "s3:ReplicateObject", "s3:ReplicateDelete",
}

// KeyTag is the tag that the guard's stacks give to their keys: its value is the stack's name. CloudFormation's own tag of that meaning,
// aws:cloudformation:stack-name, it does not give to keys (in their schema cloudFormationSystemTags is false).
// https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2077
const KeyTag = "trailguard:stack"

// keyActions take a key away from CloudTrail or from the readers, or give it to others. UpdateAlias and DeleteAlias need the key as well
// as the alias; tags are what KeepGuardKeys and others go by; a replica and imported material can be lost apart from the key.
var keyActions = []string{
	"kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKeyRotation", "kms:CreateGrant", "kms:RevokeGrant",
	"kms:RetireGrant", "kms:UpdateAlias", "kms:DeleteAlias", "kms:ReplicateKey", "kms:UpdatePrimaryRegion", "kms:ImportKeyMaterial",
	"kms:DeleteImportedKeyMaterial", "kms:TagResource", "kms:UntagResource",
}

// guardRoles are the roles of the guard: those of the IAM path /trailguard/, and those that CloudFormation names by the stack.
func (o Options) guardRoles() []string {
	return o.arns("iam::*:role/", []string{guardPath + "*"}, o.prefixed("", "*"))
}

// cdkRole is the role that the CDK's bootstrap makes for CloudFormation, with any qualifier.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
func (o Options) cdkRole() string { return o.arns("iam::*:role/cdk-*-cfn-exec-role-*")[0] }

// unpassedRoles are the exempt roles that nobody else passes to a service: the guard's, those of StackSets, by which CloudFormation
// deploys in an account, and break-glass.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs.html
func (o Options) unpassedRoles() []string {
	return concat(o.guardRoles(), o.arns("iam::*:role/", []string{"stacksets-exec-*", "AWSCloudFormationStackSetExecutionRole"}), o.BreakGlassRoleARNs)
}

// exemptRoles are the roles that no statement binds. A * does not end at a /: also role/stacksets-exec-a/b is exempt, which is why
// KeepExemptRoles has these patterns and no others. Names are compared with their case, in both.
func (o Options) exemptRoles() []string {
	return concat(o.unpassedRoles(), only(o.ExemptCDK, o.cdkRole()))
}

// exempt is the condition that a caller is none of the exempt roles. The root user and federated users have ARNs of other kinds, and a
// caller without an ARN is like none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
func (o Options) exempt() conditions {
	return conditions{"ArnNotLike": {"aws:PrincipalArn": o.exemptRoles()}}
}

// notExempt is exempt where services are not bound.
func (o Options) notExempt() conditions {
	return conditions{"ArnNotLike": o.exempt()["ArnNotLike"], "BoolIfExists": {"aws:PrincipalIsAWSService": {"false"}}}
}

// stranger is the condition that a caller is neither of the organization nor a service.
func (o Options) stranger() conditions {
	return conditions{
		"StringNotEqualsIfExists": {"aws:PrincipalOrgID": {o.OrganizationID}},
		"BoolIfExists":            {"aws:PrincipalIsAWSService": {"false"}},
	}
}

// buckets are the ARNs of the log buckets and of what is in them.
func (o Options) buckets() []string { return concat(o.arns("s3:::", o.BucketNames), o.files()) }

// files are the ARNs of what is in the log buckets. CloudFormation names a bucket by its stack, in lower case; the * after that also
// stands for a / and a file, so that the ARN is that of the bucket, too.
func (o Options) files() []string {
	var names []string
	for _, prefix := range o.prefixed("", "*") {
		names = append(names, strings.ToLower(prefix))
	}
	return o.arns("s3:::", names, suffixed(o.BucketNames, "/*"))
}

// stackSets are the guard's StackSets: those whose stacks' names begin as the guard's, and those whose own names do.
func (o Options) stackSets() []string {
	var names []string
	for _, prefix := range o.NamePrefixes {
		name, deploys := strings.CutPrefix(prefix, "StackSet-")
		if !deploys {
			names = append(names, "stackset/"+prefix+"*")
		} else if !slices.ContainsFunc(o.NamePrefixes, func(other string) bool { return strings.HasPrefix(name, other) }) {
			names = append(names, "stackset/"+strings.TrimSuffix(name, "-")+":*")
		}
	}
	return names
}

// arns are the ARNs that begin so, of each of the names; without names, the ARN itself.
func (o Options) arns(begin string, names ...[]string) []string {
	begin = "arn:" + o.Partition + ":" + begin
	if names == nil {
		return []string{begin}
	}
	var arns []string
	for _, name := range concat(names...) {
		arns = append(arns, begin+name)
	}
	return arns
}

func suffixed(names []string, suffix string) []string {
	var all []string
	for _, name := range names {
		all = append(all, name+suffix)
	}
	return all
}

// only are the values if they are wanted.
func only(wanted bool, values ...string) []string {
	if !wanted {
		return nil
	}
	return values
}

func concat(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}
