package organization

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
)

// testScenariosAreRefused: the scenarios of the drill, by name and by ARN, to whomever.
func testScenariosAreRefused(h *house) {
	g := h.guarded(memberOne)
	target := h.target(g)
	h.wantUnchanged(func() {
		for who, principal := range administrators(memberOne) {
			client := cloudtrail.NewFromConfig(h.by(memberOne, principal))
			for _, s := range drill.Scenarios() {
				if s.Takes == deployed.Tags { // there are no declared tags: see onParts
					continue
				}
				for _, name := range []string{target.ARN, g.TrailName} {
					target.Trail = name
					if err := s.Tamper(h.t.Context(), client, target); !refusedBy(err, byServiceControl) {
						h.t.Errorf("%s, by %s, on %s: %v", s.Call, who, name, err)
					}
				}
			}
		}
		h.settle()
	})
	g.WantRepaired()
}

// rows are all other calls of the catalogue, by the account in which they are made.
func (h *house) rows() map[string][]row {
	h.t.Helper()
	g := h.guarded(memberOne)
	policies := h.ids(management, preventionStack)["AWS::Organizations::Policy"]
	central := h.ids(security, centralStack)
	of := deployed.Guard{Stack: centralStack, TrailARN: h.guardARN(security), AlertTopicARN: h.output(centralStack, "AlertTopicArn"), RunbookName: centralStack,
		AutomationRoleARN: "arn:aws:iam::" + security + ":role/trailguard/" + central["AWS::IAM::Role"][0], TrailName: trailName}
	ids := h.ids(memberOne, g.Stack)
	ids["AWS::IAM::Role"] = append(ids["AWS::IAM::Role"], h.executionRole(memberOne))
	return map[string][]row{
		memberOne: slices.Concat(onStore(archive, g.LogBucketName, h.key), onConfig(memberOne, g.ConfigRuleNames), onParts(g.Guard, ids), onOrganization(policies, h.unit(""))),
		archive:   slices.Concat(onStore(archive, g.LogBucketName, h.key), h.partsOfTheArchive()),
		security:  onParts(of, central),
	}
}

// guardARN is the ARN of the trail of an account's guard.
func (h *house) guardARN(account string) string {
	return h.Account(account).Place().ARN("cloudtrail", "trail/"+trailName)
}

// executionRole is the name of the role with which StackSets deploys into an account.
func (h *house) executionRole(account string) string {
	h.t.Helper()
	for _, call := range h.Account(account).Gateway.Calls() {
		if name := call.Principal.Name(); strings.HasPrefix(name, "stacksets-exec-") {
			return name
		}
	}
	h.t.Fatalf("StackSets has not deployed into %s", account)
	return ""
}

// undenied are the rows that the policies of the app do not deny, with the reason.
var undenied = map[string]string{
	"T51": "the scenario changes nothing, and is denied as an UpdateTrail",
	"T54": "any of T03-T17 while another trail is there: the same calls",
	"T55": "T40, T42 and T43, then T08",
	"T60": "StopAutomationExecution names an execution, whose id is nobody's: DenyStopAutomation of the construct denies it to all, and no key of cdk.json does",
}

// testRowsAreRefused: all other rows of the catalogue as direct calls, to whomever.
func testRowsAreRefused(h *house) {
	done := map[string]bool{}
	for _, s := range drill.Scenarios() {
		done[s.ID] = true
	}
	all := h.rows()
	h.wantUnchanged(func() {
		for account, rows := range all {
			for who, principal := range administrators(account) {
				config := h.by(account, principal)
				for _, r := range rows {
					done[r.id] = true
					if err := r.call(h.t.Context(), config); !refusedBy(err, byServiceControl) {
						h.t.Errorf("%s: %s, by %s in %s: %v", r.id, r.what, who, account, err)
					}
				}
			}
		}
		h.settle()
	})
	for i := 1; i <= 60; i++ {
		if id := fmt.Sprintf("T%02d", i); !done[id] && undenied[id] == "" {
			h.t.Errorf("nothing was tried of %s", id)
		}
	}
}
