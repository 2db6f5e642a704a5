package localaws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// CreateStack deploys a template, and returns once all of it is there. What the end of the deployment starts has not run yet. config is
// that of an administrator.
func CreateStack(ctx context.Context, config aws.Config, name, template string, capabilities ...types.Capability) error {
	client := cloudformation.NewFromConfig(config)
	if _, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template, Capabilities: capabilities}); err != nil {
		return fmt.Errorf("deploying the template: %w", err)
	}
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return fmt.Errorf("deploying the template: %w", err)
	}
	if stack := described.Stacks[0]; stack.StackStatus != types.StackStatusCreateComplete {
		return fmt.Errorf("deploying the template: stack %s is %s: %s", name, stack.StackStatus, aws.ToString(stack.StackStatusReason))
	}
	return nil
}
