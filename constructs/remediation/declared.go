package remediation

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
)

// declared is the declared state of the log store, as the script takes it. It is asked for at synthesis, each time anew: what is added to a
// policy, or to the lifecycle rules, after the construct was defined is part of it.
//
// What somebody overrides in the resources themselves, by AddPropertyOverride, the CDK shows to nobody.
// https://docs.aws.amazon.com/cdk/v2/guide/cfn-layer.html
type declared struct {
	key awskms.CfnKey
	// buckets are the log bucket and that of its access log, as far as they are not nil.
	log, accessLog awss3.IBucket
}

// Produce returns the declared state, as the CDK asks for it.
func (d *declared) Produce(context awscdk.IResolveContext) any {
	state := []any{}
	add := func(service string, settings []entry, ids ...any) {
		if len(settings) > 0 {
			state = append(state, []any{service, ids, settings})
		}
	}
	if d.key != nil {
		settings := []entry{{"describe_key enable_key", entry1("KeyMetadata", entry1("KeyState", "Enabled"))}}
		if policy := resolved(context, d.key.KeyPolicy()); policy != nil {
			settings = append(settings, entry{"key_policy", entry1("Policy", worded(policy))})
		}
		if resolved(context, d.key.EnableKeyRotation()) == true {
			settings = append(settings, entry{"get_key_rotation_status enable_key_rotation", entry1("KeyRotationEnabled", true)})
		}
		add("kms", settings, resolved(context, d.key.AttrArn()))
	}
	var names []any
	var settings [][]entry
	for _, bucket := range []awss3.IBucket{d.log, d.accessLog} {
		if bucket != nil {
			resource := bucket.Node().DefaultChild().(awss3.CfnBucket)
			names = append(names, resolved(context, resource.Ref()))
			settings = append(settings, bucketSettings(context, bucket, resource))
		}
	}
	if len(settings) < 2 {
		for i := range settings {
			add("s3", settings[i], names[i])
		}
		return literal(state)
	}
	var both []entry
	settings[0], settings[1], both = apart(settings[0], settings[1])
	add("s3", settings[0], names[0])
	add("s3", settings[1], names[1])
	add("s3", both, names...)
	return literal(state)
}

// bucketSettings are what the API puts, in the order in which it is restored: what lets nobody in, or deletes, comes first.
func bucketSettings(context awscdk.IResolveContext, bucket awss3.IBucket, resource awss3.CfnBucket) []entry {
	var settings []entry
	add := func(name, member string, value any) { settings = append(settings, entry{name, entry1(member, value)}) }
	if policy := bucket.Policy(); policy != nil {
		add("bucket_policy", "Policy", worded(resolved(context, policy.Node().DefaultChild().(awss3.CfnBucketPolicy).PolicyDocument())))
	}
	if rules := lifecycle(resolved(context, resource.LifecycleConfiguration())); len(rules) > 0 {
		add("bucket_lifecycle_configuration", "LifecycleConfiguration", map[string]any{"Rules": rules})
	} else {
		add("get_bucket_lifecycle_configuration delete_bucket_lifecycle", "LifecycleConfiguration", map[string]any{"Rules": rules})
	}
	if versioning := resolved(context, resource.VersioningConfiguration()); versioning != nil {
		add("bucket_versioning", "VersioningConfiguration", versioning)
	}
	if lock := resolved(context, resource.ObjectLockConfiguration()); lock != nil {
		add("object_lock_configuration", "ObjectLockConfiguration", lock)
	}
	if block := resolved(context, resource.PublicAccessBlockConfiguration()); block != nil {
		add("public_access_block", "PublicAccessBlockConfiguration", block)
	}
	if encryption, ok := resolved(context, resource.BucketEncryption()).(map[string]any); ok {
		add("bucket_encryption", "ServerSideEncryptionConfiguration", map[string]any{"Rules": encryption["ServerSideEncryptionConfiguration"]})
	}
	if ownership := resolved(context, resource.OwnershipControls()); ownership != nil {
		add("bucket_ownership_controls", "OwnershipControls", ownership)
	}
	if logging, ok := resolved(context, resource.LoggingConfiguration()).(map[string]any); ok {
		target := map[string]any{"TargetBucket": logging["DestinationBucketName"], "TargetPrefix": logging["LogFilePrefix"]}
		if target["TargetBucket"] == nil {
			target["TargetBucket"] = resolved(context, resource.Ref())
		}
		if target["TargetPrefix"] == nil {
			target["TargetPrefix"] = ""
		}
		add("bucket_logging", "BucketLoggingStatus", map[string]any{"LoggingEnabled": target})
	}
	return settings
}

// lifecycle turns the rules of CloudFormation into those of the API.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
func lifecycle(configuration any) []any {
	object, _ := configuration.(map[string]any)
	given, _ := object["Rules"].([]any)
	rules := []any{}
	for _, rule := range given {
		rules = append(rules, lifecycleRule(rule.(map[string]any)))
	}
	return rules
}

func lifecycleRule(given map[string]any) map[string]any {
	rule, expiration, conditions := map[string]any{}, map[string]any{}, map[string]any{}
	for name, value := range given {
		switch name {
		case "Id":
			rule["ID"] = value
		case "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan":
			conditions[name] = number(value)
		case "TagFilters":
			conditions["Tags"] = value
		case "ExpirationInDays":
			expiration["Days"] = value
		case "ExpirationDate":
			expiration["Date"] = value
		case "ExpiredObjectDeleteMarker":
			expiration[name] = value
		case "NoncurrentVersionExpirationInDays":
			rule["NoncurrentVersionExpiration"] = map[string]any{"NoncurrentDays": value}
		case "Transitions", "NoncurrentVersionTransitions":
			rule[name] = transitions(name, value)
		default:
			rule[name] = value
		}
	}
	if len(expiration) > 0 {
		rule["Expiration"] = expiration
	}
	filter := map[string]any{"Prefix": ""}
	tags, _ := conditions["Tags"].([]any)
	switch {
	case len(conditions) == 1 && len(tags) == 1:
		filter = map[string]any{"Tag": tags[0]}
	case len(conditions) == 1 && tags == nil:
		filter = conditions
	case len(conditions) > 0:
		filter = map[string]any{"And": conditions}
	}
	rule["Filter"] = filter
	return rule
}

func transitions(name string, value any) []any {
	days := map[string]string{"Transitions": "Days", "NoncurrentVersionTransitions": "NoncurrentDays"}[name]
	list := []any{}
	given, _ := value.([]any)
	for _, transition := range given {
		renamed := map[string]any{}
		for name, value := range transition.(map[string]any) {
			switch name {
			case "TransitionInDays":
				name = days
			case "TransitionDate":
				name = "Date"
			}
			renamed[name] = value
		}
		list = append(list, renamed)
	}
	return list
}

// number is a size, which CloudFormation has as a text.
func number(value any) any {
	if text, ok := value.(string); ok && text != "" && strings.Trim(text, "0123456789") == "" {
		return json.Number(text)
	}
	return value
}

// apart takes out of the settings of two buckets those that both have.
func apart(one, other []entry) (onlyOne, onlyOther, both []entry) {
	has := func(settings []entry, wanted entry) bool {
		for _, setting := range settings {
			if fmt.Sprint(setting) == fmt.Sprint(wanted) {
				return true
			}
		}
		return false
	}
	for _, setting := range one {
		if has(other, setting) {
			both = append(both, setting)
		} else {
			onlyOne = append(onlyOne, setting)
		}
	}
	for _, setting := range other {
		if !has(one, setting) {
			onlyOther = append(onlyOther, setting)
		}
	}
	return onlyOne, onlyOther, both
}

func entry1(name string, value any) []entry { return []entry{{name, value}} }

// resolved is a property of a resource as CloudFormation has it; nil if it is not set.
func resolved(context awscdk.IResolveContext, property any) any {
	switch value := property.(type) {
	case nil:
		return nil
	case *string:
		property = *value
	}
	return capitalized(context.Resolve(property, nil))
}

// acronyms are the names of CloudFormation that are not those of the CDK with a capital letter, and those of the API that are others.
var acronyms = map[string]string{
	"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID", "serverSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
	"KmsMasterKeyId": "KMSMasterKeyID", "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
}

// capitalized gives the members of a property their names of CloudFormation. Those of a policy have them already, and the others in it are
// names of actions, keys and tags, which a small letter begins in a namespace only: aws:SourceArn.
func capitalized(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, capitalized(item))
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for name, item := range value {
			if isPolicyKey := strings.Contains(name, ":"); !isPolicyKey {
				if other, ok := acronyms[name]; ok {
					name = other
				} else if name != "" {
					name = strings.ToUpper(name[:1]) + name[1:]
				}
			}
			object[name] = capitalized(item)
		}
		return object
	}
	return value
}

// worded makes each truth value of a policy a text, which IAM takes for the same.
func worded(value any) any {
	switch value := value.(type) {
	case bool:
		return fmt.Sprint(value)
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, worded(item))
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for name, item := range value {
			object[name] = worded(item)
		}
		return object
	}
	return value
}
