package status

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
)

// lookAtOrganization looks whether an organization's trail has what it needs of the organization.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
func lookAtOrganization(ctx context.Context, v *view, f *Finding) {
	const principal = "cloudtrail.amazonaws.com"
	described, err := v.Organizations.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	switch f.read(err, "AWSOrganizationsNotInUseException") {
	case unseen:
		return
	case gone:
		f.wrong("create the organization, or invite the account again, and declare another kind of trail meanwhile", "the account is in no organization, and the trail is an organization's")
		return
	}
	f.Name = aws.ToString(described.Organization.Id)
	if described.Organization.FeatureSet != types.OrganizationFeatureSetAll {
		f.wrong("aws organizations enable-all-features", "the organization has the features %s only", described.Organization.FeatureSet)
	}
	pages := organizations.NewListAWSServiceAccessForOrganizationPaginator(v.Organizations, &organizations.ListAWSServiceAccessForOrganizationInput{})
	trusted := false
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if f.read(err) != seen {
			return
		}
		trusted = trusted || slices.ContainsFunc(page.EnabledServicePrincipals, func(one types.EnabledServicePrincipal) bool {
			return aws.ToString(one.ServicePrincipal) == principal
		})
	}
	if !trusted {
		f.wrong("aws organizations enable-aws-service-access --service-principal "+principal, "CloudTrail has no trusted access: the trail does not reach the members")
	}
}
