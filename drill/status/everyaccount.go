package status

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// OrganizationOptions say how the accounts of an organization are looked at.
type OrganizationOptions struct {
	// NamePrefixes are what the names of the guards' stacks begin with. Required.
	NamePrefixes []string
	// Regions are those in which stacks are looked for. Required.
	Regions []string
	// Timeout is how long a part, or finding the stacks of an account, may take.
	//
	// Default: - thirty seconds.
	Timeout time.Duration
	// Progress is told of each account that was surveyed, and then of each that was looked at.
	//
	// Default: - nobody is told.
	Progress func(step Step, done, all int, last Account)
}

// Step is what is done in each account before the next step begins.
type Step string

// The steps.
const (
	Surveying Step = "stacks are looked for"
	LookingAt Step = "stacks are looked at"
)

// OrganizationReport is what was seen of an organization.
type OrganizationReport struct {
	Organization Organization
	Accounts     []AccountReport
}

// AccountReport is what was seen of an account.
type AccountReport struct {
	Account Account
	Stacks  []Report
	// Problems say what is wrong with the account, beside its stacks' parts.
	Problems []Problem
	// NotSeen say why all of the account, or a stack of it, could not be looked at.
	NotSeen []NotSeen
}

// Wrong is the number of problems.
func (r AccountReport) Wrong() int {
	n := len(r.Problems)
	for _, stack := range r.Stacks {
		n += stack.Wrong()
	}
	return n
}

// Whole tells whether all of the account was seen, and nothing is wrong.
func (r AccountReport) Whole() bool {
	return len(r.Problems) == 0 && len(r.NotSeen) == 0 && !slices.ContainsFunc(r.Stacks, func(stack Report) bool { return !stack.Whole() })
}

// Whole tells whether all of the accounts are whole, but those that are closed.
func (r OrganizationReport) Whole() bool {
	return !slices.ContainsFunc(r.Accounts, func(one AccountReport) bool { return !one.Whole() })
}

// Wrong is the number of accounts with which something is wrong.
func (r OrganizationReport) Wrong() int {
	return r.count(func(one AccountReport) bool { return one.Wrong() > 0 })
}

// NotSeen is the number of accounts that could not be looked at, or a stack of which could not.
func (r OrganizationReport) NotSeen() int {
	return r.count(func(one AccountReport) bool { return len(one.NotSeen) > 0 })
}

func (r OrganizationReport) count(is func(AccountReport) bool) (n int) {
	for _, one := range r.Accounts {
		if is(one) {
			n++
		}
	}
	return n
}

// accountsAtOnce is how many accounts are looked at at the same time. Each has quotas of its own.
const accountsAtOnce = 8

// site is an account while it is looked at.
type site struct {
	*AccountReport
	clients func(region string) Clients // nil if the account cannot be reached
	stacks  []located
	found   bool // whether stacks are all that there are
}

// located is a stack that was found.
type located struct{ name, id, region string }

// tour is one look at an organization.
type tour struct {
	organization Organization
	reach        Reach
	now          time.Time
	options      OrganizationOptions
	others       *others
}

// InspectOrganization looks at the stacks of the guards in each account: in all accounts it finds them first, because they name one another, and
// then it looks at them. What cannot be reached or read is not seen. It fails if that is so of all accounts.
func InspectOrganization(ctx context.Context, reach Reach, organization Organization, now time.Time, options OrganizationOptions) (OrganizationReport, error) {
	if options.Timeout == 0 {
		options.Timeout = 30 * time.Second
	}
	if options.Progress == nil {
		options.Progress = func(Step, int, int, Account) {}
	}
	t := &tour{organization, reach, now, options, newOthers()}
	report := OrganizationReport{Organization: organization, Accounts: make([]AccountReport, len(organization.Accounts))}
	var sites []*site
	for i, account := range organization.Accounts {
		report.Accounts[i].Account = account
		if !account.IsClosed {
			sites = append(sites, &site{AccountReport: &report.Accounts[i]})
		}
	}
	t.each(ctx, sites, Surveying, t.survey)
	t.each(ctx, sites, LookingAt, t.lookAt)
	if err := ctx.Err(); err != nil {
		return OrganizationReport{}, err
	}
	for _, s := range sites {
		t.checkMissing(s)
	}
	strangers := t.checkBuses(ctx, sites)
	t.checkManagement(report, sites)
	report.Accounts = append(report.Accounts, strangers...)
	if len(sites) > 0 && !slices.ContainsFunc(sites, func(s *site) bool { return s.found }) {
		return report, ErrNothingSeen
	}
	return report, nil
}

// each does a step in each account, in some at the same time.
func (t *tour) each(ctx context.Context, sites []*site, step Step, do func(context.Context, *site)) {
	var (
		doing   sync.WaitGroup
		telling sync.Mutex
		done    int
		free    = make(chan struct{}, accountsAtOnce)
	)
	for _, s := range sites {
		doing.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			do(ctx, s)
			telling.Lock()
			defer telling.Unlock()
			done++
			t.options.Progress(step, done, len(sites), s.Account)
		})
	}
	doing.Wait()
}

// unseen notes what of an account could not be looked at.
func (s *site) unseen(what string, err error) {
	var f Finding
	f.notRead(err)
	s.NotSeen = append(s.NotSeen, NotSeen{What: what + f.NotSeen[0].What, Permission: f.NotSeen[0].Permission})
}

// survey finds the stacks of an account, and what others name of them.
func (t *tour) survey(ctx context.Context, s *site) {
	limited, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	clients, err := t.reach(limited, s.Account.ID)
	if err != nil {
		s.NotSeen = append(s.NotSeen, NotSeen{What: err.Error()})
		return
	}
	s.clients, s.found = clients, true
	for _, region := range t.options.Regions {
		api := clients(region).CloudFormation
		stacks, err := t.find(limited, api, region)
		if err != nil {
			s.unseen("its stacks in "+region+": ", err)
			s.found = false
		}
		s.stacks = append(s.stacks, stacks...)
		for _, stack := range stacks {
			if ofStackSet(stack.name) {
				continue // other accounts name nothing that it makes
			}
			sets, err := t.surveyStack(limited, api, stack)
			if err != nil {
				s.unseen("what stack "+stack.name+" makes: ", err)
			}
			for _, set := range sets {
				if err := t.surveyStackSet(ctx, api, s.Account.ID, set); err != nil {
					s.unseen("the stacks of StackSet "+set+": ", err)
				}
			}
		}
	}
}

// find finds the stacks of a Region by their names.
func (t *tour) find(ctx context.Context, api CloudFormation, region string) (found []located, err error) {
	var there []types.StackStatus
	for _, status := range types.StackStatus("").Values() {
		if status != types.StackStatusDeleteComplete {
			there = append(there, status)
		}
	}
	pages := cloudformation.NewListStacksPaginator(api, &cloudformation.ListStacksInput{StackStatusFilter: there})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, stack := range page.StackSummaries {
			name := aws.ToString(stack.StackName)
			if slices.ContainsFunc(t.options.NamePrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				found = append(found, located{name, aws.ToString(stack.StackId), region})
			}
		}
	}
	slices.SortFunc(found, func(a, b located) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

// surveyStack notes what a stack makes that others name. It returns the StackSets that the stack makes.
func (t *tour) surveyStack(ctx context.Context, api CloudFormation, stack located) (sets []string, err error) {
	pages := cloudformation.NewListStackResourcesPaginator(api, &cloudformation.ListStackResourcesInput{StackName: &stack.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return sets, err
		}
		for _, one := range page.StackResourceSummaries {
			kind, name := aws.ToString(one.ResourceType), aws.ToString(one.PhysicalResourceId)
			switch {
			case one.ResourceStatus == types.ResourceStatusDeleteComplete:
			case kind == "AWS::CloudFormation::StackSet":
				sets = append(sets, name)
			default:
				t.others.make(stack.id, kind, name)
			}
		}
	}
	return sets, nil
}

// surveyStackSet notes the stacks that a StackSet makes. That one is deleted, its part says.
func (t *tour) surveyStackSet(ctx context.Context, api CloudFormation, account, name string) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	as := types.CallAsSelf
	if account != t.organization.Management {
		as = types.CallAsDelegatedAdmin
	}
	described, err := api.DescribeStackSet(ctx, &cloudformation.DescribeStackSetInput{StackSetName: &name, CallAs: as})
	if hasCode(err, "StackSetNotFoundException") {
		return nil
	}
	if err != nil {
		return err
	}
	instances, err := stackInstances(ctx, api, name, as)
	if err != nil {
		return err
	}
	for _, one := range instances {
		if id := aws.ToString(one.StackId); id != "" {
			t.others.rollOut(id, aws.ToString(described.StackSet.TemplateBody))
		}
	}
	return nil
}

// lookAt looks at the stacks of an account, one after the other.
func (t *tour) lookAt(ctx context.Context, s *site) {
	for _, stack := range s.stacks {
		report, err := Inspect(ctx, s.clients(stack.region), stack.name, t.now, Options{Timeout: t.options.Timeout, among: t.others})
		switch {
		case errors.Is(err, ErrNothingSeen):
			s.NotSeen = append(s.NotSeen, NotSeen{What: "nothing of stack " + stack.name + " but the stack itself could be read"})
		case err != nil:
			s.NotSeen = append(s.NotSeen, NotSeen{What: err.Error()})
		}
		if len(report.Findings) > 0 {
			report.name(stack)
			s.Stacks = append(s.Stacks, report)
		}
	}
}

// name has the mends of a stack name it. A stack of a StackSet is not the CDK's to deploy.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
func (r *Report) name(stack located) {
	own := strings.Replace(revert, "cdk deploy", "cdk deploy "+stack.name, 1)
	if ofStackSet(stack.name) {
		own = "aws cloudformation create-change-set --deployment-mode REVERT_DRIFT --use-previous-template --capabilities CAPABILITY_IAM --change-set-name revert --stack-name " +
			stack.name + ", and execute-change-set"
	}
	for i := range r.Findings {
		for _, problems := range [][]Problem{r.Findings[i].Problems, r.Findings[i].Warnings} {
			for j := range problems {
				problems[j].Mend = strings.ReplaceAll(problems[j].Mend, revert, own)
			}
		}
	}
}

// checkMissing looks whether an account has what it should have: the stacks that a StackSet has made in it, or any.
func (t *tour) checkMissing(s *site) {
	if !s.found {
		return
	}
	missing := false
	for _, id := range slices.Sorted(maps.Keys(t.others.templates)) {
		arn := strings.Split(id, ":")
		if arn[4] != s.Account.ID || !slices.Contains(t.options.Regions, arn[3]) || slices.ContainsFunc(s.stacks, func(stack located) bool { return stack.id == id }) {
			continue
		}
		missing = true
		s.Problems = append(s.Problems, Problem{
			"stack " + strings.Split(arn[5], "/")[1] + " is deleted, which a StackSet has made",
			"where the StackSet is: aws cloudformation delete-stack-instances --retain-stacks for this account, and create-stack-instances",
		})
	}
	if t.organization.isComplete && s.Account.ID == t.organization.Management {
		return // whether its trail is guarded, checkManagement looks
	}
	if !missing && len(s.NotSeen) == 0 && !slices.ContainsFunc(s.Stacks, guards) {
		s.Problems = append(s.Problems, Problem{
			"no guard: no stack whose name begins with " + strings.Join(t.options.NamePrefixes, " or ") + " guards or watches anything",
			"move it into an organizational unit of the rollout; if it shall have no guard, leave it out: --except " + s.Account.ID,
		})
	}
}

// guards tells whether a stack has more than roles, as that of the role has with which accounts are reached.
func guards(stack Report) bool {
	return slices.ContainsFunc(stack.Findings, func(f Finding) bool { return !slices.Contains([]string{"stack", "role", "role policy"}, f.Part) })
}

// checkBuses looks whether the event buses are there to which rules of other accounts send. One that a stack makes is a part of that. It returns
// accounts of the buses that are not of the organization.
func (t *tour) checkBuses(ctx context.Context, sites []*site) (strangers []AccountReport) {
	for _, bus := range slices.Sorted(maps.Keys(t.others.senders)) {
		if t.others.makes(bus) {
			continue
		}
		arn, senders := strings.Split(bus, ":"), slices.Sorted(slices.Values(t.others.senders[bus]))
		from := "to which rules of these accounts send: " + cut(strings.Join(slices.Compact(senders), ", "))
		if !t.organization.has(arn[4]) {
			strangers = append(strangers, AccountReport{Account: Account{ID: arn[4]}, NotSeen: []NotSeen{{What: "it is not of the organization, and has event bus " + lastOf(bus) + ", " + from}}})
		}
		for _, s := range sites {
			if s.Account.ID == arn[4] && s.clients != nil {
				t.checkBus(ctx, s, bus, from)
			}
		}
	}
	return strangers
}

func (t *tour) checkBus(ctx context.Context, s *site, bus, from string) {
	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	_, err := s.clients(strings.Split(bus, ":")[3]).Events.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String(lastOf(bus))})
	switch {
	case hasCode(err, "ResourceNotFoundException"):
		s.Problems = append(s.Problems, Problem{"event bus " + lastOf(bus) + " is deleted, " + from, "deploy the stack that makes it: cdk deploy TrailGuardCentral"})
	case err != nil:
		s.unseen("event bus "+lastOf(bus)+": ", err)
	}
}

// checkManagement looks whether a stack guards a trail of the management account: in it, or in that of a delegated administrator.
func (t *tour) checkManagement(report OrganizationReport, sites []*site) {
	i := slices.IndexFunc(sites, func(s *site) bool { return s.Account.ID == t.organization.Management })
	if i < 0 || !t.organization.isComplete || !sites[i].found {
		return
	}
	for _, one := range report.Accounts {
		if slices.ContainsFunc(one.Stacks, func(stack Report) bool { return stack.Guard.Account() == t.organization.Management }) {
			return
		}
	}
	const missing = "no guard: no stack that was looked at guards a trail of the management account"
	if report.NotSeen() > 0 { // it may be among those
		sites[i].NotSeen = append(sites[i].NotSeen, NotSeen{What: missing})
		return
	}
	sites[i].Problems = append(sites[i].Problems, Problem{missing, "cdk deploy TrailGuardManagement"})
}
