package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// statusOptions are the flags of status.
type statusOptions struct {
	stack, region, template string
	json                    bool
	timeout                 time.Duration

	organization               bool
	roleName                   string
	accounts, except, prefixes string
}

// check names everything that is wrong with the flags.
func (o *statusOptions) check(flags *pflag.FlagSet) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	atStack := flags.Changed("stack")
	switch {
	case o.organization && atStack:
		problem("--stack and --organization exclude one another: look at one stack, or at all accounts")
	case o.organization:
		problems = append(problems, misplaced(flags, "--organization")...)
		problems = append(problems, o.checkOrganization(flags)...)
	case o.stack == "":
		problem("say what to look at: give --stack NAME for a guard, or --organization for those of all accounts")
	default:
		problems = append(problems, misplaced(flags, "--stack")...)
	}
	if o.timeout <= 0 {
		problem("--timeout %s is too short: give more than 0s", o.timeout)
	}
	return problems
}

var (
	// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
	roleForm    = regexp.MustCompile(`^([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
	prefixForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	regionForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
)

// checkOrganization names everything that is wrong with the flags that are for an organization.
func (o *statusOptions) checkOrganization(flags *pflag.FlagSet) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	switch {
	case o.roleName == "":
		problem("--role-name is missing: give the name of the role by which each account is read, such as that of examples/status-role.json")
	case !roleForm.MatchString(o.roleName):
		problem("--role-name %q is no name of a role: use 1 to 64 letters, digits and +=,.@-_, after its path if it has one", o.roleName)
	}
	if flags.Changed("accounts") && flags.Changed("except") {
		problem("--accounts and --except exclude one another: name the accounts to look at, or those to leave out")
	}
	for _, list := range []struct {
		flag, value, is string
		form            *regexp.Regexp
	}{
		{"region", o.region, "no Region: use such as eu-central-1, with commas between", regionForm},
		{"accounts", o.accounts, "no id of an account: use 12 digits, with commas between", accountForm},
		{"except", o.except, "no id of an account: use 12 digits, with commas between", accountForm},
		{"name-prefixes", o.prefixes, "no beginning of a stack's name: use letters, digits and -, with commas between", prefixForm},
	} {
		if !flags.Changed(list.flag) {
			continue
		}
		for _, item := range strings.Split(list.value, ",") {
			if !list.form.MatchString(item) {
				problem("--%s %q is %s", list.flag, item, list.is)
			}
		}
	}
	return problems
}

// commaSeparated are the items of a flag that lists them.
func commaSeparated(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
}
