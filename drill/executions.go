package drill

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Execution is one run of the guard's runbook.
type Execution struct {
	ID         string
	Status     string // Success, Failed, InProgress, ...
	ExecutedBy string
	Start      time.Time
	Failure    string
	Steps      []Step // those that were begun; read by ReadSteps
}

// Step is one step of an execution.
type Step struct {
	Name    string
	Status  string
	Failure string
	Start   time.Time
}

// Ended tells whether nothing more will come of an execution.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
func (x Execution) Ended() bool {
	return slices.Contains([]string{"Success", "Failed", "TimedOut", "Cancelled", "CompletedWithSuccess", "CompletedWithFailure", "Exited"}, x.Status)
}

// latest is how many executions are looked at: a scenario has a handful.
const latest = 50

// ListExecutions lists the latest executions of a runbook, the oldest first, without their steps.
func ListExecutions(ctx context.Context, api *ssm.Client, runbook string) ([]Execution, error) {
	listed, err := api.DescribeAutomationExecutions(ctx, &ssm.DescribeAutomationExecutionsInput{
		MaxResults: aws.Int32(latest),
		Filters:    []types.AutomationExecutionFilter{{Key: types.AutomationExecutionFilterKeyDocumentNamePrefix, Values: []string{runbook}}},
	})
	if err != nil {
		return nil, fmt.Errorf("listing the executions of runbook %s: %w", runbook, err)
	}
	var all []Execution
	for _, x := range slices.Backward(listed.AutomationExecutionMetadataList) {
		if aws.ToString(x.DocumentName) == runbook {
			all = append(all, Execution{
				ID: aws.ToString(x.AutomationExecutionId), Status: string(x.AutomationExecutionStatus), ExecutedBy: aws.ToString(x.ExecutedBy),
				Start: aws.ToTime(x.ExecutionStartTime), Failure: aws.ToString(x.FailureMessage),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Execution) int { return a.Start.Compare(b.Start) })
	return all, nil
}

// ReadSteps reads the steps that an execution has begun.
func ReadSteps(ctx context.Context, api *ssm.Client, x Execution) (Execution, error) {
	got, err := api.GetAutomationExecution(ctx, &ssm.GetAutomationExecutionInput{AutomationExecutionId: &x.ID})
	if err != nil {
		return x, fmt.Errorf("reading execution %s: %w", x.ID, err)
	}
	x.Steps = nil
	x.Status, x.Failure = string(got.AutomationExecution.AutomationExecutionStatus), aws.ToString(got.AutomationExecution.FailureMessage)
	for _, step := range got.AutomationExecution.StepExecutions {
		if step.ExecutionStartTime != nil {
			x.Steps = append(x.Steps, Step{
				Name: aws.ToString(step.StepName), Status: string(step.StepStatus), Failure: aws.ToString(step.FailureMessage), Start: *step.ExecutionStartTime,
			})
		}
	}
	return x, nil
}

// countCalls counts the steps of executions that called CloudTrail to change the trail: those until logging was back, and
// all. A step that was retried counts once, because AWS does not tell.
func (r Runbook) countCalls(executions []Execution) (toLogging, all int) {
	var steps []Step
	for _, x := range executions {
		steps = append(steps, x.Steps...)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Start.UnixNano(), b.Start.UnixNano()) })
	back := false
	for _, step := range steps {
		operation, changes := r.call(step.Name)
		if !changes {
			continue
		}
		all++
		if !back {
			toLogging++
		}
		back = back || operation == "StartLogging" && strings.EqualFold(step.Status, "Success")
	}
	return toLogging, all
}
