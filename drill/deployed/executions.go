package deployed

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// logStore is the value of the parameter Resource of a runbook that restores a trail and a log store. By default it restores the trail.
const logStore = "log store"

// Execution is one run of the guard's runbook.
type Execution struct {
	ID         string
	Status     string // Success, Failed, InProgress, ...
	ExecutedBy string
	Version    string // of the runbook
	StartedBy  string // event, schedule, Config or hand, as the start said; read by ReadSteps
	OfLogStore bool   // whether it restores the log store, not the trail; read by ReadSteps
	Start, End time.Time
	Failure    string
	Steps      []Step     // those that were begun; read by ReadSteps
	Report     *RunReport // what the run says of itself; read by ReadSteps; nil if it says nothing
}

// Step is one step of an execution.
type Step struct {
	Name    string
	Status  string
	Failure string
	Start   time.Time
}

// ByStart are executions in the order in which they started.
func ByStart(executions []Execution) []Execution {
	return slices.SortedStableFunc(slices.Values(executions), func(a, b Execution) int { return a.Start.Compare(b.Start) })
}

// Ended tells whether nothing more will come of an execution.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-statuses.html
func (x Execution) Ended() bool {
	return slices.Contains([]string{"Success", "Failed", "TimedOut", "Cancelled", "CompletedWithSuccess", "CompletedWithFailure", "Exited"}, x.Status)
}

// LatestExecutions is how many executions ListExecutions lists: a scenario has a handful.
const LatestExecutions = 50

// ListExecutions lists the latest executions of a runbook, the oldest first, without their steps.
func ListExecutions(ctx context.Context, api SSM, runbook string) ([]Execution, error) {
	listed, err := api.DescribeAutomationExecutions(ctx, &ssm.DescribeAutomationExecutionsInput{
		MaxResults: aws.Int32(LatestExecutions),
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
				Version: aws.ToString(x.DocumentVersion), Start: aws.ToTime(x.ExecutionStartTime), End: aws.ToTime(x.ExecutionEndTime),
				Failure: aws.ToString(x.FailureMessage),
			})
		}
	}
	return ByStart(all), nil
}

// ReadSteps reads the steps that an execution has begun.
func ReadSteps(ctx context.Context, api SSM, x Execution) (Execution, error) {
	got, err := api.GetAutomationExecution(ctx, &ssm.GetAutomationExecutionInput{AutomationExecutionId: &x.ID})
	if err != nil {
		return x, fmt.Errorf("reading execution %s: %w", x.ID, err)
	}
	x.Steps = nil
	x.StartedBy, x.End = strings.Join(got.AutomationExecution.Parameters["StartedBy"], ""), aws.ToTime(got.AutomationExecution.ExecutionEndTime)
	x.OfLogStore = strings.Join(got.AutomationExecution.Parameters["Resource"], "") == logStore
	x.Status, x.Failure = string(got.AutomationExecution.AutomationExecutionStatus), aws.ToString(got.AutomationExecution.FailureMessage)
	for _, step := range got.AutomationExecution.StepExecutions {
		if step.ExecutionStartTime != nil {
			x.Steps = append(x.Steps, Step{
				Name: aws.ToString(step.StepName), Status: string(step.StepStatus), Failure: aws.ToString(step.FailureMessage), Start: *step.ExecutionStartTime,
			})
		}
	}
	x.Report = parseRunReport(strings.Join(got.AutomationExecution.Outputs["Reconcile.Report"], ""))
	for _, step := range x.Steps {
		if x.Report == nil {
			x.Report = parseRunReport(step.Failure)
		}
	}
	return x, nil
}
