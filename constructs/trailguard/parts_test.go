package trailguard_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// deployedPattern is the pattern of a rule for a stack whose name has some characters: of them those of its rules have at most 38. The id of a
// key has 36, and the name of a log group that CloudFormation makes up fewer than 150.
func deployedPattern(template map[string]any, rule string, characters int) string {
	text, isAlone := at(resource(template, rule), "Properties", "EventPattern", "Fn::Sub").(string)
	if !isAlone {
		text = at(resource(template, rule), "Properties", "EventPattern", "Fn::Sub").([]any)[0].(string)
	}
	name := strings.Repeat("x", characters)
	text = strings.NewReplacer("${S}", name[:min(38, characters)], "${AWS::StackName}", name,
		"${AWS::StackId}", "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/"+name+"/"+strings.Repeat("x", 36),
		"${K}", strings.Repeat("x", 36), "${L}", strings.Repeat("x", 22+characters)).Replace(text)
	return regexp.MustCompile(`\$\{[RT]\d*\}`).ReplaceAllString(text, strings.Repeat("x", 64))
}

// TestThePatternOfThePartsFitsWhateverTheStackIsCalled: the name of a stack may have 128 characters. Where parts that the stack did not name
// are in the pattern, it fits as the stack is called here.
func TestThePatternOfThePartsFitsWhateverTheStackIsCalled(t *testing.T) {
	const most = 2048 // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	for _, c := range cases.All() {
		template, characters := templateOf(t, c), 128
		const rule = "AlertingGuardTamperingEF980C89"
		if text := deployedPattern(template, rule, 1); strings.Contains(text, "logGroupName") || strings.Count(text, "roleName") > 1 {
			characters = len("TrailGuard")
		}
		pattern := deployedPattern(template, rule, characters)
		if strings.Contains(pattern, "${") || !json.Valid([]byte(pattern)) || len(pattern) > most {
			t.Errorf("%s: the pattern has %d characters: %s", c.Name, len(pattern), pattern)
		}
	}
}

// TestPartsThatDoNotFitAreWatchedByARuleOfTheirOwn, and those that fit by the one that there is.
func TestPartsThatDoNotFitAreWatchedByARuleOfTheirOwn(t *testing.T) {
	for characters, rules := range map[int]int{20: 0, 512: 1} {
		name := strings.Repeat("g", characters)
		template := synthesize(cases.Case{Props: func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{CloudWatchLogGroup: awslogs.LogGroup_FromLogGroupName(stack, jsii.String("Group"), &name)}
		}}.Stack())
		var found []string
		for _, id := range ofType(template, "AWS::Events::Rule") {
			if strings.HasPrefix(id, "AlertingSuppliedTampering") {
				found = append(found, id)
			}
			if at(resource(template, id), "Properties", "EventPattern", "Fn::Sub") != nil {
				if has := strings.Contains(deployedPattern(template, id, 20), name); has != (rules == 0 || strings.HasPrefix(id, "AlertingSupplied")) {
					t.Errorf("that %s names the group of %d characters is %t", id, characters, has)
				}
			}
		}
		if len(found) != rules {
			t.Errorf("of a name of %d characters there are the rules %v", characters, found)
		}
	}
}
