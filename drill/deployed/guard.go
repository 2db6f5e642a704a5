package deployed

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// ErrNoGuard is what ReadGuard's error wraps if the stack does not exist, or holds no guard.
var ErrNoGuard = errors.New("no guard")

// Guard is a guard that is deployed: what its stack says about it, and what its runbook declares.
type Guard struct {
	Stack             string
	TrailName         string
	TrailARN          string
	LogBucketName     string
	LogKeyARN         string
	AutomationRoleARN string
	RunbookName       string
	ConfigRuleNames   []string // none if the guard does without AWS Config
	AlertTopicARN     string   // empty if there is none
	// Declared is the state that the runbook restores.
	Declared Declared
	// Runbook is the document that is deployed.
	Runbook Runbook
	// Parts are those that the outputs do not name.
	//
	// Default: - none are known: ReadParts reads them.
	Parts Parts
}

// Parts are those of a guard's stack that its outputs do not name. They are known by what they do.
type Parts struct {
	// RepairsLogStore tells whether the guard puts its log store back.
	RepairsLogStore bool
	// AccessLogBucket is the bucket of the log bucket's access log; empty if the stack has none.
	AccessLogBucket string
	// TellsOfGuard tells whether people are told of calls against the parts of the guard.
	TellsOfGuard bool
	// FailureNotice is the name of the rule that tells people of a repair that failed; empty if there is none.
	FailureNotice string
	// Alarms are the names of the alarms.
	Alarms []string
	// HasRemediation tells whether AWS Config starts the runbook.
	HasRemediation bool
	// NotRead is why the parts could not be read; empty if they could.
	NotRead string
}

// Account is the id of the account that the trail belongs to.
func (g Guard) Account() string { return g.fieldOfARN(4) }

// Region is the trail's home Region, in which it can be changed.
func (g Guard) Region() string { return g.fieldOfARN(3) }

// Partition is the partition of AWS that the trail lies in.
func (g Guard) Partition() string { return g.fieldOfARN(1) }

// fieldOfARN is a field of the trail's ARN; empty if that is none.
func (g Guard) fieldOfARN(i int) string {
	if fields := strings.SplitN(g.TrailARN, ":", 6); len(fields) == 6 {
		return fields[i]
	}
	return ""
}

// parameters are the values that the stack's outputs have for parameters of the runbook, by the parameters' names.
func (g Guard) parameters() map[string]string {
	return map[string]string{"CloudTrailName": g.TrailName, "CloudTrailS3BucketName": g.LogBucketName, "CloudTrailKmsKeyId": g.LogKeyARN}
}

// ReadGuard reads the guard that a stack holds. Its outputs may have the prefix and the suffix that the CDK gives to an
// output of a construct.
func ReadGuard(ctx context.Context, clients Clients, stack string) (Guard, error) {
	described, err := clients.CloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		if hasCode(err, "ValidationError") {
			return Guard{}, fmt.Errorf("%w: stack %s cannot be found in this account and Region: %v", ErrNoGuard, stack, err)
		}
		return Guard{}, fmt.Errorf("reading stack %s: %w", stack, err)
	}
	if len(described.Stacks) != 1 {
		return Guard{}, fmt.Errorf("%w: stack %s cannot be found in this account and Region", ErrNoGuard, stack)
	}
	return GuardOf(stack, described.Stacks[0].Outputs, func(name string) (string, error) {
		document, err := clients.SSM.GetDocument(ctx, &ssm.GetDocumentInput{Name: &name})
		if err != nil {
			return "", err
		}
		return aws.ToString(document.Content), nil
	})
}

// GuardOf is the guard that the outputs of a stack name. content gives the content of the runbook of a name.
func GuardOf(stack string, outputs []types.Output, content func(name string) (string, error)) (Guard, error) {
	guard, err := guardOf(stack, outputs)
	if err != nil {
		return Guard{}, err
	}
	text, err := content(guard.RunbookName)
	if err != nil {
		return Guard{}, fmt.Errorf("reading runbook %s: %w", guard.RunbookName, err)
	}
	if guard.Runbook, err = ParseRunbook(text); err != nil {
		return Guard{}, fmt.Errorf("reading runbook %s: %w", guard.RunbookName, err)
	}
	if guard.Declared, err = guard.Runbook.declared(guard.parameters()); err != nil {
		return Guard{}, fmt.Errorf("reading runbook %s: %w", guard.RunbookName, err)
	}
	return guard, nil
}

// guardOf reads the outputs of a stack, and names all that it lacks.
func guardOf(stack string, outputs []types.Output) (Guard, error) {
	guard := Guard{Stack: stack}
	rules := ""
	var missing, ambiguous []string
	for _, output := range []struct {
		name     string
		into     *string
		optional bool
	}{
		{"TrailName", &guard.TrailName, false},
		{"TrailArn", &guard.TrailARN, false},
		{"LogBucketName", &guard.LogBucketName, false},
		{"LogKeyArn", &guard.LogKeyARN, false},
		{"AutomationRoleArn", &guard.AutomationRoleARN, false},
		{"RunbookName", &guard.RunbookName, false},
		{"ConfigRuleNames", &rules, true},
		{"AlertTopicArn", &guard.AlertTopicARN, true},
	} {
		// In a stack of several constructs the CDK puts the construct's path before the name and a hash behind it.
		form := regexp.MustCompile(`^(` + output.name + `|.*` + output.name + `[0-9A-F]{8})$`)
		var found []string
		for _, candidate := range outputs {
			if form.MatchString(aws.ToString(candidate.OutputKey)) {
				found = append(found, aws.ToString(candidate.OutputKey))
				*output.into = aws.ToString(candidate.OutputValue)
			}
		}
		switch {
		case len(found) == 0 && !output.optional:
			missing = append(missing, output.name)
		case len(found) > 1:
			slices.Sort(found)
			ambiguous = append(ambiguous, fmt.Sprintf("%s (%s)", output.name, strings.Join(found, ", ")))
		}
	}
	if len(missing) > 0 {
		return Guard{}, fmt.Errorf("%w: stack %s lacks the outputs %s: name a stack in which TrailGuard is deployed",
			ErrNoGuard, stack, strings.Join(missing, ", "))
	}
	if len(ambiguous) > 0 {
		return Guard{}, fmt.Errorf("%w: stack %s has more than one output for %s: put one guard in a stack",
			ErrNoGuard, stack, strings.Join(ambiguous, ", "))
	}
	if rules != "" {
		guard.ConfigRuleNames = strings.Split(rules, ",")
	}
	return guard, nil
}
