package status

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// stackInstances are the instances of a StackSet.
func stackInstances(ctx context.Context, api CloudFormation, name string, as types.CallAs) (all []types.StackInstanceSummary, err error) {
	pages := cloudformation.NewListStackInstancesPaginator(api, &cloudformation.ListStackInstancesInput{StackSetName: &name, CallAs: as})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Summaries...)
	}
	return all, nil
}

// lookAtStackSet compares a StackSet with the template's, and looks whether each account has the stack that it makes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
func lookAtStackSet(ctx context.Context, v *view, r resource, f *Finding) {
	as := types.CallAs(r.text("CallAs"))
	described, err := v.CloudFormation.DescribeStackSet(ctx, &cloudformation.DescribeStackSetInput{StackSetName: &r.name, CallAs: as})
	switch f.read(err, "StackSetNotFoundException") {
	case gone:
		f.wrong(revert+": nothing is rolled out meanwhile, and no account that joins gets a stack", "it is deleted")
		return
	case seen:
		set := described.StackSet
		f.Name = aws.ToString(set.StackSetName)
		f.compare(revert, "TemplateBody", opened(r.properties["TemplateBody"]), opened(aws.ToString(set.TemplateBody)))
		f.compare(revert, "AutoDeployment", r.properties["AutoDeployment"], plain(set.AutoDeployment))
		f.compare(revert, "ManagedExecution", r.properties["ManagedExecution"], plain(set.ManagedExecution))
	}
	instances, err := stackInstances(ctx, v.CloudFormation, r.name, as)
	if f.read(err) != seen {
		return
	}
	for _, one := range instances {
		if one.Status == types.StackInstanceStatusCurrent {
			continue
		}
		account, region, option := aws.ToString(one.Account), aws.ToString(one.Region), ""
		if as == types.CallAsDelegatedAdmin {
			option = " --call-as DELEGATED_ADMIN"
		}
		f.wrong("mend what it says, and roll out again: aws cloudformation update-stack-instances"+option+" --stack-set-name "+f.Name+" --regions "+region+
			" --deployment-targets OrganizationalUnitIds="+aws.ToString(one.OrganizationalUnitId)+",AccountFilterType=INTERSECTION,Accounts="+account,
			"the stack of account %s, %s, is %s: %s", account, region, one.Status, cut(aws.ToString(one.StatusReason)))
	}
}
