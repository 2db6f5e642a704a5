package status

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
)

// lookAtOrganizationPolicy compares a policy of AWS Organizations with the template's, and looks whether it is attached.
func lookAtOrganizationPolicy(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.Organizations.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &r.name})
	switch f.read(err, "PolicyNotFoundException") {
	case gone:
		f.wrong(revert, "it is deleted")
		return
	case seen:
		f.comparePolicy(r.properties["Content"], aws.ToString(described.Policy.Content))
	}
	var attached []string
	pages := organizations.NewListTargetsForPolicyPaginator(v.Organizations, &organizations.ListTargetsForPolicyInput{PolicyId: &r.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if f.read(err) != seen {
			return
		}
		for _, target := range page.Targets {
			attached = append(attached, aws.ToString(target.TargetId))
		}
	}
	for _, target := range list(r.properties["TargetIds"]) {
		id, isID := target.(string)
		switch {
		case !isID:
			f.compare(revert, "TargetIds", target, nil)
		case !slices.Contains(attached, id):
			f.wrong("aws organizations attach-policy --policy-id "+r.name+" --target-id "+id, "it is not attached to %s", id)
		}
	}
}
