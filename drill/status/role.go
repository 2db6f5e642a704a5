package status

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// lookAtRole compares a role with the template's: who may assume it, its boundary, and which policies it has.
func lookAtRole(ctx context.Context, v *view, r resource, f *Finding) {
	got, err := v.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.name})
	switch f.read(err, "NoSuchEntity", "NoSuchEntityException") {
	case gone:
		f.wrong(revert, "it is deleted")
		return
	case seen:
		f.differ(revert, policyDifferences(r.properties["AssumeRolePolicyDocument"], unescaped(aws.ToString(got.Role.AssumeRolePolicyDocument))))
		var boundary any
		if got.Role.PermissionsBoundary != nil {
			boundary = orNone(aws.ToString(got.Role.PermissionsBoundary.PermissionsBoundaryArn))
		}
		f.compare(boundaryMend(r), "PermissionsBoundary", r.properties["PermissionsBoundary"], boundary)
	}
	attached := []any{}
	managed := iam.NewListAttachedRolePoliciesPaginator(v.IAM, &iam.ListAttachedRolePoliciesInput{RoleName: &r.name})
	for managed.HasMorePages() {
		page, err := managed.NextPage(ctx)
		if f.read(err) != seen {
			attached = nil
			break
		}
		attached = append(attached, anys(arnsOf(page.AttachedPolicies))...)
	}
	if attached != nil {
		mend := revert
		if r.properties["ManagedPolicyArns"] == nil { // CloudFormation leaves what the template does not declare
			mend = "aws iam detach-role-policy --role-name " + r.name + " --policy-arn ARN"
		}
		f.compare(mend, "ManagedPolicies", list(r.properties["ManagedPolicyArns"]), attached)
	}
	lookAtInlinePolicies(ctx, v, r, f)
}

func boundaryMend(r resource) string {
	if r.properties["PermissionsBoundary"] == nil {
		return "aws iam delete-role-permissions-boundary --role-name " + r.name
	}
	return revert
}

func arnsOf(policies []types.AttachedPolicy) (arns []string) {
	for _, policy := range policies {
		arns = append(arns, aws.ToString(policy.PolicyArn))
	}
	return arns
}

// lookAtInlinePolicies looks for policies that the template does not give the role: one that denies something disables it. What the
// policies of the template say is looked at with them.
func lookAtInlinePolicies(ctx context.Context, v *view, r resource, f *Finding) {
	declared := map[string]any{}
	for _, policy := range list(r.properties["Policies"]) {
		of, _ := policy.(map[string]any)
		name, _ := of["PolicyName"].(string)
		declared[name] = of["PolicyDocument"]
	}
	var others []string // in resources of their own
	for _, policy := range v.stack.of("AWS::IAM::Policy") {
		if slices.Contains(list(policy.properties["Roles"]), any(r.name)) {
			others = append(others, policy.text("PolicyName"))
		}
	}
	pages := iam.NewListRolePoliciesPaginator(v.IAM, &iam.ListRolePoliciesInput{RoleName: &r.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if f.read(err) != seen {
			return
		}
		for _, name := range page.PolicyNames {
			if _, is := declared[name]; !is && !slices.Contains(others, name) {
				f.wrong("aws iam delete-role-policy --role-name "+r.name+" --policy-name "+name, "it has a policy %s that is not in the template", name)
			}
		}
	}
	for name, document := range declared {
		lookAtInlinePolicy(ctx, v, r.name, name, document, f)
	}
}

func lookAtInlinePolicy(ctx context.Context, v *view, role, name string, document any, f *Finding) {
	got, err := v.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
	switch f.read(err, "NoSuchEntity", "NoSuchEntityException") {
	case gone:
		f.wrong(revert, "policy %s of role %s is deleted", name, role)
	case seen:
		f.comparePolicy(document, unescaped(aws.ToString(got.PolicyDocument)))
	}
}

// lookAtRolePolicy compares a policy of roles with the template's.
func lookAtRolePolicy(ctx context.Context, v *view, r resource, f *Finding) {
	f.Name = r.text("PolicyName")
	for _, role := range list(r.properties["Roles"]) {
		name, isName := role.(string)
		if !isName {
			f.compare(revert, "Roles", role, nil)
			continue
		}
		lookAtInlinePolicy(ctx, v, name, f.Name, r.properties["PolicyDocument"], f)
	}
	if len(list(r.properties["Users"]))+len(list(r.properties["Groups"])) > 0 {
		f.NotSeen = append(f.NotSeen, NotSeen{What: "the policies of users and groups are not looked at"})
	}
}
