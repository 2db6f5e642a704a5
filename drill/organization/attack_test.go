package organization

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/api"
)

// attacker is somebody who may do everything in an account, as far as no policy of the organization or of a resource takes it away.
type attacker struct {
	kind string
	who  api.Principal
	arn  string // as the messages have it
}

// attackers are those of an account.
func (h *house) attackers(account string) []attacker {
	place := h.Account(account).Place()
	role := api.Principal{Type: api.AssumedRole, ARN: place.GlobalARN("iam", "role/Operations"), SessionName: "mallory"}
	h.Account(account).Administrate(role)
	root, user := place.GlobalARN("iam", "root"), place.GlobalARN("iam", "user/mallory")
	return []attacker{
		{"root", api.Principal{Type: api.Root, ARN: root}, root},
		{"role", role, place.GlobalARN("sts", "assumed-role/Operations/mallory")},
		{"user", api.Principal{Type: api.IAMUser, ARN: user}, user},
	}
}

// trailsOf is the CloudTrail of an attacker of an account.
func (h *house) trailsOf(account string, a attacker) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(h.Account(account).Config(a.who))
}

// messages of the central topic, each with the account where, and who did it.

func (h *house) tampering(call, account string, by attacker) string {
	return fmt.Sprintf("TAMPERING: %s in account %s, %s, by %s from ", call, account, h.region, by.arn)
}

func (h *house) refusedCall(call, account string, by attacker) string {
	return fmt.Sprintf("REFUSED: %s in account %s, %s, by %s from ", call, account, h.region, by.arn)
}

func (h *house) repaired(account string) string {
	return fmt.Sprintf("REPAIRED: CloudTrail trail %s in account %s, %s, at ", trailName, account, h.region)
}

func (h *house) notRepaired(account string) string { return "NOT " + h.repaired(account) }

func (h *house) repairFailed(account string) string {
	return fmt.Sprintf("REPAIR Failed: in account %s, %s, at ", account, h.region)
}

// ofOrganization is the message of a call to AWS Organizations by an administrator of the management account.
func (h *house) ofOrganization(call string) string {
	return fmt.Sprintf("ORGANIZATION: %s in account %s, us-east-1, by %s from ", call, management, h.Management().Administrator().ARN)
}

// toldAt is what a message ends with, or goes on with, after what it is known to begin with.
var toldAt = regexp.MustCompile(`^(127\.0\.0\.1 at )?2030-01-[0-9T:]+Z(\.|: [A-Za-z0-9]+\.|, execution [0-9a-f-]+\.|\. cdk deploy --revert-drift puts it back\.)(\n|$)`)

// wantHeard reports messages of the central topic, since the last call, that are not exactly those that begin so.
func (h *house) wantHeard(what string, beginnings ...string) []string {
	h.t.Helper()
	slices.Sort(beginnings)
	messages := h.heard()
	matches := len(messages) == len(beginnings)
	for i := 0; matches && i < len(messages); i++ {
		rest, found := strings.CutPrefix(messages[i], beginnings[i])
		matches = found && toldAt.MatchString(rest)
	}
	if !matches {
		h.t.Errorf("%s: the central topic was told\n\t%s\nnot\n\t%s", what, strings.Join(messages, "\n\t"), strings.Join(beginnings, "\n\t"))
	}
	return messages
}

// tamper makes a scenario in an account, and tells whether the call was let through.
func (h *house) tamper(scenario drill.Scenario, account string, by attacker, guard deployed.Guard, trail string) bool {
	h.t.Helper()
	target := drill.Target{Trail: trail, ARN: guard.TrailARN, Declared: guard.Declared}
	if scenario.Needs != "" {
		_, err := drill.NewProvisioner(h.clients(guard.Account()), guard).Provision(h.t.Context(), scenario.Needs, &target)
		h.must(err)
	}
	err := scenario.Tamper(h.t.Context(), h.trailsOf(account, by), target)
	if testbed.HasCode(err, append(scenario.Refusals, "NotOrganizationMasterAccountException")...) {
		return false
	}
	if err != nil {
		h.must(errors.Join(fmt.Errorf("%s: %s by %s in %s", scenario.ID, scenario.Call, by.kind, account), err))
	}
	return true
}

// watches tells whether an account has a watch, which tells of calls that were refused as well.
func (h *house) watches(account string) bool {
	return h.keys["members"] != "guard" && account != management
}

// eventName is the name of a scenario's call.
func eventName(s drill.Scenario) string { return strings.Fields(s.Call)[1] }

// wantEachScenarioRepairedAndToldOnce makes each scenario that applies, in the accounts and by the attackers in turn.
func (h *house) wantEachScenarioRepairedAndToldOnce(guards map[string]deployed.Guard, trailOf func(deployed.Guard) string) {
	h.t.Helper()
	accounts, turn := sorted(guards), 0
	pairs := map[string]bool{}
	for _, scenario := range drill.Scenarios() {
		account := accounts[turn%len(accounts)]
		guard := guards[account]
		by := h.attackers(account)[(turn+turn/len(accounts))%3]
		if scenario.NotApplicable(guard) != "" {
			continue
		}
		turn++
		pairs[account+by.kind] = true
		h.step(fmt.Sprintf("%s by %s in %s", scenario.Call, by.kind, account), func(h *house) {
			through := h.tamper(scenario, account, by, guard, trailOf(guard))
			h.settle()
			h.wantKept(account, guard)
			switch {
			case !through && h.watches(account):
				h.wantHeard("refused by CloudTrail", h.refusedCall(eventName(scenario), account, by))
			case !through:
				h.wantHeard("refused by CloudTrail")
			case scenario.Harmless:
				h.wantHeard("harmless", h.tampering(eventName(scenario), account, by))
			default:
				messages := h.wantHeard("tampering", h.tampering(eventName(scenario), account, by), h.repaired(account))
				if n := len(slices.DeleteFunc(messages, func(m string) bool { return !strings.Contains(m, "started by event") })); n != 1 {
					h.t.Errorf("%d reports say that an event started the repair", n)
				}
			}
		})
	}
	if len(pairs) < 3*len(accounts) {
		h.t.Errorf("the %d scenarios that apply leave out an attacker in an account: %v", turn, sorted(pairs))
	}
}

func target(guard deployed.Guard) drill.Target {
	return drill.Target{Trail: guard.TrailARN, ARN: guard.TrailARN, Declared: guard.Declared}
}
