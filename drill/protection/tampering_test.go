package protection_test

import "github.com/trailguard/trailguard/constructs/protection"

// A call is an action on a resource, which an administrator of its account asks for.
type call struct {
	action, resource string
	account          string // of the resource and of who asks; empty means the member
	keys             keys
	choice           string // the option that denies it; empty means that it always is
}

// keys are condition keys of a request.
type keys map[string]string

// tampering are the calls of a row of the catalogue that a policy can deny.
type tampering struct {
	row   string
	calls []call
}

// arn is an ARN in the home Region of the member.
func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + home + ":" + member + ":" + resource
}

func bucketARN(name string) string { return "arn:aws:s3:::" + name }

func roleARN(name string) string { return "arn:aws:iam::" + member + ":role/" + name }

func ours(resource string) string { return resource + stack + "-Part-A1B2C3" }

// onOurs are calls on a part of a guard that a StackSet deployed, and on one of a stack of its own.
func onOurs(service, resource, suffix string, operations ...string) []call {
	return all(on(arn(service, ours(resource)+suffix), service, operations...), on(arn(service, resource+"TrailGuardCentral-Part-A1B2C3"+suffix), service, operations...))
}

const stackTagKey = "aws:ResourceTag/" + protection.KeyTag

var (
	guardedTrail = arn("cloudtrail", "trail/TrailGuard")
	logFile      = "/AWSLogs/" + member + "/CloudTrail/eu-west-1/2030/01/01/a.json.gz"
	ownKey       = arn("kms", "key/aaaabbbb-12ab-34cd-56ef-1234567890ab")
	// stackTag is the tag of a key of the guard.
	stackTag = keys{stackTagKey: stack}
)

// organizationRoot is what policies are attached to.
const organizationRoot = "arn:aws:organizations::" + management + ":root/" + organization + "/r-a1b2"

// policyOf is a policy of a type, and policyType the condition key by which a call tells the type.
func policyOf(kind string) string {
	return "arn:aws:organizations::" + management + ":policy/" + organization + "/" + kind + "/p-a1b2c3d4"
}

func policyType(kind string) keys { return keys{"organizations:PolicyType": kind} }

// on are calls of one service on one resource.
func on(resource, service string, operations ...string) []call {
	var calls []call
	for _, operation := range operations {
		calls = append(calls, call{action: service + ":" + operation, resource: resource})
	}
	return calls
}

// in are calls in another account.
func in(account string, calls []call) []call {
	for i := range calls {
		calls[i].account = account
	}
	return calls
}

// with are calls with condition keys.
func with(k keys, calls []call) []call {
	for i := range calls {
		calls[i].keys = k
	}
	return calls
}

// chosen are calls that an option denies.
func chosen(option string, calls []call) []call {
	for i := range calls {
		calls[i].choice = option
	}
	return calls
}

func all(lists ...[]call) []call {
	var calls []call
	for _, list := range lists {
		calls = append(calls, list...)
	}
	return calls
}

// onBuckets are the calls on each log bucket: of the archive, by either form of its name, and of a member's own store.
func onBuckets(suffix string, operations ...string) []call {
	return all(in(archive, on(bucketARN(archiveBucket)+suffix, "s3", operations...)),
		in(archive, on(bucketARN(elsewhere)+suffix, "s3", operations...)), on(bucketARN(ownBucket)+suffix, "s3", operations...))
}

// onKeys are the calls on the archive's key and on a key of the guard's stack.
func onKeys(operations ...string) []call {
	return all(in(archive, on(archiveKey, "kms", operations...)), with(stackTag, on(ownKey, "kms", operations...)),
		with(keys{stackTagKey: "TrailGuardCentral"}, on(ownKey, "kms", operations...)))
}

// onTrail are the calls on the trail: by name and by ARN they are authorized by the ARN, in whatever Region they are made.
func onTrail(operations ...string) []call {
	return all(on(guardedTrail, "cloudtrail", operations...),
		on("arn:aws:cloudtrail:us-east-1:"+member+":trail/TrailGuard", "cloudtrail", operations...),
		on("arn:aws:cloudtrail:eu-west-1:"+management+":trail/organization-trail", "cloudtrail", operations...))
}

// catalogue are the rows of the catalogue of tampering that a policy can deny, with all calls that do what the row says.
func catalogue() []tampering {
	updateTrail, putSelectors := onTrail("UpdateTrail"), onTrail("PutEventSelectors")
	rows := []tampering{
		{"T01", onTrail("StopLogging")}, {"T02", onTrail("DeleteTrail")},
		{"T13", putSelectors}, {"T14", putSelectors}, {"T15", putSelectors}, {"T16", putSelectors}, {"T17", putSelectors},
		{"T18", onTrail("PutInsightSelectors")},
		{"T20", onBuckets("", "PutLifecycleConfiguration", "PutIntelligentTieringConfiguration", "PutBucketTagging", "PutBucketAbac")},
		{"T21", onBuckets("", "PutBucketPolicy")}, {"T22", onBuckets("", "DeleteBucketPolicy")}, {"T23", onBuckets("", "DeleteBucket")},
		{"T24", onBuckets("", "PutBucketVersioning", "PutBucketObjectLockConfiguration")},
		{"T25", onBuckets(logFile, "DeleteObject", "DeleteObjectVersion", "PutObject", "PutObjectTagging", "PutObjectVersionTagging",
			"PutObjectRetention", "PutObjectLegalHold", "BypassGovernanceRetention", "ReplicateDelete", "ReplicateObject")},
		{"T26", all(onBuckets("", "PutEncryptionConfiguration"), onBuckets(logFile, "UpdateObjectEncryption"))},
		{"T27", all(onBuckets("", "PutBucketPublicAccessBlock", "PutBucketAcl", "PutBucketOwnershipControls", "PutBucketLogging", "PutReplicationConfiguration",
			"PutBucketNotification", "PutBucketRequestPayment", "PutBucketWebsite"), onBuckets(logFile, "PutObjectAcl", "PutObjectVersionAcl"))},
		{"T28", onKeys("DisableKey")},
		{"T29", onKeys("ScheduleKeyDeletion", "DeleteImportedKeyMaterial", "ImportKeyMaterial", "ReplicateKey", "UpdatePrimaryRegion")},
		{"T30", onKeys("PutKeyPolicy")},
		{"T31", onKeys("DisableKeyRotation", "CreateGrant", "RevokeGrant", "RetireGrant", "UpdateAlias", "DeleteAlias", "TagResource", "UntagResource")},
		{"T32", chosen("DenyConfigChanges", on(arn("config", "configuration-recorder/default/a1b2"), "config", "StopConfigurationRecorder", "DeleteConfigurationRecorder"))},
		{"T33", chosen("DenyConfigChanges", on(arn("config", "configuration-recorder/default/a1b2"), "config", "PutConfigurationRecorder", "DisassociateResourceTypes"))},
		{"T34", chosen("DenyConfigChanges", on("*", "config", "DeleteDeliveryChannel", "PutDeliveryChannel"))},
		{"T35", chosen("DenyConfigChanges", on(arn("config", "config-rule/config-rule-a1b2c3"), "config", "DeleteConfigRule", "DeleteEvaluationResults"))},
		{"T36", chosen("DenyConfigChanges", on(arn("config", "config-rule/config-rule-a1b2c3"), "config", "PutConfigRule"))},
		{"T37", chosen("DenyConfigChanges", on(arn("config", "remediation-configuration/a1b2c3"), "config", "DeleteRemediationConfiguration"))},
		{"T38", chosen("DenyConfigChanges", all(on(arn("config", "remediation-configuration/a1b2c3"), "config", "PutRemediationConfigurations"),
			on("*", "config", "PutRemediationExceptions")))},
		{"T39", onOurs("ssm", "document/", "", "DeleteDocument", "UpdateDocument", "UpdateDocumentDefaultVersion", "UpdateDocumentMetadata", "ModifyDocumentPermission")},
		{"T41", all(
			onOurs("events", "rule/", "", "DisableRule", "DeleteRule", "RemoveTargets", "PutTargets", "PutRule"),
			on(arn("events", "rule/TrailGuardCentral-Rule-A1B2C3"), "events", "DisableRule"),
			on(arn("events", "rule/trailguard/Notices"), "events", "DisableRule", "PutRule"),
			on(arn("events", "event-bus/trailguard"), "events", "DeleteEventBus", "UpdateEventBus"))},
		{"T42", all(
			onOurs("logs", "log-group:", "", "DeleteLogGroup", "PutRetentionPolicy", "DeleteSubscriptionFilter", "PutSubscriptionFilter", "DeleteMetricFilter",
				"AssociateKmsKey", "DisassociateKmsKey", "PutDataProtectionPolicy", "PutTransformer", "PutLogGroupDeletionProtection"),
			onOurs("logs", "log-group:", ":log-stream:"+member+"_CloudTrail_eu-west-1", "DeleteLogStream"))},
		{"T43", onOurs("sns", "", "", "DeleteTopic", "Unsubscribe", "SetTopicAttributes", "SetSubscriptionAttributes", "AddPermission", "RemovePermission", "PutDataProtectionPolicy")},
		{"T44", onOurs("cloudwatch", "alarm:", "", "DeleteAlarms", "DisableAlarmActions", "SetAlarmState", "PutMetricAlarm", "PutCompositeAlarm", "PutLogAlarm")},
		{"T44", onOurs("cloudwatch", "alarm:", "", "PutAlarmMuteRule")},
		{"T45", all(on("*", "organizations", "DisableAWSServiceAccess"),
			on("arn:aws:organizations::"+management+":account/"+organization+"/"+member, "organizations", "DeregisterDelegatedAdministrator"),
			on("*", "cloudtrail", "DeregisterOrganizationDelegatedAdmin"))},
		{"T46", chosen("DenyPolicyChanges", all(
			with(policyType("SERVICE_CONTROL_POLICY"), on(policyOf("service_control_policy"), "organizations", "UpdatePolicy", "DeletePolicy", "DetachPolicy")),
			with(policyType("RESOURCE_CONTROL_POLICY"), on(policyOf("resource_control_policy"), "organizations", "UpdatePolicy", "DeletePolicy", "DetachPolicy")),
			with(policyType("SERVICE_CONTROL_POLICY"), on(organizationRoot, "organizations", "DetachPolicy", "DisablePolicyType"))))},
		{"T47", all(on("*", "organizations", "LeaveOrganization"),
			on("arn:aws:organizations::"+stranger+":handshake/o-zzzzzzzzzz/invite/h-a1b2c3d4", "organizations", "AcceptHandshake"),
			on("arn:aws:organizations::"+management+":account/"+organization+"/"+member, "organizations", "RemoveAccountFromOrganization", "MoveAccount"))},
		{"T48", all(
			on(arn("cloudformation", "stack/"+stack+"/a1b2"), "cloudformation", "DeleteStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "CancelUpdateStack",
				"ContinueUpdateRollback", "RollbackStack", "SetStackPolicy", "UpdateTerminationProtection", "CreateStackRefactor", "ExecuteStackRefactor"),
			on(arn("cloudformation", "stack/TrailGuardLogArchive/a1b2"), "cloudformation", "DeleteStack", "UpdateStack"),
			on(arn("cloudformation", "stackset/TrailGuard:a1b2"), "cloudformation", "UpdateStackSet", "DeleteStackSet", "CreateStackInstances", "UpdateStackInstances",
				"DeleteStackInstances", "StopStackSetOperation", "ImportStacksToStackSet"))},
		{"T49", all(onOurs("ssm", "automation-definition/", ":1", "StartAutomationExecution"), onOurs("ssm", "document/", "", "StartAutomationExecution", "StartChangeRequestExecution", "CreateAssociation"))},
		{"T50", all(putSelectors, onTrail("PutInsightSelectors", "PutEventConfiguration"))},
		{"T52", onTrail("AddTags", "RemoveTags")},
		{"T56", chosen("DenyCreateTrail", on(arn("cloudtrail", "trail/fifth"), "cloudtrail", "CreateTrail"))},
		{"T57", onTrail("CreateTrail")},
		{"T58", onOurs("ssm", "document/", "", "UpdateDocument", "UpdateDocumentDefaultVersion")},
		{"T59", all(onOurs("sqs", "", "", "PurgeQueue", "DeleteQueue", "SetQueueAttributes", "AddPermission", "RemovePermission", "DeleteMessage", "StartMessageMoveTask"))},
		{"T60", chosen("DenyStopAutomation", on(arn("ssm", "automation-execution/00000000-0000-4000-8000-000000000000"), "ssm", "StopAutomationExecution", "SendAutomationSignal"))},
	}
	for _, row := range []string{"T03", "T04", "T05", "T06", "T07", "T08", "T09", "T10", "T11", "T12", "T19", "T54"} {
		rows = append(rows, tampering{row, updateTrail})
	}
	// T40, and T53 of a role that is given to a runbook of somebody else: of each exempt role, of one in a path that a pattern takes in,
	// and of one that is not there yet.
	for i, name := range append(exemptRoles, "stacksets-exec-x/evil", "trailguard/x/evil", "TrailGuard/evil", "cdk-x/evil-cfn-exec-role-/evil") {
		change := on(roleARN(name), "iam", "CreateRole", "DeleteRole", "UpdateAssumeRolePolicy", "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy",
			"PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary")
		cdk := i == len(exemptRoles)-1 || i == len(exemptRoles)+3
		if cdk {
			change = chosen("ExemptCDK", change)
		}
		rows = append(rows, tampering{"T40", change})
		if !cdk {
			rows = append(rows, tampering{"T53", with(keys{"iam:PassedToService": "ssm.amazonaws.com"}, on(roleARN(name), "iam", "PassRole"))})
		}
	}
	return rows
}

// undenied are the rows that no policy denies, with the reason.
var undenied = map[string]string{
	"T51": "it changes nothing",
	"T55": "it is T08 after T40, T42 and T43, which are denied",
}
