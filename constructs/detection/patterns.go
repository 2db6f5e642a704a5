package detection

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"

	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// GuardRolePath is the IAM path of the roles that guards create.
const GuardRolePath = "/trailguard/"

var (
	absent = map[string]any{"exists": false}
	// notOfGuards matches the ARNs of roles that no guard has created.
	notOfGuards = map[string]any{"anything-but": map[string]any{"wildcard": "arn:*:iam::*:role" + GuardRolePath + "*"}}
)

// TamperingPattern matches the CloudTrail event of every successful call that can stop, delete or weaken the trail, whoever
// makes it, but for the automation role: people are not told of the guard's own calls.
func TamperingPattern(settings trail.Settings, automationRoleARN string) Pattern {
	return tampering(settings, map[string]any{"anything-but": []any{automationRoleARN}}, absent)
}

// StartPattern matches what starts the runbook: tampering, GuardDuty's finding of it, which needs no trail of the account, and
// a remediation exception of one of the rules, which may be nil.
//
// The guard's own calls start it too: whoever gets hold of its role must not be out of sight. The run that a repair so starts
// finds nothing to do. Only the calls of other guards start nothing: two guards that declare different states of one trail
// would start each other without end. The schedule of each still does.
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-iam.html#stealth-iam-cloudtrailloggingdisabled
func StartPattern(settings trail.Settings, automationRoleARN string, rules ConfigRules) map[string]any {
	patterns := []Pattern{
		tampering(settings, notOfGuards, automationRoleARN, absent),
		{"aws.guardduty", "GuardDuty Finding", map[string]any{"type": []any{"Stealth:IAMUser/CloudTrailLoggingDisabled"}}},
	}
	if rules != nil {
		patterns = append(patterns, exception(rules))
	}
	return AnyOf(patterns...)
}

// tampering matches the calls of sessions of the roles, and of callers without one.
//
// The trail is named by its name or its ARN, in one of several parameters. An event whose parameters were too large to be
// recorded names none, and counts. The role of a session is in sessionIssuer, which the root user and IAM users do not have:
// so the absence of each field is an alternative of its own.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func tampering(settings trail.Settings, roles ...any) Pattern {
	theTrail := []any{settings.Name, map[string]any{"suffix": ":trail/" + settings.Name}, absent}
	calls := []any{"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors"}
	parameters := map[string]any{
		"name": theTrail, "trailName": theTrail,
		// PutInsightSelectors may be about an event data store of CloudTrail Lake.
		"eventDataStore": []any{absent},
	}
	if len(settings.Tags) > 0 {
		calls = append(calls, "AddTags", "RemoveTags")
		parameters["resourceId"] = theTrail[1:]
	}
	return Pattern{"aws.cloudtrail", anyType, map[string]any{
		"eventName":         calls,
		"errorCode":         []any{absent},
		"requestParameters": parameters,
		"userIdentity":      map[string]any{"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": roles}}},
	}}
}

// LogStorePart is a bucket or a key of a log store.
type LogStorePart struct {
	BucketName    string
	KeyID, KeyARN string
}

// LogStorePattern matches the CloudTrail event of every successful call that changes how a bucket is configured, or deletes it, and of each
// that can take a key away from the log, whoever makes it, but for guards' roles and for CloudFormation: at the end of each deployment the
// schedule looks, and what somebody else does with CloudFormation it finds.
//
// Of a key the caller gives the id or the ARN: these operations take no alias.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func LogStorePattern(parts ...LogStorePart) map[string]any {
	var names, buckets, keys []any
	for _, part := range parts {
		if part.BucketName != "" {
			buckets = append(buckets, part.BucketName)
		} else {
			keys = append(keys, part.KeyID, part.KeyARN)
		}
	}
	var sources, calls []any
	if buckets != nil {
		sources = append(sources, "aws.s3")
		names = append(names, map[string]any{"prefix": "PutBucket"}, map[string]any{"prefix": "DeleteBucket"})
		calls = append(calls, map[string]any{"bucketName": buckets})
	}
	if keys != nil {
		sources = append(sources, "aws.kms")
		names = append(names, "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DisableKeyRotation", "RevokeGrant")
		calls = append(calls, map[string]any{"keyId": keys})
	}
	return map[string]any{
		"source": sources,
		"detail": map[string]any{
			"eventName":         names,
			"errorCode":         []any{absent},
			"requestParameters": map[string]any{"$or": calls},
			"userIdentity": map[string]any{
				"invokedBy":      []any{map[string]any{"anything-but": "cloudformation.amazonaws.com"}, absent},
				"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": []any{notOfGuards, absent}}},
			},
		},
	}
}

// CheckLogStorePattern refuses a pattern of a log store that is longer than EventBridge takes.
func CheckLogStorePattern(rule string, pattern map[string]any, trailName string) error {
	return validation.Text{
		Name: "the event pattern of the rule " + rule + " of the log store", Taker: "EventBridge", Unit: "characters", Most: 2048,
		Has: validation.Characters(validation.JSON(pattern)), Parts: map[string]string{"LogBucket": trailName},
	}.Check()
}

// exception matches the CloudTrail event of a remediation exception: Config stops remediating what it is written for. For the
// exceptions that Config writes itself, when its attempts are used up, no event is documented.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationExceptions.html
func exception(rules ConfigRules) Pattern {
	return Pattern{"aws.config", anyType, map[string]any{
		"eventName":         []any{"PutRemediationExceptions"},
		"errorCode":         []any{absent},
		"requestParameters": map[string]any{"configRuleName": names(rules)},
	}}
}

// NonCompliantPattern matches Config's event that the trail is not as declared.
// https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
func NonCompliantPattern(rules ConfigRules) Pattern {
	return Pattern{"aws.config", "Config Rules Compliance Change", map[string]any{
		"configRuleName":      names(rules),
		"newEvaluationResult": map[string]any{"complianceType": []any{"NON_COMPLIANT"}},
	}}
}

// CheckPattern refuses an event pattern of a rule that is longer than EventBridge takes, unless AWS has raised an account's quota.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
func CheckPattern(rule string, pattern map[string]any, settings trail.Settings, automationRoleARN string, configRules ConfigRules) error {
	text := validation.JSON(pattern)
	if configRules != nil {
		for _, configRule := range *configRules.Rules() {
			text = strings.ReplaceAll(text, *configRule.ConfigRuleName(), longestName(configRule))
		}
	}
	return validation.Text{
		Name: "the event pattern of the rule " + rule, Taker: "EventBridge", Unit: "characters", Most: 2048,
		Has:   validation.Characters(text),
		Parts: map[string]string{"TrailName": settings.Name, "AutomationRole": automationRoleARN},
	}.Check()
}

// longestName has as many characters as the name that CloudFormation gives a rule: the stack's name, the logical id and twelve more.
// https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html
func longestName(rule awsconfig.IRule) string {
	const most, random = 128, 12
	resource := rule.Node().DefaultChild().(awsconfig.CfnConfigRule)
	stack := *resource.Stack().StackName()
	if *awscdk.Token_IsUnresolved(stack) {
		return strings.Repeat("x", most)
	}
	id := fmt.Sprint(resource.Stack().Resolve(resource.LogicalId()))
	return strings.Repeat("x", min(most, len(stack)+len("-")+len(id)+len("-")+random))
}

func names(rules ConfigRules) []any {
	var names []any
	for _, rule := range *rules.Rules() {
		names = append(names, rule.ConfigRuleName())
	}
	return names
}
