package closedloop

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// store is a guard whose log store is tampered with.
type store struct {
	guard
	role, accessLog string
}

// withLock is the name of the template whose log bucket has Object Lock besides.
const withLock = "store with Object Lock"

// storeTemplates are templates that repair the log store, by their names.
func storeTemplates(t *testing.T) map[string]testbed.Template {
	t.Helper()
	return map[string]testbed.Template{
		"default": testbed.ReadTemplate(t, "default"), withLock: testbed.ReadTemplate(t, "default").With(t, updated("ObjectLockRetention, set")),
	}
}

// deployStore deploys a template. The end of the deployment has done its work.
func deployStore(t *testing.T, a *account, tpl testbed.Template) store {
	t.Helper()
	g := deploy(t, a, tpl)
	g.Settle()
	s := store{guard: g}
	resources, err := deployed.ReadResources(t.Context(), g.Clients.Reads(), g.Guard.Guard)
	g.Must(err)
	for _, name := range resources["AWS::S3::Bucket"] {
		if strings.Contains(name, "serveraccesslogs") {
			s.accessLog = name
		}
	}
	for _, name := range resources["AWS::IAM::Role"] {
		if strings.Contains(name, "StoreRemediation") {
			s.role = name
		}
	}
	if s.role == "" {
		t.Fatalf("the log store has no role: %v", resources)
	}
	return s
}

func (s store) in(t *testing.T) store {
	s.guard = s.guard.in(t)
	return s
}

// runs are the executions of the log store's runbook after the first n of them.
func (s store) runs(n int) []*automation.Execution { return s.LogStoreExecutions()[n:] }

// messages are what people are told meanwhile, whoever tells it.
func (s store) messages(do func()) []string {
	s.T.Helper()
	before := len(s.Gateway.Calls())
	do()
	var messages []string
	for _, call := range s.Gateway.Calls()[before:] {
		if call.Action() != "sns:Publish" || call.Input["TopicArn"] != s.AlertTopicARN || call.ErrorCode != "" {
			continue
		}
		// What a test does to the guard's parts is told, too: package disarming is about that.
		if message := strings.Trim(call.Input["Message"].(string), `"`); !strings.Contains(message, " on the guard of the trail ") {
			messages = append(messages, message)
		}
	}
	return messages
}

// state is everything that the services say about the key and the buckets.
func (s store) state() map[string]string {
	s.T.Helper()
	return testbed.LogStoreState(s.T, s.Clients, s.LogKeyARN, map[string]string{"log": s.LogBucketName, "access log": s.accessLog})
}

// wantState reports what is not as it was.
func (s store) wantState(want map[string]string) {
	s.T.Helper()
	testbed.WantLogStoreState(s.T, s.state(), want)
}

// storeTampering is a way to take the log store out of its declared state.
type storeTampering struct {
	id, name string
	// events are the calls that people are told of, by their names in CloudTrail.
	events []string
	do     func(s store) error
}

func storeTamperings() []storeTampering {
	const open = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}`
	const closed = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*"}]}`
	expire := func(prefix *string, bucket func(s store) *string) func(s store) error {
		return func(s store) error {
			_, err := s.Clients.S3.PutBucketLifecycleConfiguration(s.T.Context(), &s3.PutBucketLifecycleConfigurationInput{
				Bucket: bucket(s), LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
					ID: aws.String("cleanup"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: prefix},
					Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
				}}},
			})
			return err
		}
	}
	logBucket := func(s store) *string { return &s.LogBucketName }
	putPolicy := func(policy string, bucket func(s store) *string) func(s store) error {
		return func(s store) error {
			text := strings.ReplaceAll(policy, "BUCKET", *bucket(s))
			_, err := s.Clients.S3.PutBucketPolicy(s.T.Context(), &s3.PutBucketPolicyInput{Bucket: bucket(s), Policy: &text})
			return err
		}
	}
	all := []storeTampering{
		{"T20", "expire all after a day", []string{"PutBucketLifecycle"}, expire(aws.String(""), logBucket)},
		{"T20", "expire the log files after a day", []string{"PutBucketLifecycle"}, expire(aws.String("AWSLogs/"), logBucket)},
		{"T20", "expire the access log after a day", []string{"PutBucketLifecycle"}, expire(aws.String(""), func(s store) *string { return &s.accessLog })},
		{"T20", "no lifecycle", []string{"DeleteBucketLifecycle"}, func(s store) error {
			_, err := s.Clients.S3.DeleteBucketLifecycle(s.T.Context(), &s3.DeleteBucketLifecycleInput{Bucket: &s.LogBucketName})
			return err
		}},
		{"T21", "deny CloudTrail", []string{"PutBucketPolicy"}, putPolicy(closed, logBucket)},
		{"T28", "disable the key by its ARN", []string{"DisableKey"}, func(s store) error {
			_, err := s.Clients.KMS.DisableKey(s.T.Context(), &kms.DisableKeyInput{KeyId: &s.LogKeyARN})
			return err
		}},
		{"T28", "disable the key by its id", []string{"DisableKey"}, func(s store) error {
			_, err := s.Clients.KMS.DisableKey(s.T.Context(), &kms.DisableKeyInput{KeyId: keyID(s.LogKeyARN)})
			return err
		}},
		{"T29", "schedule the key's deletion", []string{"ScheduleKeyDeletion"}, func(s store) error {
			_, err := s.Clients.KMS.ScheduleKeyDeletion(s.T.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &s.LogKeyARN, PendingWindowInDays: aws.Int32(7)})
			return err
		}},
		{"T30", "a key policy without CloudTrail", []string{"PutKeyPolicy"}, func(s store) error {
			s.closeKey()
			return nil
		}},
		{"T31", "no rotation", []string{"DisableKeyRotation"}, func(s store) error {
			_, err := s.Clients.KMS.DisableKeyRotation(s.T.Context(), &kms.DisableKeyRotationInput{KeyId: &s.LogKeyARN})
			return err
		}},
	}
	for what, bucket := range map[string]func(s store) *string{"": logBucket, " of the access log": func(s store) *string { return &s.accessLog }} {
		all = append(all,
			storeTampering{"T21", "open the bucket" + what, []string{"PutBucketPolicy"}, putPolicy(open, bucket)},
			storeTampering{"T22", "delete the policy" + what, []string{"DeleteBucketPolicy"}, func(s store) error {
				_, err := s.Clients.S3.DeleteBucketPolicy(s.T.Context(), &s3.DeleteBucketPolicyInput{Bucket: bucket(s)})
				return err
			}},
			storeTampering{"T24", "suspend versioning" + what, []string{"PutBucketVersioning"}, func(s store) error {
				_, err := s.Clients.S3.PutBucketVersioning(s.T.Context(), &s3.PutBucketVersioningInput{
					Bucket: bucket(s), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
				})
				return err
			}},
			storeTampering{"T26", "encrypt with another key" + what, []string{"PutBucketEncryption"}, func(s store) error {
				_, err := s.Clients.S3.PutBucketEncryption(s.T.Context(), &s3.PutBucketEncryptionInput{
					Bucket: bucket(s), ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
						ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
							SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String(s.elsewhere().key),
						},
					}}},
				})
				return err
			}},
			storeTampering{"T26", "delete the encryption" + what, []string{"DeleteBucketEncryption"}, func(s store) error {
				_, err := s.Clients.S3.DeleteBucketEncryption(s.T.Context(), &s3.DeleteBucketEncryptionInput{Bucket: bucket(s)})
				return err
			}},
			storeTampering{"T27", "delete the public access block" + what, []string{"DeleteBucketPublicAccessBlock"}, func(s store) error {
				_, err := s.Clients.S3.DeletePublicAccessBlock(s.T.Context(), &s3.DeletePublicAccessBlockInput{Bucket: bucket(s)})
				return err
			}},
			storeTampering{"T27", "let writers own objects, and others write" + what, []string{"PutBucketOwnershipControls", "PutBucketAcl"}, func(s store) error {
				_, err := s.Clients.S3.PutBucketOwnershipControls(s.T.Context(), &s3.PutBucketOwnershipControlsInput{
					Bucket: bucket(s), OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}}},
				})
				s.Must(err)
				_, err = s.Clients.S3.PutBucketAcl(s.T.Context(), &s3.PutBucketAclInput{Bucket: bucket(s), ACL: types.BucketCannedACLPublicReadWrite})
				return err
			}},
		)
	}
	all = append(all, storeTampering{"T27", "no access log", []string{"PutBucketLogging"}, func(s store) error {
		_, err := s.Clients.S3.PutBucketLogging(s.T.Context(), &s3.PutBucketLoggingInput{Bucket: &s.LogBucketName, BucketLoggingStatus: &types.BucketLoggingStatus{}})
		return err
	}})
	slices.SortStableFunc(all, func(one, other storeTampering) int { return strings.Compare(one.id+one.name, other.id+other.name) })
	return all
}

// TestTheLogStoreIsRestored from each way to take it out of its declared state, by events alone and by the schedule alone. Every field is
// compared, and people are told once of each call, with who made it, and once of the repair.
func TestTheLogStoreIsRestored(t *testing.T) {
	for name, tpl := range storeTemplates(t) {
		t.Run(name, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				s := deployStore(t, a, tpl)
				s.wantSuccess(s.runs(0)...)
				if told := told(s.runs(0)...); len(told) > 0 {
					t.Errorf("after the deployment people are told %q", told)
				}
				whole := s.state()
				paths := []deployed.Path{deployed.EventPath, deployed.SchedulePath}
				if name == withLock {
					paths = paths[:1] // the schedule starts the same runbook
				}
				for _, path := range paths {
					for _, tampering := range storeTamperings() {
						t.Run(fmt.Sprintf("%s by %s: %s", tampering.id, path, tampering.name), func(t *testing.T) {
							s := s.in(t)
							s.Only()
							s.onlyStore(path)
							before, at := len(s.LogStoreExecutions()), s.Clock.Now().UTC().Format(time.RFC3339)
							err := tampering.do(s)
							if name == withLock && testbed.HasCode(err, "InvalidBucketState") {
								return // Object Lock keeps versioning on
							}
							s.Must(err)
							if maps.Equal(s.state(), whole) {
								t.Fatal("the tampering changed nothing")
							}
							told := s.messages(func() {
								if path == deployed.EventPath {
									s.Settle()
								} else {
									s.Pass(schedulePeriod)
								}
							})
							defer s.deliver()
							s.wantState(whole)
							s.wantSuccess(s.runs(before)...)
							s.wantToldOnce(told, path, tampering.events, at)
						})
					}
					// What a repair told too late, the tampering after it, or this, would have been told of.
					if told := s.messages(func() { s.Pass(schedulePeriod) }); len(told) > 0 {
						t.Errorf("of a whole log store people are told %q", told)
					}
				}
			})
		})
	}
}

// deliver lets CloudTrail deliver what the log store now takes: what is delivered for hours to nowhere, people are told of.
func (s store) deliver() {
	s.T.Helper()
	s.Only()
	s.Pass(5 * time.Minute)
}

// wantToldOnce reports messages other than one for each call, if events tell of it, and one of the repair. Calls that are made at once start
// as many runs, each of which may find the same.
func (s store) wantToldOnce(told []string, path deployed.Path, events []string, at string) {
	s.T.Helper()
	if path == deployed.EventPath {
		for _, event := range events {
			want := fmt.Sprintf("TAMPERING: %s on the log store of %s in account %s, %s, by %s from 127.0.0.1 at %s.",
				event, s.TrailName, api.Account, api.Region, s.Administrator().SessionARN(), at)
			i := slices.Index(told, want)
			if i < 0 {
				s.T.Errorf("people are told %q, not %q", told, want)
				continue
			}
			told = slices.Delete(told, i, i+1)
		}
	}
	if len(told) == 0 || len(told) > len(events) {
		s.T.Errorf("of the repair people are told %q", told)
	}
	for _, message := range told {
		if !strings.HasPrefix(message, "REPAIRED: log store "+s.TrailName+"\n") || !strings.Contains(message, ", started by "+string(path)+": ") {
			s.T.Errorf("people are told %q", message)
		}
	}
}

// onlyStore lets only one path start the log store's runbook.
func (s store) onlyStore(path deployed.Path) {
	s.T.Helper()
	for _, rule := range s.Rules {
		if rule.OfLogStore {
			s.Enable(rule.Name, path == deployed.EventPath)
		}
		if rule.Path == deployed.SchedulePath {
			s.Enable(rule.Name, path == deployed.SchedulePath)
		}
	}
}

// TestALogStoreThatIsGoneIsToldAndNotMadeAnew is T23, and a key whose deletion nobody cancelled.
func TestALogStoreThatIsGoneIsToldAndNotMadeAnew(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		s := deployStore(t, a, testbed.ReadTemplate(t, "default"))
		s.Only()
		s.onlyStore(deployed.EventPath)
		ctx, client := t.Context(), s.Clients.S3
		versions, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &s.LogBucketName})
		s.Must(err)
		for _, version := range versions.Versions {
			_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.LogBucketName, Key: version.Key, VersionId: version.VersionId})
			s.Must(err)
		}
		before := len(s.LogStoreExecutions())
		told := s.messages(func() {
			_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &s.LogBucketName})
			s.Must(err)
			s.Settle()
		})
		var tampering, left int
		for _, message := range told {
			if strings.HasPrefix(message, "TAMPERING: DeleteBucket on the log store of ") {
				tampering++
			}
			if strings.HasPrefix(message, "NOT REPAIRED: log store ") && strings.Contains(message, "(NoSuchBucket)") &&
				strings.Contains(message, "create it in this account before somebody else does") {
				left++
			}
		}
		if tampering != 1 || left != 1 || len(told) != 3 { // and that the run has failed
			t.Errorf("people are told %q", told)
		}
		if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.LogBucketName}); err == nil {
			t.Error("the bucket is there again")
		}
		for _, x := range s.runs(before) {
			for _, call := range x.Calls {
				if call.Mutating() && call.ErrorCode == "" && call.Service == "s3" {
					t.Errorf("a run made %s", call.API)
				}
			}
		}
		// Somebody makes it again: the next run configures it.
		_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.LogBucketName})
		s.Must(err)
		s.onlyStore(deployed.SchedulePath)
		before = len(s.LogStoreExecutions())
		s.Pass(schedulePeriod)
		s.wantSuccess(s.runs(before)...)
		if policy := s.bucketPolicy(); !strings.Contains(policy, "CloudTrailWrite") {
			t.Errorf("the policy is %s", policy)
		}
	})
}

// TestTheLogStoresRoleMayDoWhatItMustAndNoMore case by case. Without any of its permissions to change something, what it is for stays undone.
func TestTheLogStoresRoleMayDoWhatItMustAndNoMore(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		s := deployStore(t, a, storeTemplates(t)[withLock])
		role := api.Principal{Type: api.AssumedRole, ARN: s.roleARN(s.role)}
		bucket, access := "arn:aws:s3:::"+s.LogBucketName, "arn:aws:s3:::"+s.accessLog
		other := s.elsewhere()
		ask := func(action, resource string, want bool) {
			t.Helper()
			err := s.IAM.Authorize(t.Context(), role, action, resource, map[string][]string{"aws:SecureTransport": {"true"}})
			if (err == nil) != want {
				t.Errorf("that the role may %s on %s is %t", action, resource, err == nil)
			}
		}
		for _, action := range []string{"GetBucketPolicy", "PutBucketPolicy", "GetLifecycleConfiguration", "PutLifecycleConfiguration", "GetBucketVersioning",
			"PutBucketVersioning", "GetEncryptionConfiguration", "PutEncryptionConfiguration", "GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock",
			"GetBucketOwnershipControls", "PutBucketOwnershipControls", "PutBucketAcl", "GetBucketLogging", "PutBucketLogging",
			"GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"} {
			ask("s3:"+action, bucket, true)
			ask("s3:"+action, access, true)
			ask("s3:"+action, "arn:aws:s3:::"+other.bucket, false)
		}
		for _, action := range []string{"CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "ListBucket", "ListBucketVersions", "PutReplicationConfiguration",
			"PutBucketNotification", "PutBucketTagging"} {
			ask("s3:"+action, bucket, false)
		}
		for _, action := range []string{"GetObject", "GetObjectVersion", "PutObject", "DeleteObject", "DeleteObjectVersion", "PutObjectRetention", "PutObjectLegalHold",
			"BypassGovernanceRetention", "PutObjectAcl", "RestoreObject"} {
			ask("s3:"+action, bucket+"/AWSLogs/x", false)
			ask("s3:"+action, access+"/x", false)
		}
		for _, action := range []string{"DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "GetKeyRotationStatus", "EnableKeyRotation", "EnableKey", "CancelKeyDeletion"} {
			ask("kms:"+action, s.LogKeyARN, true)
			ask("kms:"+action, other.key, false)
			ask("kms:"+action, s.alertKey(), false)
		}
		for _, action := range []string{"Decrypt", "Encrypt", "GenerateDataKey", "CreateGrant", "DisableKey", "ScheduleKeyDeletion", "DisableKeyRotation", "ReEncryptFrom"} {
			ask("kms:"+action, s.LogKeyARN, false)
		}
		ask("sns:Publish", s.AlertTopicARN, true)
		ask("sns:Publish", other.topic, false)
		ask("kms:GenerateDataKey", s.alertKey(), true)
		for _, action := range []string{"cloudtrail:StopLogging", "cloudtrail:StartLogging", "cloudtrail:UpdateTrail"} {
			ask(action, s.TrailARN, false)
		}
		ask("iam:PassRole", s.AutomationRoleARN, false)
		role = api.Principal{Type: api.AssumedRole, ARN: s.AutomationRoleARN}
		ask("cloudtrail:StartLogging", s.TrailARN, true)
		for _, action := range []string{"GetBucketPolicy", "PutBucketPolicy", "PutLifecycleConfiguration", "PutBucketVersioning", "PutBucketAcl"} {
			ask("s3:"+action, bucket, false)
		}
		for _, action := range []string{"GetKeyPolicy", "PutKeyPolicy", "EnableKey", "CancelKeyDeletion"} {
			ask("kms:"+action, s.LogKeyARN, false)
		}
		role = api.Principal{Type: api.AssumedRole, ARN: s.roleARN(s.role)}
		ask("ssm:StartAutomationExecution", "arn:aws:ssm:"+api.Region+":"+api.Account+":document/"+s.RunbookName, false)
	})
}

func (s store) roleARN(name string) string {
	s.T.Helper()
	got, err := iam.NewFromConfig(s.Admin).GetRole(s.T.Context(), &iam.GetRoleInput{RoleName: &name})
	s.Must(err)
	return *got.Role.Arn
}

// TestOneRoleRestoresNothingOfTheOther: an execution for the log store as the trail's role, or the other way round, says that it could not restore
// anything, and changes nothing, whether there is something to restore or not.
func TestOneRoleRestoresNothingOfTheOther(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		s := deployStore(t, a, testbed.ReadTemplate(t, "default"))
		storeRole := s.roleARN(s.role)
		for _, test := range []struct {
			name       string
			parameters map[string][]string
			subject    string
		}{
			{"the log store as the trail's role, by default", map[string][]string{"Resource": {"log store"}}, "log store "},
			{"the log store as the trail's role", map[string][]string{"Resource": {"log store"}, "AutomationAssumeRole": {s.AutomationRoleARN}}, "log store "},
			{"the trail as the log store's role", map[string][]string{"AutomationAssumeRole": {storeRole}}, "CloudTrail trail "},
		} {
			for _, whole := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, whole %t", test.name, whole), func(t *testing.T) {
					s := s.in(t)
					s.Only()
					if !whole {
						s.stop()
						_, err := s.Clients.KMS.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &s.LogKeyARN})
						s.Must(err)
					}
					before, trails, n := s.state(), s.encode(s.CloudTrail().Trails()), len(s.AWS.Executions())
					s.Must(s.Begin(s.RunbookName, test.parameters))
					s.Settle()
					x := s.AWS.Executions()[n]
					s.wantFailed(x, "NOT REPAIRED: "+test.subject+s.TrailName, "AccessDenied", "Allow it to the role: ")
					for _, call := range x.Calls {
						if call.Mutating() && call.ErrorCode == "" && call.Service != "sns" {
							t.Errorf("it called %s", call.API)
						}
					}
					s.wantState(before)
					if after := s.encode(s.CloudTrail().Trails()); after != trails {
						t.Errorf("the trail is %s, and was %s", after, trails)
					}
					// Each with its own role they are restored.
					n = len(s.AWS.Executions())
					s.Must(s.Begin(s.RunbookName, nil))
					s.Must(s.Begin(s.RunbookName, map[string][]string{"Resource": {"log store"}, "AutomationAssumeRole": {storeRole}}))
					s.Settle()
					s.wantSuccess(s.AWS.Executions()[n:]...)
					s.WantRepaired()
				})
			}
		}
	})
}

// TestThePermissionsOfTheLogStoresRoleAreNeeded: without one of them what it is for stays undone, and all else is restored.
func TestThePermissionsOfTheLogStoresRoleAreNeeded(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		s := deployStore(t, a, testbed.ReadTemplate(t, "default"))
		whole := s.state()
		all := storeTamperings()
		for action, test := range map[string]struct{ tampering, left string }{
			"kms:CancelKeyDeletion":         {"schedule the key's deletion", "key"},
			"kms:EnableKey":                 {"disable the key by its id", "key"},
			"kms:EnableKeyRotation":         {"no rotation", "rotation"},
			"kms:PutKeyPolicy":              {"a key policy without CloudTrail", "key policy"},
			"s3:PutBucketPolicy":            {"deny CloudTrail", "log: policy"},
			"s3:PutLifecycleConfiguration":  {"expire all after a day", "log: lifecycle"},
			"s3:PutBucketVersioning":        {"suspend versioning", "log: versioning"},
			"s3:PutEncryptionConfiguration": {"encrypt with another key", "log: encryption"},
			"s3:PutBucketPublicAccessBlock": {"delete the public access block", "log: public access block"},
			"s3:PutBucketOwnershipControls": {"let writers own objects, and others write", "log: ownership"},
			"s3:PutBucketLogging":           {"no access log", "log: access logging"},
		} {
			t.Run(action, func(t *testing.T) {
				s := s.in(t)
				s.Only()
				s.onlyStore(deployed.EventPath)
				before := len(s.LogStoreExecutions())
				s.withEdited(s.roleARN(s.role), `"`+action+`"`, `"`+strings.Split(action, ":")[0]+`:ListTags"`, func() {
					for _, tampering := range all {
						if tampering.name == test.tampering {
							s.Must(tampering.do(s))
						}
					}
					_, err := s.Clients.S3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: &s.accessLog})
					s.Must(err)
					s.Settle()
				})
				got := s.state()
				if got[test.left] == whole[test.left] {
					t.Errorf("%s was restored", test.left)
				}
				if blocked := "access log: public access block"; action != "s3:PutBucketPublicAccessBlock" && got[blocked] != whole[blocked] {
					t.Error("nothing else was restored")
				}
				for _, x := range s.runs(before) {
					s.wantFailed(x, "NOT REPAIRED: log store ", "Allow it to the role: ")
				}
				// With the permission it is.
				s.onlyStore(deployed.SchedulePath)
				s.Pass(schedulePeriod)
				s.wantState(whole)
			})
		}
	})
}

// breakPart takes a part of the guard away, of which the schedule is none, and returns what puts it back.
func (s store) breakPart(random *rand.Rand) (what string, mend func()) {
	s.T.Helper()
	rules := slices.DeleteFunc(slices.Clone(s.Rules), func(rule deployed.EventRule) bool { return rule.Path == deployed.SchedulePath || !rule.Enabled })
	rule := rules[random.IntN(len(rules))].Name
	switch random.IntN(3) {
	case 0:
		s.Enable(rule, false)
		return "DisableRule " + rule, func() { s.Enable(rule, true) }
	case 1:
		s.HoldConfig(true)
		return "a recorder that records nothing", func() { s.HoldConfig(false) }
	}
	events := s.Clients.Events
	listed, err := events.ListTargetsByRule(s.T.Context(), &eventbridge.ListTargetsByRuleInput{Rule: &rule})
	s.Must(err)
	if len(listed.Targets) == 0 {
		return "nothing", func() {}
	}
	_, err = events.RemoveTargets(s.T.Context(), &eventbridge.RemoveTargetsInput{Rule: &rule, Ids: []string{*listed.Targets[0].Id}})
	s.Must(err)
	return "RemoveTargets " + rule, func() {
		_, err := events.PutTargets(s.T.Context(), &eventbridge.PutTargetsInput{Rule: &rule, Targets: listed.Targets[:1]})
		s.Must(err)
	}
}

// TestAnyMixtureOfTamperingComesToRest: calls against the trail, its log store, the access log and parts of the guard in any order, before and
// between the runs that they start. The schedule ends what events leave.
func TestAnyMixtureOfTamperingComesToRest(t *testing.T) {
	for name, tpl := range storeTemplates(t) {
		t.Run(name, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				s := deployStore(t, a, tpl.With(t, withoutRules))
				whole, ofStore, ofTrail := s.state(), storeTamperings(), tamperingsOf("default")
				for seed := range uint64(12) {
					t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
						s, random := s.in(t), rand.New(rand.NewPCG(seed, 0))
						a.Order.Seed(seed, 1)
						s.Only(triggers...)
						for _, rule := range s.Rules {
							s.Enable(rule.Name, rule.Enabled)
						}
						var done []string
						for range 2 + random.IntN(6) {
							if random.IntN(4) == 0 {
								what, mend := s.breakPart(random)
								done = append(done, what)
								defer mend()
							}
							if random.IntN(3) == 0 && len(s.Unmet()) == 0 && maps.Equal(s.state(), whole) {
								one := ofTrail[random.IntN(len(ofTrail))]
								done = append(done, one.name)
								one.do(s.guard)
							} else {
								one := ofStore[random.IntN(len(ofStore))]
								done = append(done, one.name)
								// What is tampered with already may refuse: a key that is to be deleted, ownership that is somebody's.
								if err := one.do(s); err != nil && !testbed.HasCode(err, "KMSInvalidStateException", "InvalidBucketState", "DisabledException") {
									t.Fatal(err)
								}
							}
							if random.IntN(2) == 0 {
								s.Must(s.Bus().Deliver(t.Context()))
							}
						}
						s.Settle()
						s.Pass(schedulePeriod)
						s.Pass(schedulePeriod)
						s.wantState(whole)
						s.WantRepaired()
						if told := s.messages(func() { s.Pass(schedulePeriod) }); len(told) > 0 {
							t.Errorf("at rest people are told %q", told)
						}
						if t.Failed() {
							t.Logf("the sequence was %q", done)
						}
					})
				}
			})
		})
	}
}

// TestADeploymentThatChangesTheLogStoreTellsNothing: CloudFormation changes the lifecycle, the key's policy and the runbook; the guard of before
// undoes nothing, and the guard of after finds all as declared.
func TestADeploymentThatChangesTheLogStoreTellsNothing(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		s := deployStore(t, a, testbed.ReadTemplate(t, "default"))
		changed := testbed.ReadTemplate(t, "default").With(t,
			testbed.Replaced(`"TransitionInDays":90`, `"TransitionInDays":30`), testbed.Replaced(`'Days':90`, `'Days':30`),
			testbed.Replaced(`"Sid":"CloudTrailEncrypt"`, `"Sid":"CloudTrailEncrypts"`), testbed.Replaced(`'Sid':'CloudTrailEncrypt'`, `'Sid':'CloudTrailEncrypts'`))
		told := s.messages(func() {
			s.guard = s.updateStack(changed)
			s.Settle()
			s.Pass(schedulePeriod)
		})
		if len(told) > 0 {
			t.Errorf("people are told %q", told)
		}
		if got := s.state()["log: lifecycle"]; !strings.Contains(got, `"Days":30`) {
			t.Errorf("the lifecycle is %s", got)
		}
		s.step("negative control: a person who does the same is told of, and it is undone", func(g guard) {
			s := store{guard: g, role: s.role, accessLog: s.accessLog}
			at := s.Clock.Now().UTC().Format(time.RFC3339)
			told := s.messages(func() {
				s.closeKey()
				s.Settle()
			})
			s.wantToldOnce(told, deployed.EventPath, []string{"PutKeyPolicy"}, at)
		})
	})
}
