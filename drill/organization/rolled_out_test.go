package organization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
)

// inTargets are the accounts that the rollout deploys to.
var inTargets = []string{archive, security, delegate, memberOne, memberTwo}

// testAnAccountJoins: an account that comes under the policies gets its guard, which makes its trail.
func testAnAccountJoins(h *house) {
	h.move(sandboxed, "Sandbox", "Workloads")
	if h.memberStack(sandboxed) == "" {
		h.t.Fatal("the account has got no guard")
	}
	h.settle()
	h.wantKept(sandboxed, h.guard(sandboxed, h.memberStack(sandboxed)))
}

// rolloutOf is the template of the rollout with another template for the members.
func (h *house) rolloutOf(member testbed.Template) testbed.Template {
	h.t.Helper()
	template := h.template(rolloutStack)
	template.Resources("AWS::CloudFormation::StackSet")[0]["TemplateBody"] = member.JSON()
	return template
}

// ownTemplate is a guard that keeps its log in its own account, with rules of AWS Config.
func ownTemplate(t testbed.TB) testbed.Template {
	t.Helper()
	content, err := os.ReadFile(testbed.Golden("default.template.json"))
	testbed.Must(t, err)
	var compact bytes.Buffer
	testbed.Must(t, json.Compact(&compact, content))
	return testbed.ParseTemplate(t, compact.String())
}

// testTheTemplateIsUpdated: each member gets rules of AWS Config and a log store of its own, whose bucket and key nobody but the exempt
// roles can harm.
func testTheTemplateIsUpdated(h *house) {
	accounts := append(slices.Clone(inTargets), sandboxed)
	for _, account := range accounts {
		h.must(localaws.PutRecorder(h.t.Context(), h.inRole(account, breakGlass)))
	}
	h.must(h.deployOver(h.as(management), rolloutStack, h.rolloutOf(ownTemplate(h.t))))
	h.settle()
	for _, account := range accounts {
		guard := h.guard(account, h.memberStack(account))
		if len(guard.ConfigRuleNames) == 0 || guard.LogKeyARN == h.key {
			h.t.Errorf("%s has the guard %+v", account, guard)
		}
		h.wantKept(account, guard)
	}
	g := h.guarded(memberOne)
	rows := slices.Concat(onStore(memberOne, g.LogBucketName, g.LogKeyARN), onConfig(memberOne, g.ConfigRuleNames), onParts(g.Guard, h.ids(memberOne, g.Stack)))
	h.wantUnchanged(func() {
		for who, principal := range administrators(memberOne) {
			for _, r := range rows {
				if err := r.call(h.t.Context(), h.by(memberOne, principal)); !refusedBy(err, byServiceControl) {
					h.t.Errorf("%s: %s, by %s: %v", r.id, r.what, who, err)
				}
			}
		}
	})
}

// testAnInstanceIsRemoved: StackSets takes a guard away.
func testAnInstanceIsRemoved(h *house) {
	h.must(h.removeInstance(memberOne))
	if stack := h.memberStack(memberOne); stack != "" {
		h.t.Errorf("the account still has the stack %s", stack)
	}
}

// removeInstance has StackSets delete the stack in an account of Workloads, and returns why it cannot.
func (h *house) removeInstance(account string) error {
	h.t.Helper()
	client := cloudformation.NewFromConfig(h.as(management))
	started, err := client.DeleteStackInstances(h.t.Context(), &cloudformation.DeleteStackInstancesInput{
		StackSetName: aws.String("TrailGuard"), Regions: []string{h.region}, RetainStacks: aws.Bool(false),
		DeploymentTargets: &cloudformationtypes.DeploymentTargets{
			OrganizationalUnitIds: []string{h.unit("Workloads")}, AccountFilterType: cloudformationtypes.AccountFilterTypeIntersection, Accounts: []string{account},
		},
	})
	if err != nil {
		return err
	}
	results, err := client.ListStackSetOperationResults(h.t.Context(), &cloudformation.ListStackSetOperationResultsInput{
		StackSetName: aws.String("TrailGuard"), OperationId: started.OperationId,
	})
	h.must(err)
	for _, one := range results.Summaries {
		if one.Status != cloudformationtypes.StackSetOperationResultStatusSucceeded {
			return fmt.Errorf("in %s: %s", *one.Account, aws.ToString(one.StatusReason))
		}
	}
	return nil
}

// changed are the templates of the stacks that people deploy in bound accounts, each with a change of what the policies protect.
func (h *house) changed() map[string]testbed.Template {
	h.t.Helper()
	logs := h.template(logArchiveStack).With(h.t, func(_ testbed.TB, template testbed.Template) {
		for _, bucket := range template.Resources("AWS::S3::Bucket") {
			bucket["Tags"] = []any{map[string]any{"Key": "owner", "Value": "security"}}
		}
		for _, key := range template.Resources("AWS::KMS::Key") {
			key["Tags"] = append(key["Tags"].([]any), map[string]any{"Key": "owner", "Value": "security"})
		}
	})
	central := h.template(centralStack).With(h.t, func(_ testbed.TB, template testbed.Template) {
		for _, kind := range []string{"AWS::Events::Rule", "AWS::IAM::Role"} {
			for _, properties := range template.Resources(kind) {
				properties["Description"] = "changed"
			}
		}
		for _, topic := range template.Resources("AWS::SNS::Topic") {
			topic["DisplayName"] = "changed"
		}
	})
	return map[string]testbed.Template{logArchiveStack: logs, centralStack: central}
}

// testStacksOfPeople: the stacks that are not of the StackSet are changed by break-glass, and by no other administrator.
func testStacksOfPeople(h *house) {
	for stack, template := range h.changed() {
		account := h.accountOf(stack)
		for who, principal := range administrators(account) {
			if err := h.deployOver(h.by(account, principal), stack, template); !refusedBy(err, byServiceControl) {
				h.t.Errorf("%s updates %s: %v", who, stack, err)
			}
			if err := h.destroy(h.by(account, principal), stack); !refusedBy(err, byServiceControl) {
				h.t.Errorf("%s deletes %s: %v", who, stack, err)
			}
		}
		h.must(h.deployOver(h.inRole(account, breakGlass), stack, template))
	}
}

// testDestruction: all that stands in bound accounts can be taken away.
func testDestruction(h *house) {
	h.must(h.destroy(h.as(management), rolloutStack))
	for _, account := range inTargets {
		if stack := h.memberStack(account); stack != "" {
			h.t.Errorf("%s still has the stack %s", account, stack)
		}
	}
	for _, stack := range []string{centralStack, logArchiveStack} {
		h.must(h.destroy(h.inRole(h.accountOf(stack), breakGlass), stack))
	}
}

// testBackingOut: without the stack of the policies, the archive's bucket and key, which were retained, are their administrators' again.
func testBackingOut(h *house) {
	rows := onStore(archive, "trailguard-logs-"+archive+"-"+h.region, h.key)
	if err := rows[0].call(h.t.Context(), h.inRole(archive, administrator)); !refusedBy(err, byServiceControl) {
		h.t.Errorf("with the policies: %v", err)
	}
	h.must(h.destroy(h.as(management), preventionStack))
	for _, r := range rows {
		if r.id == "T25" { // moto fails to delete a file that testOthers has deleted
			continue
		}
		if err := r.call(h.t.Context(), h.inRole(archive, administrator)); refusedBy(err, "") {
			h.t.Errorf("without the policies: %s: %s: %v", r.id, r.what, err)
		}
	}
}

// testWithoutTheExemption is the negative control of what StackSets does: under policies that bind its roles, it can neither change nor
// take away a guard.
func testWithoutTheExemption(h *house) {
	const exempt = `"arn:aws:iam::*:role/stacksets-exec-*",`
	h.must(h.deployOver(h.as(management), preventionStack, h.template(preventionStack).With(h.t, testbed.Replaced(exempt, ""))))
	err := h.deployOver(h.as(management), rolloutStack, h.rolloutOf(ownTemplate(h.t).With(h.t, func(_ testbed.TB, template testbed.Template) {
		for _, rule := range template.Resources("AWS::Events::Rule") {
			rule["Description"] = "changed"
		}
	})))
	if err == nil || !strings.Contains(err.Error(), byServiceControl) || !strings.Contains(err.Error(), "stacksets-exec-") {
		h.t.Errorf("the update: %v", err)
	}
	if err := h.removeInstance(memberTwo); err == nil || !strings.Contains(err.Error(), byServiceControl) {
		h.t.Errorf("the removal: %v", err)
	}
	h.must(h.deployOver(h.as(management), preventionStack, h.template(preventionStack)))
}

// testWithoutTheExemptionOfTheGuard is that of the repairs: under policies that bind the guard's roles, EventBridge starts none.
func testWithoutTheExemptionOfTheGuard(h *house) {
	g := h.guarded(memberTwo)
	ran := len(g.Executions())
	h.must(h.deployOver(h.as(management), preventionStack, h.template(preventionStack).With(h.t, testbed.Replaced(`"arn:aws:iam::*:role/trailguard/*",`, ""))))
	h.harm(g, h.scenario("T01"), drill.Target{Trail: g.TrailName, ARN: g.TrailARN, Declared: g.Declared})
	s := h.archiveStore()
	s.by = h.inRole(archive, breakGlass)
	whole := s.state()
	s.disableKey()
	h.settle()
	if n := len(g.Executions()) - ran; n > 0 || len(g.Unmet()) == 0 {
		h.t.Errorf("%d repairs were started, and the trail lacks %v", n, g.Unmet())
	}
	if changed := testbed.Changed(s.state(), whole); !slices.Equal(changed, []string{"key"}) {
		h.t.Errorf("of the archive %q is not as it was", changed)
	}
	h.must(h.deployOver(h.as(management), preventionStack, h.template(preventionStack)))
	h.pass(time.Hour)
	g.WantRepaired()
	testbed.WantLogStoreState(h.t, s.state(), whole)
}
