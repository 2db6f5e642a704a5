package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/protection"
)

// TestTheCommandKnowsNothingOfTheCDK: the program prints what the construct deploys, without jsii, which needs Node.js.
func TestTheCommandKnowsNothingOfTheCDK(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(output))
	if !slices.Contains(packages, "github.com/trailguard/trailguard/constructs/protection") {
		t.Error("the command does not import constructs/protection")
	}
	for _, name := range packages {
		if strings.Contains(name, "jsii") || strings.Contains(name, "aws-cdk") || strings.Contains(name, "constructs-go") {
			t.Errorf("the command is linked with %s", name)
		}
	}
}

func policies(t *testing.T, change func(*protection.Options)) protection.Documents {
	t.Helper()
	options := protection.Defaults()
	options.OrganizationID = "o-a1b2c3d4e5"
	change(&options)
	documents, err := protection.Policies(options)
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func TestPolicyPrintsWhatProgramsAttach(t *testing.T) {
	for _, test := range []struct {
		args   string
		change func(*protection.Options)
	}{
		{"", func(*protection.Options) {}},
		{"--partition aws-cn --trail-name one-trail,another --log-bucket-names old-logs --name-prefixes Guard-,StackSet-Guard- --exempt-cdk=false " +
			"--break-glass-role-arns arn:aws-cn:iam::*:role/BreakGlass,arn:aws-cn:iam::111122223333:role/Other " +
			"--log-archive-key-arn arn:aws-cn:kms:cn-north-1:111122223333:key/a --deny-create-trail=false --deny-policy-changes=false --deny-config-changes --deny-stop-automation",
			func(o *protection.Options) {
				*o = protection.Options{
					Partition: "aws-cn", OrganizationID: o.OrganizationID, TrailNames: []string{"one-trail", "another"}, BucketNames: []string{"old-logs"},
					NamePrefixes: []string{"Guard-", "StackSet-Guard-"}, EventBusNames: o.EventBusNames,
					BreakGlassRoleARNs: []string{"arn:aws-cn:iam::*:role/BreakGlass", "arn:aws-cn:iam::111122223333:role/Other"},
					KeyARNs:            []string{"arn:aws-cn:kms:cn-north-1:111122223333:key/a"}, DenyConfigChanges: true, DenyStopAutomation: true,
				}
			}},
	} {
		got := call(t, nil, append([]string{"policy", "--json", "--organization-id", "o-a1b2c3d4e5"}, strings.Fields(test.args)...)...)
		if got.code != exitRepaired || got.stderr != "" {
			t.Fatalf("%q: exit code %d, %s", test.args, got.code, got.stderr)
		}
		var read struct{ ServiceControlPolicies, ResourceControlPolicies []json.RawMessage }
		if err := json.Unmarshal([]byte(got.stdout), &read); err != nil {
			t.Fatal(err)
		}
		want := policies(t, test.change)
		for _, kind := range []struct {
			got  []json.RawMessage
			want []protection.Document
		}{{read.ServiceControlPolicies, want.ServiceControl}, {read.ResourceControlPolicies, want.ResourceControl}} {
			var texts []string
			for _, document := range kind.want {
				texts = append(texts, document.JSON)
			}
			var printed []string
			for _, document := range kind.got {
				printed = append(printed, string(document))
			}
			if !slices.Equal(printed, texts) {
				t.Errorf("%q: the policies are\n%s\nnot\n%s", test.args, printed, texts)
			}
		}
	}
}

func TestPolicyPrintsWhatPeopleRead(t *testing.T) {
	got := call(t, nil, "policy", "--organization-id", "o-a1b2c3d4e5")
	want := policies(t, func(*protection.Options) {})
	if got.code != exitRepaired || got.stderr != "" {
		t.Fatalf("exit code %d, %s", got.code, got.stderr)
	}
	for _, line := range []string{
		fmt.Sprintf("Service control policy 1 of 2, %d of 5120 characters without spaces:\nKeepTrail, KeepLogs, ", want.ServiceControl[0].Characters()), "\n\nService control policy 2 of 2, ",
		"\n\nResource control policy 1 of 1, ", "\n      \"Sid\": \"KeepTrail\",\n",
	} {
		if !strings.Contains(got.stdout, line) {
			t.Errorf("%q is not in\n%s", line, got.stdout)
		}
	}
	// Each policy is whole in what is printed.
	decoder, rest := 0, got.stdout
	for {
		start := strings.Index(rest, "\n{")
		if start < 0 {
			break
		}
		var printed, made any
		one := json.NewDecoder(strings.NewReader(rest[start:]))
		if err := one.Decode(&printed); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(slices.Concat(want.ServiceControl, want.ResourceControl)[decoder].JSON), &made); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(printed, made) {
			t.Errorf("policy %d is %v, not %v", decoder, printed, made)
		}
		rest, decoder = rest[start+int(one.InputOffset()):], decoder+1
	}
	if decoder != len(want.ServiceControl)+len(want.ResourceControl) {
		t.Errorf("%d policies are printed", decoder)
	}
}

// TestWrongFlagsOfPolicyAreAllNamed by the flags' own names, which each option has that can be wrong.
func TestWrongFlagsOfPolicyAreAllNamed(t *testing.T) {
	got := call(t, nil, "policy", "--trail-name", "x,Guarded", "--log-archive-key-arn=key", "--break-glass-role-arns", "BreakGlass", "--name-prefixes", "1",
		"--log-bucket-names", "A", "--partition", "amazon", "--colour", "--deny-create-trail=perhaps", "now")
	const want = `trailguard: policy:
  flag --colour is not known: see trailguard policy --help
  --deny-create-trail "perhaps" cannot be read: strconv.ParseBool: parsing "perhaps": invalid syntax
  argument "now" is not expected: leave it out
  --partition: "amazon" is no partition: give aws, aws-cn or aws-us-gov, for example
  --organization-id: is required
  --trail-name[0]: "x" is no name of a trail: 3 to 128 letters, digits and . _ -, with no wildcard
  --name-prefixes[0]: "1" begins no name of a stack: 3 to 128 letters, digits and -
  --log-bucket-names[0]: "A" is no name of a bucket: 3 to 63 lower-case letters, digits and . -, with no wildcard
  --log-archive-key-arn[0]: "key" is no ARN of a key, such as arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
  --break-glass-role-arns[0]: "BreakGlass" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
`
	if got.code != exitInput || got.stderr != want || got.stdout != "" {
		t.Errorf("exit code %d, stdout %q, stderr\n%s\nnot\n%s", got.code, got.stdout, got.stderr, want)
	}
	got = call(t, nil, "policy", "--organization-id", "o-a1b2c3d4e5", "--exempt-cdk=false")
	if got.code != exitInput || !strings.Contains(got.stderr, "--break-glass-role-arns: is required if --exempt-cdk is false") {
		t.Errorf("exit code %d, stderr %s", got.code, got.stderr)
	}
	help := call(t, nil, "help", "policy").stdout
	for option := range reflect.TypeFor[protection.Options]().NumField() {
		name := reflect.TypeFor[protection.Options]().Field(option).Name
		flag, ok := optionFlags[name]
		if choice := strings.HasPrefix(name, "Deny"); ok == (choice || name == "EventBusNames") {
			t.Errorf("%s has the flag %q", name, flag)
		}
		if ok && !strings.Contains(help, "\n      "+flag) {
			t.Errorf("%s is not in\n%s", flag, help)
		}
	}
}
