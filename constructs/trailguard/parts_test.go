package trailguard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

// TestThePatternOfThePartsFitsIntoStacksWithLongNames: StackSets put StackSet- in front of a name, and 37 characters behind it.
func TestThePatternOfThePartsFitsIntoStacksWithLongNames(t *testing.T) {
	validate := func(stackName string) error {
		app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
		stack := awscdk.NewStack(app, jsii.String("Stack"), &awscdk.StackProps{StackName: &stackName})
		return trailguard.NewTrailGuard(stack, jsii.String("Default"), nil).Validate()
	}
	if err := validate("StackSet-" + strings.Repeat("x", 30) + "-00000000-0000-0000-0000-000000000000"); err != nil {
		t.Error(err)
	}
	got := fmt.Sprint(validate(strings.Repeat("x", 128)))
	if !strings.HasPrefix(got, "StackName: makes the event pattern of the rule GuardTampering up to 2") || !strings.Contains(got, " characters long, and EventBridge takes 2048: ") {
		t.Errorf("of a name that is too long it says %s", got)
	}
}
