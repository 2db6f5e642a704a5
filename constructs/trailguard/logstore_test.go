package trailguard_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
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

func TestALogStoreNeedsATrailName(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		if want := `LogStore "LogStore": TrailName: is required`; !ok || err.Error() != want {
			t.Errorf("the panic is %v, it should be %s", err, want)
		}
	}()
	logstore.NewLogStore(awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil), jsii.String("LogStore"), nil)
}
