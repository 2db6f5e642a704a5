package trailguard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/internal/cases"
)

// TestThePatternOfThePartsFitsWhateverTheStackIsCalled: the name of a stack may have 128 characters, of which those of its rules have at most 38,
// and the id of a key has 36.
func TestThePatternOfThePartsFitsWhateverTheStackIsCalled(t *testing.T) {
	const most = 2048 // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	for _, c := range cases.All() {
		text := at(resource(templateOf(t, c), "AlertingGuardTamperingEF980C89"), "Properties", "EventPattern", "Fn::Sub").([]any)[0].(string)
		if strings.Count(text, "${S}") < 7 || !strings.Contains(text, `"stackName":["${AWS::StackName}","${AWS::StackId}"]`) {
			t.Errorf("%s: the stack's name is not in %s", c.Name, text)
		}
		deployed := strings.NewReplacer("${S}", strings.Repeat("x", 38), "${AWS::StackName}", strings.Repeat("x", 128),
			"${AWS::StackId}", "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/"+strings.Repeat("x", 128+len("/")+36), "${AlertingKeyF32BC376}", strings.Repeat("x", 36)).Replace(text)
		if strings.Contains(deployed, "${") || !json.Valid([]byte(deployed)) || len(deployed) > most {
			t.Errorf("%s: the pattern has %d characters: %s", c.Name, len(deployed), deployed)
		}
	}
}
