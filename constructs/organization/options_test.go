package organization_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/organizationcases"
)

// TestEachPropReachesTheTemplate sets one prop after the other beside those that are required, and looks for what it makes of the template.
func TestEachPropReachesTheTemplate(t *testing.T) {
	define := map[string]func(stack awscdk.Stack, props any){
		"LogArchive": func(stack awscdk.Stack, props any) {
			organization.NewLogArchive(stack, jsii.String("Default"), props.(*organization.LogArchiveProps))
		},
		"Rollout": func(stack awscdk.Stack, props any) {
			organization.NewRollout(stack, jsii.String("Default"), props.(*organization.RolloutProps))
		},
		"Watch": func(stack awscdk.Stack, props any) {
			organization.NewWatch(stack, jsii.String("Default"), props.(*organization.WatchProps))
		},
		"Central": func(stack awscdk.Stack, props any) {
			organization.NewCentral(stack, jsii.String("Default"), props.(*organization.CentralProps))
		},
		"Prevention": func(stack awscdk.Stack, props any) {
			organization.NewPrevention(stack, jsii.String("Default"), props.(*organization.PreventionProps))
		},
		"Management": func(stack awscdk.Stack, props any) {
			organization.NewManagement(stack, jsii.String("Default"), props.(*organization.ManagementProps))
		},
		"OrganizationEvents": func(stack awscdk.Stack, props any) {
			organization.NewOrganizationEvents(stack, jsii.String("Default"), props.(*organization.OrganizationEventsProps))
		},
	}
	text := jsii.String
	required := map[string]func(stack awscdk.Stack) any{
		"LogArchive": func(awscdk.Stack) any {
			return &organization.LogArchiveProps{OrganizationId: text("o-a1b2c3d4e5"), MemberTrailName: text("trail")}
		},
		"Rollout": func(awscdk.Stack) any {
			return &organization.RolloutProps{Member: organizationcases.WatchMember, OrganizationalUnitIds: jsii.Strings("r-ab12")}
		},
		"Watch":   func(awscdk.Stack) any { return &organization.WatchProps{} },
		"Central": func(awscdk.Stack) any { return &organization.CentralProps{OrganizationId: text("o-a1b2c3d4e5")} },
		"Prevention": func(awscdk.Stack) any {
			return &organization.PreventionProps{OrganizationId: text("o-a1b2c3d4e5"), TargetIds: jsii.Strings("r-ab12")}
		},
		"Management": func(awscdk.Stack) any { return &organization.ManagementProps{} },
		"OrganizationEvents": func(stack awscdk.Stack) any {
			return &organization.OrganizationEventsProps{AlertTopic: topic(stack, "Required")}
		},
	}
	days := func(n float64) awscdk.Duration { return awscdk.Duration_Days(&n) }
	for _, test := range []struct {
		of, prop string
		value    func(stack awscdk.Stack) any
		want     string // stands in the template, and not in the one without the prop
	}{
		{"LogArchive", "OrganizationId", is(text("o-zzzzzzzzzz")), `"aws:SourceOrgID":"o-zzzzzzzzzz"`},
		{"LogArchive", "TrailName", is(text("org-trail")), `trail/org-trail`},
		{"LogArchive", "TrailAccount", is(text("555555555555")), `:555555555555:trail/org-trail`},
		{"LogArchive", "PreviousTrailNames", is(jsii.Strings("old-trail")), `trail/old-trail`},
		{"LogArchive", "MemberTrailName", is(text("my-trail")), `trail/my-trail`},
		{"LogArchive", "MemberAccounts", is(jsii.Strings("555555555555")), `:555555555555:trail/trail`},
		{"LogArchive", "ReaderAccounts", is(jsii.Strings("555555555555")), `:iam::555555555555:root`},
		{"LogArchive", "BucketName", is(text("my-archive")), `"BucketName":"my-archive"`},
		{"LogArchive", "S3KeyPrefix", is(text("audit")), `audit/AWSLogs/`},
		{"LogArchive", "TransitionAfter", is(days(31)), `"TransitionInDays":31`},
		{"LogArchive", "ExpireAfter", is(days(400)), `"ExpirationInDays":400`},
		{"LogArchive", "ObjectLockRetention", is(awss3.ObjectLockRetention_Compliance(days(365))), `"Mode":"COMPLIANCE"`},
		{"LogArchive", "ServerAccessLogsBucket", func(stack awscdk.Stack) any { return awss3.NewBucket(stack, text("Mine"), nil) }, `"DestinationBucketName":{"Ref":"Mine`},
		{"LogArchive", "AlarmOnMissingDigests", is(jsii.Bool(false)), `-"MetricName":"MatchedEvents"`},
		{"LogArchive", "RepairLogStore", is(jsii.Bool(false)), `-AWS::SSM::Document`},
		{"LogArchive", "RepairOnEvents", is(jsii.Bool(false)), `-{\"StartedBy\":[\"event\"]}`},
		{"LogArchive", "CheckEvery", is(awscdk.Duration_Minutes(jsii.Number(15))), `"ScheduleExpression":"rate(15 minutes)"`},
		{"LogArchive", "CentralEventBus", func(stack awscdk.Stack) any { return bus(stack) }, `:333333333333:event-bus/trailguard`},
		{"LogArchive", "AlertTopic", func(stack awscdk.Stack) any { return topic(stack, "Mine") }, `"Arn":{"Ref":"Mine`},
		{"LogArchive", "AlertEmailAddresses", is(jsii.Strings("a@example.com")), `"Endpoint":"a@example.com"`},
		{"LogArchive", "RemovalPolicy", is(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE), `"DeletionPolicy":"RetainExceptOnCreate"`},
		{"Rollout", "Member", is(organizationcases.GuardMember), `AWS::SSM::Document`},
		{"Rollout", "OrganizationalUnitIds", is(jsii.Strings("ou-ab12-c3d4e5f6")), `"ou-ab12-c3d4e5f6"`},
		{"Rollout", "AccountFilter", is(&organization.AccountFilter{Type: organization.AccountFilterType_DIFFERENCE, Accounts: jsii.Strings("555555555555")}),
			`"AccountFilterType":"DIFFERENCE","Accounts":["555555555555"]`},
		{"Rollout", "ManagementAccount", is(text("111111111111")), ``}, // it is for checking
		{"Rollout", "Region", is(text("us-east-1")), ``},               // likewise
		{"Rollout", "StackSetName", is(text("Guards")), `"StackSetName":"Guards"`},
		{"Rollout", "FailureTolerancePercentage", is(jsii.Number(3)), `"FailureTolerancePercentage":3`},
		{"Rollout", "MaxConcurrentPercentage", is(jsii.Number(30)), `"MaxConcurrentPercentage":30`},
		{"Rollout", "ConcurrencyMode", is(organization.ConcurrencyMode_STRICT_FAILURE_TOLERANCE), `"ConcurrencyMode":"STRICT_FAILURE_TOLERANCE"`},
		{"Rollout", "CallAs", is(organization.CallAs_DELEGATED_ADMIN), `"CallAs":"DELEGATED_ADMIN"`},
		{"Watch", "TrailName", is(text("org-trail")), `":trail/org-trail"`},
		{"Watch", "GuardAccount", is(text("777777777777")), `"recipientAccountId":[{"anything-but":"777777777777"}]`},
		{"Watch", "CentralEventBus", func(stack awscdk.Stack) any { return bus(stack) }, `:333333333333:event-bus/trailguard`},
		{"Watch", "AlertTopic", func(stack awscdk.Stack) any { return topic(stack, "Mine") }, `"Arn":{"Ref":"Mine`},
		{"Watch", "AlertEmailAddresses", is(jsii.Strings("a@example.com")), `"Endpoint":"a@example.com"`},
		{"Watch", "RemovalPolicy", is(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE), `"DeletionPolicy":"RetainExceptOnCreate"`},
		{"Central", "OrganizationId", is(text("o-zzzzzzzzzz")), `"aws:PrincipalOrgID":"o-zzzzzzzzzz"`},
		{"Central", "EventBusName", is(text("my-bus")), `"Name":"my-bus"`},
		{"Central", "AlertTopic", func(stack awscdk.Stack) any { return topic(stack, "Mine") }, `"Arn":{"Ref":"Mine`},
		{"Central", "AlertEmailAddresses", is(jsii.Strings("a@example.com")), `"Endpoint":"a@example.com"`},
		{"Central", "AlertSubscriptions", is(&[]awssns.ITopicSubscription{awssnssubscriptions.NewUrlSubscription(text("https://example.com/a"), nil)}), `"Endpoint":"https://example.com/a"`},
		{"Central", "HeartbeatAccounts", is(jsii.Strings("555555555555")), `"account":["555555555555"]`},
		{"Central", "RemovalPolicy", is(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE), `"DeletionPolicy":"RetainExceptOnCreate"`},
		{"Prevention", "OrganizationId", is(text("o-zzzzzzzzzz")), `o-zzzzzzzzzz`},
		{"Prevention", "TargetIds", is(jsii.Strings("ou-ab12-c3d4e5f6")), `"TargetIds":["ou-ab12-c3d4e5f6"]`},
		{"Prevention", "ManagementAccount", is(text("111111111111")), ``}, // it is for checking
		{"Prevention", "TrailNames", is(jsii.Strings("my-trail")), `trail/my-trail`},
		{"Prevention", "StackSetName", is(text("Guards")), `StackSet-Guards-*`},
		{"Prevention", "KeyArns", is(jsii.Strings("arn:aws:kms:us-east-1:222222222222:key/1")), `arn:aws:kms:us-east-1:222222222222:key/1`},
		{"Prevention", "BreakGlassRoleArns", is(jsii.Strings("arn:aws:iam::*:role/BreakGlass")), `role/BreakGlass`},
		{"Prevention", "ExemptCdk", is(jsii.Bool(false)), `-cdk-*-cfn-exec-role-*`},
		{"Prevention", "DenyCreateTrail", is(jsii.Bool(false)), `-"cloudtrail:DeregisterOrganizationDelegatedAdmin","cloudtrail:CreateTrail"`},
		{"Prevention", "DenyPolicyChanges", is(jsii.Bool(false)), `-organizations:UpdatePolicy`},
		{"Prevention", "DenyConfigChanges", is(jsii.Bool(true)), `config:DeleteConfigRule`},
		{"Prevention", "DenyStopAutomation", is(jsii.Bool(true)), `ssm:StopAutomationExecution`},
		{"Prevention", "ResourceControlPolicies", is(jsii.Bool(false)), `-"Type":"RESOURCE_CONTROL_POLICY"`},
		{"Management", "Guard", is(&trailguard.TrailGuardProps{TrailName: text("org-trail")}), `org-trail`},
		{"Management", "PolicyIds", is(jsii.Strings("p-a1b2c3d4")), `"policyId":["p-a1b2c3d4"`},
		{"OrganizationEvents", "AlertTopic", func(stack awscdk.Stack) any { return topic(stack, "Mine") }, `"Arn":{"Ref":"Mine`},
		{"OrganizationEvents", "CentralEventBus", func(stack awscdk.Stack) any { return bus(stack) }, `:333333333333:event-bus/trailguard`},
		{"OrganizationEvents", "PolicyIds", is(jsii.Strings("p-a1b2c3d4")), `"policyId":["p-a1b2c3d4"`},
	} {
		t.Run(test.of+" "+test.prop, func(t *testing.T) {
			templates := []string{}
			for _, set := range []bool{false, true} {
				stack := exampleStack("111111111111")
				props := required[test.of](stack)
				fields := reflect.ValueOf(props).Elem()
				if organizationTrail := []string{"TrailAccount", "PreviousTrailNames"}; test.of == "LogArchive" && strings.Contains(fmt.Sprint(organizationTrail, "TrailName"), test.prop) && test.prop != "MemberTrailName" {
					fields.FieldByName("TrailAccount").Set(reflect.ValueOf(text("111111111111")))
					if set || test.prop != "TrailName" {
						fields.FieldByName("TrailName").Set(reflect.ValueOf(text("org-trail")))
					} else {
						fields.FieldByName("TrailAccount").SetZero()
					}
				}
				if test.prop == "ExemptCdk" {
					fields.FieldByName("BreakGlassRoleArns").Set(reflect.ValueOf(jsii.Strings("arn:aws:iam::*:role/BreakGlass")))
				}
				if set {
					fields.FieldByName(test.prop).Set(reflect.ValueOf(test.value(stack)))
				}
				define[test.of](stack, props)
				templates = append(templates, compact(t, synthesized(stack)))
			}
			want, gone := strings.CutPrefix(test.want, "-")
			if before, after := strings.Contains(templates[0], want), strings.Contains(templates[1], want); want != "" && (before != gone || after == gone) {
				t.Errorf("%q is in the template without it: %t, and with it: %t", want, before, after)
			}
		})
	}
}

// is a value that needs no stack.
func is(value any) func(awscdk.Stack) any { return func(awscdk.Stack) any { return value } }

func topic(stack awscdk.Stack, id string) awssns.ITopic { return awssns.NewTopic(stack, &id, nil) }

func bus(stack awscdk.Stack) any {
	return organization.CentralEventBus(stack, jsii.String("Bus"), jsii.String("333333333333"), jsii.String("us-east-1"))
}

// compact is a template in one line.
func compact(t *testing.T, template map[string]any) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(string(encoded(t, template))) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.ReplaceAll(strings.Join(lines, ""), `": `, `":`)
}

// TestEachPropIsTried reads the types of props, and looks for each of their fields in the test above.
func TestEachPropIsTried(t *testing.T) {
	tried := map[string]bool{}
	inspect(t, "options_test.go", func(node ast.Node) {
		if row, ok := node.(*ast.CompositeLit); ok && row.Type == nil && len(row.Elts) == 4 {
			tried[fmt.Sprint(literal(row.Elts[0]), "Props.", literal(row.Elts[1]))] = true
		}
	})
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		inspect(t, path, func(node ast.Node) {
			spec, ok := node.(*ast.TypeSpec)
			if !ok || !strings.HasSuffix(spec.Name.Name, "Props") {
				return
			}
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				for _, name := range field.Names {
					if fields++; !tried[spec.Name.Name+"."+name.Name] {
						t.Errorf("%s.%s is not tried by TestEachPropReachesTheTemplate", spec.Name.Name, name.Name)
					}
				}
			}
		})
	}
	if fields < 50 {
		t.Errorf("there are %d props only", fields)
	}
}

func inspect(t *testing.T, path string, visit func(ast.Node)) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		visit(node)
		return true
	})
}

func literal(node ast.Expr) string {
	if text, ok := node.(*ast.BasicLit); ok {
		return strings.Trim(text.Value, `"`)
	}
	return ""
}

// TestAnArchiveOfManyReadersFits: with as many as there can be, the policies and their declared state are in the template.
func TestAnArchiveOfManyReadersFits(t *testing.T) {
	var readers []string
	for i := range 50 {
		readers = append(readers, fmt.Sprint(500_000_000_000+i))
	}
	stack := exampleStack("222222222222")
	organization.NewLogArchive(stack, jsii.String("Default"), &organization.LogArchiveProps{
		OrganizationId: jsii.String("o-a1b2c3d4e5"), TrailName: jsii.String("trailguard"), TrailAccount: jsii.String("111111111111"),
		MemberTrailName: jsii.String("trailguard"), ReaderAccounts: jsii.Strings(readers...), AlertEmailAddresses: jsii.Strings("a@example.com"),
	})
	if text := compact(t, synthesized(stack)); len(text) > organization.MaximumTemplateBytes || strings.Count(text, readers[49]) < 6 {
		t.Errorf("the template has %d bytes, and names a reader %d times", len(text), strings.Count(text, readers[49]))
	}
}

// TestTheLongestNamesFit: a pattern takes 2,048 characters.
func TestTheLongestNamesFit(t *testing.T) {
	watch := organization.NewWatch(exampleStack("111111111111"), jsii.String("Watch"), &organization.WatchProps{
		TrailName: jsii.String(strings.Repeat("a", 128)), GuardAccount: jsii.String("777777777777"),
	})
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("p-%08d", i))
	}
	stack := exampleStack("111111111111")
	events := organization.NewOrganizationEvents(stack, jsii.String("Events"), &organization.OrganizationEventsProps{AlertTopic: topic(stack, "Topic"), PolicyIds: jsii.Strings(ids...)})
	for _, problem := range []error{watch.Validate(), events.Validate()} {
		if problem != nil {
			t.Error(problem)
		}
	}
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("p-%08d", 100+i))
	}
	stack = exampleStack("111111111111")
	events = organization.NewOrganizationEvents(stack, jsii.String("Events"), &organization.OrganizationEventsProps{AlertTopic: topic(stack, "Topic"), PolicyIds: jsii.Strings(ids...)})
	if got := fmt.Sprint(events.Validate()); !strings.HasPrefix(got, "PolicyIds: makes the event pattern of the rule Organization up to ") {
		t.Errorf("of too many policies it says %s", got)
	}
}
