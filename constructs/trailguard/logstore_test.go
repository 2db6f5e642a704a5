package trailguard_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/logstore"
)

func TestALogStoreStandsAlone(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	store := logstore.NewLogStore(stack, jsii.String("LogStore"), &logstore.LogStoreProps{TrailName: jsii.String("archived-trail")})
	// A principal that cannot hold a policy is let in by the policies of the bucket and the key.
	store.GrantRead(awsiam.NewAccountPrincipal(jsii.String("999999999999")))

	template := synthesize(stack)
	wantContained(t, template, map[string]string{"AWS::S3::BucketPolicy": ":trail/archived-trail", "AWS::KMS::Key": "999999999999"})
	if made := ofType(template, "AWS::Config::ConfigRule"); len(made) > 0 {
		t.Errorf("%v are made", made)
	}
}

// TestBadArchivesAreRefusedAtOnce: each wrong property of a log store for many accounts is named.
func TestBadArchivesAreRefusedAtOnce(t *testing.T) {
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf("%012d", i))
	}
	name, organization, account := jsii.String("a-trail"), jsii.String("o-a1b2c3d4e5"), jsii.String("111122223333")
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	for _, test := range []struct {
		name  string
		props logstore.LogStoreProps
		want  string
	}{
		{"members only", logstore.LogStoreProps{MemberTrailName: name, OrganizationId: organization, BucketName: jsii.String("my-bucket"), ReaderAccounts: jsii.Strings("111122223333")}, ""},
		{"some members only", logstore.LogStoreProps{MemberTrailName: name, MemberAccounts: jsii.Strings(many[:50]...)}, ""},
		{"both", logstore.LogStoreProps{TrailName: name, TrailAccount: account, MemberTrailName: name, OrganizationId: organization}, ""},
		{"values that are not known yet", logstore.LogStoreProps{
			TrailName: name, TrailAccount: awscdk.Aws_ACCOUNT_ID(), BucketName: awscdk.Fn_ImportValue(jsii.String("Name")), ReaderAccounts: &[]*string{awscdk.Aws_ACCOUNT_ID()},
		}, ""},
		{"no trail", logstore.LogStoreProps{OrganizationId: organization}, "TrailName: is required"},
		{"members of no account", logstore.LogStoreProps{MemberTrailName: name}, "MemberTrailName: is the name of trails of no account: give OrganizationId or MemberAccounts"},
		{"everything", logstore.LogStoreProps{
			MemberTrailName: jsii.String("x"), MemberAccounts: &[]*string{jsii.String("1"), nil, account, account}, TrailAccount: account, PreviousTrailNames: jsii.Strings("old-trail"),
			ReaderAccounts: jsii.Strings(), BucketName: jsii.String("My_Bucket"),
			LogBucket: awss3.Bucket_FromBucketName(stack, jsii.String("Bucket"), jsii.String("a-bucket")),
		}, "PreviousTrailNames: is about the trail of TrailName, and there is none: give TrailName, or leave out PreviousTrailNames\n" +
			"TrailAccount: is about the trail of TrailName, and there is none: give TrailName, or leave out TrailAccount\n" +
			`MemberTrailName: "x" is not a trail name: use 3-128 letters, digits, periods, underscores and dashes, begin and end with a letter or digit, put no two marks side by side, ` +
			"and do not form an IP address\n" +
			`MemberAccounts[0]: "1" is not an account id: use 12 digits` + "\n" +
			"MemberAccounts[1]: is empty: give an account's id, or leave it out\n" +
			`MemberAccounts[3]: "111122223333" is given twice: leave it out` + "\n" +
			"ReaderAccounts: 0 accounts cannot be given: give 1-50, or leave out ReaderAccounts\n" +
			"BucketName: applies to a new bucket, and a bucket is supplied: leave out BucketName and set it on the supplied bucket, or leave out the bucket\n" +
			`BucketName: "My_Bucket" is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes, begin and end with a letter or digit, put no dot beside a dot or dash, ` +
			"form no IP address, and use no beginning or end that S3 reserves"},
		{"accounts without their trails", logstore.LogStoreProps{TrailName: name, TrailAccount: jsii.String("me"), MemberAccounts: jsii.Strings("111122223333")},
			`TrailAccount: "me" is not an account id: use 12 digits` + "\nMemberAccounts: have no trails that may write: give MemberTrailName, or leave out MemberAccounts"},
		{"too many accounts", logstore.LogStoreProps{MemberTrailName: name, MemberAccounts: jsii.Strings(many...), ReaderAccounts: jsii.Strings(many...)},
			"MemberAccounts: 51 accounts cannot be given: give 1-50, or leave out MemberAccounts\nReaderAccounts: 51 accounts cannot be given: give 1-50, or leave out ReaderAccounts"},
		{"too many accounts with a long name", logstore.LogStoreProps{MemberTrailName: jsii.String(strings.Repeat("a", 128)), MemberAccounts: jsii.Strings(many[:31]...)},
			"MemberAccounts: makes the bucket's policy up to 20670 bytes long, and S3 takes 20480: give fewer or shorter values"},
		{"as many accounts with a long name as there is room for", logstore.LogStoreProps{MemberTrailName: jsii.String(strings.Repeat("a", 128)), MemberAccounts: jsii.Strings(many[:30]...)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := test.props.Validate(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("the error is\n%s\nit should be\n%s", got, test.want)
			}
		})
	}
}

// TestAnArchivesPoliciesHaveRoomForWhatItTakes: a bucket's policy has at most 20 KB, a key's 32 KB.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
// https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
func TestAnArchivesPoliciesHaveRoomForWhatItTakes(t *testing.T) {
	longest := jsii.String(strings.Repeat("a", 128))
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("%012d", i))
	}
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	store := logstore.NewLogStore(stack, jsii.String("LogStore"), &logstore.LogStoreProps{
		TrailName: longest, MemberTrailName: longest, OrganizationId: jsii.String("o-a1b2c3d4e5"), MemberAccounts: jsii.Strings(many...),
		ReaderAccounts: jsii.Strings(many...), PreviousTrailNames: jsii.Strings("previous-trail"), BucketName: jsii.String(strings.Repeat("b", 63)),
	})
	if *store.TrailArn() == "" || len(*store.SourceArns()) != 2 {
		t.Errorf("the trail is %s, of %d sources", *store.TrailArn(), len(*store.SourceArns()))
	}
	template := synthesize(stack)
	for id, statements := range resourcePolicies(template) {
		text, err := json.Marshal(statements)
		if err != nil {
			t.Fatal(err)
		}
		deployed := strings.NewReplacer("${AWS::Partition}", "aws-us-gov", "${AWS::Region}", "us-gov-west-1", `{"Fn::Sub":`, "", `{"Ref":"AWS::Partition"}`, "aws-us-gov").Replace(string(text))
		most := 20 * 1024
		if strings.HasPrefix(id, "LogStoreKey") {
			most = 32 * 1024
		}
		if len(deployed) > most {
			t.Errorf("%s has %d bytes", id, len(deployed))
		}
	}
	if found := resourcePolicies(template); len(found) != 3 {
		t.Errorf("there are %d policies", len(found))
	}
}

func TestAnArchiveOfMembersTrailsHasNoTrailOfItsOwn(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	store := logstore.NewLogStore(stack, jsii.String("LogStore"), &logstore.LogStoreProps{
		MemberTrailName: jsii.String("a-trail"), OrganizationId: jsii.String("o-a1b2c3d4e5"), BucketName: jsii.String("the-archive"),
	})
	if store.TrailArn() != nil || len(*store.SourceArns()) > 0 {
		t.Errorf("the trail is %v, of the sources %v", store.TrailArn(), *store.SourceArns())
	}
	template := synthesize(stack)
	for id, statements := range resourcePolicies(template) {
		for _, statement := range statements {
			if sid := fmt.Sprint(statement["Sid"]); strings.HasPrefix(sid, "CloudTrail") {
				t.Errorf("%s has the statement %s", id, sid)
			}
		}
	}
	if got := property(template, "AWS::S3::Bucket", "BucketName"); got != "the-archive" {
		t.Errorf("the bucket is %s", got)
	}
}

func TestALogStoreNeedsATrailName(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		if want := `LogStore "LogStore": TrailName: is required`; !ok || err.Error() != want {
			t.Errorf("the panic is %v, it should be %s", err, want)
		}
	}()
	logstore.NewLogStore(awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil), jsii.String("LogStore"), nil)
}
