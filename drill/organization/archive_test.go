package organization

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

func (h *house) archiveBucket() string { return "trailguard-logs-" + archive + "-" + h.region }

// testWhoMayWrite tries to bring other files into the archive than those of the organization's trails: with trails that CloudTrail is asked to
// make, and in the name of CloudTrail, for a source that the caller has chosen (the confused deputy).
func testWhoMayWrite(h *house) {
	for what, one := range map[string]struct {
		account, name string
		key           *string
	}{
		"of an account outside of the organization":              {outsider, trailName, &h.key},
		"of another organization":                                {rival, trailName, &h.key},
		"of such an account, without a key":                      {outsider, trailName, nil},
		"of a member, whose name only begins like the guard's":   {memberOne, trailName + "-2", &h.key},
		"of a member, whose name only ends like the guard's":     {memberOne, "my-" + trailName, &h.key},
		"of a member, whose name is the guard's in capitals":     {memberOne, "TrailGuard", &h.key},
		"of an account of the organization that is not a member": {sandboxed, "sandbox", &h.key},
	} {
		_, err := cloudtrail.NewFromConfig(h.as(one.account)).CreateTrail(h.t.Context(), &cloudtrail.CreateTrailInput{
			Name: &one.name, S3BucketName: aws.String(h.archiveBucket()), KmsKeyId: one.key, IsMultiRegionTrail: aws.Bool(true),
		})
		if !testbed.HasCode(err, "InsufficientS3BucketPolicyException", "InsufficientEncryptionPolicyException") {
			h.t.Errorf("a trail %s: %v", what, err)
		}
	}
	for _, account := range []string{memberOne, management, outsider} {
		_, err := s3.NewFromConfig(h.as(account)).PutObject(h.t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(h.archiveBucket()), Key: aws.String("AWSLogs/" + account + "/forged.json.gz"), Body: strings.NewReader("{}"),
		})
		if !testbed.HasCode(err, "AccessDenied") {
			h.t.Errorf("an administrator of %s puts a file: %v", account, err)
		}
	}
	_, err := organizations.NewFromConfig(h.as(rival)).CreateOrganization(h.t.Context(), &organizations.CreateOrganizationInput{})
	h.must(err)
	trail := func(account string) string { return h.Account(account).Place().ARN("cloudtrail", "trail/"+trailName) }
	for _, test := range []struct {
		what, source, account, folder string
		file, key                     bool
	}{
		{"for a member's trail", trail(memberOne), memberOne, memberOne, true, true},
		{"for the trail of the management account", trail(management), management, management, true, true},
		{"for a member's trail, into another's folder", trail(memberOne), memberOne, memberTwo, false, true},
		{"for a member's trail, into the organization's folder", trail(memberOne), memberOne, organizationID, false, true},
		{"for a member's trail, on behalf of another account", trail(memberOne), outsider, memberOne, false, true},
		{"for a trail of another organization", trail(rival), rival, rival, false, false},
		{"for a trail of another organization, into a member's folder", trail(rival), rival, memberOne, false, false},
		// That CloudTrail says to KMS of which organization a trail is, is not documented: the key is lenient if it does not.
		{"for a trail of no organization", trail(outsider), outsider, outsider, false, true},
		{"for a trail of no organization, into a member's folder", trail(outsider), outsider, memberOne, false, true},
		{"for another trail of a member", trail(memberOne) + "-2", memberOne, memberOne, false, false},
		{"for a trail of another Region", strings.Replace(trail(memberOne), h.region, "eu-west-1", 1), memberOne, memberOne, false, false},
		{"for what is no trail", h.Account(memberOne).Place().ARN("cloudtrail", "channel/"+trailName), memberOne, memberOne, false, false},
	} {
		service := api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}
		ask := func(action, resource string, keys map[string][]string) bool {
			h.t.Helper()
			keys["aws:SourceArn"], keys["aws:SourceAccount"] = []string{test.source}, []string{test.account}
			err := h.Account(archive).IAM.Authorize(h.t.Context(), service, action, resource, keys)
			if err != nil && !api.IsRefusal(err) {
				h.must(err)
			}
			return err == nil
		}
		object := h.Account(archive).Place().BucketARN(h.archiveBucket()) + "/AWSLogs/" + test.folder + "/CloudTrail/" + h.region + "/2030/01/01/file.json.gz"
		if got := ask("s3:PutObject", object, map[string][]string{"s3:x-amz-acl": {"bucket-owner-full-control"}}); got != test.file {
			h.t.Errorf("a file is written %s: %v", test.what, got)
		}
		if got := ask("kms:GenerateDataKey", h.key, map[string][]string{"kms:EncryptionContext:aws:cloudtrail:arn": {test.source}}); got != test.key {
			h.t.Errorf("the key is used %s: %v", test.what, got)
		}
	}
	h.step("negative control: without the statement for the members, and without the repair, nothing of theirs is written", func(h *house) {
		s := h.archiveStore()
		s.only()
		restore := h.withBucketPolicy(func(statements []any) []any {
			var left []any
			for _, statement := range statements {
				if sid, _ := statement.(map[string]any)["Sid"].(string); !strings.HasPrefix(sid, "MembersWrite") {
					left = append(left, statement)
				}
			}
			return left
		})
		h.pass(15 * time.Minute)
		h.wantUndelivered("AccessDenied", memberOne, memberTwo)
		restore()
		h.settle()
		s.only(deployed.EventPath, deployed.SchedulePath)
		h.wantDelivered(map[string]deployed.Guard{memberOne: {}, memberTwo: {}})
	})
}

// wantUndelivered reports accounts whose latest delivery did not end with an error.
func (h *house) wantUndelivered(code string, accounts ...string) {
	h.t.Helper()
	for _, account := range accounts {
		for _, trail := range h.Account(account).CloudTrail().Trails() {
			if trail.Log.Error != code {
				h.t.Errorf("the latest delivery of %s ended with %q, not with %q", trail.ARN, trail.Log.Error, code)
			}
		}
	}
}

// withBucketPolicy changes the statements of the archive's policy; none left deletes it. What it returns puts them back.
func (h *house) withBucketPolicy(change func(statements []any) []any) (restore func()) {
	h.t.Helper()
	client := s3.NewFromConfig(h.as(archive))
	bucket := aws.String(h.archiveBucket())
	got, err := client.GetBucketPolicy(h.t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket})
	h.must(err)
	var document map[string]any
	h.must(json.Unmarshal([]byte(*got.Policy), &document))
	put := func(policy string) {
		h.t.Helper()
		_, err := client.PutBucketPolicy(h.t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &policy})
		h.must(err)
	}
	document["Statement"] = change(document["Statement"].([]any))
	if document["Statement"].([]any) == nil {
		_, err := client.DeleteBucketPolicy(h.t.Context(), &s3.DeleteBucketPolicyInput{Bucket: bucket})
		h.must(err)
	} else {
		put(testbed.Template(document).JSON())
	}
	return func() { put(*got.Policy) }
}

// testArchive does to the archive what stops the members' deliveries. As a negative control nothing repairs it at first: nobody is told, and nothing
// is delivered. With the repair the members deliver again, and people are told once, although the archive's account has a guard, too.
func testArchive(h *house, guards map[string]deployed.Guard) {
	s, by := h.archiveStore(), h.attackers(archive)[1]
	for _, row := range onStore(archive, s.buckets["log"], s.key) {
		code := map[string]string{"s3 DeleteBucketPolicy": "AccessDenied", "kms DisableKey": "KMS.DisabledException"}[row.what]
		if code == "" {
			continue
		}
		h.step(row.what, func(h *house) {
			harm := func() { h.must(row.call(h.t.Context(), h.by(archive, by.who))) }
			s.only()
			harm()
			h.pass(15 * time.Minute)
			h.wantUndelivered(code, memberOne, memberTwo)
			h.wantHeard(row.what + " without the repair")
			s.only(deployed.EventPath, deployed.SchedulePath)
			harm()
			h.settle()
			h.wantHeard(row.what, h.tampering(eventOf(row), archive, by), h.repairedStore(archive))
			h.wantDelivered(guards)
		})
	}
}
