package moto

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// createOnly returns where the local AWS replaces a resource and CloudFormation's schemas do not, or the other way round, after a
// change of what the local AWS does, in Python.
func createOnly(t *testing.T, change string) string {
	t.Helper()
	command := exec.Command(repository.Python(), "-B", "-c", "import create_only\n"+change+"\ncreate_only.main()")
	command.Dir = "testdata"
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

func TestWhatReplacesAResourceIsWhatTheSchemasSay(t *testing.T) {
	if got := createOnly(t, ""); got != "28 types were compared\n" {
		t.Errorf("got %s", got)
	}
	got := createOnly(t, `create_only.TYPES["AWS::SNS::Subscription"].create_only = ("Endpoint", "TopicArn", "RawMessageDelivery")`)
	for _, want := range []string{
		"AWS::SNS::Subscription: Protocol is create-only, and is changed in place here\n",
		"AWS::SNS::Subscription: RawMessageDelivery is changed in place, and is create-only here\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
