package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/logstore"
)

// An archive is a log store for many accounts, in the account 123456789012. Who may write to it, and read from it, is asked of iam-simulate.
const (
	archive      = "123456789012"
	management   = "111111111111"
	member       = "222222222222"
	other        = "333333333333"
	outside      = "999999999999"
	organization = "o-a1b2c3d4e5"
	outsiders    = "o-zzzzzzzzzz"
	memberTrail  = "member-trail"
)

// archives are the kinds of log stores for many accounts, and which accounts' trails of the name memberTrail write to each.
var archives = map[string]struct {
	props   logstore.LogStoreProps
	members []string
}{
	"the organization's trail": {logstore.LogStoreProps{
		TrailName: jsii.String("org-trail"), TrailAccount: jsii.String(management), OrganizationId: jsii.String(organization),
	}, nil},
	"members' trails": {logstore.LogStoreProps{
		MemberTrailName: jsii.String(memberTrail), OrganizationId: jsii.String(organization), ReaderAccounts: jsii.Strings(member, other),
	}, []string{management, member, other}},
	"some accounts' trails": {logstore.LogStoreProps{
		MemberTrailName: jsii.String(memberTrail), MemberAccounts: jsii.Strings(member, outside), ReaderAccounts: jsii.Strings(member, outside),
	}, []string{member, outside}},
	"both": {logstore.LogStoreProps{
		TrailName: jsii.String("org-trail"), TrailAccount: jsii.String(management), OrganizationId: jsii.String(organization),
		MemberTrailName: jsii.String(memberTrail), S3KeyPrefix: jsii.String("audit"), BucketName: jsii.String("the-archive"), ReaderAccounts: jsii.Strings(other),
	}, []string{management, member, other}},
}

// asked is a question to iam-simulate.
type asked struct {
	name, principal, action, resource string
	context                           map[string]string
	identity                          bool // the principal's own account allows it everything
	policy                            any
	want                              bool
}

func TestAnArchiveTakesLogFilesOfItsAccountsOnly(t *testing.T) {
	for name, kind := range archives {
		t.Run(name, func(t *testing.T) {
			bucketPolicy, keyPolicy := archivePolicies(t, &kind.props)
			var all []asked
			prefix := "arn:aws:s3:::the-archive/"
			if kind.props.S3KeyPrefix != nil {
				prefix += *kind.props.S3KeyPrefix + "/"
			}
			fromTrail := func(region, account, trail string) map[string]string {
				context := map[string]string{
					"aws:SourceArn": fmt.Sprintf("arn:aws:cloudtrail:%s:%s:trail/%s", region, account, trail), "aws:SourceAccount": account,
					"s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true", "aws:SourceOrgID": organization,
				}
				if account == outside {
					context["aws:SourceOrgID"] = outsiders
				}
				return context
			}
			without := func(context map[string]string, keys ...string) map[string]string {
				rest := map[string]string{}
				for key, value := range context {
					if !slices.Contains(keys, key) {
						rest[key] = value
					}
				}
				return rest
			}
			cloudTrail := func(name, action, resource string, context map[string]string, policy any, want bool) {
				all = append(all, asked{name, "cloudtrail.amazonaws.com", action, resource, context, false, policy, want})
			}
			file := func(folder string) string {
				return prefix + "AWSLogs/" + folder + "/CloudTrail/us-east-1/2030/01/01/file.json.gz"
			}
			const bucket, key = "arn:aws:s3:::the-archive", "arn:aws:kms:us-east-1:" + archive + ":key/1"

			for _, account := range []string{management, member, other, outside} {
				context, may := fromTrail("us-east-1", account, memberTrail), slices.Contains(kind.members, account)
				mayInAnyCase := may && kind.props.MemberAccounts != nil
				say := func(what string) string { return account + " " + what }
				cloudTrail(say("writes"), "s3:PutObject", file(account), context, bucketPolicy, may)
				cloudTrail(say("writes by plain HTTP"), "s3:PutObject", file(account), with(context, "aws:SecureTransport", "false"), bucketPolicy, false)
				cloudTrail(say("writes, without aws:SourceAccount"), "s3:PutObject", file(account), without(context, "aws:SourceAccount"), bucketPolicy, may)
				cloudTrail(say("writes, without an organization"), "s3:PutObject", file(account), without(context, "aws:SourceOrgID"), bucketPolicy, mayInAnyCase)
				cloudTrail(say("writes, of another organization"), "s3:PutObject", file(account), with(context, "aws:SourceOrgID", outsiders), bucketPolicy, mayInAnyCase)
				cloudTrail(say("writes without the ACL"), "s3:PutObject", file(account), without(context, "s3:x-amz-acl"), bucketPolicy, false)
				cloudTrail(say("writes without a source"), "s3:PutObject", file(account), without(context, "aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID"), bucketPolicy, false)
				cloudTrail(say("writes into another account's folder"), "s3:PutObject", file("444444444444"), context, bucketPolicy, false)
				cloudTrail(say("writes into another account's folder by its prefix"), "s3:PutObject", prefix+"AWSLogs/444444444444/AWSLogs/"+account+"/CloudTrail/f", context, bucketPolicy, false)
				cloudTrail(say("writes into the organization's folder"), "s3:PutObject", file(organization+"/"+account), context, bucketPolicy, false)
				cloudTrail(say("writes beside the folder of logs"), "s3:PutObject", prefix+account+"/file", context, bucketPolicy, false)
				cloudTrail(say("deletes"), "s3:DeleteObject", file(account), context, bucketPolicy, false)
				cloudTrail(say("reads the ACL"), "s3:GetBucketAcl", bucket, context, bucketPolicy, may)
				cloudTrail(say("encrypts"), "kms:GenerateDataKey", key, context, keyPolicy, may)
				cloudTrail(say("encrypts, and what it is of is not said"), "kms:GenerateDataKey", key, without(context, "aws:SourceAccount", "aws:SourceOrgID"), keyPolicy, len(kind.members) > 0 && (may || kind.props.MemberAccounts == nil))
				cloudTrail(say("decrypts"), "kms:Decrypt", key, context, keyPolicy, false)
				cloudTrail(say("describes the key"), "kms:DescribeKey", key, context, keyPolicy, may)
				for what, elsewhere := range map[string]map[string]string{
					"of another name": fromTrail("us-east-1", account, "other-trail"), "of a name that begins alike": fromTrail("us-east-1", account, memberTrail+"2"),
					"in another Region": fromTrail("eu-west-1", account, memberTrail),
				} {
					cloudTrail(say("writes for a trail "+what), "s3:PutObject", file(account), elsewhere, bucketPolicy, false)
					cloudTrail(say("reads the ACL for a trail "+what), "s3:GetBucketAcl", bucket, elsewhere, bucketPolicy, false)
					cloudTrail(say("encrypts for a trail "+what), "kms:GenerateDataKey", key, elsewhere, keyPolicy, false)
				}
			}

			hasOrganizationTrail := kind.props.TrailName != nil
			for _, account := range []string{management, member, archive, outside} {
				context, may := fromTrail("us-east-1", account, "org-trail"), hasOrganizationTrail && account == management
				say := func(what string) string { return "the organization's trail of " + account + " " + what }
				cloudTrail(say("writes"), "s3:PutObject", file(organization+"/"+member), context, bucketPolicy, may)
				cloudTrail(say("writes its own"), "s3:PutObject", file(account), context, bucketPolicy, may)
				cloudTrail(say("writes without keys of its account"), "s3:PutObject", file(account), without(context, "aws:SourceAccount", "aws:SourceOrgID"), bucketPolicy, may)
				cloudTrail(say("writes for another organization"), "s3:PutObject", file(outsiders+"/"+member), context, bucketPolicy, false)
				cloudTrail(say("writes into a member's folder"), "s3:PutObject", file(member), context, bucketPolicy, may && account == member)
				cloudTrail(say("reads the ACL"), "s3:GetBucketAcl", bucket, context, bucketPolicy, may)
				cloudTrail(say("encrypts"), "kms:GenerateDataKey", key, context, keyPolicy, may)
			}

			var readers []string
			if kind.props.ReaderAccounts != nil {
				for _, account := range *kind.props.ReaderAccounts {
					readers = append(readers, *account)
				}
			}
			for _, account := range []string{management, member, other, outside} {
				for _, of := range []string{organization, outsiders} {
					may := slices.Contains(readers, account) && (kind.props.OrganizationId == nil || of == organization)
					context := map[string]string{"aws:PrincipalOrgID": of, "aws:SecureTransport": "true", "kms:EncryptionContext:aws:cloudtrail:arn": "arn"}
					reads := func(action, resource string, policy any, want bool) {
						for _, allowed := range []bool{true, false} {
							all = append(all, asked{fmt.Sprintf("%s of %s: %s %s, allowed at home: %t", account, of, action, resource, allowed),
								"arn:aws:iam::" + account + ":role/reader", action, resource, context, allowed, policy, want && allowed})
						}
					}
					reads("s3:GetObject", file(member), bucketPolicy, may)
					reads("s3:ListBucket", bucket, bucketPolicy, may)
					reads("s3:GetObject", "arn:aws:s3:::the-archive/other", bucketPolicy, false)
					reads("s3:PutObject", file(member), bucketPolicy, false)
					reads("s3:DeleteObject", file(member), bucketPolicy, false)
					reads("kms:Encrypt", key, keyPolicy, false)
					reads("kms:ScheduleKeyDeletion", key, keyPolicy, false)
				}
			}
			wantAnswers(t, all)
		})
	}
}

// TestAnArchivesKeyAsksForTheEncryptionContext: iam-simulate cannot, for no action declares that key.
func TestAnArchivesKeyAsksForTheEncryptionContext(t *testing.T) {
	const context = "kms:EncryptionContext:aws:cloudtrail:arn"
	for name, want := range map[string][]string{
		"both": {
			"CloudTrailEncrypt: map[StringLike:map[" + context + ":arn:aws:cloudtrail:*:111111111111:trail/org-trail]]",
			"MembersEncrypt: map[StringLike:map[" + context + ":arn:aws:cloudtrail:*:*:trail/member-trail]]",
			"ReadersDecrypt: map[Null:map[" + context + ":false]]",
		},
		"some accounts' trails": {
			"MembersEncrypt: map[StringLike:map[" + context + ":[arn:aws:cloudtrail:*:222222222222:trail/member-trail arn:aws:cloudtrail:*:999999999999:trail/member-trail]]]",
			"ReadersDecrypt: map[Null:map[" + context + ":false]]",
		},
	} {
		kind := archives[name]
		var got []string
		for _, statement := range statementsOf(archiveTemplate(&kind.props), "AWS::KMS::Key", "KeyPolicy") {
			conditions, _ := statement["Condition"].(map[string]any)
			for operator, keys := range conditions {
				if value, ok := keys.(map[string]any)[context]; ok {
					got = append(got, fmt.Sprintf("%s: map[%s:map[%s:%v]]", statement["Sid"], operator, context, value))
				}
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: the key asks for\n%s\nnot\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func with(context map[string]string, key, value string) map[string]string {
	changed := map[string]string{key: value}
	for name, value := range context {
		if name != key {
			changed[name] = value
		}
	}
	return changed
}

// TestAnOpenArchiveIsNoticed takes a condition, or what ties a path to an account, out of the policies.
func TestAnOpenArchiveIsNoticed(t *testing.T) {
	kind := archives["members' trails"]
	policy, _ := archivePolicies(t, &kind.props)
	text := encode(t, policy)
	context := map[string]string{
		"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:" + member + ":trail/" + memberTrail, "aws:SourceAccount": member, "aws:SourceOrgID": organization,
		"s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true",
	}
	for _, plant := range []struct {
		old, new string
		context  map[string]string
		folder   string
	}{
		{"${aws:SourceAccount}/*", "*", context, "444444444444"},
		{`"aws:SourceOrgID":"` + organization + `",`, "", with(context, "aws:SourceOrgID", outsiders), member},
		{":trail/" + memberTrail, ":trail/*", with(context, "aws:SourceArn", "arn:aws:cloudtrail:us-east-1:"+member+":trail/x"), member},
	} {
		question := asked{plant.old, "cloudtrail.amazonaws.com", "s3:PutObject", "arn:aws:s3:::the-archive/AWSLogs/" + plant.folder + "/f", plant.context, false, policy, false}
		changed := question
		changed.policy, changed.want = json.RawMessage(strings.ReplaceAll(text, plant.old, plant.new)), true
		wantAnswers(t, []asked{question, changed})
	}
}

// archivePolicies are the policies of the bucket and of the key, without what iam-simulate cannot answer.
func archivePolicies(t *testing.T, props *logstore.LogStoreProps) (bucket, key any) {
	t.Helper()
	template := archiveTemplate(props)
	document := func(kind, property string) any {
		var kept []any
		for _, statement := range statementsOf(template, kind, property) {
			if conditions, ok := statement["Condition"].(map[string]any); ok && statement["Sid"] != "ReadersDecrypt" {
				delete(conditions, "StringLike")
			}
			kept = append(kept, statement)
		}
		return map[string]any{"Version": "2012-10-17", "Statement": kept}
	}
	text := regexp.MustCompile("arn:physical-StoreBucket[0-9A-F]{8}").ReplaceAllString(encode(t, document("AWS::S3::BucketPolicy", "PolicyDocument")), "arn:aws:s3:::the-archive")
	if !strings.Contains(text, "arn:aws:s3:::the-archive") {
		t.Fatalf("the policy is not the archive's: %s", text)
	}
	return json.RawMessage(text), document("AWS::KMS::Key", "KeyPolicy")
}

func archiveTemplate(props *logstore.LogStoreProps) map[string]any {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	logstore.NewLogStore(stack, jsii.String("Store"), props)
	return *assertions.Template_FromStack(stack, nil).ToJSON()
}

// statementsOf are those of the policies of the log bucket, or of the key.
func statementsOf(template map[string]any, kind, property string) []map[string]any {
	var statements []map[string]any
	for id, resource := range template["Resources"].(map[string]any) {
		resource := resource.(map[string]any)
		if resource["Type"] != kind || strings.Contains(id, "ServerAccessLogs") {
			continue
		}
		document := resource["Properties"].(map[string]any)[property].(map[string]any)
		for _, statement := range document["Statement"].([]any) {
			statements = append(statements, resolved(statement).(map[string]any))
		}
	}
	return statements
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantAnswers puts the questions to iam-simulate.
func wantAnswers(t *testing.T, all []asked) {
	t.Helper()
	everything := []any{map[string]any{"name": "all", "policy": map[string]any{
		"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"}},
	}}}
	var simulations []any
	for _, question := range all {
		identity := []any{}
		if question.identity {
			identity = everything
		}
		simulations = append(simulations, map[string]any{
			"request": map[string]any{
				"principal": question.principal, "action": question.action, "contextVariables": question.context,
				"resource": map[string]string{"resource": question.resource, "accountId": archive},
			},
			"identityPolicies": identity, "resourceControlPolicies": []any{}, "serviceControlPolicies": []any{}, "resourcePolicy": question.policy,
		})
	}
	command := exec.Command("node", root+"/localaws/iam/policy/testdata/simulate.mjs", tool(t, "node_modules"))
	command.Stdin, command.Stderr = bytes.NewReader([]byte(encode(t, simulations))), os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("running iam-simulate: %v (where node or its modules are missing, run `make setup`)", err)
	}
	var answers []struct{ Error, Result string }
	if err := json.Unmarshal(output, &answers); err != nil || len(answers) != len(all) {
		t.Fatalf("%v: %d answers to %d questions", err, len(answers), len(all))
	}
	for i, answer := range answers {
		if answer.Error != "" || (answer.Result == "Allowed") != all[i].want {
			t.Errorf("%s: %s on %s is %s, want allowed %t %s", all[i].name, all[i].action, all[i].resource, answer.Result, all[i].want, answer.Error)
		}
	}
}
