package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws"
)

// TestStatusCannotTamper: what status.go imports can only read a guard.
func TestStatusCannotTamper(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "status.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	reads := false
	for _, imported := range file.Imports {
		switch path := imported.Path.Value; {
		case path == `"github.com/trailguard/trailguard/drill/deployed"`:
			reads = true
		case strings.Contains(path, "trailguard") || strings.Contains(path, "aws-sdk-go"):
			t.Errorf("status imports %s", path)
		}
	}
	if !reads {
		t.Error("status does not import drill/deployed")
	}
}

// TestStatusFindsEachThingThatIsNotWhole breaks one thing after the other, and mends it.
func TestStatusFindsEachThingThatIsNotWhole(t *testing.T) {
	const defaultRecorder = "default"
	g := newGuarded(t, golden)
	ctx, rule := t.Context(), g.guard.ConfigRuleNames[0]
	admin := g.local.Config(localaws.Administrator)
	events, trails, config := eventbridge.NewFromConfig(admin), cloudtrail.NewFromConfig(admin), configservice.NewFromConfig(admin)
	starting, target := g.startingRule(events)
	broken := func(name, arn string) error {
		changed := *target
		changed.Arn = aws.String(arn)
		_, err := events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: []eventtypes.Target{changed}})
		return err
	}
	exception := []configtypes.RemediationExceptionResourceKey{{ResourceId: aws.String("123456789012"), ResourceType: aws.String("AWS::::Account")}}
	for _, test := range []struct {
		name          string
		breaks, mends func() error
		want          string
	}{
		{"the recorder stands still", func() error {
			_, err := config.StopConfigurationRecorder(ctx, &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: aws.String(defaultRecorder)})
			return err
		}, func() error {
			_, err := config.StartConfigurationRecorder(ctx, &configservice.StartConfigurationRecorderInput{ConfigurationRecorderName: aws.String(defaultRecorder)})
			return err
		}, "no configuration recorder is recording"},
		{"there is a remediation exception", func() error {
			_, err := config.PutRemediationExceptions(ctx, &configservice.PutRemediationExceptionsInput{ConfigRuleName: &rule, ResourceKeys: exception})
			return err
		}, func() error {
			_, err := config.DeleteRemediationExceptions(ctx, &configservice.DeleteRemediationExceptionsInput{ConfigRuleName: &rule, ResourceKeys: exception})
			return err
		}, "Config no longer remediates AWS::::Account 123456789012"},
		{"another version of the runbook is started", func() error { return broken(starting, strings.TrimSuffix(*target.Arn, ":1")+":2") },
			func() error { return broken(starting, *target.Arn) }, "it does not start the runbook's first version, but "},
		{"a rule is disabled", func() error {
			_, err := events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &starting})
			return err
		}, func() error {
			_, err := events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &starting})
			return err
		}, "it is disabled or deleted"},
		{"the trail is not logging", func() error {
			_, err := trails.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: &g.guard.TrailName})
			return err
		}, func() error {
			_, err := trails.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: &g.guard.TrailName})
			return err
		}, "IsLogging is false, want true"},
		{"a Config rule is deleted", func() error {
			if _, err := config.DeleteRemediationConfiguration(ctx, &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: &rule}); err != nil {
				return err
			}
			_, err := config.DeleteConfigRule(ctx, &configservice.DeleteConfigRuleInput{ConfigRuleName: &rule})
			return err
		}, nil, "it is deleted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.breaks(); err != nil {
				t.Fatal(err)
			}
			got := g.call(nil, "status", "--stack", "TrailGuard")
			if got.code != exitUnrepaired || !strings.Contains(got.stdout, test.want) {
				t.Errorf("exit code %d, without %q:\n%s%s", got.code, test.want, got.stdout, got.stderr)
			}
			if test.mends == nil {
				return
			}
			if err := test.mends(); err != nil {
				t.Fatal(err)
			}
			if got := g.call(nil, "status", "--stack", "TrailGuard"); got.code != exitRepaired {
				t.Errorf("when all is well again, the exit code is %d:\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// startingRule is the first rule of the stack that starts the runbook, with its target.
func (g *guarded) startingRule(events *eventbridge.Client) (string, *eventtypes.Target) {
	g.t.Helper()
	rules, err := events.ListRules(g.t.Context(), &eventbridge.ListRulesInput{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, rule := range rules.Rules {
		targets, err := events.ListTargetsByRule(g.t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: rule.Name})
		if err != nil {
			g.t.Fatal(err)
		}
		for _, target := range targets.Targets {
			if strings.Contains(*target.Arn, ":automation-definition/") {
				return *rule.Name, &target
			}
		}
	}
	g.t.Fatal("no rule starts the runbook")
	return "", nil
}
