package organization_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/organizationcases"
)

// TestEachWrongPropIsNamedAtOnce calls each constructor with all that can be wrong.
func TestEachWrongPropIsNamedAtOnce(t *testing.T) {
	id := jsii.String("This")
	const (
		noUnit = "is not an organizational unit or a root: use an id such as ou-ab12-c3d4e5f6 or r-ab12, as `aws organizations list-roots` and " +
			"`list-organizational-units-for-parent` show it"
		noOrganization = "is not an organization id: use o- and 10-32 lower-case letters or digits, as `aws organizations describe-organization` shows it"
		noAddress      = `AlertEmailAddresses[0]: "a" is not an e-mail address: use one such as security@example.com`
		noTrail        = "is not a trail name: "
	)
	for _, test := range []struct {
		name string
		call func(scope constructs.Construct)
		want []string
	}{
		{"LogArchive, nil", func(scope constructs.Construct) { organization.NewLogArchive(scope, id, nil) }, []string{
			`LogArchive "This": OrganizationId: is required`,
			"TrailName: is not given, and neither is MemberTrailName, so that no trail could write: give one of them",
		}},
		{"LogArchive", func(scope constructs.Construct) {
			organization.NewLogArchive(scope, id, &organization.LogArchiveProps{
				OrganizationId: jsii.String("o-1"), TrailName: jsii.String("x"), ReaderAccounts: jsii.Strings("1"), BucketName: jsii.String("X"),
				CheckEvery: awscdk.Duration_Minutes(jsii.Number(4)), AlertEmailAddresses: jsii.Strings("a"),
				AlertTopic: awssns.Topic_FromTopicArn(scope, jsii.String("Topic"), jsii.String("arn:aws:sns:eu-west-1:111111111111:t")),
			})
		}, []string{
			`LogArchive "This": TrailAccount: is not given, and is the account that owns the organization trail: give the management account`,
			`TrailName: "x" ` + noTrail, `ReaderAccounts[0]: "1"`, `OrganizationId: "o-1" ` + noOrganization, `BucketName: "X"`,
			"CheckEvery: 4 minutes is out of range: ", noAddress, "AlertTopic: is in the Region eu-west-1, and the stack is in us-east-1",
		}},
		{"LogArchive that nothing would repair", func(scope constructs.Construct) {
			organization.NewLogArchive(scope, id, &organization.LogArchiveProps{
				OrganizationId: jsii.String("o-a1b2c3d4e5"), MemberTrailName: jsii.String("members"), RepairOnEvents: jsii.Bool(false),
				CheckEvery: awscdk.Duration_Minutes(jsii.Number(0)),
			})
		}, []string{
			`LogArchive "This": RepairLogStore: is not false, RepairOnEvents is false and CheckEvery is 0, so that nothing would repair the archive: ` +
				"turn one of the two on, or set RepairLogStore to false",
		}},
		{"Management", func(scope constructs.Construct) {
			organization.NewManagement(scope, id, &organization.ManagementProps{
				Guard: &trailguard.TrailGuardProps{TrailName: jsii.String("x")}, PolicyIds: jsii.Strings("x", "p-a1b2c3d4", "p-a1b2c3d4"),
			})
		}, []string{
			`Management "This": TrailName: "x" ` + noTrail, `PolicyIds[0]: "x" is not the id of a policy: use one such as p-a1b2c3d4`,
			`PolicyIds[2]: "p-a1b2c3d4" is given twice: leave it out`,
		}},
		{"OrganizationEvents, nil", func(scope constructs.Construct) { organization.NewOrganizationEvents(scope, id, nil) }, []string{
			`OrganizationEvents "This": AlertTopic: is not given, and neither is CentralEventBus, so that nobody would be told: give one of them`,
		}},
		{"Watch", func(scope constructs.Construct) {
			organization.NewWatch(scope, id, &organization.WatchProps{
				TrailName: jsii.String("x"), GuardAccount: jsii.String("1"), AlertEmailAddresses: jsii.Strings("a"),
				AlertTopic: awssns.Topic_FromTopicArn(scope, jsii.String("Topic"), jsii.String("arn:aws:sns:eu-west-1:111111111111:t")),
			})
		}, []string{
			`Watch "This": TrailName: "x" ` + noTrail, `GuardAccount: "1" is not an account id: use 12 digits`, noAddress, "AlertTopic: is in the Region eu-west-1, and the stack is in us-east-1",
		}},
		{"Central, nil", func(scope constructs.Construct) { organization.NewCentral(scope, id, nil) }, []string{`Central "This": OrganizationId: is required`}},
		{"Central", func(scope constructs.Construct) {
			organization.NewCentral(scope, id, &organization.CentralProps{
				OrganizationId: jsii.String("x"), EventBusName: jsii.String("default"), AlertEmailAddresses: jsii.Strings("a"),
			})
		}, []string{
			`Central "This": OrganizationId: "x" ` + noOrganization,
			`EventBusName: "default" is not the name of an event bus of one's own: use 1-256 letters, digits and . _ -, not default`, noAddress,
		}},
		{"Prevention, nil", func(scope constructs.Construct) { organization.NewPrevention(scope, id, nil) }, []string{
			`Prevention "This": TargetIds: is required`, "OrganizationId: is required",
		}},
		{"Prevention", func(scope constructs.Construct) {
			organization.NewPrevention(scope, id, &organization.PreventionProps{
				OrganizationId: jsii.String("x"), TargetIds: jsii.Strings("x", "111111111111"), ManagementAccount: jsii.String("1"), StackSetName: jsii.String("1"),
				TrailNames: jsii.Strings("x"), KeyArns: jsii.Strings("x"), BreakGlassRoleArns: jsii.Strings("x"),
			})
		}, []string{
			`Prevention "This": TargetIds[0]: "x" is not an organizational unit, a root or an account`, `ManagementAccount: "1" is not an account id`,
			`StackSetName: "1" is not the name of a StackSet`, `OrganizationId: "x" `, `TrailNames[0]: "x" `, `KeyArns[0]: "x" `, `BreakGlassRoleArns[0]: "x" `,
		}},
		{"Prevention that locks CloudFormation out", func(scope constructs.Construct) {
			organization.NewPrevention(scope, id, &organization.PreventionProps{
				OrganizationId: jsii.String("o-a1b2c3d4e5"), TargetIds: jsii.Strings("r-ab12", "111111111111"), ExemptCdk: jsii.Bool(false),
			})
		}, []string{
			`Prevention "This": BreakGlassRoleArns: is required if ExemptCdk is false: nobody could deploy the stacks of the log archive and of the security account`,
			`TargetIds[1]: "111111111111" is the management account, which no policy binds: leave it out`,
		}},
		{"Rollout, nil", func(scope constructs.Construct) { organization.NewRollout(scope, id, nil) }, []string{
			`Rollout "This": Member: is required`, "OrganizationalUnitIds: is required",
		}},
		{"Rollout", func(scope constructs.Construct) {
			organization.NewRollout(scope, id, &organization.RolloutProps{
				Member: organizationcases.WatchMember, OrganizationalUnitIds: jsii.Strings("ou-1", "r-ab12", "r-ab12"), ManagementAccount: jsii.String("1"),
				AccountFilter: &organization.AccountFilter{Type: "UNION"}, StackSetName: jsii.String("1x"), CallAs: "ROOT", ConcurrencyMode: "FAST",
				FailureTolerancePercentage: jsii.Number(101), MaxConcurrentPercentage: jsii.Number(0), Region: jsii.String("eu-west-1"),
			})
		}, []string{
			`Rollout "This": OrganizationalUnitIds[0]: "ou-1" ` + noUnit, `OrganizationalUnitIds[2]: "r-ab12" is given twice: leave it out`,
			"AccountFilter.Type: is UNION, with which CloudFormation cannot create a StackSet: give the accounts' organizational units, and INTERSECTION",
			"AccountFilter.Accounts: is empty: name the accounts, or leave out AccountFilter", `ManagementAccount: "1" is not an account id`,
			"FailureTolerancePercentage: 101 is out of range: use a whole number from 0 to 100", "MaxConcurrentPercentage: 0 is out of range: use a whole number from 1 to 100",
			`StackSetName: "1x" is not the name of a StackSet`, `ConcurrencyMode: "FAST" is not a mode`, `CallAs: "ROOT" is not a role: use SELF or DELEGATED_ADMIN`,
			"Region: is eu-west-1, and the stack is in us-east-1: the trails, their archive and what is told of them have one home Region: give the stack that Region",
		}},
		{"Rollout to the management account", func(scope constructs.Construct) {
			organization.NewRollout(scope, id, &organization.RolloutProps{
				Member: organizationcases.WatchMember, OrganizationalUnitIds: jsii.Strings("r-ab12"),
				AccountFilter: &organization.AccountFilter{Type: organization.AccountFilterType_INTERSECTION, Accounts: jsii.Strings("111111111111", "44")},
			})
		}, []string{
			`Rollout "This": AccountFilter.Accounts[1]: "44" is not an account id`,
			`AccountFilter.Accounts[0]: "111111111111" is the management account, to which StackSets never deploy: leave it out, and guard its trail with a Management`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				lines := strings.Split(fmt.Sprint(recover()), "\n")
				for i, line := range lines {
					if i >= len(test.want) || !strings.HasPrefix(line, test.want[i]) {
						t.Errorf("line %d of the panic is\n%s\nnot\n%s", i, line, strings.Join(test.want[i:], "\n"))
						return
					}
				}
				if len(lines) != len(test.want) {
					t.Errorf("the panic lacks\n%s", strings.Join(test.want[len(lines):], "\n"))
				}
			}()
			test.call(exampleStack("111111111111"))
		})
	}
}

// TestWhatAMemberCannotHaveIsSaid: the synthesis fails with it.
func TestWhatAMemberCannotHaveIsSaid(t *testing.T) {
	outer := awss3.NewBucket(exampleStack("111111111111"), jsii.String("Outer"), nil)
	weak := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{"@aws-cdk/core:defaultCrossStackReferences": "weak"}})
	anywhere := awss3.NewBucket(awscdk.NewStack(weak, jsii.String("Anywhere"), nil), jsii.String("Outer"), nil)
	for i, test := range []struct {
		name   string
		member func(stack awscdk.Stack)
		want   string
	}{
		{"a resource of the outer app", func(stack awscdk.Stack) {
			trailguard.NewTrailGuard(stack, jsii.String("Guard"), &trailguard.TrailGuardProps{LogBucket: outer})
		}, "Member: refers to a resource of another stack, which is of another app: name it by a text, such as its ARN"},
		{"a value of the outer app, of any account", func(stack awscdk.Stack) {
			awscdk.NewCfnOutput(stack, jsii.String("Out"), &awscdk.CfnOutputProps{Value: anywhere.BucketArn()})
		}, "Member: refers to a resource of another stack, which is of another app: name it by a text, such as its ARN"},
		{"a value of the outer app", func(stack awscdk.Stack) {
			awscdk.NewCfnOutput(stack, jsii.String("Out"), &awscdk.CfnOutputProps{Value: outer.BucketName()})
		}, "Member: refers to a resource of another stack, which is of another app: name it by a text, such as its ARN"},
		{"props that cannot be used", func(stack awscdk.Stack) {
			trailguard.NewTrailGuard(stack, jsii.String("Guard"), &trailguard.TrailGuardProps{TrailName: jsii.String("x")})
		}, `Member: TrailGuard "Guard": TrailName: "x" is not a trail name`},
		{"too much", func(stack awscdk.Stack) {
			for i := range 200 {
				awss3.NewBucket(stack, jsii.String(fmt.Sprint("Bucket", i)), &awss3.BucketProps{BucketName: jsii.String(strings.Repeat("b", 59) + fmt.Sprint(i)),
					EnforceSSL: jsii.Bool(true), BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL()})
			}
		}, "Member: makes a template of "},
		{"the stack's name", func(stack awscdk.Stack) {
			awscdk.NewCfnOutput(stack, jsii.String("Out"), &awscdk.CfnOutputProps{Value: stack.StackName()})
		}, "Member: uses the name of its stack, which StackSets give: use Aws.STACK_NAME"},
		{"a dynamic reference", func(stack awscdk.Stack) {
			awscdk.NewCfnOutput(stack, jsii.String("Out"), &awscdk.CfnOutputProps{Value: jsii.String("{{resolve:ssm:x}}")})
		}, "Member: has a dynamic reference {{resolve:…}}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stack := awscdk.NewStack(weak, jsii.String(fmt.Sprint("Rollout", i)), nil)
			rollout := organization.NewRollout(stack, jsii.String("Rollout"), &organization.RolloutProps{
				Member: test.member, OrganizationalUnitIds: jsii.Strings("r-ab12"),
			})
			if got := fmt.Sprint(rollout.Validate()); !strings.HasPrefix(got, test.want) {
				t.Errorf("the problem is\n%s\nnot\n%s", got, test.want)
			}
		})
	}
}
