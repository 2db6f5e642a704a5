package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// ofTheOrganization is a block of the mode organization with further keys.
func ofTheOrganization(more string) string {
	block := `"mode": "organization", "organizationId": "o-a1b2c3d4e5", "region": "eu-central-1", "managementAccount": "111111111111", "organizationalUnitIds": ["ou-ab12-c3d4e5f6"]`
	if more != "" {
		block += ", " + more
	}
	return "{" + block + "}"
}

const (
	archive  = `"logArchiveAccount": "222222222222", "logArchiveKeyArn": "arn:aws:kms:eu-central-1:222222222222:key/1"`
	security = `"securityAccount": "333333333333"`
)

// TestWrongOrganizationsGetTheirErrors asks for everything that is wrong at once, in keys.
func TestWrongOrganizationsGetTheirErrors(t *testing.T) {
	const (
		noAccount = "is not an account id: use 12 digits"
		ofMode    = "is of the mode organization: give mode organization, or leave out "
	)
	for _, test := range []struct{ name, block, want string }{
		{"a mode that there is not", `{"mode": "organisation", "members": "guard"}`, `mode: "organisation" is not a mode: use account or organization`},
		{"keys of the mode organization", `{"members": "guard", "denyCreateTrail": false}`, "members: " + ofMode + "members\ndenyCreateTrail: " + ofMode + "denyCreateTrail"},
		{"nothing but the mode", `{"mode": "organization"}`, "organizationId: is required in the mode organization\nregion: is required in the mode organization\n" +
			"managementAccount: is required in the mode organization\norganizationalUnitIds: is required in the mode organization"},
		{"malformed ids", ofTheOrganization(`"logArchiveAccount": "2", "securityAccount": "3", "logArchiveKeyArn": "alias/x", "members": "all", "memberLogs": "here", "delegatedAdministratorAccount": "4"`),
			`delegatedAdministratorAccount: "4" ` + noAccount + "\n" + `logArchiveAccount: "2" ` + noAccount + "\n" +
				`logArchiveKeyArn: "alias/x" is not the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID` + "\n" + `securityAccount: "3" ` + noAccount + "\n" +
				`members: "all" is not what members are: use watch or guard` + "\n" + `memberLogs: "here" is not where members write: use archive or own` + "\n" +
				"memberLogs: is for members that are guards, and members are watch: give members guard, or leave out memberLogs"},
		{"wrong types", ofTheOrganization(`"accountFilter": "x", "organizationTrail": 1, "maxConcurrentPercentage": "some"`),
			`accountFilter: "x" is not an account filter: use {"type": "DIFFERENCE", "accounts": ["123456789012"]}` + "\n" +
				`maxConcurrentPercentage: "some" is not a number: use digits only` + "\n" + `organizationTrail: 1 is not a boolean: use true or false`},
		{"keys of the mode account", ofTheOrganization(archive + `, "account": "111111111111", "trailAccount": "111111111111", "centralEventBusArn": "arn:aws:events:eu-central-1:333333333333:event-bus/trailguard",
			"logBucketName": "my-bucket", "logKeyArn": "arn:aws:kms:eu-central-1:222222222222:key/1"`),
			"account: is not of the mode organization: each stack has its own: use managementAccount, logArchiveAccount and securityAccount\n" +
				"trailAccount: is not of the mode organization: it is the managementAccount\n" +
				"centralEventBusArn: is not of the mode organization: it is that of the securityAccount\n" +
				"logBucketName: names a log store, and the archive in logArchiveAccount is one: leave out logBucketName, or logArchiveAccount\n" +
				"logKeyArn: names a log store, and the archive in logArchiveAccount is one: leave out logKeyArn, or logArchiveAccount"},
		{"members that are guards without an archive", ofTheOrganization(`"members": "guard"`),
			"logArchiveAccount: is required, as members are guards whose trails write to the archive: give it, or memberLogs own without what is of the archive"},
		{"the archive's key without the archive", ofTheOrganization(`"logArchiveKeyArn": "arn:aws:kms:eu-central-1:222222222222:key/1"`),
			"logArchiveAccount: is required, as logArchiveKeyArn is given: give it, or memberLogs own without what is of the archive"},
		{"members without any trail", ofTheOrganization(`"organizationTrail": false`),
			"organizationTrail: is false, and members are watch, so that they would have no trail: give members guard, or organizationTrail true"},
		{"a delegated administrator that is none", ofTheOrganization(`"delegatedAdministratorAccount": "111111111111"`),
			`delegatedAdministratorAccount: "111111111111" is the managementAccount: leave it out`},
		{"a delegated administrator of an ordinary trail", ofTheOrganization(`"delegatedAdministratorAccount": "444444444444", "members": "guard", "memberLogs": "own"`),
			"delegatedAdministratorAccount: can guard the organization trail alone, and organizationTrail is false: give organizationTrail true, or leave out delegatedAdministratorAccount"},
		{"what the constructs refuse", ofTheOrganization(archive + `, "trailName": "x", "organizationalUnitIds": ["ou-1"], "accountFilter": {"type": "INTERSECTION", "accounts": ["111111111111"]},
			"breakGlassRoleArns": ["x"], "logReaderAccounts": ["1"], "failureTolerancePercentage": 101`), "trailName: \"x\" is not a trail name: …\n" +
			`logReaderAccounts[0]: "1" ` + noAccount + "\n" +
			`organizationalUnitIds[0]: "ou-1" is not an organizational unit or a root: …` + "\n" +
			"failureTolerancePercentage: 101 is out of range: use a whole number from 0 to 100\n" +
			`accountFilter.Accounts[0]: "111111111111" is the management account, to which StackSets never deploy: leave it out, and guard its trail with a Management` + "\n" +
			`organizationalUnitIds[0]: "ou-1" is not an organizational unit, a root or an account: …` + "\n" +
			`trailName[0]: "x" …` + "\n" + `breakGlassRoleArns[0]: "x" …`},
		{"a key of another Region and account", ofTheOrganization(`"logArchiveAccount": "222222222222", "logArchiveKeyArn": "arn:aws:kms:eu-west-1:111111111111:key/1"`),
			"logArchiveKeyArn: is in the Region eu-west-1, and the archive is in eu-central-1: give the output LogKeyArn of TrailGuardLogArchive\n" +
				"logArchiveKeyArn: is of the account 111111111111, and the archive is in 222222222222: give the output LogKeyArn of TrailGuardLogArchive"},
		{"an archive that nothing would repair", ofTheOrganization(archive + `, "repairOnEvents": false, "checkEveryMinutes": 0`),
			"repairLogStore: is not false, repairOnEvents is false and checkEveryMinutes is 0, so that nothing would repair the archive: turn one of the two on, or set repairLogStore to false"},
		{"the repair of a log store of somebody else's", ofTheOrganization(`"repairLogStore": true, "logBucketName": "my-bucket", "logKeyArn": "arn:aws:kms:eu-central-1:222222222222:key/1"`),
			"repairLogStore: is true, and logBucketName and logKeyArn are imported, whose owner restores them: leave out one of the two, or set repairLogStore to false"},
		{"Config rules of a delegated administrator", ofTheOrganization(`"delegatedAdministratorAccount": "444444444444", "configRules": true`), "configRules: …"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, want := fmt.Sprint(problemsOf(t, test.block)), strings.Split(test.want, "\n")
			lines := strings.Split(got, "\n")
			for i := range max(len(lines), len(want)) {
				if i >= len(lines) || i >= len(want) || !matches(lines[i], want[i]) {
					t.Fatalf("the error is\n%s\nnot\n%s", got, test.want)
				}
			}
		})
	}
}

// matches tells whether a line is as wanted, up to …, after which it may be anything.
func matches(line, want string) bool {
	beginning, open := strings.CutSuffix(want, "…")
	return line == want || open && strings.HasPrefix(line, beginning)
}

// problemsOf are what the configuration and its stacks refuse.
func problemsOf(t *testing.T, block string) error {
	t.Helper()
	c, err := readConfiguration(decoded(t, `{"trailguard": `+block+`}`))
	if err != nil {
		return err
	}
	_, err = c.defineOrganization(awscdk.NewApp(nil))
	return err
}

// TestEachStackStandsWhereItBelongs asks for the stacks, their accounts and their Regions.
func TestEachStackStandsWhereItBelongs(t *testing.T) {
	for _, test := range []struct{ name, more, want string }{
		{"the least", ``, "Management 111111111111/eu-central-1, Prevention 111111111111/eu-central-1, Rollout 111111111111/eu-central-1"},
		{"before the archive's key is known", `"logArchiveAccount": "222222222222"`,
			"LogArchive 222222222222/eu-central-1, Prevention 111111111111/eu-central-1, Rollout 111111111111/eu-central-1"},
		{"before the archive's key is known to guards", `"members": "guard", "logArchiveAccount": "222222222222"`,
			"LogArchive 222222222222/eu-central-1, Prevention 111111111111/eu-central-1"},
		{"everything", archive + "," + security,
			"Central 333333333333/eu-central-1, LogArchive 222222222222/eu-central-1, Management 111111111111/eu-central-1, OrganizationEvents 111111111111/us-east-1, " +
				"Prevention 111111111111/eu-central-1, Rollout 111111111111/eu-central-1"},
		{"at home where the events of AWS Organizations arrive", `"region": "us-east-1",` + security,
			"Central 333333333333/us-east-1, Management 111111111111/us-east-1, Prevention 111111111111/us-east-1, Rollout 111111111111/us-east-1"},
		{"with a delegated administrator", `"region": "us-east-1", "delegatedAdministratorAccount": "444444444444",` + security,
			"Central 333333333333/us-east-1, Management 444444444444/us-east-1, OrganizationEvents 111111111111/us-east-1, Prevention 111111111111/us-east-1, Rollout 444444444444/us-east-1"},
		{"in China", `"region": "cn-north-1",` + security,
			"Central 333333333333/cn-north-1, Management 111111111111/cn-north-1, OrganizationEvents 111111111111/cn-northwest-1, Prevention 111111111111/cn-north-1, Rollout 111111111111/cn-north-1"},
		{"in AWS GovCloud (US)", `"region": "us-gov-east-1",` + security,
			"Central 333333333333/us-gov-east-1, Management 111111111111/us-gov-east-1, OrganizationEvents 111111111111/us-gov-west-1, Prevention 111111111111/us-gov-east-1, Rollout 111111111111/us-gov-east-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := readConfiguration(decoded(t, `{"trailguard": `+ofTheOrganization(test.more)+`}`))
			if err != nil {
				t.Fatal(err)
			}
			app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
			stacks, err := c.defineOrganization(app)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, stack := range stacks {
				got = append(got, strings.TrimPrefix(*stack.StackName(), "TrailGuard")+" "+*stack.Account()+"/"+*stack.Region())
			}
			slices.Sort(got)
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("the stacks are\n%s\nnot\n%s", got, test.want)
			}
		})
	}
}

// TestTheKeysReachTheStacks looks at what the keys of the organization make of the templates.
func TestTheKeysReachTheStacks(t *testing.T) {
	templates := organizationTemplates(t, archive+","+security+`, "members": "guard", "alertEmailAddresses": ["a@example.com"], "expireAfterDays": 400,
		"accountFilter": {"type": "DIFFERENCE", "accounts": ["555555555555"]}, "failureTolerancePercentage": 3, "maxConcurrentPercentage": 30,
		"breakGlassRoleArns": ["arn:aws:iam::*:role/BreakGlass"], "denyCreateTrail": false, "denyConfigChanges": true, "logReaderAccounts": ["333333333333"]`)
	stackSet := propertiesOf(templates["Rollout"], "AWS::CloudFormation::StackSet")[0]
	member := map[string]any{}
	if err := json.Unmarshal([]byte(stackSet["TemplateBody"].(string)), &member); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"the filter", at(stackSet, "StackInstancesGroup", 0, "DeploymentTargets"), map[string]any{
			"AccountFilterType": "DIFFERENCE", "Accounts": []any{"555555555555"}, "OrganizationalUnitIds": []any{"ou-ab12-c3d4e5f6"}}},
		{"the Region", at(stackSet, "StackInstancesGroup", 0, "Regions", 0), "eu-central-1"},
		{"the failures", at(stackSet, "OperationPreferences", "FailureTolerancePercentage"), 3.0},
		{"the accounts at once", at(stackSet, "OperationPreferences", "MaxConcurrentPercentage"), 30.0},
		{"the caller", stackSet["CallAs"], "SELF"},
		{"the capabilities", stackSet["Capabilities"], []any{"CAPABILITY_IAM"}},
		{"addresses in a member that tells centrally", len(propertiesOf(member, "AWS::SNS::Subscription")), 0},
		{"addresses that are told centrally", len(propertiesOf(templates["Central"], "AWS::SNS::Subscription")), 1},
		{"Config rules in a member", len(propertiesOf(member, "AWS::Config::ConfigRule")), 0},
		{"Config rules in the management account", len(propertiesOf(templates["Management"], "AWS::Config::ConfigRule")), 3},
		{"buckets in a member that writes to the archive", len(propertiesOf(member, "AWS::S3::Bucket")), 0},
		{"the days after which the archive's files expire", at(propertiesOf(templates["LogArchive"], "AWS::S3::Bucket")[0], "LifecycleConfiguration", "Rules", 0, "ExpirationInDays"), 400.0},
		{"that others may create trails", strings.Contains(text(t, templates["Prevention"]), `"cloudtrail:DeregisterOrganizationDelegatedAdmin","cloudtrail:CreateTrail"`), false},
		{"who breaks glass", strings.Contains(text(t, templates["Prevention"]), `arn:aws:iam::*:role/BreakGlass`), true},
		{"the archive's key in the policies", strings.Contains(text(t, templates["Prevention"]), `arn:aws:kms:eu-central-1:222222222222:key/1`), true},
		{"the readers", strings.Contains(text(t, templates["LogArchive"]), `ReadersGet`), true},
		{"the events of the organization", strings.Contains(text(t, templates["OrganizationEvents"]), "LeaveOrganization"), true},
	} {
		if got, want := text(t, test.got), text(t, test.want); got != want {
			t.Errorf("%s: %s, not %s", test.what, got, want)
		}
	}
}

// TestTheLogStoresOfAnOrganizationAreRepaired where they stand: the archive's by default, those of guards if the key asks for it.
func TestTheLogStoresOfAnOrganizationAreRepaired(t *testing.T) {
	repairs := func(template any) bool { return strings.Contains(text(t, template), `"RestoreLogStore"`) }
	for _, test := range []struct {
		name, more                  string
		archive, management, member bool
	}{
		{"by default", archive + `, "members": "guard", "alertEmailAddresses": ["a@example.com"], "checkEveryMinutes": 15`, true, false, false},
		{"not", archive + `, "members": "guard", "memberLogs": "own", "repairLogStore": false`, false, false, false},
		{"those of the members as well", archive + `, "members": "guard", "memberLogs": "own", "repairLogStore": true`, true, false, true},
		{"those of all, without an archive", `"members": "guard", "memberLogs": "own", "repairLogStore": true`, false, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			templates := organizationTemplates(t, test.more)
			member := decoded(t, propertiesOf(templates["Rollout"], "AWS::CloudFormation::StackSet")[0]["TemplateBody"].(string))
			got := []bool{repairs(templates["LogArchive"]), repairs(templates["Management"]), repairs(member)}
			if want := []bool{test.archive, test.management, test.member}; !slices.Equal(got, want) {
				t.Errorf("those of the archive, the management account and the members are repaired: %v, not %v", got, want)
			}
			if got := text(t, templates["LogArchive"]); test.name == "by default" && (!strings.Contains(got, `"Endpoint":"a@example.com"`) || !strings.Contains(got, "rate(15 minutes)")) {
				t.Errorf("the archive's stack is %s", got)
			}
		})
	}
}

func TestADelegatedAdministratorGuardsTheTrailOfTheManagementAccount(t *testing.T) {
	templates := organizationTemplates(t, archive+`, "delegatedAdministratorAccount": "444444444444"`)
	if got := propertiesOf(templates["Rollout"], "AWS::CloudFormation::StackSet")[0]["CallAs"]; got != "DELEGATED_ADMIN" {
		t.Errorf("the StackSet is made as %s", got)
	}
	outputs := templates["Management"]["Outputs"].(map[string]any)
	if arn := text(t, at(outputs, "TrailArn", "Value")); !strings.Contains(arn, ":111111111111:trail/trailguard") {
		t.Errorf("the trail is %s", arn)
	}
	if rules := propertiesOf(templates["Management"], "AWS::Config::ConfigRule"); len(rules) > 0 {
		t.Errorf("it has %d Config rules", len(rules))
	}
}

// organizationTemplates are the templates of the stacks, by their names without TrailGuard.
func organizationTemplates(t *testing.T, more string) map[string]map[string]any {
	t.Helper()
	c, err := readConfiguration(decoded(t, `{"trailguard": `+ofTheOrganization(more)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &folder})
	stacks, err := c.defineOrganization(app)
	if err != nil {
		t.Fatal(err)
	}
	app.Synth(nil)
	templates := map[string]map[string]any{}
	for _, stack := range stacks {
		content, err := os.ReadFile(filepath.Join(folder, *stack.TemplateFile()))
		if err != nil {
			t.Fatal(err)
		}
		var template map[string]any
		if err := json.Unmarshal(content, &template); err != nil {
			t.Fatal(err)
		}
		templates[strings.TrimPrefix(*stack.StackName(), "TrailGuard")] = template
	}
	return templates
}

// propertiesOf are the properties of the resources of a type, in the order of their logical ids.
func propertiesOf(template map[string]any, kind string) (all []map[string]any) {
	defined := template["Resources"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(defined)) {
		if resource := defined[id].(map[string]any); resource["Type"] == kind {
			properties, _ := resource["Properties"].(map[string]any)
			all = append(all, properties)
		}
	}
	return all
}

// TestEachKeyOfAnOrganizationChangesItsStacks gives one key after the other another value, and compares the templates.
func TestEachKeyOfAnOrganizationChangesItsStacks(t *testing.T) {
	const base = archive + "," + security
	templates := map[string]string{}
	templatesOf := func(more string) string {
		if templates[more] == "" {
			templates[more] = text(t, organizationTemplates(t, more))
		}
		return templates[more]
	}
	tried := map[string]bool{}
	for _, test := range []struct{ key, before, after string }{
		{"managementAccount", base, base + `, "managementAccount": "555555555555"`},
		{"delegatedAdministratorAccount", base, base + `, "delegatedAdministratorAccount": "555555555555"`},
		{"logArchiveAccount", `"logArchiveAccount": "222222222222"`, `"logArchiveAccount": "555555555555"`},
		{"logArchiveKeyArn", base, archive + `, "logArchiveKeyArn": "arn:aws:kms:eu-central-1:222222222222:key/3",` + security},
		{"logReaderAccounts", base, base + `, "logReaderAccounts": ["555555555555"]`},
		{"securityAccount", base, base + `, "securityAccount": "555555555555"`},
		{"members", base, base + `, "members": "guard"`},
		{"memberLogs", base + `, "members": "guard"`, base + `, "members": "guard", "memberLogs": "own"`},
		{"organizationTrail", base + `, "members": "guard"`, base + `, "members": "guard", "organizationTrail": true`},
		{"organizationalUnitIds", base, base + `, "organizationalUnitIds": ["r-ab12"]`},
		{"accountFilter", base, base + `, "accountFilter": {"type": "INTERSECTION", "accounts": ["555555555555"]}`},
		{"failureTolerancePercentage", base, base + `, "failureTolerancePercentage": 0`},
		{"maxConcurrentPercentage", base, base + `, "maxConcurrentPercentage": 100`},
		{"breakGlassRoleArns", base, base + `, "breakGlassRoleArns": ["arn:aws:iam::*:role/BreakGlass"]`},
		{"denyCreateTrail", base, base + `, "denyCreateTrail": false`},
		{"denyConfigChanges", base, base + `, "denyConfigChanges": true`},
	} {
		tried[test.key] = true
		if templatesOf(test.before) == templatesOf(test.after) {
			t.Errorf("%s changes nothing", test.key)
		}
	}
	for _, k := range keys {
		if k.ofOrganization && !tried[k.key] {
			t.Errorf("%s is not tried: give it another value above", k.key)
		}
	}
}
