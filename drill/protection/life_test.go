package protection_test

import "github.com/trailguard/trailguard/localaws/api"

// doing is something that an account does every day, or that the guard needs, and that the policies leave.
type doing struct {
	what  string
	who   api.Principal
	calls []call
}

// life is what must stay possible with every choice that denies.
func life() []doing {
	admin, owner := role(member, "Admin"), user(member, "owner")
	breakGlass := role(member, "BreakGlass")
	otherBucket, otherKey := bucketARN("business-data"), arn("kms", "key/00001111-12ab-34cd-56ef-1234567890ab")
	otherTag := keys{stackTagKey: "Business"}
	ssmKeys := keys{"iam:PassedToService": "ssm.amazonaws.com"}
	return []doing{
		{"the owner of another trail stops and starts it", owner, on(arn("cloudtrail", "trail/business"), "cloudtrail", "StopLogging", "StartLogging")},
		{"the owner of another trail changes it", owner, on(arn("cloudtrail", "trail/business"), "cloudtrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors", "AddTags", "RemoveTags")},
		{"a trail whose name begins or ends alike is another", owner, all(on(arn("cloudtrail", "trail/TrailGuard2"), "cloudtrail", "DeleteTrail"),
			on(arn("cloudtrail", "trail/My-TrailGuard"), "cloudtrail", "DeleteTrail"), on(arn("cloudtrail", "trail/trailguard"), "cloudtrail", "DeleteTrail"))},
		{"anybody starts logging", admin, on(guardedTrail, "cloudtrail", "StartLogging")},
		{"anybody reads the trail", admin, on(guardedTrail, "cloudtrail", "GetTrail", "GetTrailStatus", "GetEventSelectors", "GetInsightSelectors", "ListTags")},
		{"anybody looks up events", admin, on("*", "cloudtrail", "LookupEvents", "DescribeTrails", "ListTrails")},
		{"CloudTrail Lake is not the trail", admin, on(arn("cloudtrail", "eventdatastore/a1b2"), "cloudtrail", "CreateEventDataStore", "DeleteEventDataStore", "StartQuery")},
		{"other buckets are created, changed and deleted", admin, on(otherBucket, "s3", "CreateBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutLifecycleConfiguration", "PutBucketVersioning", "DeleteBucket")},
		{"files of other buckets are written and deleted", admin, on(otherBucket+"/a", "s3", "PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectTagging")},
		{"a bucket whose name holds the guard's is another", admin, all(on(bucketARN("my-trailguard-logs"), "s3", "DeleteBucket"), on(bucketARN("security-lake-of-older"), "s3", "DeleteBucket"))},
		{"the account's public access block is the account's", admin, on("*", "s3", "PutAccountPublicAccessBlock")},
		{"readers read the log", role(archive, "Auditor"), in(archive, all(on(bucketARN(archiveBucket), "s3", "ListBucket", "GetBucketPolicy", "GetLifecycleConfiguration"),
			on(bucketARN(archiveBucket)+logFile, "s3", "GetObject", "GetObjectVersion"), on(archiveKey, "kms", "Decrypt", "DescribeKey", "GetKeyPolicy")))},
		{"readers read an own store's log", admin, all(on(bucketARN(ownBucket)+logFile, "s3", "GetObject"), with(stackTag, on(ownKey, "kms", "Decrypt", "DescribeKey")))},
		{"the key and its deletion are put back by anybody", admin, with(stackTag, on(ownKey, "kms", "EnableKey", "CancelKeyDeletion", "EnableKeyRotation"))},
		{"other keys are administered", admin, on(otherKey, "kms", "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant", "RevokeGrant", "TagResource")},
		{"keys of other stacks are administered", admin, with(otherTag, on(otherKey, "kms", "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant"))},
		{"keys are created", admin, on("*", "kms", "CreateKey")},
		{"other rules of EventBridge are changed", admin, on(arn("events", "rule/business"), "events", "PutRule", "PutTargets", "DisableRule", "RemoveTargets", "DeleteRule")},
		{"rules of other buses are changed", admin, all(on(arn("events", "rule/business/r"), "events", "PutRule", "DeleteRule"), on(arn("events", "event-bus/business"), "events", "DeleteEventBus", "UpdateEventBus"))},
		{"rules of other StackSets are changed", admin, on(arn("events", "rule/StackSet-Baseline-a1b2-Rule"), "events", "DisableRule", "DeleteRule")},
		{"events are put on the buses", admin, all(on(arn("events", "event-bus/default"), "events", "PutEvents"), on(arn("events", "event-bus/trailguard"), "events", "PutEvents"))},
		{"other documents are written", admin, on(arn("ssm", "document/Business"), "ssm", "CreateDocument", "UpdateDocument", "DeleteDocument", "ModifyDocumentPermission")},
		{"other automations run", admin, all(on(arn("ssm", "automation-definition/Business:1"), "ssm", "StartAutomationExecution"),
			on(arn("ssm", "document/AWS-RestartEC2Instance"), "ssm", "StartAutomationExecution"),
			on(arn("ssm", "automation-execution/00000000-0000-4000-8000-000000000000"), "ssm", "StartAutomationExecution"))},
		{"other roles are passed to automations", admin, with(ssmKeys, on(roleARN("BusinessAutomation"), "iam", "PassRole"))},
		{"the guard's executions are read", admin, all(on(arn("ssm", "automation-execution/00000000-0000-4000-8000-000000000000"), "ssm", "GetAutomationExecution"),
			on("*", "ssm", "DescribeAutomationExecutions"), on(arn("ssm", ours("document/")), "ssm", "GetDocument", "DescribeDocument"))},
		{"the guard's parts are read", admin, all(on(arn("events", ours("rule/")), "events", "DescribeRule", "ListTargetsByRule"), on(arn("sns", ours("")), "sns", "GetTopicAttributes", "ListSubscriptionsByTopic"),
			on(arn("cloudwatch", ours("alarm:")), "cloudwatch", "DescribeAlarms", "DescribeAlarmHistory"), on(arn("logs", ours("log-group:")), "logs", "FilterLogEvents", "StartQuery"),
			on(arn("cloudformation", "stack/"+stack+"/a1b2"), "cloudformation", "DescribeStacks", "GetTemplate", "DetectStackDrift"), on(roleARN(exemptRoles[0]), "iam", "GetRole", "ListRolePolicies"))},
		{"people subscribe to the alerts", admin, on(arn("sns", ours("")), "sns", "Subscribe", "ConfirmSubscription")},
		{"the queue of what could not be told is read", admin, on(arn("sqs", ours("")), "sqs", "ReceiveMessage", "GetQueueAttributes")},
		{"other topics, queues and alarms are changed", admin, all(on(arn("sns", "business"), "sns", "DeleteTopic", "SetTopicAttributes", "Unsubscribe"), on(arn("sqs", "business"), "sqs", "PurgeQueue", "DeleteQueue", "DeleteMessage"),
			on(arn("cloudwatch", "alarm:business"), "cloudwatch", "PutMetricAlarm", "DeleteAlarms", "DisableAlarmActions"))},
		{"other log groups are changed", admin, on(arn("logs", "log-group:business"), "logs", "CreateLogGroup", "PutRetentionPolicy", "DeleteLogGroup", "PutSubscriptionFilter")},
		{"other stacks are created, updated and deleted", admin, on(arn("cloudformation", "stack/Business/a1b2"), "cloudformation", "CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet")},
		{"other StackSets are changed", admin, all(on(arn("cloudformation", "stackset/Baseline:a1b2"), "cloudformation", "UpdateStackSet", "DeleteStackInstances"),
			on(arn("cloudformation", "stack/StackSet-Baseline-a1b2/a1b2"), "cloudformation", "UpdateStack"))},
		{"the CDK deploys: its roles are assumed and passed", admin, all(on(roleARN("cdk-hnb659fds-deploy-role-"+member+"-"+home), "sts", "AssumeRole"),
			with(keys{"iam:PassedToService": "cloudformation.amazonaws.com"}, on(roleARN("cdk-hnb659fds-cfn-exec-role-"+member+"-"+home), "iam", "PassRole")))},
		{"other roles are created and changed", admin, on(roleARN("Business"), "iam", "CreateRole", "PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRole", "PutRolePermissionsBoundary", "PassRole")},
		{"service-linked roles are created", admin, on(roleARN("aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"), "iam", "CreateServiceLinkedRole")},
		{"the CDK's other roles are bootstrapped", admin, on(roleARN("cdk-hnb659fds-deploy-role-"+member+"-"+home), "iam", "CreateRole", "PutRolePolicy")},
		{"break-glass bootstraps for the CDK", breakGlass, on(roleARN("cdk-hnb659fds-cfn-exec-role-"+member+"-"+home), "iam", "CreateRole", "AttachRolePolicy")},
		{"break-glass deploys the log archive with its own credentials", role(archive, "BreakGlass"), in(archive, all(on(bucketARN(archiveBucket), "s3", "PutBucketPolicy", "PutLifecycleConfiguration"),
			on("arn:aws:cloudformation:"+home+":"+archive+":stack/TrailGuardLogArchive/a1b2", "cloudformation", "UpdateStack", "DeleteStack")))},
		{"break-glass is assumed", admin, on(roleARN("BreakGlass"), "sts", "AssumeRole")},
		{"Config's recorder is started and read", admin, on(arn("config", "configuration-recorder/default/a1b2"), "config", "StartConfigurationRecorder", "DescribeConfigurationRecorders")},
		{"Config's rules are evaluated, and exceptions taken away", admin, all(on(arn("config", "config-rule/config-rule-a1b2c3"), "config", "StartConfigRulesEvaluation"),
			on("*", "config", "DescribeConfigRules", "DeleteRemediationExceptions", "StartRemediationExecution"))},
		{"other types of policies are administered where that is delegated", admin, with(policyType("TAG_POLICY"),
			all(on(policyOf("tag_policy"), "organizations", "UpdatePolicy", "DeletePolicy", "DetachPolicy"), on(organizationRoot, "organizations", "DetachPolicy", "DisablePolicyType")))},
		{"the organization is read", admin, on("*", "organizations", "DescribeOrganization", "ListAccounts")},
		{"the account is closed by its owner", root(member), on("arn:aws:account::"+member+":account", "account", "CloseAccount")},
	}
}

// lenientLife is what is possible besides, where no choice denies it.
func lenientLife() []doing {
	admin := role(member, "Admin")
	var chosen []call
	for _, row := range catalogue() {
		for _, c := range row.calls {
			if c.choice != "" {
				chosen = append(chosen, c)
			}
		}
	}
	return []doing{
		{"what only a choice denies", admin, chosen},
		{"bootstrapping for the CDK", admin, on(roleARN("cdk-hnb659fds-cfn-exec-role-"+member+"-"+home), "iam", "CreateRole", "AttachRolePolicy")},
	}
}
