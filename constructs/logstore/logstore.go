// Package logstore is where CloudTrail's log files are kept: the bucket and the key, and the policies that let
// CloudTrail write for one trail, for the trails of an organization's accounts, or for both, and let nobody else in.
package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/validation"
)

// LogStore is a bucket and a key for the log files of one trail, or of the trails of many accounts.
type LogStore interface {
	constructs.Construct
	// TrailArn is the ARN of the trail of TrailName. It is nil where only trails of MemberTrailName may write.
	TrailArn() *string
	// SourceArns are the ARNs that the trail has, and had under its previous names.
	SourceArns() *[]*string
	// Bucket is the bucket that holds the log files.
	Bucket() awss3.IBucket
	// Key is the key that encrypts the log files.
	Key() awskms.IKey
	// ServerAccessLogsBucket is the bucket that holds the access log of the log bucket. It is nil where the log bucket
	// was supplied.
	ServerAccessLogsBucket() awss3.IBucket
	// DigestKeys matches the keys of the digest files of the trail, or of the trails of all members where only they may write, as the
	// operator wildcard of EventBridge's patterns does. It is nil where the bucket does not send its object events to EventBridge.
	DigestKeys() *string
	// GrantRead lets the grantee list and read the log files, and decrypt them, and nothing else with the key.
	GrantRead(grantee awsiam.IGrantable) awsiam.Grant
	// Policy is the policy that must exist before CloudTrail can write to the bucket: a trail, or what creates one, depends
	// on it. It is nil where the bucket is imported. The key needs no such mention: its policy is part of it.
	Policy() awss3.BucketPolicy
}

type logStore struct {
	constructs.Construct
	writer                 writer
	bucket                 awss3.IBucket
	key                    awskms.IKey
	serverAccessLogsBucket awss3.IBucket
	digestKeys             *string
}

// NewLogStore defines a LogStore. It panics where props.Validate or props.ValidateIn returns an error.
//
//	trail, members' trails ──write──► Bucket ──access log──► ServerAccessLogsBucket
//	  └──encrypt with──► Key
//	ReaderAccounts ──read──► Bucket, Key
func NewLogStore(scope constructs.Construct, id *string, props *LogStoreProps) LogStore {
	if props == nil {
		props = &LogStoreProps{}
	}
	validation.Panic("LogStore", id, props.Validate(), props.ValidateIn(scope))

	this := &logStore{}
	constructs.NewConstruct_Override(this, scope, id)
	this.writer = newWriter(this, props)
	this.key = this.newKey(props)
	this.serverAccessLogsBucket = this.newServerAccessLogsBucket(props)
	this.bucket = this.newBucket(props)
	this.letReadersIn(texts(props.ReaderAccounts))
	return this
}

func (s *logStore) SourceArns() *[]*string                { return jsii.Strings(s.writer.sources...) }
func (s *logStore) Bucket() awss3.IBucket                 { return s.bucket }
func (s *logStore) Key() awskms.IKey                      { return s.key }
func (s *logStore) ServerAccessLogsBucket() awss3.IBucket { return s.serverAccessLogsBucket }
func (s *logStore) DigestKeys() *string                   { return s.digestKeys }
func (s *logStore) Policy() awss3.BucketPolicy            { return s.bucket.Policy() }

func (s *logStore) TrailArn() *string {
	if s.writer.trailARN == "" {
		return nil
	}
	return jsii.String(s.writer.trailARN)
}

func (s *logStore) GrantRead(grantee awsiam.IGrantable) awsiam.Grant {
	list := awsiam.Grant_AddToPrincipalOrResource(&awsiam.GrantWithResourceOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings(listActions...),
		ResourceArns: &[]*string{s.bucket.BucketArn()},
		Resource:     s.bucket,
	})
	read := awsiam.Grant_AddToPrincipalOrResource(&awsiam.GrantWithResourceOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings(getActions...),
		ResourceArns: &[]*string{s.bucket.ArnForObjects(jsii.String(s.writer.keys()))},
		Resource:     s.bucket,
	})
	// The grant succeeds, too, if the statements were for a bucket that cannot be changed.
	if list.ResourceStatement() != nil && s.bucket.Policy() == nil {
		supplied.Tell(s, "LogBucket", "the bucket's policy, for a reader,", list.ResourceStatement(), read.ResourceStatement())
	}
	return list.Combine(read).Combine(s.grantDecrypt(grantee))
}

// grantDecrypt lets a reader decrypt what CloudTrail encrypted, and nothing else that the key may protect.
func (s *logStore) grantDecrypt(grantee awsiam.IGrantable) awsiam.Grant {
	conditions := encryptedByCloudTrail()
	null := conditions["Null"].(map[string]interface{})
	grant := awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings("kms:Decrypt"),
		ResourceArns: &[]*string{s.key.KeyArn()},
		Conditions:   &map[string]*map[string]interface{}{"Null": &null},
	})
	if !*grant.Success() {
		statement := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{grantee.GrantPrincipal()},
			Actions:    jsii.Strings("kms:Decrypt"),
			Resources:  jsii.Strings("*"),
			Conditions: &conditions,
		})
		supplied.AddToPolicy(s, "LogKey", "the key's policy, for a reader,", supplied.ToKey(s.key), statement)
	}
	return grant
}

func (s *logStore) letReadersIn(accounts []string) {
	if len(accounts) == 0 {
		return
	}
	r := readers{accounts: accounts, organizationID: s.writer.organizationID}
	supplied.AddToPolicy(s, "LogBucket", "the bucket's policy, for readers,", s.bucket.AddToResourcePolicy, r.bucketStatements(s.bucket, s.writer.keys())...)
	supplied.AddToPolicy(s, "LogKey", "the key's policy, for readers,", supplied.ToKey(s.key), r.keyStatements()...)
}

// newKey adds to the key, new or given, what CloudTrail needs.
func (s *logStore) newKey(props *LogStoreProps) awskms.IKey {
	key := props.LogKey
	if key == nil {
		key = awskms.NewKey(s, jsii.String("Key"), &awskms.KeyProps{
			EnableKeyRotation: jsii.Bool(true),
			PendingWindow:     awscdk.Duration_Days(jsii.Number(30)),
			RemovalPolicy:     removalPolicy(props),
		})
		awscdk.Tags_Of(key).Add(jsii.String(protection.KeyTag), awscdk.Aws_STACK_NAME(), nil)
	}
	if !supplied.IsComplete(key) {
		supplied.AddToPolicy(s, "LogKey", "the key's policy", supplied.ToKey(key), s.writer.keyStatements()...)
	}
	return key
}

// newBucket adds to the bucket, new or given, what CloudTrail needs.
func (s *logStore) newBucket(props *LogStoreProps) awss3.IBucket {
	bucket := props.LogBucket
	if bucket == nil {
		created := awss3.NewBucket(s, jsii.String("Bucket"), &awss3.BucketProps{
			BucketName:                 props.BucketName,
			Versioned:                  jsii.Bool(true),
			ObjectOwnership:            awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
			BlockPublicAccess:          awss3.BlockPublicAccess_BLOCK_ALL(),
			EnforceSSL:                 jsii.Bool(true),
			Encryption:                 awss3.BucketEncryption_KMS,
			EncryptionKey:              s.key,
			LifecycleRules:             lifecycleRules(props),
			ObjectLockDefaultRetention: props.ObjectLockRetention,
			RemovalPolicy:              removalPolicy(props),
		})
		// Set here, not as the bucket's prop: what that prop adds to the target depends on a feature flag of the app.
		created.Node().DefaultChild().(awss3.CfnBucket).SetLoggingConfiguration(&awss3.CfnBucket_LoggingConfigurationProperty{
			DestinationBucketName: s.serverAccessLogsBucket.BucketName(),
		})
		s.letAccessLogsIn(created)
		if props.SendDigestEvents != nil && *props.SendDigestEvents {
			sendEvents(created)
			s.digestKeys = s.writer.digestKeys()
		}
		bucket = created
	}
	if !supplied.IsComplete(bucket) {
		supplied.AddToPolicy(s, "LogBucket", "the bucket's policy", bucket.AddToResourcePolicy, s.writer.bucketStatements(bucket)...)
	}
	keepWithBucket(bucket)
	return bucket
}

// newServerAccessLogsBucket returns nil for a log bucket that was supplied: its owner decides on its access log.
func (s *logStore) newServerAccessLogsBucket(props *LogStoreProps) awss3.IBucket {
	if props.LogBucket != nil {
		return nil
	}
	if props.ServerAccessLogsBucket != nil {
		return props.ServerAccessLogsBucket
	}
	bucket := awss3.NewBucket(s, jsii.String("ServerAccessLogsBucket"), &awss3.BucketProps{
		Versioned:         jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(true),
		// Server access logs are not delivered to a bucket whose default encryption is SSE-KMS.
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html
		Encryption:    awss3.BucketEncryption_S3_MANAGED,
		RemovalPolicy: removalPolicy(props),
	})
	keepWithBucket(bucket)
	return bucket
}

// keepWithBucket makes the policy of a bucket of the app, new or given, stay where the bucket does: without it a retained trail delivers
// nothing any more.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
func keepWithBucket(bucket awss3.IBucket) {
	resource, ok := bucket.Node().DefaultChild().(awss3.CfnBucket)
	if !ok || bucket.Policy() == nil {
		return
	}
	bucketOptions, policyOptions := resource.CfnOptions(), bucket.Policy().Node().DefaultChild().(awss3.CfnBucketPolicy).CfnOptions()
	if policy := bucketOptions.DeletionPolicy(); policy != "" && policy != awscdk.CfnDeletionPolicy_DELETE {
		policyOptions.SetDeletionPolicy(policy)
		policyOptions.SetUpdateReplacePolicy(bucketOptions.UpdateReplacePolicy())
	}
}

// letAccessLogsIn lets S3 deliver the access log of the log bucket, and of no other bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
func (s *logStore) letAccessLogsIn(bucket awss3.IBucket) {
	conditions := map[string]interface{}{
		"StringEquals": map[string]interface{}{"aws:SourceAccount": awscdk.Stack_Of(s).Account()},
	}
	// In a bucket of another stack, the ARN would make each stack depend on the other.
	if supplied.IsOfStack(s, s.serverAccessLogsBucket) {
		conditions["ArnLike"] = map[string]interface{}{"aws:SourceArn": bucket.BucketArn()}
	}
	statement := awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("ServerAccessLogs"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logging.s3.amazonaws.com"), nil)},
		Actions:    jsii.Strings("s3:PutObject"),
		Resources:  &[]*string{s.serverAccessLogsBucket.ArnForObjects(jsii.String("*"))},
		Conditions: &conditions,
	})
	supplied.AddToPolicy(s, "ServerAccessLogsBucket", "the bucket's policy", s.serverAccessLogsBucket.AddToResourcePolicy, statement)
}

// lifecycleRules never delete a log file unless ExpireAfter asks for it. Uploads that were never completed are no log files.
func lifecycleRules(props *LogStoreProps) *[]*awss3.LifecycleRule {
	transitionAfter := props.TransitionAfter
	if transitionAfter == nil {
		transitionAfter = awscdk.Duration_Days(jsii.Number(defaultTransitionDays))
	}
	return &[]*awss3.LifecycleRule{{
		Transitions: &[]*awss3.Transition{{
			StorageClass:    awss3.StorageClass_GLACIER_INSTANT_RETRIEVAL(),
			TransitionAfter: transitionAfter,
		}},
		Expiration:                          props.ExpireAfter,
		NoncurrentVersionExpiration:         props.ExpireAfter,
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
	}}
}

func removalPolicy(props *LogStoreProps) awscdk.RemovalPolicy {
	if props.RemovalPolicy == "" {
		return awscdk.RemovalPolicy_RETAIN
	}
	return props.RemovalPolicy
}
