package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/internal/updates"
)

// destroy deletes the stack.
func (s *stack) destroy() {
	s.t.Helper()
	stack, err := local.Clients.CloudFormation.DescribeStacks(s.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(testbed.StackName)})
	testbed.Must(s.t, err)
	_, err = local.Clients.CloudFormation.DeleteStack(s.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String(testbed.StackName)})
	testbed.Must(s.t, err)
	deleted, err := local.Clients.CloudFormation.DescribeStacks(s.t.Context(), &cloudformation.DescribeStacksInput{StackName: stack.Stacks[0].StackId})
	testbed.Must(s.t, err)
	if got := deleted.Stacks[0]; got.StackStatus != cloudformationtypes.StackStatusDeleteComplete {
		s.t.Fatalf("the stack is %s: %s", got.StackStatus, aws.ToString(got.StackStatusReason))
	}
}

// TestTheTrailGoesOnDeliveringWhenTheStackIsDeleted: the trail is no resource of the stack, and what CloudTrail needs of bucket and
// key is retained. The negative controls retain one of them less.
func TestTheTrailGoesOnDeliveringWhenTheStackIsDeleted(t *testing.T) {
	const (
		bucketPolicy = "LogStoreBucketPolicyA9D99A2D"
		key          = "LogStoreKeyDBAC2C9C"
	)
	_, def := readUpdates(t)
	// unretained is the default template without what retains a resource.
	unretained := func(id string) testbed.Template {
		tpl := testbed.Template(updates.Apply(def, nil))
		if tpl.ByID()[id]["DeletionPolicy"] != "Retain" {
			t.Fatalf("%s is not retained", id)
		}
		delete(tpl.ByID()[id], "DeletionPolicy")
		return tpl
	}
	for _, test := range []struct {
		name string
		tpl  testbed.Template
		want string
	}{
		{"default", def, ""},
		{"with a bucket and a key of the same stack", testbed.ReadTemplate(t, "owned"), ""},
		{"whose bucket policy is not retained", unretained(bucketPolicy), "digest: AccessDenied; log: AccessDenied"},
		{"whose key is not retained", unretained(key), "digest: KMS.KMSInvalidStateException; log: KMS.KMSInvalidStateException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := deploy(t, test.tpl)
			s.wantDeclared()
			s.keep()
			s.destroy()
			if problems := deliver(t, s.guard.TrailARN); !strings.HasPrefix(problems, test.want) || test.want == "" && problems != "" {
				t.Errorf("the trail meets %q, want %q", problems, test.want)
			}
			s.wantKept()
			// Nothing is left that looks at the trail.
			runs := len(local.Executions())
			testbed.Must(t, local.Advance(t.Context(), 25*time.Hour))
			if started := len(local.Executions()) - runs; started > 0 {
				t.Errorf("%d executions were started", started)
			}
		})
	}
}
