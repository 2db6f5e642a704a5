package deployed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// Resources are the physical ids of the resources of a stack, by type.
type Resources map[string][]string

// ReadResources lists the resources of a guard's stack.
func ReadResources(ctx context.Context, clients Clients, guard Guard) (Resources, error) {
	resources := Resources{}
	pages := cloudformation.NewListStackResourcesPaginator(clients.CloudFormation, &cloudformation.ListStackResourcesInput{StackName: &guard.Stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the resources of stack %s: %w", guard.Stack, err)
		}
		for _, resource := range page.StackResourceSummaries {
			kind := aws.ToString(resource.ResourceType)
			resources[kind] = append(resources[kind], aws.ToString(resource.PhysicalResourceId))
		}
	}
	return resources, nil
}
