package protection_test

import (
	"slices"

	"github.com/trailguard/trailguard/localaws/api"
)

// resourceControlQuestions ask what the resource control policies leave, where no service control policy binds and the policies of
// bucket, key and role let everybody in.
func resourceControlQuestions() []question {
	var all questions
	ask := func(what string, who api.Principal, calls []call, want bool) {
		for _, c := range calls {
			one := c.ask(what, strictly, who, want)
			one.bound, one.guarded = false, true
			// Our evaluator has no resource control policies, and a trust policy takes none of their statements.
			one.alone = serviceOf(c.action) == "sts"
			all.add(true, one)
		}
	}

	// The rows T20-T31, on the archive's bucket and key, and on a member's own bucket.
	var changes []call
	for _, row := range catalogue() {
		for _, c := range row.calls {
			if (serviceOf(c.action) == "s3" || serviceOf(c.action) == "kms") && c.resource != ownKey {
				changes = append(changes, c)
			}
		}
	}
	strangers := []api.Principal{role(stranger, "Admin"), root(stranger)}
	for i, name := range exemptRoles {
		if i == len(exemptRoles)-1 {
			name = "cdk-hnb659fds-cfn-exec-role-" + stranger + "-" + home
		}
		strangers = append(strangers, role(stranger, name))
	}
	for i, c := range changes {
		bound := []api.Principal{role(c.in(), "Admin"), role(management, "Admin"), role(archive, "Auditor"), root(c.in())}
		ask("nobody of the organization", bound[i%len(bound)], []call{c}, false)
		ask("no stranger", strangers[i%len(strangers)], []call{c}, false)
		stranger := c.ask("no stranger who is named like an exempt role", strictly, strangers[len(strangers)-2], false)
		stranger.bound, stranger.guarded = false, true
		all.add(false, stranger)
		ask("an exempt role", role(c.in(), exemptRoles[i%len(exemptRoles)]), []call{c}, true)
	}
	for _, who := range slices.Concat(strangers, []api.Principal{role(archive, "Admin"), user(archive, "mallory"), root(archive), role(management, "Admin")}) {
		ask("whoever it is", who, in(archive, on(bucketARN(archiveBucket), "s3", "PutBucketPolicy")), false)
		ask("whoever it is", who, in(archive, on(bucketARN(archiveBucket)+logFile, "s3", "DeleteObject")), false)
		ask("whoever it is", who, in(archive, on(archiveKey, "kms", "ScheduleKeyDeletion")), false)
	}
	for _, who := range lookAlikes {
		ask("a look-alike", who, in(archive, on(bucketARN(archiveBucket), "s3", "PutBucketPolicy")), false)
	}

	// CloudTrail delivers for the organization's trails, and for no others.
	cloudtrail := service("cloudtrail")
	source := func(account, of string) keys {
		k := keys{"aws:SourceAccount": account, "aws:SourceArn": "arn:aws:cloudtrail:" + home + ":" + account + ":trail/TrailGuard", "s3:x-amz-acl": "bucket-owner-full-control"}
		if of != "" {
			k["aws:SourceOrgID"] = of
		}
		return k
	}
	deliveries := func(k keys) []call {
		encryption := keys{"aws:SourceAccount": k["aws:SourceAccount"], "aws:SourceArn": k["aws:SourceArn"]}
		if k["aws:SourceOrgID"] != "" {
			encryption["aws:SourceOrgID"] = k["aws:SourceOrgID"]
		}
		return slices.Concat(
			in(archive, with(k, on(bucketARN(archiveBucket)+logFile, "s3", "PutObject"))), in(archive, with(k, on(bucketARN(elsewhere)+logFile, "s3", "PutObject"))),
			in(archive, with(encryption, on(archiveKey, "kms", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"))))
	}
	ask("CloudTrail for a member", cloudtrail, deliveries(source(member, organization)), true)
	ask("CloudTrail for the management account", cloudtrail, deliveries(source(management, organization)), true)
	ask("CloudTrail for another organization", cloudtrail, deliveries(source(stranger, "o-zzzzzzzzzz")), false)
	ask("CloudTrail for an account without one", cloudtrail, deliveries(source(stranger, "")), false)
	ask("CloudTrail for a trail into an own bucket", cloudtrail, with(source(member, organization), on(bucketARN(ownBucket)+logFile, "s3", "PutObject")), true)
	ask("CloudTrail for a stranger into an own bucket", cloudtrail, with(source(stranger, "o-zzzzzzzzzz"), on(bucketARN(ownBucket)+logFile, "s3", "PutObject")), false)
	ask("CloudTrail looks at the bucket", cloudtrail, in(archive, on(bucketARN(archiveBucket), "s3", "GetBucketAcl")), true)
	ask("CloudTrail looks at the key", cloudtrail, in(archive, on(archiveKey, "kms", "DescribeKey")), true)
	ask("a service without a source", service("logging.s3"), in(archive, on(bucketARN(archiveBucket)+"/access", "s3", "PutObject")), true)

	ask("a service retires its grant", service("dynamodb"), in(archive, on(archiveKey, "kms", "RetireGrant")), true)

	// Readers, also those that the bucket's policy lets in from elsewhere.
	reading := slices.Concat(in(archive, on(bucketARN(archiveBucket), "s3", "ListBucket", "GetBucketPolicy")),
		in(archive, on(bucketARN(archiveBucket)+logFile, "s3", "GetObject", "GetObjectVersion")), in(archive, on(archiveKey, "kms", "Decrypt", "DescribeKey")))
	for _, who := range []api.Principal{role(archive, "Auditor"), role(member, "Auditor"), role(management, "Auditor"), role(stranger, "Auditor")} {
		ask("a reader", who, reading, true)
	}
	other := slices.Concat(on(bucketARN("business-data"), "s3", "PutBucketPolicy", "DeleteBucket"), on(bucketARN("business-data")+"/a", "s3", "PutObject", "DeleteObject"), on(ownKey, "kms", "PutKeyPolicy"))
	ask("other buckets and keys", role(member, "Admin"), other, true)

	// Services alone assume the guard's roles, whatever these trust.
	for i, name := range exemptRoles {
		c := on(roleARN(name), "sts", "AssumeRole")
		ours := i < 3 || i == len(exemptRoles)-1
		ask("a service", service("ssm"), c, true)
		ask("an administrator", role(member, "Admin"), c, !ours)
		ask("a stranger", role(stranger, "Admin"), c, !ours)
		if ours {
			ask("another exempt role", role(member, "BreakGlass"), c, false)
			ask("a session of a federation", role(member, "Admin"), on(roleARN(name), "sts", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"), false)
		}
	}
	ask("other roles", role(member, "Admin"), on(roleARN("Business"), "sts", "AssumeRole"), true)
	return all.asked
}
