package closedloop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/repository"
)

// policies are the documents that decide about the trail, as the services hold them.
type policies struct {
	bucket, key, alertKey string
	automation, start     role
}

// role is a role's trust policy, and its other policies.
type role struct {
	arn, trust string
	identity   []string
}

func (g guard) policies() policies {
	g.T.Helper()
	return policies{
		bucket: g.bucketPolicy(), key: g.keyPolicy(g.LogKeyARN), alertKey: g.keyPolicy(g.alertKey()),
		automation: g.readRole(g.AutomationRoleARN), start: g.readRole(g.startRole()),
	}
}

func (g guard) keyPolicy(key string) string {
	g.T.Helper()
	got, err := g.Clients.KMS.GetKeyPolicy(g.T.Context(), &kms.GetKeyPolicyInput{KeyId: &key})
	g.Must(err)
	return *got.Policy
}

// alertKey is the key of the alert topic.
func (g guard) alertKey() string {
	g.T.Helper()
	topic, err := sns.NewFromConfig(g.Admin).GetTopicAttributes(g.T.Context(), &sns.GetTopicAttributesInput{TopicArn: &g.AlertTopicARN})
	g.Must(err)
	id := topic.Attributes["KmsMasterKeyId"]
	key, err := g.Clients.KMS.DescribeKey(g.T.Context(), &kms.DescribeKeyInput{KeyId: &id})
	g.Must(err)
	return *key.KeyMetadata.Arn
}

// startRole is the one role of the stack that EventBridge may assume.
func (g guard) startRole() string {
	g.T.Helper()
	resources, err := deployed.ReadResources(g.T.Context(), g.Clients.Reads(), g.Guard.Guard)
	g.Must(err)
	var found []string
	for _, name := range resources["AWS::IAM::Role"] {
		got, err := iam.NewFromConfig(g.Admin).GetRole(g.T.Context(), &iam.GetRoleInput{RoleName: &name})
		g.Must(err)
		if strings.Contains(*got.Role.AssumeRolePolicyDocument, "events.amazonaws.com") {
			found = append(found, *got.Role.Arn)
		}
	}
	if len(found) != 1 {
		g.T.Fatalf("the roles that EventBridge may assume are %v, want one", found)
	}
	return found[0]
}

func roleName(arn string) *string { return aws.String(arn[strings.LastIndexByte(arn, '/')+1:]) }

func (g guard) readRole(arn string) role {
	g.T.Helper()
	ctx, roles, name := g.T.Context(), iam.NewFromConfig(g.Admin), roleName(arn)
	got, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	g.Must(err)
	r := role{arn: arn}
	r.trust, err = url.PathUnescape(*got.Role.AssumeRolePolicyDocument)
	g.Must(err)
	attached, err := roles.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	g.Must(err)
	if len(attached.AttachedPolicies) > 0 {
		g.T.Fatalf("the role has attached policies, which this test does not read: %v", attached.AttachedPolicies)
	}
	inline, err := roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	g.Must(err)
	for _, policy := range inline.PolicyNames {
		got, err := roles.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: &policy})
		g.Must(err)
		document, err := url.PathUnescape(*got.PolicyDocument)
		g.Must(err)
		r.identity = append(r.identity, document)
	}
	return r
}

// keys are condition keys of a request.
type keys map[string]string

// with is these keys and those; an empty value takes a key away.
func (k keys) with(others keys) keys {
	all := maps.Clone(k)
	for name, value := range others {
		if all[name] = value; value == "" {
			delete(all, name)
		}
	}
	return all
}

// question asks whether a principal may do something, by the policies that bear on it.
type question struct {
	name      string
	principal api.Principal
	action    string
	resource  string
	keys      keys
	identity  []string
	attached  string // the policy of the resource
	trust     string
	want      bool
}

const otherAccount = "999999999999"

var (
	trailService      = api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}
	automationService = api.Principal{Type: api.AWSService, ARN: "ssm.amazonaws.com"}
	eventService      = api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}
	rootUser          = api.Principal{Type: api.Root, ARN: "arn:aws:iam::" + api.Account + ":root"}
	stranger          = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::" + otherAccount + ":user/stranger"}
)

func trailARNOf(region, account, name string) string {
	return fmt.Sprintf("arn:aws:cloudtrail:%s:%s:trail/%s", region, account, name)
}

// previousTrail is the one that the template which sets everything lets in besides the guard's own.
const previousTrail = "old-trail"

func (g guard) hasPreviousTrail() bool { return g.template == "everything" }

// bucketQuestions ask what CloudTrail and others may do with the log bucket.
func (g guard) bucketQuestions(p policies) []question {
	bucket := "arn:aws:s3:::" + g.LogBucketName
	prefix := g.declaredText("S3KeyPrefix")
	if prefix != "" {
		prefix += "/"
	}
	organization := g.payload()["IsOrganizationTrail"] == true
	ours := keys{"aws:SourceArn": g.TrailARN, "aws:SourceAccount": api.Account, "aws:SecureTransport": "true"}
	before := ours.with(keys{"aws:SourceArn": trailARNOf(api.Region, api.Account, previousTrail)})
	put := ours.with(keys{
		"s3:x-amz-acl": "bucket-owner-full-control", "s3:x-amz-server-side-encryption": "aws:kms",
		"s3:x-amz-server-side-encryption-aws-kms-key-id": g.LogKeyARN,
	})
	log := func(folder string) string {
		return bucket + "/" + folder + "/CloudTrail/us-east-1/2030/01/01/file.json.gz"
	}
	file := log(prefix + "AWSLogs/" + api.Account)
	ask := func(name, action, resource string, k keys, want bool) question {
		return question{name: name, principal: trailService, action: action, resource: resource, keys: k, attached: p.bucket, want: want}
	}
	all := []question{
		ask("CloudTrail reads the ACL", "s3:GetBucketAcl", bucket, ours, true),
		ask("CloudTrail writes a log file", "s3:PutObject", file, put, true),
		ask("CloudTrail writes a digest file", "s3:PutObject", bucket+"/"+prefix+"AWSLogs/"+api.Account+"/CloudTrail-Digest/us-east-1/2030/01/01/file.json.gz", put, true),
		ask("CloudTrail writes a digest file that S3 encrypts", "s3:PutObject", file,
			put.with(keys{"s3:x-amz-server-side-encryption": "AES256", "s3:x-amz-server-side-encryption-aws-kms-key-id": ""}), true),
		ask("CloudTrail reads the ACL for a previous trail", "s3:GetBucketAcl", bucket, before, g.hasPreviousTrail()),
		ask("CloudTrail writes a log file for a previous trail", "s3:PutObject", file, put.with(keys{"aws:SourceArn": before["aws:SourceArn"]}), g.hasPreviousTrail()),
		ask("for an organization", "s3:PutObject", log(prefix+"AWSLogs/"+testbed.OrganizationID+"/"+otherAccount), put, organization),
		ask("for another organization", "s3:PutObject", log(prefix+"AWSLogs/o-zzzzzzzzzz/"+api.Account), put, false),
		ask("not under another prefix", "s3:PutObject", log("other/AWSLogs/"+api.Account), put, false),
		ask("not beside the folder of logs", "s3:PutObject", bucket+"/"+prefix+"file", put, false),
		ask("not under another account", "s3:PutObject", log(prefix+"AWSLogs/"+otherAccount), put, false),
		ask("not without the ACL", "s3:PutObject", file, put.with(keys{"s3:x-amz-acl": ""}), false),
		ask("not with another ACL", "s3:PutObject", file, put.with(keys{"s3:x-amz-acl": "public-read"}), false),
		ask("not into another bucket", "s3:PutObject", strings.Replace(file, g.LogBucketName, "other", 1), put, false),
		ask("not by plain HTTP", "s3:PutObject", file, put.with(keys{"aws:SecureTransport": "false"}), false),
	}
	for name, source := range foreignSources(g) {
		all = append(all,
			ask("not read the ACL "+name, "s3:GetBucketAcl", bucket, ours.with(source), false),
			ask("not write "+name, "s3:PutObject", file, put.with(source), false))
	}
	for _, action := range []string{"s3:GetObject", "s3:DeleteObject", "s3:PutBucketPolicy", "s3:PutObjectAcl"} {
		all = append(all, ask("CloudTrail may not "+action, action, file, put, false))
	}
	for _, other := range []api.Principal{automationService, {Type: api.AWSService, ARN: "config.amazonaws.com"}} {
		all = append(all, question{name: other.ARN + " may not write", principal: other, action: "s3:PutObject", resource: file, keys: put, attached: p.bucket})
	}
	for _, user := range []api.Principal{localaws.Administrator, rootUser, stranger} {
		for _, secure := range []bool{true, false} {
			all = append(all, question{
				name: fmt.Sprintf("%s reads, over TLS: %v", user.ARN, secure), principal: user, action: "s3:GetObject", resource: file,
				keys: keys{"aws:SecureTransport": fmt.Sprint(secure)}, identity: []string{policy.FullAWSAccess}, attached: p.bucket,
				want: secure && user != stranger,
			})
		}
	}
	return all
}

// foreignSources are the sources of calls of CloudTrail that are not the guard's trail.
func foreignSources(g guard) map[string]keys {
	return map[string]keys{
		"for another trail":                   {"aws:SourceArn": trailARNOf(api.Region, api.Account, "other")},
		"for a trail whose name begins alike": {"aws:SourceArn": g.TrailARN + "2"},
		"for a trail of that name in another account": {
			"aws:SourceArn": trailARNOf(api.Region, otherAccount, g.TrailName), "aws:SourceAccount": otherAccount,
		},
		"for a trail of that name in another Region": {"aws:SourceArn": trailARNOf("eu-west-1", api.Account, g.TrailName)},
		"for no trail": {"aws:SourceArn": ""},
	}
}

const encryptionContext = "kms:EncryptionContext:aws:cloudtrail:arn"

// keyQuestions ask what CloudTrail and others may do with the key.
func (g guard) keyQuestions(p policies) []question {
	ours := keys{"aws:SourceArn": g.TrailARN, "aws:SourceAccount": api.Account}
	encrypt := ours.with(keys{encryptionContext: g.TrailARN})
	before := trailARNOf(api.Region, api.Account, previousTrail)
	ask := func(name, action string, k keys, want bool) question {
		return question{name: name, principal: trailService, action: action, resource: g.LogKeyARN, keys: k, attached: p.key, want: want}
	}
	all := []question{
		ask("CloudTrail encrypts", "kms:GenerateDataKey", encrypt, true),
		ask("CloudTrail describes the key", "kms:DescribeKey", ours, true),
		ask("CloudTrail encrypts for a previous trail", "kms:GenerateDataKey",
			keys{"aws:SourceArn": before, "aws:SourceAccount": api.Account, encryptionContext: before}, g.hasPreviousTrail()),
		ask("CloudTrail describes the key for a previous trail", "kms:DescribeKey", ours.with(keys{"aws:SourceArn": before}), g.hasPreviousTrail()),
		ask("not without a context", "kms:GenerateDataKey", ours, false),
		ask("not in the context of another trail", "kms:GenerateDataKey", ours.with(keys{encryptionContext: trailARNOf(api.Region, api.Account, "other")}), false),
		ask("not in the context of another account", "kms:GenerateDataKey", ours.with(keys{encryptionContext: trailARNOf(api.Region, otherAccount, g.TrailName)}), false),
		ask("CloudTrail may not decrypt", "kms:Decrypt", encrypt, false),
		ask("CloudTrail may not change the policy", "kms:PutKeyPolicy", encrypt, false),
		ask("CloudTrail may not grant", "kms:CreateGrant", encrypt, false),
	}
	for name, source := range foreignSources(g) {
		all = append(all,
			ask("not describe "+name, "kms:DescribeKey", ours.with(source), false),
			ask("not encrypt "+name, "kms:GenerateDataKey", encrypt.with(source), false))
	}
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} {
		everything := []string{policy.FullAWSAccess}
		all = append(all,
			question{name: "a stranger may not " + action, principal: stranger, action: action, resource: g.LogKeyARN, keys: encrypt, identity: everything, attached: p.key},
			question{name: "an administrator may " + action, principal: localaws.Administrator, action: action, resource: g.LogKeyARN, keys: encrypt, identity: everything, attached: p.key, want: true},
			question{name: "a user without permissions may not " + action, principal: localaws.Administrator, action: action, resource: g.LogKeyARN, keys: encrypt, attached: p.key})
	}
	return all
}

// onTrail are the operations that the runbook makes on the trail.
func (g guard) onTrail() []string {
	operations := []string{
		"CreateTrail", "GetEventSelectors", "GetInsightSelectors", "GetTrail", "GetTrailStatus", "PutEventSelectors", "PutInsightSelectors",
		"StartLogging", "UpdateTrail",
	}
	if g.payload()["TagsList"] != nil {
		operations = append(operations, "AddTags", "ListTags")
	}
	return operations
}

// trailOperations are all operations of CloudTrail.
func trailOperations() []string {
	var names []string
	client := reflect.TypeFor[*cloudtrail.Client]()
	for i := range client.NumMethod() {
		if method := client.Method(i); method.Type.NumIn() == 4 && method.Type.IsVariadic() {
			names = append(names, method.Name)
		}
	}
	return names
}

// roleQuestions ask what the automation role may do.
func (g guard) roleQuestions(p policies) []question {
	automation := api.Principal{Type: api.AssumedRole, ARN: g.AutomationRoleARN, SessionName: "Automation"}
	ask := func(name, action, resource string, k keys, want bool) question {
		return question{name: "the role: " + name, principal: automation, action: action, resource: resource, keys: k, identity: p.automation.identity, want: want}
	}
	var all []question
	for _, operation := range trailOperations() {
		action := "cloudtrail:" + operation
		if operation == "DescribeTrails" { // takes no resource
			all = append(all, ask(operation, action, "*", nil, true))
			continue
		}
		needed := slices.Contains(g.onTrail(), operation)
		all = append(all,
			ask(operation+" on the trail", action, g.TrailARN, nil, needed),
			ask(operation+" on another trail", action, trailARNOf(api.Region, api.Account, "other"), nil, false),
			ask(operation+" on a previous trail", action, trailARNOf(api.Region, api.Account, previousTrail), nil, false),
			ask(operation+" on a trail whose name begins alike", action, g.TrailARN+"2", nil, false),
			ask(operation+" on a trail of that name in another account", action, trailARNOf(api.Region, otherAccount, g.TrailName), nil, false),
			ask(operation+" on a trail of that name in another Region", action, trailARNOf("eu-west-1", api.Account, g.TrailName), nil, false))
		if !needed {
			all = append(all, ask(operation+" on everything", action, "*", nil, false))
		}
	}
	bucket := "arn:aws:s3:::" + g.LogBucketName
	for action, resource := range map[string]string{
		"s3:PutBucketPolicy": bucket, "s3:GetObject": bucket + "/file", "s3:DeleteObject": bucket + "/file", "s3:PutObject": bucket + "/file",
		"iam:PutRolePolicy": g.AutomationRoleARN, "iam:PassRole": g.AutomationRoleARN, "iam:CreateUser": "arn:aws:iam::" + api.Account + ":user/new",
		"ssm:StartAutomationExecution": fmt.Sprintf("arn:aws:ssm:%s:%s:automation-definition/%s", api.Region, api.Account, g.RunbookName),
		"config:DeleteConfigRule":      "*", "config:PutRemediationExceptions": "*", "config:StopConfigurationRecorder": "*",
		"events:DisableRule": fmt.Sprintf("arn:aws:events:%s:%s:rule/rule", api.Region, api.Account),
		"sns:Subscribe":      g.AlertTopicARN, "sns:Publish": g.AlertTopicARN + "2", "sns:DeleteTopic": g.AlertTopicARN,
	} {
		all = append(all, ask("not "+action, action, resource, nil, false))
	}
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"} {
		q := ask("not "+action, action, g.LogKeyARN, nil, false)
		q.attached = p.key
		all = append(all, q)
		encrypts := action == "kms:Decrypt" || action == "kms:GenerateDataKey"
		q = ask(action+" for the alert topic", action, g.alertKey(), nil, encrypts)
		q.attached = p.alertKey
		all = append(all, q)
	}
	all = append(all, ask("tells people", "sns:Publish", g.AlertTopicARN, nil, true))
	hasRules := len(g.ConfigRuleNames) > 0
	all = append(all,
		ask("reads exceptions", "config:DescribeRemediationExceptions", "*", nil, hasRules),
		ask("arms Config again", "config:DeleteRemediationExceptions", "*", nil, hasRules),
		ask("sees whether Config records", "config:DescribeConfigurationRecorderStatus", "*", nil, hasRules),
		ask("lets Config record", "config:StartConfigurationRecorder", "arn:aws:config:"+api.Region+":"+api.Account+":configuration-recorder/default/id", nil, hasRules))
	if logRole := g.declaredText("CloudWatchLogsRoleArn"); logRole != "" {
		all = append(all,
			ask("passes the role for CloudWatch Logs to CloudTrail", "iam:PassRole", logRole, keys{"iam:PassedToService": "cloudtrail.amazonaws.com"}, true),
			ask("passes it to no other service", "iam:PassRole", logRole, keys{"iam:PassedToService": "lambda.amazonaws.com"}, false),
			ask("passes no other role", "iam:PassRole", g.AutomationRoleARN, keys{"iam:PassedToService": "cloudtrail.amazonaws.com"}, false))
	}
	return all
}

// startQuestions ask what EventBridge may do as the start role: start version 1 of this runbook, as the automation role.
// StartAutomationExecution takes the document, its version and the execution.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func (g guard) startQuestions(p policies) []question {
	start := api.Principal{Type: api.AssumedRole, ARN: p.start.arn, SessionName: "events"}
	ask := func(name, action, resource string, k keys, want bool) question {
		return question{name: "the start role: " + name, principal: start, action: action, resource: resource, keys: k, identity: p.start.identity, want: want}
	}
	arn := func(resource string) string {
		return fmt.Sprintf("arn:aws:ssm:%s:%s:%s", api.Region, api.Account, resource)
	}
	const run, pass = "ssm:StartAutomationExecution", "iam:PassRole"
	automation := keys{"iam:PassedToService": "ssm.amazonaws.com"}
	return []question{
		ask("starts the document", run, arn("document/"+g.RunbookName), nil, true),
		ask("starts version 1", run, arn("automation-definition/"+g.RunbookName+":1"), nil, true),
		ask("starts an execution", run, arn("automation-execution/00000000-0000-4000-8000-000000000000"), nil, true),
		ask("not version 2", run, arn("automation-definition/"+g.RunbookName+":2"), nil, false),
		ask("not the default version", run, arn("automation-definition/"+g.RunbookName+":$DEFAULT"), nil, false),
		ask("not another document", run, arn("document/AWS-RunShellScript"), nil, false),
		ask("not another runbook", run, arn("automation-definition/other:1"), nil, false),
		ask("not stop an execution", "ssm:StopAutomationExecution", arn("automation-execution/00000000-0000-4000-8000-000000000000"), nil, false),
		ask("passes the automation role to Automation", pass, g.AutomationRoleARN, automation, true),
		ask("passes it to no other service", pass, g.AutomationRoleARN, keys{"iam:PassedToService": "lambda.amazonaws.com"}, false),
		ask("passes no other role", pass, "arn:aws:iam::"+api.Account+":role/other", automation, false),
		ask("not touch the trail", "cloudtrail:UpdateTrail", g.TrailARN, nil, false),
	}
}

// trustQuestions ask who may assume the two roles.
func (g guard) trustQuestions(p policies) []question {
	execution := func(account, kind string) string {
		return fmt.Sprintf("arn:aws:ssm:%s:%s:%s/00000000-0000-4000-8000-000000000000", api.Region, account, kind)
	}
	rule := func(account string) string { return fmt.Sprintf("arn:aws:events:%s:%s:rule/rule", api.Region, account) }
	var all []question
	for _, one := range []struct {
		name          string
		role          role
		service       api.Principal
		source, other string // the same of another account
		kind          string // another kind of source
	}{
		{"the trust", p.automation, automationService, execution(api.Account, "automation-execution"), execution(otherAccount, "automation-execution"),
			execution(api.Account, "maintenancewindow")},
		{"the start role's trust", p.start, eventService, rule(api.Account), rule(otherAccount),
			fmt.Sprintf("arn:aws:events:%s:%s:api-destination/rule", api.Region, api.Account)},
	} {
		ours := keys{"aws:SourceAccount": api.Account, "aws:SourceArn": one.source}
		ask := func(name string, principal api.Principal, k keys, want bool) {
			q := question{name: one.name + ": " + name, principal: principal, action: "sts:AssumeRole", resource: one.role.arn, keys: k, trust: one.role.trust, want: want}
			if principal.Type != api.AWSService {
				q.identity = []string{policy.FullAWSAccess}
			}
			all = append(all, q)
		}
		ask("this account", one.service, ours, true)
		ask("not another account", one.service, keys{"aws:SourceAccount": otherAccount, "aws:SourceArn": one.other}, false)
		ask("not with the ARN of another account", one.service, ours.with(keys{"aws:SourceArn": one.other}), false)
		ask("not for another kind of source", one.service, ours.with(keys{"aws:SourceArn": one.kind}), false)
		ask("not without the source", one.service, ours.with(keys{"aws:SourceArn": ""}), false)
		ask("not another service", api.Principal{Type: api.AWSService, ARN: "lambda.amazonaws.com"}, ours, false)
		ask("not CloudTrail", trailService, ours, false)
		ask("not an administrator", localaws.Administrator, nil, false)
		ask("not a stranger", stranger, nil, false)
	}
	return all
}

func (g guard) questions(p policies) []question {
	return slices.Concat(g.bucketQuestions(p), g.keyQuestions(p), g.roleQuestions(p), g.startQuestions(p), g.trustQuestions(p))
}

// wrongAnswers are the names of the questions that the policies answer otherwise than they should.
func wrongAnswers(t *testing.T, questions []question) []string {
	t.Helper()
	var wrong []string
	for _, q := range questions {
		request := policy.Request{Principal: q.principal, Action: q.action, Resource: q.resource, ResourceAccount: api.Account, Context: map[string][]string{}}
		for name, value := range q.keys {
			request.Context[name] = []string{value}
		}
		var bearing policy.Policies
		for _, document := range q.identity {
			bearing.Identity = append(bearing.Identity, parsePolicy(t, policy.Identity, document))
		}
		if q.attached != "" {
			attached := parsePolicy(t, policy.Resource, q.attached)
			bearing.Resource = &attached
		}
		if q.trust != "" {
			attached := parsePolicy(t, policy.Trust, q.trust)
			bearing.Resource = &attached
		}
		decision, err := policy.Evaluate(request, bearing)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		if decision.Allowed != q.want {
			wrong = append(wrong, q.name)
		}
	}
	return wrong
}

func parsePolicy(t *testing.T, kind policy.Kind, document string) policy.Document {
	t.Helper()
	parsed, err := policy.Parse(kind, document)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestThePoliciesAllowWhatIsNeededAndNothingElse(t *testing.T) {
	t.Parallel()
	var asking sync.Mutex
	var all []question
	t.Run("by the local AWS", func(t *testing.T) {
		for _, template := range []string{"everything", "organization", "default", "without-config"} {
			t.Run(template, func(t *testing.T) {
				onShared(t, template, func(g guard) {
					questions := g.questions(g.policies())
					for _, name := range wrongAnswers(t, questions) {
						t.Errorf("wrong answer: %s", name)
					}
					asking.Lock()
					defer asking.Unlock()
					for _, q := range questions {
						q.name = template + ": " + q.name
						all = append(all, q)
					}
				})
			})
		}
	})
	t.Run("by iam-simulate", func(t *testing.T) { simulateQuestions(t, all) })
}

// TestAKeyThatIsOpenToEveryoneIsSeen is a negative control of the questions about the key.
func TestAKeyThatIsOpenToEveryoneIsSeen(t *testing.T) {
	onShared(t, "default", func(g guard) {
		p := g.policies()
		p.key = edit(t, p.key, `"Statement":[`, `"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},`)
		wrong := wrongAnswers(t, g.keyQuestions(p))
		for _, name := range []string{"a stranger may not kms:Decrypt", "CloudTrail may not decrypt", "not encrypt for another trail"} {
			if !slices.Contains(wrong, name) {
				t.Errorf("the question %q does not see it", name)
			}
		}
	})
}

// TestLoosenedPoliciesAreSeen is the negative control of the other questions: each condition, taken away, is missed by one.
func TestLoosenedPoliciesAreSeen(t *testing.T) {
	onShared(t, "default", func(g guard) {
		sourceArn := `"aws:SourceArn":"` + g.TrailARN + `"`
		for _, test := range []struct {
			name   string
			loosen func(p *policies)
			seen   string
		}{
			{"a bucket for every trail", func(p *policies) { p.bucket = edit(t, p.bucket, sourceArn, `"aws:SourceAccount":"`+api.Account+`"`) },
				"not write for another trail"},
			{"a bucket for every path", func(p *policies) {
				p.bucket = edit(t, p.bucket, g.LogBucketName+"/AWSLogs/"+api.Account+"/*", g.LogBucketName+"/*")
			}, "not under another account"},
			{"a bucket for every ACL", func(p *policies) { p.bucket = edit(t, p.bucket, `,"s3:x-amz-acl":"bucket-owner-full-control"`, "") },
				"not with another ACL"},
			{"a bucket without TLS", func(p *policies) {
				p.bucket = edit(t, p.bucket, `"Action":"s3:*"`, `"Action":"s3:DeleteBucket"`)
			},
				localaws.Administrator.ARN + " reads, over TLS: false"},
			{"a key for every trail", func(p *policies) { p.key = edit(t, p.key, sourceArn, `"aws:SourceAccount":"`+api.Account+`"`) },
				"not encrypt for another trail"},
			{"a key for every context", func(p *policies) {
				p.key = edit(t, p.key, `"arn:aws:cloudtrail:*:`+api.Account+`:trail/`+g.TrailName+`"`, `"*"`)
			}, "not in the context of another trail"},
			{"a role for every trail", func(p *policies) {
				p.automation.identity[0] = edit(t, p.automation.identity[0], `"`+g.TrailARN+`"`, `"*"`)
			},
				"the role: UpdateTrail on another trail"},
			{"a role that may stop", func(p *policies) {
				p.automation.identity[0] = edit(t, p.automation.identity[0], `"cloudtrail:StartLogging"`, `"cloudtrail:StartLogging","cloudtrail:StopLogging"`)
			}, "the role: StopLogging on the trail"},
			{"a role that may not start", func(p *policies) {
				p.automation.identity[0] = edit(t, p.automation.identity[0], `"cloudtrail:StartLogging",`, "")
			},
				"the role: StartLogging on the trail"},
			{"a trust in every account", func(p *policies) {
				p.automation.trust = strings.ReplaceAll(p.automation.trust, api.Account, "*")
			}, "the trust: not another account"},
			{"a trust in every use of Systems Manager", func(p *policies) { p.automation.trust = edit(t, p.automation.trust, "automation-execution/*", "*") },
				"the trust: not for another kind of source"},
			{"a start role for every version", func(p *policies) {
				p.start.identity[0] = edit(t, p.start.identity[0], g.RunbookName+`:1"`, g.RunbookName+`:*"`)
			},
				"the start role: not version 2"},
			{"a start role that passes any role", func(p *policies) {
				p.start.identity[0] = edit(t, p.start.identity[0], `"`+g.AutomationRoleARN+`"`, `"*"`)
			}, "the start role: passes no other role"},
			{"a start role without the execution", func(p *policies) {
				p.start.identity[0] = edit(t, p.start.identity[0], "automation-execution/*", "automation-execution/none")
			}, "the start role: starts an execution"},
			{"a start role for any event bus", func(p *policies) { p.start.trust = edit(t, p.start.trust, ":rule/*", ":*") },
				"the start role's trust: not for another kind of source"},
			{"a role that tells anyone", func(p *policies) {
				p.automation.identity[0] = edit(t, p.automation.identity[0], `"`+g.AlertTopicARN+`"`, `"*"`)
			}, "the role: not sns:Publish"},
		} {
			loosened := g.policies()
			test.loosen(&loosened)
			if wrong := wrongAnswers(t, g.questions(loosened)); !slices.Contains(wrong, test.seen) {
				t.Errorf("%s: the question %q does not see it, only %v do", test.name, test.seen, wrong)
			}
		}
	})
}

// edit replaces a text in a document, which is written compactly and with sorted names.
func edit(t *testing.T, document, old, new string) string {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(document), &decoded); err != nil {
		t.Fatal(err)
	}
	compact, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(compact), old) {
		t.Fatalf("%s is not in %s", old, compact)
	}
	return strings.ReplaceAll(string(compact), old, new)
}

// noSuchRequest are the errors of iam-simulate for an action that it does not know, and for one that knows no trail.
var noSuchRequest = regexp.MustCompile(`"(invalid\.action|no\.resource\.types|must\.use\.wildcard)"`)

// simulateQuestions puts the questions to iam-simulate, which is by other people, too. It leaves out the root user and
// drops the keys of encryption contexts, so those questions are not put to it.
func simulateQuestions(t *testing.T, questions []question) {
	t.Helper()
	type named struct {
		Name   string          `json:"name"`
		Policy json.RawMessage `json:"policy"`
	}
	var asked []question
	simulations := []map[string]any{}
	for _, q := range questions {
		if _, encrypts := q.keys[encryptionContext]; encrypts || q.principal.Type == api.Root {
			continue
		}
		identity := []named{}
		for _, document := range q.identity {
			identity = append(identity, named{"policy", json.RawMessage(document)})
		}
		context := map[string]string{}
		maps.Copy(context, q.keys)
		simulation := map[string]any{
			"request": map[string]any{
				"principal": q.principal.SessionARN(), "action": q.action, "contextVariables": context,
				"resource": map[string]string{"resource": q.resource, "accountId": api.Account},
			},
			"identityPolicies": identity, "resourceControlPolicies": []any{}, "serviceControlPolicies": []any{},
		}
		if document := q.attached + q.trust; document != "" {
			simulation["resourcePolicy"] = json.RawMessage(document)
		}
		asked, simulations = append(asked, q), append(simulations, simulation)
	}
	input, err := json.Marshal(simulations)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join("..", "..", "localaws", "iam", "policy", "testdata", "simulate.mjs")
	cmd := exec.CommandContext(t.Context(), "node", script, repository.NodeModules())
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("running iam-simulate: %v (where node or its modules are missing, run make setup)", err)
	}
	var answers []struct{ Error, Result string }
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(asked) {
		t.Fatalf("iam-simulate gave %d answers to %d questions", len(answers), len(asked))
	}
	answered := 0
	for i, answer := range answers {
		if !asked[i].want && noSuchRequest.MatchString(answer.Error) {
			continue
		}
		answered++
		if answer.Error != "" || (answer.Result == "Allowed") != asked[i].want {
			t.Errorf("%s: iam-simulate says %s%s, want allowed %v", asked[i].name, answer.Result, answer.Error, asked[i].want)
		}
	}
	if answered < 400 {
		t.Errorf("iam-simulate answered only %d questions", answered)
	}
}
