package status

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// lookAtBucket compares the settings of a bucket with the template's. What the template leaves out has AWS's default.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
func lookAtBucket(ctx context.Context, v *view, r resource, f *Finding) {
	versioning, err := v.S3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &r.name})
	switch f.read(err, "NoSuchBucket") {
	case gone:
		f.wrong(revert+": it makes the bucket anew; the files that it held are lost, unless there are copies", "it is deleted")
		return
	case seen:
		declared, _ := r.properties["VersioningConfiguration"].(map[string]any)
		f.compare(revert, "Versioning", declared["Status"], orNone(string(versioning.Status)))
	}
	for _, setting := range bucketSettings {
		want, mend := setting.want(r.properties), revert
		if property := bucketProperties[setting.name]; setting.remove != "" && r.properties[property] == nil {
			mend = "aws s3api " + setting.remove + " --bucket " + r.name
		}
		if setting.name == "EventBridge" && want == nil {
			continue // that events go to EventBridge harms nothing
		}
		have, err := setting.have(ctx, v.S3, r.name)
		if outcome := f.read(err, setting.absent, "NoSuchBucket"); outcome == unseen {
			continue
		}
		f.compare(mend, setting.name, want, have)
	}
}

// bucketSettings are the settings of a bucket beside its versioning.
var bucketSettings = []struct {
	name   string
	absent string // the error code that says that the bucket does not have the setting
	// remove is the command of s3api that takes away what the template does not declare, which CloudFormation leaves as it is.
	remove string
	// want is the setting in the template.
	want func(map[string]any) any
	have func(ctx context.Context, api S3, bucket string) (any, error)
}{
	{"Encryption", "ServerSideEncryptionConfigurationNotFoundError", "put-bucket-encryption --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"AES256\"}}]}'", wantedEncryption, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		var rules []any
		for _, rule := range got.ServerSideEncryptionConfiguration.Rules {
			have, _ := plain(rule).(map[string]any)
			rules = append(rules, only(have, "ApplyServerSideEncryptionByDefault", "BucketKeyEnabled"))
		}
		return rules, nil
	}},
	{"PublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "put-public-access-block --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true", wantedAccess,
		func(ctx context.Context, api S3, bucket string) (any, error) {
			got, err := api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return plain(got.PublicAccessBlockConfiguration), nil
		}},
	{"Ownership", "OwnershipControlsNotFoundError", "put-bucket-ownership-controls --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'", wantedOwnership,
		func(ctx context.Context, api S3, bucket string) (any, error) {
			got, err := api.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return plain(got.OwnershipControls.Rules), nil
		}},
	{"ACL: grants to others", "", "put-bucket-acl --acl private", func(map[string]any) any { return nil }, foreignGrants},
	{"Lifecycle", "NoSuchLifecycleConfiguration", "delete-bucket-lifecycle", wantedLifecycle, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		return lifecycle(got.Rules), nil
	}},
	{"AccessLog", "", "put-bucket-logging --bucket-logging-status '{}'", wantedAccessLog, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: &bucket})
		if err != nil || got.LoggingEnabled == nil {
			return nil, err
		}
		return plain(map[string]any{"TargetBucket": got.LoggingEnabled.TargetBucket, "TargetPrefix": got.LoggingEnabled.TargetPrefix}), nil
	}},
	{"ObjectLock", "ObjectLockConfigurationNotFoundError", "", wantedObjectLock, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		return objectLock(got.ObjectLockConfiguration), nil
	}},
	{"Replication", "ReplicationConfigurationNotFoundError", "delete-bucket-replication", func(p map[string]any) any { return member(p["ReplicationConfiguration"], "Role") },
		func(ctx context.Context, api S3, bucket string) (any, error) {
			got, err := api.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return orNone(aws.ToString(got.ReplicationConfiguration.Role)), nil
		}},
	{"EventBridge", "", "", wantedEvents, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		return got.EventBridgeConfiguration != nil, nil
	}},
	// CloudTrail cannot deliver into a bucket whose requesters pay.
	{"RequesterPays", "", "put-bucket-request-payment --request-payment-configuration Payer=BucketOwner", func(map[string]any) any { return nil }, func(ctx context.Context, api S3, bucket string) (any, error) {
		got, err := api.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: &bucket})
		if err != nil {
			return nil, err
		}
		return got.Payer == types.PayerRequester, nil
	}},
}

// bucketProperties are the properties of the template that declare a setting.
var bucketProperties = map[string]string{
	"Encryption": "BucketEncryption", "PublicAccessBlock": "PublicAccessBlockConfiguration", "Ownership": "OwnershipControls", "ACL: grants to others": "AccessControl",
	"Lifecycle": "LifecycleConfiguration", "AccessLog": "LoggingConfiguration", "Replication": "ReplicationConfiguration",
}

// wantedEncryption are the rules as the API has them. A bucket without any is encrypted with S3's own keys.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
func wantedEncryption(properties map[string]any) any {
	declared := list(member(properties["BucketEncryption"], "ServerSideEncryptionConfiguration"))
	if len(declared) == 0 {
		return []any{map[string]any{"ApplyServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}
	}
	var rules []any
	for _, rule := range declared {
		of, is := rule.(map[string]any)
		if !is {
			return rule
		}
		rules = append(rules, map[string]any{
			"ApplyServerSideEncryptionByDefault": of["ServerSideEncryptionByDefault"], "BucketKeyEnabled": of["BucketKeyEnabled"],
		})
	}
	return rules
}

// wantedAccess is what keeps the public out: all of it, unless the template says otherwise.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func wantedAccess(properties map[string]any) any {
	if declared := properties["PublicAccessBlockConfiguration"]; declared != nil {
		return declared
	}
	return map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}
}

// wantedOwnership is who owns objects: without ACLs, unless the template says otherwise.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
func wantedOwnership(properties map[string]any) any {
	if declared := member(properties["OwnershipControls"], "Rules"); declared != nil {
		return declared
	}
	return []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}
}

func wantedAccessLog(properties map[string]any) any {
	declared, is := properties["LoggingConfiguration"].(map[string]any)
	if !is {
		return nil
	}
	return pruned(map[string]any{"TargetBucket": declared["DestinationBucketName"], "TargetPrefix": declared["LogFilePrefix"]})
}

func wantedObjectLock(properties map[string]any) any {
	if declared := properties["ObjectLockConfiguration"]; declared != nil {
		return declared
	}
	if properties["ObjectLockEnabled"] == true {
		return map[string]any{"ObjectLockEnabled": "Enabled"}
	}
	return nil
}

// objectLock is what S3 has, in which either days or years count.
func objectLock(have *types.ObjectLockConfiguration) any {
	if have == nil {
		return nil
	}
	form := map[string]any{"ObjectLockEnabled": string(have.ObjectLockEnabled)}
	if have.Rule != nil && have.Rule.DefaultRetention != nil {
		retention := map[string]any{"Mode": string(have.Rule.DefaultRetention.Mode)}
		for name, n := range map[string]int32{"Days": aws.ToInt32(have.Rule.DefaultRetention.Days), "Years": aws.ToInt32(have.Rule.DefaultRetention.Years)} {
			if n != 0 {
				retention[name] = n
			}
		}
		form["Rule"] = map[string]any{"DefaultRetention": retention}
	}
	return plain(form)
}

func wantedEvents(properties map[string]any) any {
	events := member(properties["NotificationConfiguration"], "EventBridgeConfiguration")
	if events == nil {
		return nil
	}
	if enabled := member(events, "EventBridgeEnabled"); enabled != nil {
		return enabled
	}
	return true
}

// foreignGrants are the grants of a bucket's ACL to others than its owner.
func foreignGrants(ctx context.Context, api S3, bucket string) (any, error) {
	got, err := api.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &bucket})
	if err != nil {
		return nil, err
	}
	var others []any
	for _, grant := range got.Grants {
		if grant.Grantee == nil || got.Owner != nil && aws.ToString(grant.Grantee.ID) == aws.ToString(got.Owner.ID) && grant.Grantee.Type == types.TypeCanonicalUser {
			continue
		}
		to := aws.ToString(grant.Grantee.URI)
		if to == "" {
			to = aws.ToString(grant.Grantee.ID)
		}
		others = append(others, string(grant.Permission)+" to "+to)
	}
	if len(others) == 0 {
		return nil, nil
	}
	return others, nil
}

// lookAtBucketPolicy compares the policy of a bucket with the template's.
func lookAtBucketPolicy(ctx context.Context, v *view, r resource, f *Finding) {
	bucket := r.text("Bucket")
	f.Name = bucket
	got, err := v.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
	switch f.read(err, "NoSuchBucketPolicy", "NoSuchBucket") {
	case gone:
		f.wrong(revert, "it is deleted: the service that delivers into the bucket no longer may")
	case seen:
		f.comparePolicy(r.properties["PolicyDocument"], aws.ToString(got.Policy))
	}
}

// lifecycle are the rules that S3 has, in one form.
func lifecycle(rules []types.LifecycleRule) any {
	var all []any
	for _, rule := range rules {
		of, _ := plain(rule).(map[string]any)
		form := only(of, "Status", "Expiration", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Transitions", "NoncurrentVersionTransitions", "Prefix")
		filter, _ := of["Filter"].(map[string]any)
		for name, value := range filter {
			switch name {
			case "And":
				and, _ := value.(map[string]any)
				for name, value := range and {
					form[name] = value
				}
			case "Tag":
				form["Tags"] = []any{value}
			default:
				form[name] = value
			}
		}
		all = append(all, form)
	}
	if all == nil {
		return nil
	}
	return all
}

// wantedLifecycle are the rules of the template, in the same form.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
func wantedLifecycle(properties map[string]any) any {
	declared := properties["LifecycleConfiguration"]
	if declared == nil {
		return nil
	}
	rules := member(declared, "Rules")
	if what, is := rules.(unresolved); is {
		return what
	}
	var all []any
	for _, rule := range list(rules) {
		of, is := rule.(map[string]any)
		if !is {
			return rule
		}
		form := map[string]any{"Status": of["Status"]}
		for name, value := range of {
			switch name {
			case "Id", "Status":
			case "ExpirationInDays":
				put(form, "Expiration", "Days", value)
			case "ExpirationDate":
				put(form, "Expiration", "Date", value)
			case "ExpiredObjectDeleteMarker":
				put(form, "Expiration", "ExpiredObjectDeleteMarker", value)
			case "NoncurrentVersionExpirationInDays":
				put(form, "NoncurrentVersionExpiration", "NoncurrentDays", value)
			case "Transition", "Transitions":
				form["Transitions"] = transitions(value, "Days")
			case "NoncurrentVersionTransition", "NoncurrentVersionTransitions":
				form["NoncurrentVersionTransitions"] = transitions(value, "NoncurrentDays")
			case "TagFilters":
				form["Tags"] = value
			default:
				form[name] = value
			}
		}
		all = append(all, pruned(form))
	}
	return all
}

// put sets a member of an object that is a member of another.
func put(object map[string]any, name, member string, value any) {
	of, is := object[name].(map[string]any)
	if !is {
		of = map[string]any{}
		object[name] = of
	}
	of[member] = value
}

// transitions are those of the template, with the names of the API; days is that of a number of days.
func transitions(declared any, days string) any {
	var all []any
	for _, transition := range list(declared) {
		of, _ := transition.(map[string]any)
		form := map[string]any{}
		for name, value := range of {
			form[strings.Replace(strings.Replace(name, "TransitionInDays", days, 1), "TransitionDate", "Date", 1)] = value
		}
		all = append(all, form)
	}
	return slices.Clip(all)
}
