package organization

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/drill/status"
	"github.com/trailguard/trailguard/localaws/repository"
)

// statusRole is the role of examples/status-role.json.
const statusRole = "ReadTrailGuard"

// letSee rolls out the role with which status reads each account, and lets the security account list them, as docs/organization.md says.
func (h *house) letSee() {
	h.t.Helper()
	content, err := os.ReadFile(repository.Path("examples", "status-role.json"))
	h.must(err)
	template, named := string(content), []cloudformationtypes.Capability{cloudformationtypes.CapabilityCapabilityNamedIam}
	parameters := []cloudformationtypes.Parameter{{ParameterKey: aws.String("CallerAccount"), ParameterValue: aws.String(security)}}
	client := cloudformation.NewFromConfig(h.as(management))
	_, err = client.CreateStack(h.t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String(statusRole), TemplateBody: &template, Parameters: parameters, Capabilities: named,
	})
	h.must(err)
	_, err = client.CreateStackSet(h.t.Context(), &cloudformation.CreateStackSetInput{
		StackSetName: aws.String(statusRole), TemplateBody: &template, Parameters: parameters, Capabilities: named,
		PermissionModel: cloudformationtypes.PermissionModelsServiceManaged,
		AutoDeployment:  &cloudformationtypes.AutoDeployment{Enabled: aws.Bool(true), RetainStacksOnAccountRemoval: aws.Bool(false)},
	})
	h.must(err)
	_, err = client.CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: aws.String(statusRole), Regions: []string{h.region},
		DeploymentTargets: &cloudformationtypes.DeploymentTargets{OrganizationalUnitIds: []string{h.unit("")}},
	})
	h.must(err)
	service := aws.String("config.amazonaws.com")
	_, err = h.organizations().EnableAWSServiceAccess(h.t.Context(), &organizations.EnableAWSServiceAccessInput{ServicePrincipal: service})
	h.must(err)
	_, err = h.organizations().RegisterDelegatedAdministrator(h.t.Context(), &organizations.RegisterDelegatedAdministratorInput{AccountId: aws.String(security), ServicePrincipal: service})
	h.must(err)
}

// status is what a session of the role in the security account sees of the organization, by calls that change nothing.
func (h *house) status() status.OrganizationReport {
	h.t.Helper()
	var report status.OrganizationReport
	h.wantUnchanged(func() {
		config := h.inRole(security, statusRole)
		reach, err := status.AssumeRole(h.t.Context(), config, statusRole)
		h.must(err)
		all, err := status.ReadOrganization(h.t.Context(), status.NewDirectory(config), nil)
		h.must(err)
		report, err = status.InspectOrganization(h.t.Context(), reach, all, h.Clock.Now(), status.OrganizationOptions{
			NamePrefixes: []string{"TrailGuard", "StackSet-TrailGuard-"}, Regions: slices.Compact([]string{h.region, "us-east-1"}),
		})
		h.must(err)
	})
	return report
}

// told is what a report says that is not whole, in lines: the account, the part, and what is wrong with it or not seen of it.
func told(report status.OrganizationReport) (lines []string) {
	for _, one := range report.Accounts {
		add := func(part string, problems []status.Problem, notSeen []status.NotSeen) {
			for _, problem := range problems {
				lines = append(lines, fmt.Sprintf("%s %s: %s (mend: %s)", one.Account.ID, part, problem.What, problem.Mend))
			}
			for _, unseen := range notSeen {
				lines = append(lines, fmt.Sprintf("%s %s: not seen: %s", one.Account.ID, part, unseen.What))
			}
		}
		add("account", one.Problems, one.NotSeen)
		for _, stack := range one.Stacks {
			for _, f := range stack.Findings {
				add(f.Part+" "+f.Name, f.Problems, f.NotSeen)
			}
		}
	}
	return lines
}

// wantTold reports what status does not say, or says besides that the sandbox has no guard: words that a line has, for each line.
func (h *house) wantTold(when string, wants ...[]string) {
	h.t.Helper()
	report := h.status()
	lines := told(report)
	wants = append(wants, []string{sandboxed + " account: no guard: ", "--except " + sandboxed})
	for _, want := range wants {
		i := slices.IndexFunc(lines, func(line string) bool {
			return !slices.ContainsFunc(want, func(words string) bool { return !strings.Contains(line, words) })
		})
		if i < 0 {
			h.t.Errorf("%s: status does not say %q, but\n\t%s", when, want, strings.Join(lines, "\n\t"))
			return
		}
		lines = slices.Delete(lines, i, i+1)
	}
	if len(lines) > 0 || report.Whole() {
		h.t.Errorf("%s: status says that it is whole: %v, and besides\n\t%s", when, report.Whole(), strings.Join(lines, "\n\t"))
	}
}

// testStatusOfAll looks at all accounts while all is well, and while something is wrong in each.
func testStatusOfAll(h *house) {
	h.letSee()
	h.wantTold("all is well")
	h.step("all stacks of all accounts are looked at", func(h *house) {
		for _, one := range h.status().Accounts {
			parts := map[string]int{}
			for _, stack := range one.Stacks {
				parts[stack.Guard.Stack] = len(stack.Findings)
			}
			for _, stack := range order {
				if h.has(stack) && h.accountOf(stack) == one.Account.ID && stack != preventionStack && parts[stack] < 2 {
					h.t.Errorf("of stack %s there are %d parts", stack, parts[stack])
				}
			}
			if stack := h.memberStack(one.Account.ID); stack != "" && parts[stack] < 7 {
				h.t.Errorf("of stack %s there are %d parts", stack, parts[stack])
			}
		}
	})

	ctx, bus := h.t.Context(), aws.String("trailguard")
	events := eventbridge.NewFromConfig(h.as(memberOne))
	rule := aws.String(strings.ReplaceAll(h.ids(memberOne, h.memberStack(memberOne))["AWS::Events::Rule"][0], "default|", ""))
	_, err := events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: rule})
	h.must(err)
	central := eventbridge.NewFromConfig(h.as(security))
	before, err := central.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: bus})
	h.must(err)
	_, err = central.PutPermission(ctx, &eventbridge.PutPermissionInput{EventBusName: bus, Policy: aws.String(strings.Replace(*before.Policy, organizationID, "o-zzzzzzzzzz", 1))})
	h.must(err)
	roles := iam.NewFromConfig(h.as(delegate))
	role, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(statusRole)})
	h.must(err)
	trusted, err := url.QueryUnescape(*role.Role.AssumeRolePolicyDocument)
	h.must(err)
	trust := func(policy string) {
		h.t.Helper()
		_, err := roles.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(statusRole), PolicyDocument: &policy})
		h.must(err)
	}
	trust(strings.ReplaceAll(trusted, security, outsider))
	restore := h.withBucketPolicy(func(statements []any) []any { return statements[1:] })

	h.wantTold("something is wrong in each account",
		[]string{memberOne + " event rule " + *rule, "State is DISABLED, want ENABLED (mend: aws events enable-rule --name " + *rule + ")"},
		[]string{security + " event bus policy Organization of trailguard: statement Organization: Condition.StringEquals", "(mend: cdk deploy TrailGuardCentral --revert-drift)"},
		[]string{delegate + " account: not seen: arn:aws:iam::" + delegate + ":role/ReadTrailGuard cannot be assumed: it is not there, does not trust the caller, or"},
		[]string{archive + " bucket policy ", " is missing (mend: cdk deploy TrailGuardLogArchive --revert-drift)"},
	)

	restore()
	trust(trusted)
	_, err = central.PutPermission(ctx, &eventbridge.PutPermissionInput{EventBusName: bus, Policy: before.Policy})
	h.must(err)
	_, err = events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: rule})
	h.must(err)
	h.wantTold("all is put back")
	h.settle()
	h.heard()
}

// testStatusOfWhatIsGone deletes what other stacks name, and what a StackSet has made.
func testStatusOfWhatIsGone(h *house) {
	h.letSee()
	h.wantTold("all is well")
	stack := h.memberStack(archive)
	h.must(h.destroy(h.as(archive), stack))
	other := h.memberStack(memberOne)
	h.must(h.deployOver(h.as(memberOne), other, h.memberTemplate().With(h.t, func(_ testbed.TB, template testbed.Template) {
		for _, rule := range template.Resources("AWS::Events::Rule") {
			rule["State"] = "DISABLED"
		}
	})))
	h.must(h.destroy(h.as(security), centralStack))
	h.must(h.destroy(h.configOf(managementStack), managementStack))
	h.wantTold("stacks are gone",
		[]string{archive + " account: stack " + stack + " is deleted, which a StackSet has made (mend: where the StackSet is: aws cloudformation delete-stack-instances --retain-stacks "},
		[]string{memberOne + " stack " + other + ": its template is not that of the StackSet which has made it"},
		[]string{security + " account: event bus trailguard is deleted, to which rules of these accounts send: ", memberTwo},
		[]string{management + " account: no guard: no stack that was looked at guards a trail of the management account"},
	)
}

// testStatusUnderPolicies looks at all accounts while the policies bind them, and while those are detached.
func testStatusUnderPolicies(h *house) {
	h.listen()
	h.letSee()
	h.wantTold("the policies are attached")
	unit := h.unit("Workloads")
	h.withoutPolicies("Workloads", func() {
		detached := []string{management + " organization policy p-", ": it is not attached to " + unit + " (mend: aws organizations attach-policy --policy-id p-", " --target-id " + unit}
		h.wantTold("the policies of a kind are detached", detached)
	}, resourceControl)
}
