package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/internal/localaws"
	"github.com/trailguard/trailguard/drill/internal/localaws/automation"
)

const trailName = "trailguard"

// states are what a repair starts from. Each changes the trail as the last repair left it.
var states = []struct {
	name  string
	reach func(context.Context, *cloudtrail.Client) error
}{
	{"no trail", func(context.Context, *cloudtrail.Client) error { return nil }},
	{"healthy", func(context.Context, *cloudtrail.Client) error { return nil }},
	{"stopped", func(ctx context.Context, trails *cloudtrail.Client) error {
		_, err := trails.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String(trailName)})
		return err
	}},
	{"settings weakened", func(ctx context.Context, trails *cloudtrail.Client) error {
		_, err := trails.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{
			Name: aws.String(trailName), KmsKeyId: aws.String(""), IsMultiRegionTrail: aws.Bool(false),
			IncludeGlobalServiceEvents: aws.Bool(false), EnableLogFileValidation: aws.Bool(false),
		})
		return err
	}},
	{"selectors narrowed", func(ctx context.Context, trails *cloudtrail.Client) error {
		_, err := trails.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{
			TrailName:      aws.String(trailName),
			EventSelectors: []types.EventSelector{{ReadWriteType: types.ReadWriteTypeReadOnly, IncludeManagementEvents: aws.Bool(true)}},
		})
		return err
	}},
}

func repairs(ctx context.Context, _ string) (err error) {
	local, err := localaws.Start(ctx, localaws.Options{Python: filepath.Join(".venv", "bin", "python"), NodeModules: "node_modules"})
	if err != nil {
		return err
	}
	defer local.Close()
	config := local.Config(localaws.Administrator)
	parameters, document, err := deploy(ctx, config)
	if err != nil {
		return err
	}

	var rows []string
	for _, state := range states {
		if err := state.reach(ctx, cloudtrail.NewFromConfig(config)); err != nil {
			return fmt.Errorf("reaching the state %s: %w", state.name, err)
		}
		if _, err := ssm.NewFromConfig(config).StartAutomationExecution(ctx, &ssm.StartAutomationExecutionInput{
			DocumentName: aws.String(document), Parameters: parameters,
		}); err != nil {
			return fmt.Errorf("starting the runbook: %w", err)
		}
		if err := local.RunToQuiescence(ctx); err != nil {
			return err
		}
		executions := local.Executions()
		execution := executions[len(executions)-1]
		if execution.Status != automation.Success {
			return fmt.Errorf("the repair from the state %s is %s: %s", state.name, execution.Status, execution.FailureMessage)
		}
		toLogging, toEnd := writes(execution)
		rows = append(rows, row(state.name, stepsToLogging(execution), toLogging, len(execution.Steps), toEnd))
	}
	return table("repair, from\tsteps to logging\twrites to CloudTrail\tsteps in all\twrites in all", rows...)
}

// deploy puts up the template in which no event starts the runbook, so that each repair is the one that is measured.
func deploy(ctx context.Context, config aws.Config) (parameters map[string][]string, document string, err error) {
	text, err := os.ReadFile("constructs/trailguard/testdata/config-only.template.json")
	if err != nil {
		return nil, "", err
	}
	if err := localaws.PutRecorder(ctx, config); err != nil {
		return nil, "", err
	}
	stacks := cloudformation.NewFromConfig(config)
	if _, err := stacks.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: aws.String("TrailGuard"), TemplateBody: aws.String(string(text)),
	}); err != nil {
		return nil, "", fmt.Errorf("creating the stack: %w", err)
	}
	described, err := stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("TrailGuard")})
	if err != nil {
		return nil, "", fmt.Errorf("describing the stack: %w", err)
	}
	if stack := described.Stacks[0]; stack.StackStatus != cloudformationtypes.StackStatusCreateComplete {
		return nil, "", fmt.Errorf("creating the stack: it is %s: %s", stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	outputs := map[string]string{}
	for _, output := range described.Stacks[0].Outputs {
		outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	return map[string][]string{
		"AutomationAssumeRole":   {outputs["AutomationRoleArn"]},
		"CloudTrailName":         {outputs["TrailName"]},
		"CloudTrailS3BucketName": {outputs["LogBucketName"]},
		"CloudTrailKmsKeyId":     {outputs["LogKeyArn"]},
	}, outputs["RunbookName"], nil
}

// writes counts the calls that change the trail: until logging is back, and in all.
func writes(execution *automation.Execution) (toLogging, toEnd int) {
	for _, call := range execution.Calls {
		if call.Service != "cloudtrail" || !call.Mutating() {
			continue
		}
		toEnd++
		if call.Step == "CreateTrail" || call.Step == "StartLogging" {
			toLogging++
		}
	}
	return toLogging, toEnd
}

func stepsToLogging(execution *automation.Execution) int {
	for i, step := range execution.Steps {
		if step.Name == "StartLogging" {
			return i + 1
		}
	}
	return len(execution.Steps)
}
