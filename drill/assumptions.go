package drill

import (
	"context"
	"fmt"
	"strings"
)

// Assumption is a behaviour of AWS that the guard, or the local AWS, leans on and that no software of others can confirm
// without an account: neither the models of the SDK, nor CloudFormation's schemas, nor the Service Authorization Reference.
type Assumption struct {
	ID string
	// Statement is what AWS is taken to do.
	Statement string
	// Sources are the pages that state the behaviour, or come nearest to it. Default: - none was found.
	Sources []string
	// IfWrong is what follows if AWS does otherwise.
	IfWrong string
	// Scenarios show whether the assumption holds; each is enough. Default: - reads before the tampering show it.
	Scenarios []string
	// Unchecked says why a drill cannot show whether the assumption holds; empty if it can.
	Unchecked string

	check func(*look, context.Context) (Verdict, string, error)
}

// Command is the command that shows whether an assumption holds in an account.
func (a Assumption) Command() string {
	command := "trailguard drill --stack NAME"
	switch {
	case a.Unchecked != "":
		return ""
	case len(a.Scenarios) > 0:
		command += " --scenario " + strings.Join(a.Scenarios, ",")
	}
	return command
}

const (
	eventBridgeGuide = "https://docs.aws.amazon.com/eventbridge/latest/userguide/"
	cloudTrailGuide  = "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/"
	cloudTrailAPI    = "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/"
	automationGuide  = "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
	configGuide      = "https://docs.aws.amazon.com/config/latest/developerguide/"
	configAPI        = "https://docs.aws.amazon.com/config/latest/APIReference/"
	stackSetsGuide   = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/"
	conditionKeys    = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"
)

// Assumptions are all assumptions. The assumptions that a drill checks come first.
func Assumptions() []Assumption {
	all := []Assumption{
		{
			Statement: "The CloudTrail event of a call that succeeded has no errorCode, and its requestParameters name the trail as the caller " +
				"did: in name, or in trailName where selectors are put.",
			Sources: []string{cloudTrailGuide + "cloudtrail-event-reference-record-contents.html"},
			IfWrong: "No event of tampering starts the runbook, and people are told of none: the scheduled run and AWS Config repair.",
			check:   (*look).parametersOfEvents,
		},
		{
			Statement: "The CloudTrail events of the runbook's script have the automation role's ARN, with its path, in " +
				"userIdentity.sessionContext.sessionIssuer.arn.",
			Sources: []string{cloudTrailGuide + "cloudtrail-event-reference-user-identity.html"},
			IfWrong: "People are told of each repair as tampering, and two guards of one trail may start each other.",
			check:   (*look).issuerOfEvents,
		},
		{
			Statement: "EventBridge matches the patterns that are deployed as the local AWS does: $or, suffix, exists, anything-but with a wildcard, " +
				"and fields that an event lacks.",
			Sources: []string{eventBridgeGuide + "eb-create-pattern-operators.html", "https://github.com/aws/event-ruler"},
			IfWrong: "Some tampering starts nothing within seconds, or what is none starts the runbook or is told to people.",
			check:   (*look).patterns,
		},
		{
			Statement: "The end of a stack's deployment is an event that reaches a rule which the same deployment made.",
			Sources:   []string{"https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html"},
			IfWrong:   "The trail is created, and a changed declaration applied, with the next scheduled run.",
			check:     (*look).startAtDeployment,
		},
		{
			Statement: "What IAM grants in a deployment holds in the run that the deployment's end starts.",
			Sources:   []string{"https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html"},
			IfWrong:   "The first run fails, people are told so, and the next scheduled run creates the trail.",
			check:     (*look).firstRun,
		},
		{
			Statement: "A rule that has a schedule and an event pattern is triggered by each.",
			Sources:   []string{"https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html"},
			IfWrong:   "The scheduled run does not take place: what no event and no Config rule shows is not repaired.",
			check:     (*look).schedule,
		},
		{
			Statement: "EventBridge assumes the role of a target with aws:SourceArn of the rule and aws:SourceAccount, and may start the runbook with " +
				"the document, the pinned definition and every execution as resources.",
			Sources: []string{
				eventBridgeGuide + "cross-service-confused-deputy-prevention.html", automationGuide + "automation-setup-identity-based-policies.html",
			},
			IfWrong: "Nothing but AWS Config starts the runbook: the events lie in the dead-letter queue, and the alarm Undelivered tells people.",
			check:   (*look).startedByEventBridge,
		},
		{
			Statement: "EventBridge and AWS Config start the version of the runbook that the target names: the first.",
			Sources:   []string{automationGuide + "running-automations-event-bridge.html", configAPI + "API_RemediationConfiguration.html"},
			IfWrong:   "Whoever may change the document's default version decides what the automation role does.",
			check:     (*look).version,
		},
		{
			Statement: "Automation assumes the automation role with aws:SourceArn of the execution and aws:SourceAccount, runs the script of a " +
				"document that CloudFormation sent as YAML with python3.11 and a boto3 that knows every operation and parameter in it, and shows " +
				"what the script returns or raises.",
			Sources: []string{automationGuide + "automation-action-executeScript.html", automationGuide + "automation-setup-iam.html"},
			IfWrong: "No repair is made at all, and people are told that it failed.",
			check:   (*look).script,
		},
		{
			Statement: "CloudTrail shows a trail's settings, selectors, Insights and tags as they were put, but for order and defaults.",
			Sources:   []string{cloudTrailAPI + "API_Trail.html", cloudTrailAPI + "API_EventSelector.html"},
			IfWrong:   "Each run writes again what is as declared, tells people, and ends as a failure.",
			check:     (*look).roundTrip,
		},
		{
			Statement: "AWS Config starts the runbook with its service-linked role, and Automation reads the static values, which are texts, as the " +
				"parameters' types.",
			Sources: []string{configGuide + "remediation.html", configAPI + "API_StaticValue.html"},
			IfWrong: "AWS Config repairs nothing: events and the scheduled run do.",
			check:   (*look).startedByConfig,
		},
		{
			Statement: "The configuration item of a trail has the fields of AWS's published schema, and the custom policy rule finds a trail that is " +
				"as declared COMPLIANT.",
			Sources: []string{
				configGuide + "evaluate-config_develop-rules_cfn-guard.html",
				"https://github.com/awslabs/aws-config-resource-schema/blob/master/config/properties/resource-types/AWS::CloudTrail::Trail.properties.json",
			},
			IfWrong: "The rule is NON_COMPLIANT for good, and AWS Config starts a run that finds nothing, again and again.",
			check:   (*look).compliance,
		},
		{
			Statement: "CloudTrail sends aws:SourceArn of the trail when it writes to the bucket and uses the key.",
			Sources: []string{
				cloudTrailGuide + "create-s3-bucket-policy-for-cloudtrail.html", cloudTrailGuide + "create-kms-key-policy-for-cloudtrail.html",
			},
			IfWrong: "No log file is delivered, although the trail is logging.",
			check:   (*look).delivery,
		},
		{
			Statement: "CloudTrail sends aws:SourceArn of the trail when it publishes to the trail's topic, and no source when it uses the topic's key.",
			Sources:   []string{cloudTrailGuide + "cloudtrail-permissions-for-sns-notifications.html"},
			IfWrong:   "Nobody is told of new log files; the trail logs.",
			check:     (*look).notification,
		},
		{
			Statement: "CloudTrail writes to CloudWatch Logs with a role that trusts it without a condition, to streams whose names begin with " +
				"ACCOUNT_CloudTrail_REGION.",
			Sources: []string{cloudTrailGuide + "cloudtrail-required-policy-for-cloudwatch-logs.html", "https://github.com/prowler-cloud/prowler/issues/4714"},
			IfWrong: "No event reaches CloudWatch Logs, or the part CloudWatch Logs of a repair is refused; the trail logs.",
			check:   (*look).cloudWatchLogs,
		},
		{
			Statement: "A remediation exception can be deleted under the resource type and id with which it is listed.",
			Sources:   []string{configAPI + "API_DeleteRemediationExceptions.html"},
			IfWrong:   "AWS Config stays disarmed for that rule, and each run tells people that it could not arm it.",
			check:     (*look).exceptions,
		},
		{
			Statement: "The event of a call that harms the trail reaches EventBridge, and starts the runbook, within a minute.",
			Sources:   []string{eventBridgeGuide + "eb-service-event-cloudtrail.html"},
			IfWrong:   "Repairs take as long as the event does, or until the next scheduled run.",
			Scenarios: []string{"T03", "T05", "T06"},
			check:     (*look).startedByEvent,
		},
		{
			Statement: "The event of the StopLogging call that stops the account's only trail still reaches EventBridge.",
			IfWrong:   "Such a call is repaired by the scheduled run.",
			Sources:   []string{eventBridgeGuide + "eb-service-event-cloudtrail.html"},
			Scenarios: []string{"T01"},
			check:     (*look).startedByLastEvent,
		},
		{
			Statement: "The event of the DeleteTrail call that deletes the account's only trail still reaches EventBridge.",
			Sources:   []string{eventBridgeGuide + "eb-service-event-cloudtrail.html"},
			IfWrong:   "Such a call is repaired by the scheduled run.",
			Scenarios: []string{"T02"},
			check:     (*look).startedByLastEvent,
		},
		{
			Statement: "The event of the PutEventSelectors call after which the account's only trail logs no write events still reaches EventBridge.",
			Sources:   []string{eventBridgeGuide + "eb-service-event-cloudtrail.html"},
			IfWrong:   "Such a call is repaired by the scheduled run.",
			Scenarios: []string{"T13", "T17"},
			check:     (*look).startedByLastEvent,
		},
		{
			Statement: "UpdateTrail leaves alone what it is not given, although the API reference names defaults for some of it.",
			Sources:   []string{cloudTrailAPI + "API_UpdateTrail.html"},
			IfWrong:   "A repair in parts undoes parts of itself, and the run gives up after five minutes.",
			Scenarios: []string{"T03", "T05", "T06"},
			check:     (*look).updateLeavesAlone,
		},
		{
			Statement: "UpdateTrail with an empty text takes away the topic, and CloudWatch Logs.",
			Sources:   []string{"https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/cloudtrail/trail.go"},
			IfWrong:   "What an intruder adds to a trail that declares neither stays, and each run tells people so.",
			Scenarios: []string{"T10", "T11"},
			check:     (*look).emptyClears,
		},
		{
			Statement: "A trail can be created under the name of one that was deleted just before.",
			IfWrong:   "The runbook asks again for five minutes, and then the scheduled run does.",
			Scenarios: []string{"T02"},
			check:     (*look).createdAgain,
		},
		{
			Statement: "S3 and KMS show a policy as it was put, but for the order of values, a list of one value or the value, and the id of an account " +
				"or the ARN of its root user in a principal; and S3 shows lifecycle rules, encryption, ownership, access logging and Object Lock " +
				"as they were put, but for ids of rules and defaults.",
			Sources: []string{
				"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
				"https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html",
			},
			IfWrong: "Each run of the log store's runbook writes again what is as declared, tells people, and ends as a failure.",
			check:   (*look).storeRoundTrip,
		},
		{
			Statement: "The CloudTrail events of calls that configure a bucket begin with PutBucket or DeleteBucket and have the bucket's name in " +
				"requestParameters.bucketName; those of calls that change a key have the key's id or ARN, as the caller gave it, in requestParameters.keyId.",
			Sources: []string{
				"https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html",
				"https://docs.aws.amazon.com/kms/latest/developerguide/ct-disablekey.html",
			},
			IfWrong:   "Tampering with the log store is not told by its call, and repaired by the scheduled run, which tells people.",
			Scenarios: []string{"T24", "T31"},
			check:     (*look).storeStartedByEvent,
		},
		{
			Statement: "IAM asks s3:PutBucketOwnershipControls alone of whoever puts BucketOwnerEnforced, s3:PutBucketLogging alone of whoever puts the " +
				"access log, and s3:PutLifecycleConfiguration of whoever deletes the lifecycle rules.",
			Sources:   []string{"https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"},
			IfWrong:   "These settings of the log store are not restored, and each run tells people so.",
			Scenarios: []string{"T20", "T27"},
			check:     (*look).storePermissions,
		},
		{
			Statement: "EventBridge publishes to the alert topic, and uses its key, also if it sends no source.",
			Sources:   []string{eventBridgeGuide + "eb-use-resource-based.html", "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"},
			IfWrong:   "People are not told of tampering; of repairs they are, by the runbook itself.",
			Scenarios: []string{"T41", "T44"},
			check:     (*look).published,
		},

		{
			Statement: "StartLogging succeeds although the trail's bucket, key, topic or log group refuses CloudTrail.",
			Sources:   []string{cloudTrailAPI + "API_StartLogging.html"},
			IfWrong:   "Logging comes back only once the destination is mended, which the message to people says.",
			Unchecked: "a drill breaks no bucket, key, topic or log group",
		},
		{
			Statement: "UpdateTrail is not refused for a bucket, key, topic or log group that the call does not give.",
			IfWrong:   "Settings that can be restored are restored only once the destination is mended.",
			Unchecked: "a drill breaks no bucket, key, topic or log group",
		},
		{
			Statement: "An InputTransformer whose template is one quoted text sends that text, with an empty one for what the event lacks.",
			Sources:   []string{eventBridgeGuide + "eb-transform-target-input.html"},
			IfWrong:   "The message of tampering has quotes around it, or is not sent.",
			Unchecked: "a queue gets what an address gets in another form: subscribe an address, run T01 and wait for TAMPERING",
		},
		{
			Statement: "CloudWatch publishes to the alert topic for its alarms, with aws:SourceAccount or without, and has the metrics of the queue and the rule.",
			Sources:   []string{"https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html", eventBridgeGuide + "eb-monitoring.html"},
			IfWrong:   "People are not told that events could not start the runbook, or keep starting it.",
			Unchecked: "a drill sets off no alarm",
		},
		{
			Statement: "EventBridge puts what it may not start into the dead-letter queue, with aws:SourceArn of the rule.",
			Sources:   []string{eventBridgeGuide + "eb-rule-dlq.html"},
			IfWrong:   "People are not told that events could not start the runbook.",
			Unchecked: "a drill takes no permission away",
		},
		{
			Statement: "EventBridge tries again for a day where Automation is throttled, and Automation queues what is beyond 100 executions at once.",
			Sources:   []string{eventBridgeGuide + "eb-rule-retry-policy.html", automationGuide + "adaptive-concurrency.html"},
			IfWrong:   "In a flood of tampering some events start nothing: the scheduled run repairs.",
			Unchecked: "it takes more than 100 executions at once",
		},
		{
			Statement: "GuardDuty's finding of a trail that was stopped reaches EventBridge with the type Stealth:IAMUser/CloudTrailLoggingDisabled.",
			Sources:   []string{"https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-iam.html#stealth-iam-cloudtrailloggingdisabled"},
			IfWrong:   "Tampering that leaves no event of CloudTrail is repaired by the scheduled run.",
			Unchecked: "a finding may come long after the repair, and only where GuardDuty is on",
		},
		{
			Statement: "Where AWS Config has no remediation, its event of a changed verdict starts the runbook.",
			Sources:   []string{configGuide + "monitor-config-with-cloudwatchevents.html"},
			IfWrong:   "AWS Config repairs nothing there: events and the scheduled run do.",
			Unchecked: "AWS Config sends it with its next evaluation, which may be a day away",
		},
		{
			Statement: "After MaximumAutomaticAttempts failures AWS Config writes a remediation exception, of which there may be no event.",
			Sources:   []string{configAPI + "API_RemediationConfiguration.html"},
			IfWrong:   "Nothing: each run deletes the exceptions that it finds.",
			Unchecked: "a drill lets no repair fail",
		},
		{
			Statement: "CloudFormation creates a configuration recorder and a delivery channel in one template in the right order.",
			Sources:   []string{"https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-config-configurationrecorder.html"},
			IfWrong:   "The deployment with CreateConfigurationRecorder fails.",
			Unchecked: "the deployment itself shows it",
		},
		{
			Statement: "CloudFormation leaves the policies of the bucket and the key in force when the stack is deleted, because they are retained.",
			Sources:   []string{"https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"},
			IfWrong:   "After the stack is deleted, the trail goes on logging and delivers nothing.",
			Unchecked: "a drill deletes no stack",
		},
		{
			Statement: "CreateTrail of an organization trail makes CloudTrail's service-linked role, where there is none, with the caller's permission.",
			Sources:   []string{cloudTrailGuide + "using-service-linked-roles.html"},
			IfWrong:   "The organization trail is created without being the organization's until somebody makes the role, and each run tells people so.",
			Unchecked: "a drill deletes no role",
		},
		{
			Statement: "CloudTrail sends aws:SourceOrgID and aws:SourceOrgPaths of the trail's account to the policies of a bucket and a key, also of another account.",
			Sources:   []string{conditionKeys + "#condition-keys-sourceorgid", cloudTrailGuide + "cloudtrail-set-bucket-policy-multiple-accounts.html"},
			IfWrong:   "A log archive that is open to the organization takes no files of the members' trails: name the members' trails instead.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "An organization trail logs the calls of each member, so that the member's EventBridge has their events.",
			Sources:   []string{cloudTrailGuide + "creating-trail-organization.html", eventBridgeGuide + "eb-service-event-cloudtrail.html"},
			IfWrong:   "Nobody is told of tampering in a member that has no trail of its own.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "A member account sees the organization's trails and reads them by their ARNs; CloudTrail refuses its changes of them.",
			Sources:   []string{cloudTrailGuide + "creating-trail-organization.html"},
			IfWrong:   "A member that only watches is told nothing of the trail, or people are told of changes that were none.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "A delegated administrator makes and changes an organization trail as the management account does, which owns it; CloudTrail finds it by its ARN only.",
			Sources:   []string{cloudTrailGuide + "cloudtrail-delegated-administrator.html", "https://github.com/hashicorp/terraform-provider-aws/issues/28440"},
			IfWrong:   "A guard in the delegated administrator's account repairs nothing: deploy it in the management account.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "An event that a rule hands on to an event bus of another account or Region keeps its account, Region and source, and is handed on once; " +
				"the rule's role and, of another account, the bus's policy must allow events:PutEvents.",
			Sources:   []string{eventBridgeGuide + "eb-cross-account.html"},
			IfWrong:   "The central event bus hears nothing of the members: each still tells its own people.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "Events of AWS Organizations arrive in us-east-1, us-gov-west-1 or cn-northwest-1, of the management account.",
			Sources:   []string{"https://docs.aws.amazon.com/organizations/latest/userguide/orgs_security_incident-response.html"},
			IfWrong:   "Nobody is told what breaks the guard from the organization's side.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "A service-managed stack set deploys as the role stacksets-exec-* of each account, which service control policies bind, names its stacks " +
				"StackSet-NAME-UUID, and follows accounts into and out of its organizational units and those below.",
			Sources: []string{
				stackSetsGuide + "stacksets-orgs-associate-stackset-with-org.html", stackSetsGuide + "stacksets-orgs-manage-auto-deployment.html",
			},
			IfWrong:   "With the service control policy the rollout fails, or an account that comes has no guard.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "A resource control policy binds AWS's services, but neither service-linked roles nor the management account's resources.",
			Sources: []string{
				"https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html",
				"https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_examples.html",
			},
			IfWrong:   "The policy that protects the log archive keeps nobody out, or CloudTrail, too.",
			Unchecked: "a drill is of one account",
		},
		{
			Statement: "The CloudTrail events of what CloudFormation does for a deployment have cloudformation.amazonaws.com in userIdentity.invokedBy.",
			Sources:   []string{"https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-api-logging-cloudtrail.html"},
			IfWrong: "A deployment that changes the log store is told as tampering, and the runbook of before may undo it until the run at the " +
				"deployment's end.",
			Unchecked: "the deployment itself shows it",
		},
		{
			Statement: "CloudTrail delivers a digest file at the end of each hour in which a trail with validation logs, also if nothing was called, and S3 sends " +
				"EventBridge the event Object Created of it; EventBridge counts in MatchedEvents what a rule without targets matches.",
			Sources: []string{
				"https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html",
				"https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html", "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html",
			},
			IfWrong:   "The alarm MissingDigests rings although the log arrives.",
			Unchecked: "the alarm itself shows it three hours after the deployment",
		},
		{
			Statement: "What CloudFormation calls a rule, role, document, alarm, queue, topic or Config rule of a stack begins with the stack's name, of which as much is " +
				"left in each as in the name of a rule whose logical id has 28 characters; and the CloudTrail events of calls on them have these names in " +
				"requestParameters, as rule, name, roleName, alarmName, alarmNames, configRuleName, or in queueUrl, topicArn and subscriptionArn.",
			Sources:   []string{"https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html"},
			IfWrong:   "Calls that change the part in question are not told.",
			Unchecked: "a drill does not take the guard of an AWS account apart",
		},
		{
			Statement: "CloudFormation's drift detection compares an EventPattern that is a text with that of the rule by its meaning.",
			IfWrong:   "Drift detection shows the rule GuardTampering as changed although it is not, and a deployment that reverts drift puts the same pattern again.",
			Unchecked: "a drill deploys nothing",
		},
	}
	for i := range all {
		all[i].ID = fmt.Sprintf("A%02d", i+1)
	}
	return all
}

// AssumptionsPage is the page that lists the assumptions, in Markdown.
func AssumptionsPage() string {
	out := &strings.Builder{}
	fmt.Fprint(out, `# What is taken for granted of AWS

The local AWS is only as true as what is known of AWS. Here stands each behaviour of AWS that the guard leans on and that no
software of others can confirm on this machine. What the models of the SDKs, CloudFormation's schemas, the Service
Authorization Reference or moto know is checked against them, and does not stand here. Where AWS leaves two readings open and
the guard works under each, both are tested (see Options of the packages), and it does not stand here either. Which source each
service sends to a policy is one fact a line, with its page, in [sources.go](sources.go).

In an AWS account `+"`trailguard drill --stack NAME`"+` looks at those that have a command: before it tampers at those that reads
show, and after it at those that scenarios show.

This page is made of drill/assumptions.go: `+"`make update`"+` writes it.
`)
	for _, a := range Assumptions() {
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n", a.ID, a.Statement)
		sources := "none found"
		if len(a.Sources) > 0 {
			sources = "<" + strings.Join(a.Sources, ">, <") + ">"
		}
		fmt.Fprintf(out, "- Source: %s\n- If it is wrong: %s\n", sources, a.IfWrong)
		if a.Unchecked != "" {
			fmt.Fprintf(out, "- Not shown by a drill: %s.\n", a.Unchecked)
			continue
		}
		fmt.Fprintf(out, "- Shown by: `%s`\n", a.Command())
	}
	return out.String()
}
