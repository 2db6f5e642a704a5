package localaws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

// bucket makes a bucket in an account, with a policy if there is one.
func (h house) bucket(account, name, policy string) {
	h.t.Helper()
	client := s3.NewFromConfig(h.as(account))
	_, err := client.CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: &name})
	h.must(err)
	if policy != "" {
		h.putBucketPolicy(account, name, policy)
	}
}

func (h house) putBucketPolicy(account, name, policy string) {
	h.t.Helper()
	_, err := s3.NewFromConfig(h.as(account)).PutBucketPolicy(h.t.Context(), &s3.PutBucketPolicyInput{Bucket: &name, Policy: &policy})
	h.must(err)
}

// read tells how an account's administrator fares who reads the tags of a bucket.
func (h house) read(account, bucket string) string {
	_, err := s3.NewFromConfig(h.as(account)).GetBucketVersioning(h.t.Context(), &s3.GetBucketVersioningInput{Bucket: &bucket})
	return world.Code(err)
}

// allow is a policy with one statement that allows.
func allow(principal, action, resource, condition string) string {
	if condition == "" {
		condition = "{}"
	}
	return `{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":` + principal + `,"Action":` + action + `,"Resource":` + resource +
		`,"Condition":` + condition + `}]}`
}

const inThisOrganization = `{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}`

// Across accounts both must allow.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
func testBucketOfAnotherAccount(h house) {
	h.bucket(archive, "logs", "")
	for account, want := range map[string]string{archive: "", memberOne: "AccessDenied", management: "AccessDenied", outsider: "AccessDenied"} {
		if got := h.read(account, "logs"); got != want {
			h.t.Errorf("without a policy %s gets %q, want %q", account, got, want)
		}
	}
	h.putBucketPolicy(archive, "logs", allow(`"*"`, `"s3:GetBucketVersioning"`, `"arn:aws:s3:::logs"`, inThisOrganization))
	for account, want := range map[string]string{archive: "", memberOne: "", management: "", outsider: "AccessDenied"} {
		if got := h.read(account, "logs"); got != want {
			h.t.Errorf("with a policy for the organization %s gets %q, want %q", account, got, want)
		}
	}
	// The caller's own policies must allow, too: this role has none.
	role := h.role(memberOne, "Reader", `{"AWS":"arn:aws:iam::`+memberOne+`:root"}`, "")
	reader := s3.NewFromConfig(h.assumed(memberOne, role))
	_, err := reader.GetBucketVersioning(h.t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String("logs")})
	world.WantCode(h.t, err, "AccessDenied")
	// A name that another account has taken is taken.
	_, err = s3.NewFromConfig(h.as(memberOne)).CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: aws.String("logs")})
	world.WantCode(h.t, err, "BucketAlreadyExists")
	// Both accounts have the call in their histories.
	h.putBucketPolicy(archive, "logs", allow(`"*"`, `["s3:PutBucketPolicy"]`, `"arn:aws:s3:::logs"`, inThisOrganization))
	h.putBucketPolicy(memberOne, "logs", allow(`"*"`, `["s3:GetBucketVersioning"]`, `"arn:aws:s3:::logs"`, inThisOrganization))
	if got := h.read(memberTwo, "logs"); got != "" {
		h.t.Errorf("after the policy was changed from another account a member gets %q", got)
	}
	for account, want := range map[string]int{archive: 2, memberOne: 1, memberTwo: 0} {
		if got := len(h.history(account, "PutBucketPolicy")); got != want+h.own(account) {
			h.t.Errorf("%s has %d PutBucketPolicy in its history", account, got)
		}
	}
}

// own is how many PutBucketPolicy testBucketOfAnotherAccount has made in the account before.
func (h house) own(account string) int {
	if account == archive {
		return 1
	}
	return 0
}

// history are the events of a name in an account's history.
func (h house) history(account, name string) []map[string]any {
	h.t.Helper()
	found, err := cloudtrail.NewFromConfig(h.as(account)).LookupEvents(h.t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: &name}},
	})
	h.must(err)
	var events []map[string]any
	for _, event := range found.Events {
		var record map[string]any
		h.must(json.Unmarshal([]byte(*event.CloudTrailEvent), &record))
		events = append(events, record)
	}
	return events
}

// role makes a role in an account, with an inline policy if there is one, and returns its ARN.
func (h house) role(account, name, principal, policy string) string {
	h.t.Helper()
	client := iam.NewFromConfig(h.as(account))
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`
	made, err := client.CreateRole(h.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	h.must(err)
	if policy != "" {
		_, err = client.PutRolePolicy(h.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("own"), PolicyDocument: &policy})
		h.must(err)
	}
	return *made.Role.Arn
}

// assumed is the configuration of a role that an account's administrator has assumed.
func (h house) assumed(account, role string) aws.Config {
	h.t.Helper()
	config := h.as(account)
	got, err := sts.NewFromConfig(config).AssumeRole(h.t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
	h.must(err)
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: *got.Credentials.AccessKeyId, SecretAccessKey: *got.Credentials.SecretAccessKey}, nil
	})
	return config
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/tutorial_cross-account-with-roles.html
func testRoleOfAnotherAccount(h house) {
	role := h.role(memberOne, "Audit", `{"AWS":"arn:aws:iam::`+security+`:root"}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	config := h.assumed(security, role)
	who, err := sts.NewFromConfig(config).GetCallerIdentity(h.t.Context(), &sts.GetCallerIdentityInput{})
	h.must(err)
	if *who.Account != memberOne {
		h.t.Errorf("the role calls in %s", *who.Account)
	}
	_, err = s3.NewFromConfig(config).CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: aws.String("by-audit")})
	h.must(err)
	if got := h.read(memberOne, "by-audit"); got != "" {
		h.t.Errorf("the member's administrator gets %q for the bucket that the role made", got)
	}
	_, err = sts.NewFromConfig(h.as(memberTwo)).AssumeRole(h.t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
	world.WantCode(h.t, err, "AccessDenied")
}

// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
func testKeyAndQueueOfAnotherAccount(h house) {
	keyPolicy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + archive + `:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":"*","Action":"kms:DescribeKey","Resource":"*","Condition":` + inThisOrganization + `}]}`
	key, err := kms.NewFromConfig(h.as(archive)).CreateKey(h.t.Context(), &kms.CreateKeyInput{Policy: &keyPolicy})
	h.must(err)
	queue, err := sqs.NewFromConfig(h.as(archive)).CreateQueue(h.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{
		"Policy": allow(`{"AWS":"arn:aws:iam::`+memberOne+`:root"}`, `"sqs:SendMessage"`, `"arn:aws:sqs:us-east-1:`+archive+`:q"`, ""),
	}})
	h.must(err)
	for account, want := range map[string][2]string{
		memberOne: {"", ""}, memberTwo: {"", "AccessDeniedException"}, outsider: {"AccessDeniedException", "AccessDeniedException"},
	} {
		_, err := kms.NewFromConfig(h.as(account)).DescribeKey(h.t.Context(), &kms.DescribeKeyInput{KeyId: key.KeyMetadata.Arn})
		world.WantCode(h.t, err, want[0])
		_, err = sqs.NewFromConfig(h.as(account)).SendMessage(h.t.Context(), &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("from " + account)})
		world.WantCode(h.t, err, want[1])
	}
	if got := h.messages(archive, "q"); len(got) != 1 || *got[0].Body != "from "+memberOne {
		h.t.Errorf("the queue has %d messages", len(got))
	}
}

// messages takes the messages out of an account's queue.
func (h house) messages(account, queue string) []sqstypes.Message {
	h.t.Helper()
	client := sqs.NewFromConfig(h.as(account))
	url, err := client.GetQueueUrl(h.t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	h.must(err)
	got, err := client.ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: url.QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
	})
	h.must(err)
	return got.Messages
}

// Each level must allow, and a deny on any of them wins.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func testServiceControlPolicies(h house) {
	queue := func(account string) string {
		_, err := sqs.NewFromConfig(h.as(account)).ListQueues(h.t.Context(), &sqs.ListQueuesInput{})
		return world.Code(err)
	}
	want := func(what string, refused ...string) {
		h.t.Helper()
		for _, account := range []string{management, archive, memberOne, memberTwo, sandboxed, outsider} {
			if got := queue(account) != ""; got != slices.Contains(refused, account) {
				h.t.Errorf("%s: %s is refused: %v", what, account, got)
			}
		}
	}
	const deny = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`
	want("no policy")
	h.attach(orgtypes.PolicyTypeServiceControlPolicy, h.unit("Workloads"), deny)
	want("a deny on Workloads", memberOne, memberTwo)
	h.move(sandboxed, "Sandbox", "Workloads/Prod")
	want("an account has come", memberOne, memberTwo, sandboxed)
	h.move(sandboxed, "Workloads/Prod", "Sandbox")
	client := organizations.NewFromConfig(h.as(management))
	detach := func(target string) {
		_, err := client.DetachPolicy(h.t.Context(), &organizations.DetachPolicyInput{PolicyId: aws.String("p-FullAWSAccess"), TargetId: aws.String(target)})
		h.must(err)
	}
	detach(sandboxed)
	want("without FullAWSAccess on one level", memberOne, memberTwo, sandboxed)
	h.attach(orgtypes.PolicyTypeServiceControlPolicy, h.unit(""), deny)
	want("a deny on the root", archive, memberOne, memberTwo, sandboxed) // the management account is not bound
	// A policy that is too long is refused, and so is one from a member.
	_, err := client.CreatePolicy(h.t.Context(), &organizations.CreatePolicyInput{
		Name: aws.String("long"), Description: aws.String(""), Type: orgtypes.PolicyTypeServiceControlPolicy, Content: aws.String(deny + strings.Repeat(" ", 5120)),
	})
	world.WantCode(h.t, err, "ConstraintViolationException")
	_, err = organizations.NewFromConfig(h.as(archive)).ListPolicies(h.t.Context(), &organizations.ListPoliciesInput{Filter: orgtypes.PolicyTypeServiceControlPolicy})
	world.WantCode(h.t, err, "AccessDeniedException")
}

// A policy can go by the tags of a key, which CloudFormation gives as the template says and with none of its own.
// https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2077
func testTagsOfKeys(h house) {
	h.must(CreateStack(h.t.Context(), h.as(memberOne), "Keys", `{"Resources":{"Tagged":{"Type":"AWS::KMS::Key","Properties":{"Tags":[{"Key":"part","Value":{"Ref":"AWS::StackName"}}]}},
		"Plain":{"Type":"AWS::KMS::Key","Properties":{}}},
		"Outputs":{"Tagged":{"Value":{"Ref":"Tagged"}},"Plain":{"Value":{"Ref":"Plain"}}}}`))
	described, err := cloudformation.NewFromConfig(h.as(memberOne)).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{})
	h.must(err)
	ids := map[string]*string{}
	for _, output := range described.Stacks[0].Outputs {
		ids[*output.OutputKey] = output.OutputValue
	}
	h.attach(orgtypes.PolicyTypeServiceControlPolicy, memberOne, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny",
		"Action":["kms:DisableKey","kms:UntagResource"],"Resource":"arn:aws:kms:*:*:key/*","Condition":{"StringLike":{"aws:ResourceTag/part":"Key*"}}},
		{"Effect":"Deny","Action":"kms:DisableKey","Resource":"*","Condition":{"Null":{"aws:ResourceTag/aws:cloudformation:stack-name":"false"}}}]}`)
	client := kms.NewFromConfig(h.as(memberOne))
	for name, want := range map[string]string{"Tagged": "AccessDeniedException", "Plain": ""} {
		_, err := client.DisableKey(h.t.Context(), &kms.DisableKeyInput{KeyId: ids[name]})
		world.WantCode(h.t, err, want)
		_, err = client.UntagResource(h.t.Context(), &kms.UntagResourceInput{KeyId: ids[name], TagKeys: []string{"part"}})
		world.WantCode(h.t, err, want)
	}
}

// A policy can go by the type of the policies that a call is for.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
func testTypesOfPolicies(h house) {
	client := organizations.NewFromConfig(h.as(management))
	made, err := client.CreatePolicy(h.t.Context(), &organizations.CreatePolicyInput{
		Name: aws.String("tags"), Description: aws.String(""), Type: orgtypes.PolicyTypeTagPolicy, Content: aws.String(`{"tags":{}}`),
	})
	h.must(err)
	h.attach(orgtypes.PolicyTypeServiceControlPolicy, memberOne, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny",
		"Action":["organizations:DetachPolicy","organizations:DisablePolicyType"],"Resource":"*","Condition":{"StringEquals":{"organizations:PolicyType":"SERVICE_CONTROL_POLICY"}}}]}`)
	member := organizations.NewFromConfig(h.as(memberOne))
	denied := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "explicit deny in a service control policy")
	}
	for id, want := range map[string]bool{"p-FullAWSAccess": true, *made.Policy.PolicySummary.Id: false, "p-none": false} {
		_, err := member.DetachPolicy(h.t.Context(), &organizations.DetachPolicyInput{PolicyId: &id, TargetId: aws.String(memberOne)})
		if denied(err) != want {
			h.t.Errorf("detaching %s: %v", id, err)
		}
	}
	for kind, want := range map[orgtypes.PolicyType]bool{orgtypes.PolicyTypeServiceControlPolicy: true, orgtypes.PolicyTypeTagPolicy: false} {
		_, err := member.DisablePolicyType(h.t.Context(), &organizations.DisablePolicyTypeInput{PolicyType: kind, RootId: aws.String(h.unit(""))})
		if denied(err) != want {
			h.t.Errorf("disabling %s: %v", kind, err)
		}
	}
}

// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
func testResourceControlPolicies(h house) {
	open := func(bucket string) string {
		return allow(`"*"`, `"s3:GetBucketVersioning"`, `"arn:aws:s3:::`+bucket+`"`, "")
	}
	h.bucket(archive, "logs", open("logs"))
	h.bucket(management, "own", open("own"))
	for _, bucket := range []string{"logs", "own"} {
		if got := h.read(outsider, bucket); got != "" {
			h.t.Fatalf("the outsider gets %q for %s", got, bucket)
		}
	}
	h.attach(orgtypes.PolicyTypeResourceControlPolicy, h.unit(""), `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*",
		"Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-exampleorgid"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}]}`)
	for bucket, codes := range map[string]map[string]string{
		"logs": {memberOne: "", archive: "", management: "", outsider: "AccessDenied"},
		"own":  {memberOne: "", outsider: ""}, // the management account's resources are not bound
	} {
		for account, want := range codes {
			if got := h.read(account, bucket); got != want {
				h.t.Errorf("%s gets %q for %s, want %q", account, got, bucket, want)
			}
		}
	}
}

// A policy of the organization is deployed as a resource, and taken away with it.
func testPolicyAsResource(h house) {
	h.must(CreateStack(h.t.Context(), h.as(management), "Prevention", `{"Resources":{"Policy":{"Type":"AWS::Organizations::Policy","Properties":{
		"Name":"Prevention","Type":"SERVICE_CONTROL_POLICY","TargetIds":["`+h.unit("Workloads")+`"],
		"Content":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:*","Resource":"*","Condition":
			{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/breakglass"}}}]}}}}}`))
	list := func(account, user string) string {
		a := h.Account(account)
		p := api.Principal{Type: api.IAMUser, ARN: a.Place().GlobalARN("iam", "user/"+user)}
		_, err := sqs.NewFromConfig(a.Config(p)).ListQueues(h.t.Context(), &sqs.ListQueuesInput{})
		return world.Code(err)
	}
	for _, test := range []struct{ account, user, want string }{
		{memberOne, "administrator", "AccessDenied"}, {memberOne, "breakglass", ""}, {memberOne, "breakglass2", "AccessDenied"},
		{sandboxed, "administrator", ""}, {management, "administrator", ""},
	} {
		if got := list(test.account, test.user); (got == "") != (test.want == "") {
			h.t.Errorf("%s in %s gets %q, want %q", test.user, test.account, got, test.want)
		}
	}
	_, err := cloudformation.NewFromConfig(h.as(management)).DeleteStack(h.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("Prevention")})
	h.must(err)
	if got := list(memberOne, "administrator"); got != "" {
		h.t.Errorf("without the policy a member gets %q", got)
	}
}

func TestAccounts(t *testing.T) {
	h := startHouse(t)
	for name, test := range map[string]func(house){
		"share buckets by their policies":          testBucketOfAnotherAccount,
		"assume roles that trust them":             testRoleOfAnotherAccount,
		"share keys and queues by their policies":  testKeyAndQueueOfAnotherAccount,
		"are bound by service control policies":    testServiceControlPolicies,
		"are bound by resource control policies":   testResourceControlPolicies,
		"are bound by the tags of keys":            testTagsOfKeys,
		"are bound by the types of policies":       testTypesOfPolicies,
		"deliver into the archive":                 testDeliveryIntoTheArchive,
		"have an organization trail":               testOrganizationTrail,
		"have a delegated administrator":           testDelegatedAdministrator,
		"hand events to a central bus":             testCentralBus,
		"hand events to a bus of another Region":   testOtherRegion,
		"put events on buses that let them":        testPutEvents,
		"are bound by policies that are resources": testPolicyAsResource,
		"have one time":                            testOneTime,
	} {
		h.test(name, test)
	}
}

// trail is the input that makes a trail.
func trail(bucket, key string, organization bool) *cloudtrail.CreateTrailInput {
	in := &cloudtrail.CreateTrailInput{
		Name: aws.String("guarded"), S3BucketName: &bucket, IsMultiRegionTrail: aws.Bool(true), IsOrganizationTrail: &organization,
	}
	if key != "" {
		in.KmsKeyId = &key
	}
	return in
}

// archivePolicy lets the members' trails named guarded write, and the organization's.
func archivePolicy() string {
	const name = `"ArnLike":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:*:trail/guarded"},"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"%s}`
	condition := func(more string) string { return "{" + fmt.Sprintf(name, more) + "}" }
	statement := func(action, resource, more string) string {
		return `{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"` + action + `","Resource":"arn:aws:s3:::` + resource + `","Condition":` + condition(more) + `}`
	}
	return `{"Version":"2012-10-17","Statement":[` + statement("s3:GetBucketAcl", "logs", "") + "," +
		statement("s3:PutObject", "logs/AWSLogs/*", `,"s3:x-amz-acl":"bucket-owner-full-control"`) + `]}`
}

// CloudTrail in a member writes into the archive's bucket with the archive's key, if the organization is in their policies; from an
// outside account it does not.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-set-bucket-policy-multiple-accounts.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceorgid
func testDeliveryIntoTheArchive(h house) {
	h.bucket(archive, "logs", archivePolicy())
	policy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + archive + `:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",
		 "Condition":{"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"}}}]}`
	made, err := kms.NewFromConfig(h.as(archive)).CreateKey(h.t.Context(), &kms.CreateKeyInput{Policy: &policy})
	h.must(err)
	key := *made.KeyMetadata.Arn
	for account, want := range map[string]string{memberOne: "", memberTwo: "", outsider: "InsufficientEncryptionPolicyException"} {
		_, err := cloudtrail.NewFromConfig(h.as(account)).CreateTrail(h.t.Context(), trail("logs", key, false))
		world.WantCode(h.t, err, want)
	}
	_, err = cloudtrail.NewFromConfig(h.as(outsider)).CreateTrail(h.t.Context(), trail("logs", "", false))
	world.WantCode(h.t, err, "InsufficientS3BucketPolicyException")
	other := trail("logs", "", false)
	other.Name = aws.String("other") // the policy is for trails of the other name
	_, err = cloudtrail.NewFromConfig(h.as(memberOne)).CreateTrail(h.t.Context(), other)
	world.WantCode(h.t, err, "InsufficientS3BucketPolicyException")

	// An account that leaves the organization delivers no longer.
	name := aws.String("guarded")
	_, err = cloudtrail.NewFromConfig(h.as(memberOne)).StartLogging(h.t.Context(), &cloudtrail.StartLoggingInput{Name: name})
	h.must(err)
	delivery := func() string {
		h.must(h.Advance(h.t.Context(), time.Minute))
		got, err := cloudtrail.NewFromConfig(h.as(memberOne)).GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: name})
		h.must(err)
		return aws.ToString(got.LatestDeliveryError)
	}
	if got := delivery(); got != "" {
		h.t.Errorf("the delivery meets %q", got)
	}
	_, err = organizations.NewFromConfig(h.as(management)).RemoveAccountFromOrganization(h.t.Context(), &organizations.RemoveAccountFromOrganizationInput{AccountId: aws.String(memberOne)})
	h.must(err)
	if got := delivery(); got != "AccessDenied" {
		h.t.Errorf("after the account has left the delivery meets %q", got)
	}
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
func testOrganizationTrail(h house) {
	h.bucket(archive, "logs", archivePolicy())
	_, err := cloudtrail.NewFromConfig(h.as(memberOne)).CreateTrail(h.t.Context(), trail("logs", "", true))
	world.WantCode(h.t, err, "NotOrganizationMasterAccountException")
	owner := cloudtrail.NewFromConfig(h.as(management))
	made, err := owner.CreateTrail(h.t.Context(), trail("logs", "", true))
	h.must(err)
	arn := made.TrailARN
	_, err = owner.StartLogging(h.t.Context(), &cloudtrail.StartLoggingInput{Name: arn})
	h.must(err)

	member := cloudtrail.NewFromConfig(h.as(memberOne))
	seen, err := member.DescribeTrails(h.t.Context(), &cloudtrail.DescribeTrailsInput{})
	h.must(err)
	if len(seen.TrailList) != 1 || *seen.TrailList[0].TrailARN != *arn {
		h.t.Errorf("a member sees %v", seen.TrailList)
	}
	seen, err = member.DescribeTrails(h.t.Context(), &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)})
	h.must(err)
	if len(seen.TrailList) != 0 {
		h.t.Errorf("without shadows a member sees %v", seen.TrailList)
	}
	status, err := member.GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: arn})
	h.must(err)
	if !*status.IsLogging {
		h.t.Error("the trail is not logging")
	}
	_, err = member.GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String("guarded")})
	world.WantCode(h.t, err, "TrailNotFoundException")
	_, err = member.StopLogging(h.t.Context(), &cloudtrail.StopLoggingInput{Name: arn})
	world.WantCode(h.t, err, "NotOrganizationMasterAccountException")
	_, err = cloudtrail.NewFromConfig(h.as(outsider)).GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: arn})
	world.WantCode(h.t, err, "TrailNotFoundException")

	// It logs the members' calls, so that rules there see them; those of an outside account it does not.
	for account, want := range map[string]int{memberOne: 1, outsider: 0} {
		h.listen(account, "us-east-1", `{"source":["aws.sqs"],"detail":{"eventName":["CreateQueue"],"requestParameters":{"queueName":["made"]}}}`)
		_, err := sqs.NewFromConfig(h.as(account)).CreateQueue(h.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("made")})
		h.must(err)
		h.must(h.RunToQuiescence(h.t.Context()))
		if got := len(h.messages(account, "heard")); got != want {
			h.t.Errorf("a rule of %s has heard of %d calls, want %d", account, got, want)
		}
	}
	// Without trusted access it is the management account's alone.
	_, err = organizations.NewFromConfig(h.as(management)).DisableAWSServiceAccess(h.t.Context(), &organizations.DisableAWSServiceAccessInput{
		ServicePrincipal: aws.String("cloudtrail.amazonaws.com"),
	})
	h.must(err)
	_, err = member.GetTrailStatus(h.t.Context(), &cloudtrail.GetTrailStatusInput{Name: arn})
	world.WantCode(h.t, err, "TrailNotFoundException")
	_, err = owner.UpdateTrail(h.t.Context(), &cloudtrail.UpdateTrailInput{Name: arn, EnableLogFileValidation: aws.Bool(true)})
	h.must(err)
}

// listen makes a queue and a rule that puts the events of a pattern there.
func (h house) listen(account, region, pattern string) {
	h.t.Helper()
	config := h.as(account)
	config.Region = region
	arn := "arn:aws:sqs:" + region + ":" + account + ":heard"
	_, err := sqs.NewFromConfig(config).CreateQueue(h.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("heard"), Attributes: map[string]string{
		"Policy": allow(`{"Service":"events.amazonaws.com"}`, `"sqs:SendMessage"`, `"`+arn+`"`, ""),
	}})
	h.must(err)
	h.rule(config, "", "heard", pattern, eventtypes.Target{Id: aws.String("q"), Arn: &arn})
}

// rule makes a rule with one target on an event bus.
func (h house) rule(config aws.Config, bus, name, pattern string, target eventtypes.Target) {
	h.t.Helper()
	client := eventbridge.NewFromConfig(config)
	on := &bus
	if bus == "" {
		on = nil
	}
	_, err := client.PutRule(h.t.Context(), &eventbridge.PutRuleInput{Name: &name, EventPattern: &pattern, EventBusName: on})
	h.must(err)
	put, err := client.PutTargets(h.t.Context(), &eventbridge.PutTargetsInput{Rule: &name, Targets: []eventtypes.Target{target}, EventBusName: on})
	h.must(err)
	if put.FailedEntryCount > 0 {
		h.t.Fatalf("the target is refused: %v", put.FailedEntries)
	}
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html
// https://github.com/hashicorp/terraform-provider-aws/issues/28440
func testDelegatedAdministrator(h house) {
	h.bucket(archive, "logs", archivePolicy())
	delegate := cloudtrail.NewFromConfig(h.as(security))
	_, err := delegate.CreateTrail(h.t.Context(), trail("logs", "", true))
	world.WantCode(h.t, err, "NotOrganizationMasterAccountException")
	h.delegate(security, "cloudtrail.amazonaws.com")
	made, err := delegate.CreateTrail(h.t.Context(), trail("logs", "", true))
	h.must(err)
	if want := "arn:aws:cloudtrail:us-east-1:" + management + ":trail/guarded"; *made.TrailARN != want {
		h.t.Fatalf("the trail is %s, want %s", *made.TrailARN, want)
	}
	for nameOrARN, want := range map[string]string{*made.TrailARN: "", "guarded": "TrailNotFoundException"} {
		_, err = delegate.StartLogging(h.t.Context(), &cloudtrail.StartLoggingInput{Name: &nameOrARN})
		world.WantCode(h.t, err, want)
		_, err = delegate.UpdateTrail(h.t.Context(), &cloudtrail.UpdateTrailInput{Name: &nameOrARN, EnableLogFileValidation: aws.Bool(true)})
		world.WantCode(h.t, err, want)
		_, err = delegate.GetTrail(h.t.Context(), &cloudtrail.GetTrailInput{Name: &nameOrARN})
		world.WantCode(h.t, err, want)
	}
	if trails := h.Account(management).CloudTrail().Trails(); len(trails) != 1 || !trails[0].IsLogging || !trails[0].LogFileValidationEnabled {
		h.t.Errorf("the management account has %+v", trails)
	}
	if trails := h.Account(security).CloudTrail().Trails(); len(trails) != 0 {
		h.t.Errorf("the delegated administrator has %+v", trails)
	}
	_, err = delegate.UpdateTrail(h.t.Context(), &cloudtrail.UpdateTrailInput{Name: made.TrailARN, IsOrganizationTrail: aws.Bool(false)})
	world.WantCode(h.t, err, "NotOrganizationMasterAccountException")
	_, err = organizations.NewFromConfig(h.as(management)).DeregisterDelegatedAdministrator(h.t.Context(), &organizations.DeregisterDelegatedAdministratorInput{
		AccountId: aws.String(security), ServicePrincipal: aws.String("cloudtrail.amazonaws.com"),
	})
	h.must(err)
	_, err = delegate.StopLogging(h.t.Context(), &cloudtrail.StopLoggingInput{Name: made.TrailARN})
	world.WantCode(h.t, err, "NotOrganizationMasterAccountException")
}

// centralBus makes a bus in the security account with a policy, and a rule that puts what arrives into the queue heard.
func (h house) centralBus(policy string) string {
	h.t.Helper()
	h.must(CreateStack(h.t.Context(), h.as(security), "Central", `{"Resources":{
		"Bus":{"Type":"AWS::Events::EventBus","Properties":{"Name":"central","Description":"d","Tags":[{"Key":"a","Value":"b"}]}},
		"Policy":{"Type":"AWS::Events::EventBusPolicy","Properties":{"EventBusName":{"Ref":"Bus"},"StatementId":"One","Statement":`+policy+`}},
		"Queue":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"heard"}},
		"QueuePolicy":{"Type":"AWS::SQS::QueuePolicy","Properties":{"Queues":[{"Ref":"Queue"}],"PolicyDocument":`+
		allow(`{"Service":"events.amazonaws.com"}`, `"sqs:SendMessage"`, `{"Fn::GetAtt":["Queue","Arn"]}`, "")+`}},
		"Rule":{"Type":"AWS::Events::Rule","Properties":{"EventBusName":{"Ref":"Bus"},"EventPattern":{"source":[{"prefix":""}]},
			"Targets":[{"Id":"q","Arn":{"Fn::GetAtt":["Queue","Arn"]}}]}}}}`))
	return "arn:aws:events:us-east-1:" + security + ":event-bus/central"
}

const fromTheOrganization = `{"Effect":"Allow","Principal":"*","Action":"events:PutEvents","Resource":{"Fn::GetAtt":["Bus","Arn"]},"Condition":` + inThisOrganization + `}`

// sender makes a rule that hands events of a source on to a bus, with a dead-letter queue.
func (h house) sender(account, region, bus string, mayPut bool) {
	h.t.Helper()
	config := h.as(account)
	config.Region = region
	policy := ""
	if mayPut {
		policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"events:PutEvents","Resource":"` + bus + `"}]}`
	}
	role := h.role(account, "Sender", `{"Service":"events.amazonaws.com"}`, policy)
	dead := "arn:aws:sqs:" + region + ":" + account + ":dead"
	_, err := sqs.NewFromConfig(config).CreateQueue(h.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("dead"), Attributes: map[string]string{
		"Policy": allow(`{"Service":"events.amazonaws.com"}`, `"sqs:SendMessage"`, `"`+dead+`"`, ""),
	}})
	h.must(err)
	h.rule(config, "", "central", `{"source":["app"]}`, eventtypes.Target{
		Id: aws.String("bus"), Arn: &bus, RoleArn: &role, DeadLetterConfig: &eventtypes.DeadLetterConfig{Arn: &dead},
	})
}

// put has a caller put an event of a source on a bus, and returns the code with which the entry is refused.
func (h house) put(config aws.Config, bus, source string) string {
	h.t.Helper()
	entry := eventtypes.PutEventsRequestEntry{Source: &source, DetailType: aws.String("Said"), Detail: aws.String(`{"n":1}`)}
	if bus != "" {
		entry.EventBusName = &bus
	}
	put, err := eventbridge.NewFromConfig(config).PutEvents(h.t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{entry}})
	if err != nil {
		return world.Code(err)
	}
	h.must(h.RunToQuiescence(h.t.Context()))
	return aws.ToString(put.Entries[0].ErrorCode)
}

// heard are the accounts, Regions and sources of the events in the security account's queue.
func (h house) heard() []string {
	h.t.Helper()
	var heard []string
	for _, message := range h.messages(security, "heard") {
		var event map[string]any
		h.must(json.Unmarshal([]byte(*message.Body), &event))
		heard = append(heard, fmt.Sprint(event["account"], " ", event["region"], " ", event["source"]))
	}
	return heard
}

// The target's role and the bus's policy must let the event pass; it keeps its account and its Region.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func testCentralBus(h house) {
	bus := h.centralBus(fromTheOrganization)
	for account, lets := range map[string]bool{memberOne: true, memberTwo: false, outsider: false} {
		h.sender(account, "us-east-1", bus, account != memberTwo) // whose role may not
		if code := h.put(h.as(account), "", "app"); code != "" {
			h.t.Fatalf("the event is refused with %s", code)
		}
		want, dead := []string(nil), 1
		if lets {
			want, dead = []string{account + " us-east-1 app"}, 0
		}
		if got := h.heard(); !slices.Equal(got, want) {
			h.t.Errorf("%s: the central bus has heard %v, want %v", account, got, want)
		}
		if got := h.messages(account, "dead"); len(got) != dead || dead > 0 && *got[0].MessageAttributes["ERROR_CODE"].StringValue != "NO_PERMISSIONS" {
			h.t.Errorf("%s: there are %d dead letters", account, len(got))
		}
	}
	// Without a policy on the bus nobody may.
	_, err := eventbridge.NewFromConfig(h.as(security)).RemovePermission(h.t.Context(), &eventbridge.RemovePermissionInput{
		EventBusName: aws.String("central"), StatementId: aws.String("One"),
	})
	h.must(err)
	h.put(h.as(memberOne), "", "app")
	if got := len(h.messages(memberOne, "dead")); got != 1 {
		h.t.Errorf("without a policy there are %d dead letters", got)
	}
	// A target that is a bus needs a role, and gets the event itself.
	client := eventbridge.NewFromConfig(h.as(memberOne))
	for _, target := range []eventtypes.Target{
		{Id: aws.String("b"), Arn: &bus},
		{Id: aws.String("b"), Arn: &bus, RoleArn: aws.String("arn:aws:iam::" + memberOne + ":role/Sender"), Input: aws.String("{}")},
	} {
		_, err := client.PutTargets(h.t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("central"), Targets: []eventtypes.Target{target}})
		world.WantCode(h.t, err, "ValidationException")
	}
}

// Events of AWS Organizations arrive in one Region, from which a rule may hand them on.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_security_incident-response.html
func testOtherRegion(h house) {
	h.bucket(management, "logs", archivePolicy())
	owner := cloudtrail.NewFromConfig(h.as(management))
	_, err := owner.CreateTrail(h.t.Context(), trail("logs", "", false))
	h.must(err)
	_, err = owner.StartLogging(h.t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("guarded")})
	h.must(err)
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		h.listen(management, region, `{"source":["aws.organizations"]}`)
	}
	config := h.as(management)
	config.Region = "eu-west-1"
	_, err = organizations.NewFromConfig(config).CreateOrganizationalUnit(h.t.Context(), &organizations.CreateOrganizationalUnitInput{ParentId: aws.String(h.unit("")), Name: aws.String("New")})
	h.must(err)
	h.must(h.RunToQuiescence(h.t.Context()))
	for region, want := range map[string]int{"us-east-1": 1, "eu-west-1": 0} {
		config.Region = region
		got, err := sqs.NewFromConfig(config).ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String("http://127.0.0.1/" + management + "/heard")})
		h.must(err)
		if len(got.Messages) != want {
			h.t.Errorf("in %s there are %d events, want %d", region, len(got.Messages), want)
		}
	}
	// A rule of another Region hands on to the bus of this one.
	bus := h.centralBus(fromTheOrganization)
	h.sender(memberOne, "eu-west-1", bus, true)
	config = h.as(memberOne)
	h.put(config, "", "app") // which arrives where there is no rule
	config.Region = "eu-west-1"
	h.put(config, "", "app")
	if got, want := h.heard(), []string{memberOne + " eu-west-1 app"}; !slices.Equal(got, want) {
		h.t.Errorf("the central bus has heard %v, want %v", got, want)
	}
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func testPutEvents(h house) {
	bus := h.centralBus(fromTheOrganization)
	for account, want := range map[string]string{memberOne: "", security: "", outsider: "AccessDeniedException"} {
		if got := h.put(h.as(account), bus, "app"); got != want {
			h.t.Errorf("%s gets %q, want %q", account, got, want)
		}
	}
	if got := h.put(h.as(memberOne), bus, "aws.cloudtrail"); got != "NotAuthorizedForSourceException" {
		h.t.Errorf("a source of AWS's gets %q", got)
	}
	got, want := h.heard(), []string{memberOne + " us-east-1 app", security + " us-east-1 app"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("the central bus has heard %v, want %v", got, want)
	}
}

func testOneTime(h house) {
	before := h.Clock.Now()
	h.must(h.Account(memberOne).Advance(h.t.Context(), time.Hour))
	if got := h.Account(archive).Clock.Now().Sub(before); got != time.Hour {
		h.t.Errorf("in another account %s have passed", got)
	}
}
