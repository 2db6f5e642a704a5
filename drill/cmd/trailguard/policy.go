package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/constructs/validation/problem"
)

const policyHelp = `Print the policies of AWS Organizations that deny tampering with trails and guards to everybody but the roles that deploy and repair:
those that TrailGuardPrevention deploys, for whoever attaches policies in another way. Attach all of them to the same OUs, to one OU
for trial first: the service control policies take up to three of the five that an OU can have. Neither kind binds the management account.

AWS Organizations counts spaces: give it the policies as --json has them, with jq -c '.serviceControlPolicies[0]' for the first.`

const policyExample = `  trailguard policy --organization-id o-a1b2c3d4e5 --break-glass-role-arns 'arn:aws:iam::*:role/BreakGlass'`

// optionFlags are the flags of the options that can be wrong.
var optionFlags = map[string]string{
	"Partition": "--partition", "OrganizationID": "--organization-id", "TrailNames": "--trail-name", "NamePrefixes": "--name-prefixes",
	"BucketNames": "--log-bucket-names", "KeyARNs": "--log-archive-key-arn", "BreakGlassRoleARNs": "--break-glass-role-arns", "ExemptCDK": "--exempt-cdk",
}

// newPolicy is the command policy.
func (p *program) newPolicy() *cobra.Command {
	var asJSON bool
	var documents protection.Documents
	options := protection.Defaults()
	command := &cobra.Command{
		Use: "policy --organization-id ID [flags]", Short: "Print the policies that deny tampering", Long: policyHelp, Example: policyExample, DisableFlagsInUseLine: true,
	}
	flags := command.Flags()
	flags.StringVar(&options.OrganizationID, "organization-id", "", "the organization's `ID`")
	lists := map[string]*[]string{}
	list := func(values *[]string, name, usage string) {
		lists[name] = values
		flags.String(name, strings.Join(*values, ","), usage)
	}
	list(&options.TrailNames, "trail-name", "the `NAMES` of the guarded trails, with commas between")
	list(&options.KeyARNs, "log-archive-key-arn", "the `ARNS` of log keys of other stacks, with commas between. Default: none")
	list(&options.BreakGlassRoleARNs, "break-glass-role-arns", "the `ARNS` of roles that the policies do not bind, with * for the account, and commas between. Default: none, and CloudFormation's roles alone change the guard")
	list(&options.BucketNames, "log-bucket-names", "the `NAMES` of log buckets that do not begin with one of --name-prefixes in lower case. Default: none")
	list(&options.NamePrefixes, "name-prefixes", "what the names of the guard's stacks begin with: `PREFIXES`, with commas between")
	flags.StringVar(&options.Partition, "partition", options.Partition, "the organization's `PARTITION`")
	flags.BoolVar(&options.ExemptCDK, "exempt-cdk", options.ExemptCDK, "do not bind the roles by which the CDK deploys. Whoever can pass them to CloudFormation can then change the guard")
	flags.BoolVar(&options.DenyCreateTrail, "deny-create-trail", options.DenyCreateTrail, "deny CreateTrail of any name. Nobody else can have a trail of an account's own then")
	flags.BoolVar(&options.DenyPolicyChanges, "deny-policy-changes", options.DenyPolicyChanges, "deny changes of these two kinds of policies to delegated administrators of AWS Organizations")
	flags.BoolVar(&options.DenyConfigChanges, "deny-config-changes", options.DenyConfigChanges, "deny changes of AWS Config. Nobody else can have rules of an account's own then")
	flags.BoolVar(&options.DenyStopAutomation, "deny-stop-automation", options.DenyStopAutomation, "deny stopping and approving runbooks of Systems Manager, also those of others")
	flags.BoolVar(&asJSON, "json", false, "print JSON, as short as AWS Organizations takes it")
	completions := map[string]cobra.CompletionFunc{"organization-id": noFiles, "partition": noFiles}
	for name := range lists {
		completions[name] = noFiles
	}
	complete(command, completions)
	p.does(command, func(flags *pflag.FlagSet) (problems []string) {
		for name, values := range lists {
			*values = nil
			if given := flags.Lookup(name).Value.String(); given != "" {
				*values = strings.Split(given, ",")
			}
		}
		var err error
		documents, err = protection.Policies(options)
		for _, wrong := range problem.PropErrors(err) {
			problems = append(problems, wrong.Renamed(func(prop string) string { return optionFlags[prop] }).Error())
		}
		return problems
	}, func(context.Context) error {
		if asJSON {
			return p.printPoliciesAsJSON(documents)
		}
		return p.printPolicies(documents)
	})
	return command
}

// printPoliciesAsJSON prints the policies for programs.
func (p *program) printPoliciesAsJSON(documents protection.Documents) error {
	raw := func(of []protection.Document) []json.RawMessage {
		all := []json.RawMessage{}
		for _, document := range of {
			all = append(all, json.RawMessage(document.JSON))
		}
		return all
	}
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		ServiceControlPolicies  []json.RawMessage `json:"serviceControlPolicies"`
		ResourceControlPolicies []json.RawMessage `json:"resourceControlPolicies"`
	}{raw(documents.ServiceControl), raw(documents.ResourceControl)})
}

// printPolicies prints the policies for people, each with what it is and how long.
func (p *program) printPolicies(documents protection.Documents) error {
	var texts []string
	for _, kind := range []struct {
		name      string
		documents []protection.Document
	}{{"Service control policy", documents.ServiceControl}, {"Resource control policy", documents.ResourceControl}} {
		for i, document := range kind.documents {
			var pretty strings.Builder
			encoder := json.NewEncoder(&pretty)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(json.RawMessage(document.JSON)); err != nil {
				return fmt.Errorf("writing a policy: %w", err)
			}
			texts = append(texts, fmt.Sprintf("%s %d of %d, %d of %d characters without spaces:\n%s\n\n%s", kind.name, i+1, len(kind.documents),
				document.Characters(), protection.MaximumCharacters, strings.Join(document.Sids, ", "), pretty.String()))
		}
	}
	return p.print(strings.Join(texts, "\n"))
}
