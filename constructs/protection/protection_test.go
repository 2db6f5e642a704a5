package protection

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/validation/problem"
)

func valid() Options {
	options := Defaults()
	options.OrganizationID = "o-a1b2c3d4e5"
	return options
}

func ExamplePolicies() {
	options := Defaults()
	options.OrganizationID = "o-a1b2c3d4e5"
	options.BreakGlassRoleARNs = []string{"arn:aws:iam::*:role/BreakGlass"}
	documents, err := Policies(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, document := range documents.ServiceControl {
		fmt.Println(strings.Join(document.Sids, ", "))
	}
	fmt.Println("for resources:", strings.Join(documents.ResourceControl[0].Sids, ", "))
	// Output:
	// KeepTrail, KeepLogs, KeepGuardKeys, KeepRepairs, KeepExemptRoles
	// KeepAlerts, KeepStacks, KeepExemptRolesUnpassed, KeepPolicies, KeepAccount
	// for resources: KeepLogs, KeepStrangersOut, KeepStrangersTrailsOut, KeepRolesForServices
}

func TestAllThatIsWrongIsReportedAtOnce(t *testing.T) {
	options := Options{
		Partition: "amazon", OrganizationID: "o-A", TrailNames: []string{"x", "Guarded", "Guarded", "Trail*"},
		NamePrefixes: []string{"StackSet-", "cdk", "1", "A_name"}, EventBusNames: []string{"bus/x"},
		BucketNames: []string{"Bucket", "logs-*"}, KeyARNs: []string{"alias/log", "arn:aws:kms:eu-west-1:111122223333:key/*", "arn:aws-cn:kms:cn-north-1:111122223333:key/a"},
		BreakGlassRoleARNs: []string{"BreakGlass", "arn:aws:iam::*:role/*", "arn:aws:iam::11112222*:role/BreakGlass", "arn:aws:iam::*:user/BreakGlass",
			"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*", "arn:aws:iam::*:role/trailguard/BreakGlass"},
	}
	const want = `Partition: "amazon" is no partition: give aws, aws-cn or aws-us-gov, for example
OrganizationID: "o-A" is no id of an organization, such as o-a1b2c3d4e5
TrailNames[2]: "Guarded" is in the list twice: leave one out
TrailNames[0]: "x" is no name of a trail: 3 to 128 letters, digits and . _ -, with no wildcard
TrailNames[3]: "Trail*" is no name of a trail: 3 to 128 letters, digits and . _ -, with no wildcard
NamePrefixes[2]: "1" begins no name of a stack: 3 to 128 letters, digits and -
NamePrefixes[3]: "A_name" begins no name of a stack: 3 to 128 letters, digits and -
EventBusNames[0]: "bus/x" is no name of an event bus: up to 256 letters, digits and . _ -
BucketNames[0]: "Bucket" is no name of a bucket: 3 to 63 lower-case letters, digits and . -, with no wildcard
BucketNames[1]: "logs-*" is no name of a bucket: 3 to 63 lower-case letters, digits and . -, with no wildcard
KeyARNs[0]: "alias/log" is no ARN of a key, such as arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
KeyARNs[1]: "arn:aws:kms:eu-west-1:111122223333:key/*" is no ARN of a key, such as arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
NamePrefixes[0]: "StackSet-" begins names that are not the guard's, such as StackSet-...: give more of the guard's own
NamePrefixes[1]: "cdk" begins names that are not the guard's, such as cdk-...: give more of the guard's own
BreakGlassRoleARNs[0]: "BreakGlass" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
BreakGlassRoleARNs[1]: "arn:aws:iam::*:role/*" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
BreakGlassRoleARNs[2]: "arn:aws:iam::11112222*:role/BreakGlass" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
BreakGlassRoleARNs[3]: "arn:aws:iam::*:user/BreakGlass" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
BreakGlassRoleARNs[4]: "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*" is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center
BreakGlassRoleARNs[5]: "arn:aws:iam::*:role/trailguard/BreakGlass" is named as the guard's own roles are, which begin with trailguard/ and which nobody but services may assume: give a role of another name`
	options.Partition = "aws"
	_, err := Policies(options)
	if err == nil || !strings.Contains(err.Error(), `KeyARNs[2]: "arn:aws-cn:kms:cn-north-1:111122223333:key/a" is of another partition than "aws" of Partition`) {
		t.Errorf("the partition of a key is not compared: %v", err)
	}
	options.Partition, options.KeyARNs = "amazon", options.KeyARNs[:2]
	var lines []string
	for _, one := range problem.PropErrors(options.Validate()) {
		if !strings.Contains(one.Error(), "of another partition") {
			lines = append(lines, one.Error())
		}
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("the problems are\n%s\nnot\n%s", got, want)
	}
}

func TestRequiredOptions(t *testing.T) {
	const want = `Partition: is required
OrganizationID: is required
TrailNames: is required
NamePrefixes: is required
BreakGlassRoleARNs: is required if ExemptCDK is false: nobody could deploy the stacks of the log archive and of the security account`
	if err := (Options{}).Validate(); err == nil || err.Error() != want {
		t.Errorf("the problems are\n%v\nnot\n%s", err, want)
	}
	if err := valid().Validate(); err != nil {
		t.Error(err)
	}
}

// TestBreakGlassRolesOfIdentityCenter are accepted with their ending open.
func TestBreakGlassRolesOfIdentityCenter(t *testing.T) {
	options := valid()
	options.BreakGlassRoleARNs = []string{
		"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BreakGlass_*",
		"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_BreakGlass_*", "arn:aws:iam::*:role/a/b/BreakGlass",
	}
	if err := options.Validate(); err != nil {
		t.Error(err)
	}
}

// TestEachDocumentIsOfTheFormThatOrganizationsTakes in each partition, with all choices and without.
func TestEachDocumentIsOfTheFormThatOrganizationsTakes(t *testing.T) {
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		for _, choices := range []bool{false, true} {
			options := valid()
			options.Partition = partition
			options.TrailNames, options.BucketNames = []string{"TrailGuard", "organization-trail"}, []string{"security-lake-of-old"}
			options.KeyARNs = []string{"arn:" + partition + ":kms:us-gov-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
			for _, name := range []string{"BreakGlass", "Emergency", "AWSControlTowerExecution"} {
				options.BreakGlassRoleARNs = append(options.BreakGlassRoleARNs, "arn:"+partition+":iam::*:role/"+name)
			}
			options.DenyConfigChanges, options.DenyStopAutomation = choices, choices
			documents, err := Policies(options)
			if err != nil {
				t.Fatal(err)
			}
			sids := map[string]bool{}
			for i, document := range slices.Concat(documents.ServiceControl, documents.ResourceControl) {
				if document.Characters() > MaximumCharacters || len(document.JSON) != document.Characters() {
					t.Errorf("%s: document %d has %d characters and %d bytes", partition, i, document.Characters(), len(document.JSON))
				}
				var read struct {
					Version   string
					Statement []struct {
						Sid, Effect, Principal string
						Action, Resource       any
						Condition              map[string]map[string]any
					}
				}
				decoder := json.NewDecoder(strings.NewReader(document.JSON))
				decoder.DisallowUnknownFields()
				if err := decoder.Decode(&read); err != nil {
					t.Fatal(err)
				}
				service, principal := i < len(documents.ServiceControl), "*"
				if service {
					principal = ""
				}
				var found []string
				for _, s := range read.Statement {
					found = append(found, s.Sid)
					key := fmt.Sprint(service, s.Sid)
					if sids[key] || s.Effect != "Deny" || s.Principal != principal || len(s.Condition) == 0 {
						t.Errorf("%s: document %d has the statement %+v", partition, i, s)
					}
					sids[key] = true
				}
				if !slices.Equal(found, document.Sids) {
					t.Errorf("%s: document %d has the statements %v, and says %v", partition, i, found, document.Sids)
				}
				if strings.Contains(strings.ReplaceAll(document.JSON, "arn:"+partition+":", ""), "arn:") {
					t.Errorf("%s: document %d has an ARN of another partition: %s", partition, i, document.JSON)
				}
			}
			if len(documents.ServiceControl) > MaximumServiceControlPolicies {
				t.Errorf("%s: there are %d service control policies", partition, len(documents.ServiceControl))
			}
		}
	}
}

// TestNoActionHasAWildcard keeps a new action of a service from being denied without a row of the catalogue, and an action that is
// listed twice from being changed once.
func TestNoActionHasAWildcard(t *testing.T) {
	options := valid()
	options.DenyConfigChanges, options.DenyStopAutomation = true, true
	for _, s := range slices.Concat(options.serviceControl(), options.resourceControl()) {
		for i, action := range s.actions {
			if strings.ContainsAny(action, "*?") || slices.Contains(s.actions[:i], action) {
				t.Errorf("%s: %s has a wildcard, or stands there twice", s.sid, action)
			}
		}
		for i, resource := range s.resources {
			if slices.Contains(s.resources[:i], resource) {
				t.Errorf("%s: %s stands there twice", s.sid, resource)
			}
		}
	}
}

// TestEachExemptRoleIsKept compares what is exempt with what nobody else may create or change.
func TestEachExemptRoleIsKept(t *testing.T) {
	options := valid()
	options.BreakGlassRoleARNs = []string{"arn:aws:iam::*:role/BreakGlass"}
	for _, options.ExemptCDK = range []bool{true, false} {
		for _, s := range options.serviceControl() {
			if s.sid == "KeepExemptRoles" && !slices.Equal(s.resources, options.exempt()["ArnNotLike"]["aws:PrincipalArn"]) {
				t.Errorf("kept are %v, and exempt are %v", s.resources, options.exempt())
			}
		}
	}
}

// TestEachChoiceDeniesMore turns each choice on alone.
func TestEachChoiceDeniesMore(t *testing.T) {
	bare := valid()
	bare.DenyCreateTrail, bare.DenyPolicyChanges = false, false
	denied := func(options Options) (all []string) {
		for _, s := range options.serviceControl() {
			for _, action := range s.actions {
				all = append(all, s.sid+" "+action)
			}
		}
		return all
	}
	without, choices := denied(bare), 0
	for i := range reflect.TypeFor[Options]().NumField() {
		field := reflect.TypeFor[Options]().Field(i)
		want, ok := map[string]string{
			"DenyCreateTrail": "KeepAccount cloudtrail:CreateTrail", "DenyPolicyChanges": "KeepPolicies organizations:DetachPolicy",
			"DenyConfigChanges": "KeepAccount config:DeleteConfigRule", "DenyStopAutomation": "KeepAccount ssm:StopAutomationExecution",
		}[field.Name]
		if strings.HasPrefix(field.Name, "Deny") != ok {
			t.Errorf("%s is no choice that this test knows", field.Name)
		}
		if !ok {
			continue
		}
		choices++
		options := bare
		reflect.ValueOf(&options).Elem().Field(i).SetBool(true)
		with := denied(options)
		if !slices.Contains(with, want) || slices.Contains(without, want) {
			t.Errorf("%s makes %v of %v", field.Name, with, without)
		}
		if more := slices.DeleteFunc(with, func(one string) bool { return slices.Contains(without, one) }); len(without)+len(more) != len(denied(options)) {
			t.Errorf("%s takes something away: %v", field.Name, more)
		}
	}
	if choices != 4 {
		t.Errorf("%d choices were turned on", choices)
	}
}

func TestTooManyDocumentsAreRefused(t *testing.T) {
	options := valid()
	for i := range 12 {
		options.BreakGlassRoleARNs = append(options.BreakGlassRoleARNs, fmt.Sprintf("arn:aws:iam::*:role/a-long-path/of-the-roles/BreakGlass%d", i))
	}
	_, err := Policies(options)
	found := problem.PropErrors(err)
	if len(found) != 1 || found[0].Prop != "BreakGlassRoleARNs" || !strings.Contains(found[0].Problem, "service control policies of up to 5120 characters, and 3 can be attached beside yours: give fewer or shorter values") {
		t.Errorf("the error is %v", err)
	}
	options = valid()
	for i := range 100 {
		options.BucketNames = append(options.BucketNames, fmt.Sprintf("one-of-very-many-log-buckets-%d", i))
	}
	_, err = Policies(options)
	if found := problem.PropErrors(err); len(found) != 1 || found[0].Prop != "BucketNames" || !strings.Contains(found[0].Problem, "makes the statement KeepLogs of the service control policies") {
		t.Errorf("the error is %v", err)
	}
}

// TestLongNamesAreKnownByTheirBeginning, because CloudFormation shortens them.
func TestLongNamesAreKnownByTheirBeginning(t *testing.T) {
	options := valid()
	options.NamePrefixes = []string{"StackSet-OrganizationTrailGuard-"}
	documents, err := Policies(options)
	if err != nil {
		t.Fatal(err)
	}
	text := documents.ServiceControl[0].JSON + documents.ServiceControl[1].JSON
	for _, want := range []string{
		`"arn:aws:iam::*:role/StackSet-OrganizationTra*"`, `"arn:aws:events:*:*:rule/StackSet-OrganizationTra*"`, `"arn:aws:s3:::stackset-organizationtra*"`,
		`"arn:aws:cloudformation:*:*:stackset/OrganizationTrailGuard:*"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestStackSetsAreNamedOnce(t *testing.T) {
	for _, test := range []struct{ prefixes, want []string }{
		{[]string{"StackSet-TrailGuard-", "TrailGuard"}, []string{"stackset/TrailGuard*"}},
		{[]string{"StackSet-TrailGuard-"}, []string{"stackset/TrailGuard:*"}},
		{[]string{"StackSet-Audit-", "Guard-"}, []string{"stackset/Audit:*", "stackset/Guard-*"}},
	} {
		if got := (Options{NamePrefixes: test.prefixes}).stackSets(); !slices.Equal(got, test.want) {
			t.Errorf("the StackSets of %v are %v, not %v", test.prefixes, got, test.want)
		}
	}
}
