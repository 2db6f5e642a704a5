package eventbridge

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// matching are the rules of a golden template of an organization whose patterns match an event.
func matching(t *testing.T, name string, event map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(repository.Path("constructs", "organization", "testdata", name+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ EventPattern json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	rules := []string{}
	for id, resource := range template.Resources {
		if resource.Type != "AWS::Events::Rule" || strings.Contains(string(resource.Properties.EventPattern), `"Ref"`) {
			continue
		}
		var pattern bytes.Buffer
		if err := json.Compact(&pattern, resource.Properties.EventPattern); err != nil {
			t.Fatal(err)
		}
		if parse(t, pattern.String()).Matches(event) {
			rules = append(rules, id)
		}
	}
	slices.Sort(rules)
	return strings.Join(rules, ", ")
}

// call is an event of CloudTrail of a service; more is added to its detail.
func call(t *testing.T, service, name, parameters, more string) map[string]any {
	event := apiCall(t, name, "assumed role", parameters, more)
	event["source"] = "aws." + service
	return event
}

// TestAWatchSeesWhatIsTriedAndOthersLives asks the rules of a member without a trail, and those of the central event bus that gets what it hands on.
func TestAWatchSeesWhatIsTriedAndOthersLives(t *testing.T) {
	const denied = `,"errorCode":"AccessDenied"`
	shadow := `{"name":"arn:aws:cloudtrail:us-east-1:111111111111:trail/trailguard"}`
	for _, test := range []struct {
		name           string
		event          map[string]any
		watch, central string
	}{
		{"stopping the shadow trail, refused", call(t, "cloudtrail", "StopLogging", shadow, denied), "Refused", "Refused"},
		{"stopping it by its name, refused without parameters", call(t, "cloudtrail", "StopLogging", `null`, denied), "Refused", "Refused"},
		{"changing its selectors", call(t, "cloudtrail", "PutEventSelectors", `{"trailName":"trailguard"}`, ``), "Tampering", "Tampering"},
		{"stopping another trail", call(t, "cloudtrail", "StopLogging", `{"name":"mine"}`, ``), "", "Tampering"},
		{"stopping the recorder", call(t, "config", "StopConfigurationRecorder", `{"configurationRecorderName":"default"}`, ``), "Tampering", "Tampering"},
		{"deleting a rule", call(t, "config", "DeleteConfigRule", `{"configRuleName":"r"}`, ``), "Tampering", "Tampering"},
		{"a stack that deletes its own rule", func() map[string]any {
			event := call(t, "config", "DeleteConfigRule", `{"configRuleName":"r"}`, ``)
			event["detail"].(map[string]any)["userIdentity"].(map[string]any)["invokedBy"] = "cloudformation.amazonaws.com"
			return event
		}(), "", "Tampering"},
		{"leaving the organization", call(t, "organizations", "LeaveOrganization", `null`, ``), "Tampering", "Organization"},
		{"leaving it, refused", call(t, "organizations", "LeaveOrganization", `null`, denied), "Refused", "Refused"},
		{"reading the trail", call(t, "cloudtrail", "GetTrailStatus", shadow, ``), "", "Tampering"}, // nobody hands it on
		{"a report", map[string]any{"source": "trailguard", "detail-type": "TrailGuard Repair", "detail": map[string]any{"subject": "REPAIRED"}}, "", "Repaired"},
		{"a failed run", map[string]any{"source": "aws.ssm", "detail-type": "EC2 Automation Execution Status-change Notification", "detail": map[string]any{"Status": "Failed"}}, "", "RepairFailed"},
		{"a run", map[string]any{"source": "aws.ssm", "detail-type": "EC2 Automation Execution Status-change Notification", "detail": map[string]any{"Status": "Success"}}, "", ""},
	} {
		if got := matching(t, "member-watch", test.event); got != test.watch {
			t.Errorf("%s: of the watch's rules %q match, not %q", test.name, got, test.watch)
		}
		if got := matching(t, "central", test.event); got != test.central {
			t.Errorf("%s: of the central rules %q match, not %q", test.name, got, test.central)
		}
	}
}

// TestWhatHarmsTheGuardFromTheOrganizationsSideIsSeen asks the rule in the management account.
func TestWhatHarmsTheGuardFromTheOrganizationsSideIsSeen(t *testing.T) {
	for _, test := range []struct {
		service, name, parameters, more string
		seen                            bool
	}{
		{"organizations", "DisableAWSServiceAccess", `{"servicePrincipal":"cloudtrail.amazonaws.com"}`, ``, true},
		{"organizations", "DisableAWSServiceAccess", `{"servicePrincipal":"member.org.stacksets.cloudformation.amazonaws.com"}`, ``, true},
		{"organizations", "DisableAWSServiceAccess", `{"servicePrincipal":"backup.amazonaws.com"}`, ``, false},
		{"organizations", "DeregisterDelegatedAdministrator", `{"accountId":"1","servicePrincipal":"cloudtrail.amazonaws.com"}`, ``, true},
		{"organizations", "DeregisterDelegatedAdministrator", `{"accountId":"1","servicePrincipal":"sso.amazonaws.com"}`, ``, false},
		{"cloudtrail", "DeregisterOrganizationDelegatedAdmin", `{"delegatedAdminAccountId":"1"}`, ``, true},
		{"organizations", "DetachPolicy", `{"policyId":"p-a1b2c3d4","targetId":"r-ab12"}`, ``, true},
		{"organizations", "UpdatePolicy", `{"policyId":"p-a1b2c3d4","content":"{}"}`, ``, true},
		{"organizations", "DeletePolicy", `{"policyId":"p-a1b2c3d4"}`, ``, true},
		{"organizations", "DeletePolicy", `{"policyId":"p-a1b2c3d4"}`, `,"errorCode":"AccessDeniedException"`, false},
		{"organizations", "DisablePolicyType", `{"rootId":"r-ab12","policyType":"SERVICE_CONTROL_POLICY"}`, ``, true},
		{"organizations", "DisablePolicyType", `{"rootId":"r-ab12","policyType":"TAG_POLICY"}`, ``, false},
		{"organizations", "RemoveAccountFromOrganization", `{"accountId":"1"}`, ``, true},
		{"organizations", "MoveAccount", `{"accountId":"1"}`, ``, true},
		{"organizations", "AttachPolicy", `{"policyId":"p-a1b2c3d4","targetId":"r-ab12"}`, ``, false},
		{"organizations", "CreateAccount", `{}`, ``, false},
	} {
		got := matching(t, "organization-events", call(t, test.service, test.name, test.parameters, test.more)) == "Organization"
		if got != test.seen {
			t.Errorf("%s %s%s: it is seen: %t", test.name, test.parameters, test.more, got)
		}
	}
}
