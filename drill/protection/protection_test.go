// Package protection_test puts to two evaluators of policies what an account may still do under the policies of package protection: one
// that was not written here, and that of the local AWS.
package protection_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// ask is the question whether a principal may make a call.
func (c call) ask(row string, options int, principal api.Principal, want bool) question {
	owner := c.account
	if owner == "" {
		owner = member
	}
	return question{name: fmt.Sprintf("%s, %s: %s by %s on %s", cases[options].name, row, c.action, short(principal), c.resource),
		principal: principal, action: c.action, resource: c.resource, owner: owner, keys: c.keys, options: options, bound: binds(principal), want: want}
}

func (c call) in() string {
	if c.account == "" {
		return member
	}
	return c.account
}

const strictly, leniently = 0, 1

// serviceControlQuestions ask of each call of the catalogue, of look-alikes of exempt roles, and of normal life.
func serviceControlQuestions() []question {
	var all questions
	for _, row := range catalogue() {
		for n, c := range row.calls {
			// The role, the user and the root user in turn; all three of each row's first call.
			for i, admin := range administrators(c.in()) {
				all.add(i < 3 && n == 0 || i == n%3, c.ask(row.row, strictly, admin, false))
			}
			if c.choice == "" {
				all.add(false, c.ask(row.row, leniently, administrators(c.in())[0], false))
			}
			if strings.Contains(c.resource, "/aws-reserved/") { // AWS changes these itself, and nobody else does
				continue
			}
			for i, name := range exemptRoles {
				all.add(i == len(all.asked)%len(exemptRoles), c.ask(row.row, strictly, role(c.in(), name), true))
				if cdk := i == len(exemptRoles)-1; c.choice == "" {
					all.add(false, c.ask(row.row, leniently, role(c.in(), name), !cdk))
				}
			}
		}
	}
	for n, c := range oneOfEachService() {
		for i, principal := range lookAlikes {
			all.add(n == 0 || i%10 == n%10, c.ask("a look-alike", strictly, principal, false))
		}
		for i, name := range exemptRoles {
			all.add(true, c.ask("an exempt role", strictly, role(member, name), true))
			all.add(true, c.ask("an exempt role", leniently, role(member, name), c.choice != "" || i < len(exemptRoles)-1))
		}
		all.add(true, c.ask("a service-linked role", strictly, linked, true))
		c.account = management
		all.add(true, c.ask("the management account", strictly, role(management, "Admin"), true))
	}
	for options, doings := range [][]doing{life(), append(life(), lenientLife()...)} {
		for _, d := range doings {
			for _, c := range d.calls {
				all.add(options == strictly, c.ask(d.what, options, d.who, true))
			}
		}
	}
	return all.asked
}

// questions are asked once each.
type questions struct {
	asked []question
	known map[string]bool
}

// add adds a question if it is new. The other evaluator, which is slow, is asked where it says so.
func (q *questions) add(other bool, one question) {
	if q.known == nil {
		q.known = map[string]bool{}
	}
	key := fmt.Sprint(one.principal, one.action, one.resource, one.owner, one.keys, one.options, one.want)
	if !q.known[key] {
		q.known[key] = true
		one.other = other
		q.asked = append(q.asked, one)
	}
}

// oneOfEachService are a call of each service.
func oneOfEachService() []call {
	var calls []call
	for _, row := range catalogue() {
		if c := row.calls[0]; c.account == "" && !slices.ContainsFunc(calls, func(other call) bool { return serviceOf(other.action) == serviceOf(c.action) }) {
			calls = append(calls, c)
		}
	}
	return calls
}

func serviceOf(action string) string { return strings.Split(action, ":")[0] }
