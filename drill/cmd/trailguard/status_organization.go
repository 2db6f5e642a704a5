package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill/status"
)

// statusOfOrganization prints whether the guards of an organization are whole.
func (p *program) statusOfOrganization(ctx context.Context, o statusOptions) error {
	regions := commaSeparated(o.region)
	session, err := connect(ctx, strings.Join(regions[:min(len(regions), 1)], ""))
	if err != nil {
		return err
	}
	if len(regions) == 0 {
		regions = []string{session.Region}
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	organization, err := status.ReadOrganization(limited, status.NewDirectory(session), commaSeparated(o.accounts))
	if err != nil {
		return err
	}
	if organization, err = organization.Without(commaSeparated(o.except)); err != nil {
		return inputError{fmt.Errorf("--except: %w", err)}
	}
	if len(organization.Accounts) == 0 {
		return inputError{errors.New("--except: no account is left to look at")}
	}
	reach, err := status.AssumeRole(limited, session, o.roleName)
	if err != nil {
		return err
	}
	progress := p.newProgressScreen()
	report, err := status.InspectOrganization(ctx, reach, organization, p.clock.Now(), status.OrganizationOptions{
		NamePrefixes: commaSeparated(o.prefixes), Regions: regions, Timeout: o.timeout, Progress: newOrganizationProgress(progress, 10*time.Second),
	})
	progress.clear()
	if err != nil && !errors.Is(err, status.ErrNothingSeen) {
		return err
	}
	if o.json {
		if failed := p.printJSON(p.organizationReport(o, regions, report)); failed != nil {
			return failed
		}
	} else {
		p.writeOrganization(o, regions, report)
	}
	if err == nil && report.Wrong()+report.NotSeen() > 0 {
		return errOrganizationNotWhole
	}
	return err
}

// newOrganizationProgress tells in how many accounts a step is done: on a terminal always, and else after each such while.
func newOrganizationProgress(s *screen, while time.Duration) func(step status.Step, done, all int, last status.Account) {
	told := s.began
	return func(step status.Step, done, all int, last status.Account) {
		s.show("%s: %d of %d accounts, %s %s", step, done, all, last.ID, last.Name)
		if !s.terminal && time.Since(told) > while {
			told = time.Now()
			s.say("%s: %d of %d accounts", step, done, all)
		}
	}
}

// organizationReport is the report of an organization in JSON. Its version is statusVersion.
type organizationReport struct {
	Version      int             `json:"version"`
	Organization string          `json:"organization"`
	RoleName     string          `json:"roleName"`
	Regions      []string        `json:"regions"`
	Time         time.Time       `json:"time"`
	Whole        bool            `json:"whole"`
	Accounts     []accountReport `json:"accounts"`
}

type accountReport struct {
	Verdict  string           `json:"verdict"` // whole, wrong, not seen or closed
	Account  string           `json:"account"`
	Name     string           `json:"name"`
	Problems []status.Problem `json:"problems"`
	NotSeen  []status.NotSeen `json:"notSeen"`
	Stacks   []stackReport    `json:"stacks"`
}

type stackReport struct {
	Verdict string          `json:"verdict"` // whole, wrong or not seen
	Stack   string          `json:"stack"`
	Trail   string          `json:"trail"` // empty if the stack guards none
	Region  string          `json:"region"`
	Parts   []statusFinding `json:"parts"`
}

func (p *program) organizationReport(o statusOptions, regions []string, report status.OrganizationReport) organizationReport {
	out := organizationReport{
		Version: statusVersion, Organization: report.Organization.ID, RoleName: o.roleName, Regions: regions, Time: p.clock.Now().UTC(), Whole: report.Whole(),
		Accounts: []accountReport{},
	}
	for _, one := range report.Accounts {
		account := accountReport{
			Verdict: accountVerdict(one), Account: one.Account.ID, Name: one.Account.Name, Problems: append([]status.Problem{}, one.Problems...),
			NotSeen: append([]status.NotSeen{}, one.NotSeen...), Stacks: []stackReport{},
		}
		for _, stack := range one.Stacks {
			account.Stacks = append(account.Stacks, stackReport{
				Verdict: verdict(stack.Whole(), stack.Wrong()), Stack: stack.Guard.Stack, Trail: stack.Guard.TrailARN, Region: stack.Region, Parts: partsOf(stack),
			})
		}
		out.Accounts = append(out.Accounts, account)
	}
	return out
}

func accountVerdict(one status.AccountReport) string {
	if one.Account.IsClosed {
		return "closed"
	}
	return verdict(one.Whole(), one.Wrong())
}

// writeOrganization writes the report of an organization for people: the parts only of what is not whole.
func (p *program) writeOrganization(o statusOptions, regions []string, report status.OrganizationReport) {
	w := p.newStatusWriter(p.stdout)
	w.write("Guards of organization %s, %s, by role %s\n\n", report.Organization.ID, strings.Join(regions, ", "), o.roleName)
	warnings, closed := 0, 0
	for _, one := range report.Accounts {
		text := strings.TrimSpace(one.Account.ID + " " + one.Account.Name)
		if one.Account.IsClosed {
			closed++
			w.write("-   %s: it is closed\n", text)
			continue
		}
		var stacks []string
		for _, stack := range one.Stacks {
			stacks = append(stacks, fmt.Sprintf("%s (%d parts)", stack.Guard.Stack, len(stack.Findings)))
		}
		if len(stacks) > 0 {
			text += ": " + strings.Join(stacks, ", ")
		}
		w.line("", accountVerdict(one), text)
		w.details("", one.Problems, nil, one.NotSeen)
		for _, stack := range one.Stacks {
			if !stack.Whole() {
				w.write("    stack %s, %s\n", stack.Guard.Stack, stack.Region)
			}
			for _, f := range stack.Findings {
				if warnings += len(f.Warnings); !f.Whole() {
					f.Warnings = nil
					w.finding("    ", f)
				}
			}
		}
	}
	all := len(report.Accounts) - closed
	w.write("\n")
	switch wrong, notSeen := report.Wrong(), report.NotSeen(); {
	case report.Whole():
		w.write("The organization is whole: so are the guards of all %d accounts.\n", all)
	case wrong+notSeen == 0:
		w.write("Nothing is wrong with what was seen of %d accounts. Parts of some could not be seen.\n", all)
	default:
		w.write("The organization is not whole: something is wrong with %d of %d accounts, and %d could not be looked at, or not all of their stacks.\n", wrong, all, notSeen)
	}
	if warnings > 0 {
		w.write("There are %d warnings: --json has them.\n", warnings)
	}
	w.permissions("The role")
}
