package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
)

// The accounts of an organization of fakes.
const (
	root, center, member1, member2 = "111111111111", "222222222222", "333333333333", "444444444444"
	stranger                       = "999999999999"
)

type fakeDirectory struct {
	Directory
	none     error
	unlisted error
}

func (f fakeDirectory) DescribeOrganization(context.Context, *organizations.DescribeOrganizationInput, ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error) {
	return &organizations.DescribeOrganizationOutput{Organization: &orgtypes.Organization{Id: aws.String("o-1"), MasterAccountId: aws.String(root)}}, f.none
}

// ListAccounts has a page that is empty, which is not the last.
func (f fakeDirectory) ListAccounts(_ context.Context, in *organizations.ListAccountsInput, _ ...func(*organizations.Options)) (*organizations.ListAccountsOutput, error) {
	switch aws.ToString(in.NextToken) {
	case "":
		return &organizations.ListAccountsOutput{NextToken: aws.String("2")}, f.unlisted
	case "2":
		return &organizations.ListAccountsOutput{NextToken: aws.String("3"), Accounts: []orgtypes.Account{
			{Id: aws.String(member1), Name: aws.String("one"), State: orgtypes.AccountStateActive, Status: orgtypes.AccountStatusSuspended}, {Id: aws.String(root), Name: aws.String("root")},
		}}, nil
	}
	return &organizations.ListAccountsOutput{Accounts: []orgtypes.Account{
		{Id: aws.String(member2), State: orgtypes.AccountStateClosed}, {Id: aws.String(center), Status: orgtypes.AccountStatusSuspended},
	}}, nil
}

func TestTheAccountsAreThoseOfTheOrganizationOrThoseThatAreGiven(t *testing.T) {
	ctx := t.Context()
	all, err := ReadOrganization(ctx, fakeDirectory{}, nil)
	if want := "[{111111111111 root false} {222222222222  true} {333333333333 one false} {444444444444  true}]"; err != nil || fmt.Sprint(all.Accounts) != want || all.ID != "o-1" || all.Management != root {
		t.Errorf("got %v, %+v, want %s", err, all, want)
	}
	some, err := all.Without([]string{center, member2})
	if err != nil || len(some.Accounts) != 2 || len(all.Accounts) != 4 || !some.has(center) || some.has(stranger) {
		t.Errorf("got %v, %+v", err, some)
	}
	if _, err := all.Without([]string{center, stranger, "000000000000"}); err == nil || err.Error() != "organization o-1 has no account 999999999999, 000000000000" {
		t.Errorf("got %v", err)
	}
	given, err := ReadOrganization(ctx, fakeDirectory{unlisted: errors.New("listed")}, []string{member2, member1})
	if err != nil || len(given.Accounts) != 2 || given.Accounts[0].ID != member1 || !given.has(stranger) {
		t.Errorf("got %v, %+v", err, given)
	}
	for _, test := range []struct {
		directory fakeDirectory
		want      string
	}{
		{fakeDirectory{none: refusal("Organizations", "DescribeOrganization", "AWSOrganizationsNotInUseException")}, "no organization: the caller's account is in none"},
		{fakeDirectory{none: refusal("Organizations", "DescribeOrganization", "AccessDeniedException")}, "reading the organization: the caller may not call organizations:DescribeOrganization"},
		{fakeDirectory{unlisted: refusal("Organizations", "ListAccounts", "AccessDeniedException")},
			"listing the organization's accounts: the caller may not call organizations:ListAccounts, which the management account and delegated administrators may: allow it, or name the accounts"},
		{fakeDirectory{unlisted: refusal("Organizations", "ListAccounts", "TooManyRequestsException")}, "listing the organization's accounts: operation error Organizations: ListAccounts"},
	} {
		if _, err := ReadOrganization(ctx, test.directory, nil); err == nil || !strings.HasPrefix(err.Error(), test.want) || errors.Is(err, ErrNoOrganization) != strings.HasPrefix(test.want, "no ") {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// fakeAccount is an account with stacks of one rule each, which is as the template says, and sends to a bus if there is one.
type fakeAccount struct {
	CloudFormation
	Events
	id, bus  string
	stacks   []string
	unlisted error
	busGone  bool
}

func (f fakeAccount) stackID(name string) *string {
	return aws.String("arn:aws:cloudformation:us-east-1:" + f.id + ":stack/" + name + "/1")
}

func (f fakeAccount) ListStacks(context.Context, *cloudformation.ListStacksInput, ...func(*cloudformation.Options)) (*cloudformation.ListStacksOutput, error) {
	var all []cfntypes.StackSummary
	for _, name := range f.stacks {
		all = append(all, cfntypes.StackSummary{StackName: &name, StackId: f.stackID(name)})
	}
	return &cloudformation.ListStacksOutput{StackSummaries: all}, f.unlisted
}

func (f fakeAccount) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	return &cloudformation.DescribeStacksOutput{Stacks: []cfntypes.Stack{{StackName: in.StackName, StackId: f.stackID(*in.StackName), EnableTerminationProtection: aws.Bool(true)}}}, nil
}

func (f fakeAccount) GetTemplate(context.Context, *cloudformation.GetTemplateInput, ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	return &cloudformation.GetTemplateOutput{TemplateBody: aws.String(`{"Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Id": "Bus", "Arn": "` + f.bus + `"}]}}}}`)}, nil
}

func (f fakeAccount) ListStackResources(context.Context, *cloudformation.ListStackResourcesInput, ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error) {
	return &cloudformation.ListStackResourcesOutput{StackResourceSummaries: []cfntypes.StackResourceSummary{
		{LogicalResourceId: aws.String("Rule"), PhysicalResourceId: aws.String("rule"), ResourceType: aws.String("AWS::Events::Rule")},
	}}, nil
}

func (f fakeAccount) GetStackPolicy(context.Context, *cloudformation.GetStackPolicyInput, ...func(*cloudformation.Options)) (*cloudformation.GetStackPolicyOutput, error) {
	return &cloudformation.GetStackPolicyOutput{}, nil
}

func (f fakeAccount) DescribeRule(context.Context, *eventbridge.DescribeRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeRuleOutput, error) {
	return &eventbridge.DescribeRuleOutput{State: eventtypes.RuleStateEnabled}, nil
}

func (f fakeAccount) ListTargetsByRule(context.Context, *eventbridge.ListTargetsByRuleInput, ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error) {
	return &eventbridge.ListTargetsByRuleOutput{Targets: []eventtypes.Target{{Id: aws.String("Bus"), Arn: &f.bus}}}, nil
}

func (f fakeAccount) DescribeEventBus(context.Context, *eventbridge.DescribeEventBusInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error) {
	if f.busGone {
		return nil, refusal("EventBridge", "DescribeEventBus", "ResourceNotFoundException")
	}
	return &eventbridge.DescribeEventBusOutput{}, nil
}

// reaching reaches fake accounts.
func reaching(accounts ...fakeAccount) Reach {
	return func(_ context.Context, id string) (func(string) Clients, error) {
		i := slices.IndexFunc(accounts, func(a fakeAccount) bool { return a.id == id })
		if i < 0 {
			return nil, unassumed("arn:aws:iam::"+id+":role/Reader", refusal("STS", "AssumeRole", "AccessDenied"))
		}
		return func(string) Clients { return Clients{CloudFormation: accounts[i], Events: accounts[i]} }, nil
	}
}

// TestWhatAnAccountLacksIsSaidOfIt has organizations that the local AWS does not have.
func TestWhatAnAccountLacksIsSaidOfIt(t *testing.T) {
	bus := func(account string) string { return "arn:aws:events:us-east-1:" + account + ":event-bus/central" }
	guarded := func(id, bus string) fakeAccount {
		return fakeAccount{id: id, bus: bus, stacks: []string{"Guard", "Other"}}
	}
	complete := func(closed bool, ids ...string) Organization {
		o := Organization{ID: "o-1", Management: root, isComplete: true}
		for _, id := range ids {
			o.Accounts = append(o.Accounts, Account{ID: id})
		}
		o.Accounts[len(ids)-1].IsClosed = closed
		return o
	}
	gone := guarded(center, bus(center))
	gone.busGone = true
	throttled := guarded(member1, bus(center))
	throttled.unlisted = refusal("CloudFormation", "ListStacks", "Throttling")
	for _, test := range []struct {
		name         string
		organization Organization
		reach        Reach
		// says is what must be told of an account; empty if all is whole.
		account, says string
	}{
		{"all is there", complete(false, center, member1), reaching(guarded(center, bus(center)), guarded(member1, bus(center))), "", ""},
		{"an account that is closed", complete(true, center, member1), reaching(guarded(center, bus(center))), "", ""},
		{"a bus that is gone", complete(false, center, member1), reaching(gone, guarded(member1, bus(center))), center,
			"event bus central is deleted, to which rules of these accounts send: 222222222222, 333333333333"},
		{"a bus of an account that left", complete(false, center, member1), reaching(guarded(center, bus(stranger)), guarded(member1, bus(center))), stranger,
			"not seen: it is not of the organization, and has event bus central, to which rules of these accounts send: 222222222222"},
		{"a bus of an account that is not asked for", Organization{ID: "o-1", Management: root, Accounts: []Account{{ID: member1}}}, reaching(guarded(member1, bus(center))), "", ""},
		{"a management account without a guard", complete(false, root, member1), reaching(guarded(root, bus(root)), guarded(member1, bus(root))), root,
			"no guard: no stack that was looked at guards a trail of the management account"},
		{"a management account whose guard may be where nobody looked", complete(false, root, member1), reaching(fakeAccount{id: root, stacks: []string{"Other"}}), root,
			"not seen: no guard: no stack that was looked at guards a trail of the management account"},
		{"a management account without a stack, alone", Organization{ID: "o-1", Management: root, Accounts: []Account{{ID: root}}}, reaching(fakeAccount{id: root, stacks: []string{"Other"}}), root,
			"no guard: no stack whose name begins with Guard or StackSet-Guard- guards or watches anything"},
		{"an account that cannot be reached", complete(false, center, member1), reaching(guarded(center, bus(center))), member1,
			"not seen: arn:aws:iam::333333333333:role/Reader cannot be assumed: it is not there, does not trust the caller, or the caller may not call sts:AssumeRole on it"},
		{"an account that is throttled", complete(false, center, member1), reaching(guarded(center, bus(center)), throttled), member1,
			"not seen: its stacks in us-east-1: ListStacks failed: Throttling: no"},
	} {
		report, err := InspectOrganization(t.Context(), test.reach, test.organization, noon, OrganizationOptions{NamePrefixes: []string{"Guard", "StackSet-Guard-"}, Regions: []string{"us-east-1"}})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		told := map[string]string{}
		for _, one := range report.Accounts {
			for _, problem := range one.Problems {
				told[one.Account.ID] += problem.What
			}
			for _, unseen := range one.NotSeen {
				told[one.Account.ID] += "not seen: " + unseen.What
			}
			for _, stack := range one.Stacks {
				if stack.Guard.Stack != "Guard" || !stack.Whole() || stack.Region != "us-east-1" {
					t.Errorf("%s: stack %s of %s, %s: %+v", test.name, stack.Guard.Stack, one.Account.ID, stack.Region, stack.Findings)
				}
			}
		}
		if isWhole := test.says == ""; told[test.account] != test.says || len(told) > 1 && strings.Count(test.says, "not seen: no guard") == 0 || report.Whole() != isWhole || (report.Wrong()+report.NotSeen() == 0) != isWhole {
			t.Errorf("%s: got %q, want %q of %s", test.name, told, test.says, test.account)
		}
	}
}

// TestAMendNamesTheStack: a stack of a StackSet is not the CDK's to deploy.
func TestAMendNamesTheStack(t *testing.T) {
	for name, want := range map[string]string{
		"TrailGuardCentral": "cdk deploy TrailGuardCentral --revert-drift, and confirm it",
		"StackSet-TrailGuard-1": "aws cloudformation create-change-set --deployment-mode REVERT_DRIFT --use-previous-template --capabilities CAPABILITY_IAM --change-set-name revert" +
			" --stack-name StackSet-TrailGuard-1, and execute-change-set, and confirm it",
	} {
		f := Finding{}
		f.wrong(revert+", and confirm it", "it is deleted")
		f.warn("aws kms enable-key", "it is off")
		report := Report{Findings: []Finding{f}}
		report.name(located{name: name})
		if got := report.Findings[0]; got.Problems[0].Mend != want || got.Warnings[0].Mend != "aws kms enable-key" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestAnOrganizationOfWhichNothingIsSeenIsNotWhole has roles that nobody can assume.
func TestAnOrganizationOfWhichNothingIsSeenIsNotWhole(t *testing.T) {
	organization := Organization{ID: "o-1", Management: root, isComplete: true, Accounts: []Account{{ID: center}, {ID: member1}}}
	options := OrganizationOptions{NamePrefixes: []string{"Guard"}, Regions: []string{"us-east-1"}}
	report, err := InspectOrganization(t.Context(), reaching(), organization, noon, options)
	if !errors.Is(err, ErrNothingSeen) || report.Whole() || report.NotSeen() != 2 {
		t.Errorf("got %v, %+v", err, report)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if report, err := InspectOrganization(ended, reaching(), organization, noon, options); !errors.Is(err, context.Canceled) || len(report.Accounts) != 0 {
		t.Errorf("got %v, %+v", err, report)
	}
}

// TestSomeAccountsAreLookedAtAtOnce has each account wait until as many as may be are being reached.
func TestSomeAccountsAreLookedAtAtOnce(t *testing.T) {
	organization := Organization{ID: "o-1", isComplete: true}
	for i := range 3 * accountsAtOnce {
		organization.Accounts = append(organization.Accounts, Account{ID: fmt.Sprintf("%012d", i)})
	}
	var mu sync.Mutex
	now, most, full := 0, 0, make(chan struct{})
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		if now += by; now > most {
			if most = now; most == accountsAtOnce {
				close(full)
			}
		}
	}
	reach := func(ctx context.Context, id string) (func(string) Clients, error) {
		count(1)
		defer count(-1)
		select {
		case <-full:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return reaching(fakeAccount{id: id, stacks: []string{"Guard"}})(ctx, id)
	}
	told := map[Step]int{}
	report, err := InspectOrganization(t.Context(), reach, organization, noon, OrganizationOptions{
		NamePrefixes: []string{"Guard"}, Regions: []string{"us-east-1"}, Timeout: time.Minute,
		Progress: func(step Step, done, all int, _ Account) {
			if told[step]++; told[step] != done || all != len(organization.Accounts) {
				t.Errorf("%s: %d of %d accounts are told as the %dth", step, done, all, told[step])
			}
		},
	})
	if err != nil || !report.Whole() || most != accountsAtOnce || told[Surveying] != len(organization.Accounts) || told[LookingAt] != len(organization.Accounts) {
		t.Errorf("got %v, at most %d at once, told %v", err, most, told)
	}
}
