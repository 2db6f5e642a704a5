package logstore

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/supplied"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// LogStoreProps are the properties of a LogStore.
type LogStoreProps struct {
	// TrailName is the name of the trail that may write to the store. It is required unless there is a MemberTrailName.
	//
	// Default: - only the trails of MemberTrailName may write.
	TrailName *string

	// TrailAccount is the id of the account that owns the trail of TrailName, such as the organization's management account
	// while the store stands in a log archive.
	//
	// Default: - the stack's account.
	TrailAccount *string

	// PreviousTrailNames are names that the trail had before. A trail of such a name may go on writing to the store.
	//
	// Default: - the trail has always had its name.
	PreviousTrailNames *[]*string

	// S3KeyPrefix is what the log files' keys begin with, at most 200 characters.
	//
	// Default: - the keys begin with AWSLogs/.
	S3KeyPrefix *string

	// OrganizationId is the id of the organization, such as o-a1b2c3d4e5, whose accounts' log files the store takes: those that the
	// trail of TrailName writes as the organization's, and those that trails of MemberTrailName write.
	//
	// Default: - the store takes the log files of the trail's own account only.
	OrganizationId *string

	// MemberTrailName is a name of trails in other accounts, in the stack's Region. Trails of this name may write to the store, each
	// the log files of its own account: those of MemberAccounts, or of every account of the organization, of its management account,
	// too.
	//
	// Default: - only the trail of TrailName may write.
	MemberTrailName *string

	// MemberAccounts are the ids, at most 50, of the only accounts whose trails of MemberTrailName may write to the store.
	//
	// Default: - those of every account of the organization may.
	MemberAccounts *[]*string

	// ReaderAccounts are the ids, at most 50, of accounts whose principals may list, read and decrypt the log files, as far as
	// their own account lets them. If the organization is known, an account that has left it may not.
	//
	// Default: - principals of the stack's account may, as far as that lets them.
	ReaderAccounts *[]*string

	// BucketName is the name of the new bucket.
	//
	// Default: - CloudFormation names it.
	BucketName *string

	// LogBucket is an existing bucket for the log files. It must be in the Region of the key. An imported bucket must
	// already have the statements that the README shows, for CDK cannot add them.
	//
	// Default: - a new bucket is created: versioned, encrypted with the key, closed to the public and to plain HTTP.
	LogBucket awss3.IBucket

	// LogKey is an existing KMS key for the log files. An imported key must already have the statements that the README
	// shows, for CDK cannot add them.
	//
	// Default: - a new key is created and rotated every year.
	LogKey awskms.IKey

	// TransitionAfter is the age, in whole days, at which log files move to the storage class S3 Glacier Instant Retrieval.
	//
	// Default: - after 90 days.
	TransitionAfter awscdk.Duration

	// ExpireAfter is the age, in whole days, at which log files are deleted.
	//
	// Default: - log files are kept for good.
	ExpireAfter awscdk.Duration

	// ObjectLockRetention turns S3 Object Lock on and keeps every log file from deletion for the given time.
	//
	// Default: - Object Lock is off.
	ObjectLockRetention awss3.ObjectLockRetention

	// ServerAccessLogsBucket is an existing bucket for the access log of the log bucket. An imported bucket must already
	// let logging.s3.amazonaws.com write to it.
	//
	// Default: - a new bucket is created.
	ServerAccessLogsBucket awss3.IBucket

	// SendDigestEvents has the new bucket send its object events to EventBridge, for an alarm on digest files that do not arrive. S3
	// then sends the events of all objects, at the price of EventBridge's opt-in events.
	//
	// Default: - the bucket sends no events.
	SendDigestEvents *bool

	// RemovalPolicy is what becomes of the new buckets and the new key when they are taken out of the stack.
	//
	// Default: - they are retained.
	RemovalPolicy awscdk.RemovalPolicy
}

const (
	secondsPerDay         = 24 * 60 * 60
	defaultTransitionDays = 90
	mostDays              = math.MaxInt32
)

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *LogStoreProps) Validate() error {
	var problems []error
	problems = append(problems, p.checkTrailName()...)
	problems = append(problems, p.checkMembers()...)
	problems = append(problems, checkAccounts("ReaderAccounts", p.ReaderAccounts)...)
	problems = append(problems, p.checkPolicySize())
	if p.S3KeyPrefix != nil {
		problems = append(problems, trail.CheckS3KeyPrefix("S3KeyPrefix", *p.S3KeyPrefix))
	}
	if p.OrganizationId != nil {
		problems = append(problems, trail.CheckOrganizationID("OrganizationId", *p.OrganizationId))
	}
	if p.LogBucket != nil {
		problems = append(problems, p.checkSuppliedBucket()...)
	}
	problems = append(problems, p.checkBuckets(), p.checkKey())
	problems = append(problems, p.checkLifecycle()...)
	switch p.RemovalPolicy {
	case "", awscdk.RemovalPolicy_RETAIN, awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, awscdk.RemovalPolicy_DESTROY:
	default:
		problems = append(problems, validation.Problem("RemovalPolicy", "%q is not for a bucket: "+
			"use RETAIN, RETAIN_ON_UPDATE_OR_DELETE or DESTROY", p.RemovalPolicy))
	}
	return errors.Join(problems...)
}

// checkTrailName also refuses what is about the trail of TrailName where there is none.
func (p *LogStoreProps) checkTrailName() []error {
	if p.TrailName != nil {
		problems := []error{trail.CheckName("TrailName", *p.TrailName), p.checkPreviousTrailNames()}
		if p.TrailAccount != nil {
			problems = append(problems, trail.CheckAccountID("TrailAccount", *p.TrailAccount))
		}
		return problems
	}
	if p.MemberTrailName == nil {
		return []error{validation.Problem("TrailName", "is required")}
	}
	var problems []error
	for _, prop := range []struct {
		name string
		set  bool
	}{{"PreviousTrailNames", p.PreviousTrailNames != nil}, {"TrailAccount", p.TrailAccount != nil}} {
		if prop.set {
			problems = append(problems, validation.Problem(prop.name, "is about the trail of %s, and there is none: give %[1]s, or leave out %s",
				validation.Prop("TrailName"), validation.Prop(prop.name)))
		}
	}
	return problems
}

func (p *LogStoreProps) checkMembers() []error {
	if p.MemberTrailName == nil {
		if p.MemberAccounts != nil {
			return []error{validation.Problem("MemberAccounts", "have no trails that may write: give %s, or leave out %s",
				validation.Prop("MemberTrailName"), validation.Prop("MemberAccounts"))}
		}
		return nil
	}
	problems := []error{trail.CheckName("MemberTrailName", *p.MemberTrailName)}
	if p.MemberAccounts == nil && p.OrganizationId == nil {
		problems = append(problems, validation.Problem("MemberTrailName", "is the name of trails of no account: give %s or %s",
			validation.Prop("OrganizationId"), validation.Prop("MemberAccounts")))
	}
	return append(problems, checkAccounts("MemberAccounts", p.MemberAccounts)...)
}

// checkPolicySize refuses more accounts, and names, than the policy of a bucket has room for; that of a key has more room. Each member's trail is
// named in three statements, each other trail and each reader in two.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
func (p *LogStoreProps) checkPolicySize() error {
	const others = 3000 // the bytes of the statements without their lists
	trailARN := func(name *string) int {
		if name == nil {
			return 0
		}
		return len(`"arn:aws-us-gov:cloudtrail:us-gov-west-1:123456789012:trail/",`) + len(*name)
	}
	parts := map[string]string{"MemberAccounts": "", "ReaderAccounts": "", "PreviousTrailNames": ""}
	if p.MemberAccounts != nil {
		parts["MemberAccounts"] = strings.Repeat("x", 3*len(*p.MemberAccounts)*trailARN(p.MemberTrailName))
	}
	if p.ReaderAccounts != nil {
		parts["ReaderAccounts"] = strings.Repeat("x", 2*len(*p.ReaderAccounts)*len(`"arn:aws-us-gov:iam::123456789012:root",`))
	}
	if p.PreviousTrailNames != nil {
		for _, name := range *p.PreviousTrailNames {
			parts["PreviousTrailNames"] += strings.Repeat("x", 2*trailARN(name))
		}
	}
	has := others + 2*trailARN(p.TrailName)
	for _, part := range parts {
		has += len(part)
	}
	return validation.Text{Name: "the bucket's policy", Taker: "S3", Unit: "bytes", Most: 20 * 1024, Has: has, Parts: parts}.Check()
}

func checkAccounts(field string, accounts *[]*string) []error {
	const most = 50
	if accounts == nil {
		return nil
	}
	var problems []error
	if n := len(*accounts); n == 0 || n > most {
		problems = append(problems, validation.Problem(field, "%d accounts cannot be given: give 1-%d, or leave out %s", n, most, validation.Prop(field)))
	}
	for i, account := range *accounts {
		field := fmt.Sprintf("%s[%d]", field, i)
		if account == nil {
			problems = append(problems, validation.Problem(field, "is empty: give an account's id, or leave it out"))
			continue
		}
		problems = append(problems, trail.CheckAccountID(field, *account))
		if slices.ContainsFunc((*accounts)[:i], func(before *string) bool { return before != nil && *before == *account }) {
			problems = append(problems, validation.Problem(field, "%q is given twice: leave it out", *account))
		}
	}
	return problems
}

// ValidateIn returns an error that names every property that cannot be used in the scope's stack, nil where there is none. Bucket and key may
// be of another account, and in another Region if both are. The Region of a bucket that is imported by its name is not known.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html
func (p *LogStoreProps) ValidateIn(scope constructs.Construct) error {
	const ofTheBucket = "S3 delivers the access log to buckets of the log bucket's account and Region: give one of those"
	var problems []error
	switch {
	case p.LogBucket != nil && p.LogKey != nil:
		if _, isDefined := p.LogBucket.(awss3.Bucket); isDefined || *p.LogBucket.Env().Region != *awscdk.Stack_Of(scope).Region() {
			problems = append(problems, supplied.Same("LogKey", "is in the Region", p.LogKey.Env().Region, "the bucket is in", p.LogBucket.Env().Region,
				"CloudTrail needs both in one Region: give a key of the bucket's"))
		}
	case p.LogKey != nil:
		problems = append(problems, supplied.InRegion(scope, "LogKey", p.LogKey.Env(),
			"CloudTrail needs key and bucket in one Region: give a key of the stack's, or %s, too", validation.Prop("LogBucket")))
	case p.LogBucket != nil:
		problems = append(problems, supplied.InRegion(scope, "LogBucket", p.LogBucket.Env(),
			"CloudTrail needs key and bucket in one Region: give %s, too, a key of the bucket's", validation.Prop("LogKey")))
	}
	if p.ServerAccessLogsBucket != nil {
		problems = append(problems,
			supplied.OfAccount(scope, "ServerAccessLogsBucket", p.ServerAccessLogsBucket.Env(), ofTheBucket),
			supplied.InRegion(scope, "ServerAccessLogsBucket", p.ServerAccessLogsBucket.Env(), ofTheBucket))
	}
	return errors.Join(problems...)
}

// checkKey refuses an alias: CloudTrail and Config report the key's own ARN, which would never be the declared one.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Trail.html
func (p *LogStoreProps) checkKey() error {
	if alias, ok := p.LogKey.(awskms.IAlias); ok {
		return validation.Problem("LogKey", "%q is an alias, and CloudTrail reports the key's own ARN, which would never be the declared one: give the key", *alias.AliasName())
	}
	return nil
}

// checkBuckets refuses names that the CDK lets pass and CloudTrail would refuse.
func (p *LogStoreProps) checkBuckets() error {
	var problems []error
	if p.BucketName != nil {
		problems = append(problems, trail.CheckBucketName("BucketName", *p.BucketName))
	}
	if p.LogBucket != nil {
		problems = append(problems, trail.CheckBucketName("LogBucket", *p.LogBucket.BucketName()))
	}
	if p.ServerAccessLogsBucket != nil {
		problems = append(problems, trail.CheckBucketName("ServerAccessLogsBucket", *p.ServerAccessLogsBucket.BucketName()))
	}
	return errors.Join(problems...)
}

func (p *LogStoreProps) checkPreviousTrailNames() error {
	if p.PreviousTrailNames != nil && slices.Contains(*p.PreviousTrailNames, nil) {
		return validation.Problem("PreviousTrailNames", "has an empty place: give the names that the trail had")
	}
	return trail.CheckPreviousNames("PreviousTrailNames", texts(p.PreviousTrailNames), *p.TrailName)
}

// checkSuppliedBucket refuses the properties of a new bucket where a bucket is given, for they would have no effect.
func (p *LogStoreProps) checkSuppliedBucket() []error {
	var problems []error
	for _, prop := range []struct {
		name string
		set  bool
	}{
		{"BucketName", p.BucketName != nil},
		{"TransitionAfter", p.TransitionAfter != nil},
		{"ExpireAfter", p.ExpireAfter != nil},
		{"ObjectLockRetention", p.ObjectLockRetention != nil},
		{"ServerAccessLogsBucket", p.ServerAccessLogsBucket != nil},
	} {
		if prop.set {
			problems = append(problems, validation.Problem(prop.name, "applies to a new bucket, and a bucket is supplied: "+
				"leave out %s and set it on the supplied bucket, or leave out the bucket", validation.Prop(prop.name)))
		}
	}
	return problems
}

func (p *LogStoreProps) checkLifecycle() []error {
	transitionDays, transitionProblem := wholeDays("TransitionAfter", p.TransitionAfter)
	expireDays, expireProblem := wholeDays("ExpireAfter", p.ExpireAfter)
	problems := []error{transitionProblem, expireProblem}
	if p.TransitionAfter == nil {
		transitionDays = defaultTransitionDays
	}
	if expireDays > 0 && transitionDays > 0 && expireDays <= transitionDays {
		problems = append(problems, validation.Problem("ExpireAfter", "%v days is not after the transition at %v days: "+
			"give a later %s or an earlier %s", expireDays, transitionDays, validation.Prop("ExpireAfter"), validation.Prop("TransitionAfter")))
	}
	return problems
}

// wholeDays returns 0 for a duration that is not given, or not known yet, or not a positive number of whole days.
func wholeDays(field string, duration awscdk.Duration) (float64, error) {
	if duration == nil || *duration.IsUnresolved() {
		return 0, nil
	}
	seconds := *duration.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	days := seconds / secondsPerDay
	if days < 1 || days > mostDays || days != float64(int(days)) {
		return 0, validation.Problem(field, "%v is not a number of whole days: use whole days, 1 to %d", *duration.ToHumanString(), mostDays)
	}
	return days, nil
}

func texts(list *[]*string) []string {
	var texts []string
	if list != nil {
		for _, text := range *list {
			texts = append(texts, *text)
		}
	}
	return texts
}
