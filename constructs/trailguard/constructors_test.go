package trailguard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
)

// TestConstructorsNameThePropsThatAreMissing calls each exported constructor with nil, with no props, and without an id.
func TestConstructorsNameThePropsThatAreMissing(t *testing.T) {
	const settings = "Settings.Name: is required\nSettings.ARN: is required\nSettings.S3BucketName: is required\nSettings.KMSKeyARN: is required"
	declared := trail.Settings{Name: "t-1", ARN: "arn", S3BucketName: "bucket", KMSKeyARN: "key"}
	id := jsii.String("This")
	type call = func(scope constructs.Construct)
	for _, test := range []struct {
		name string
		call call
		want string
	}{
		{"ConfigRules, nil", func(scope constructs.Construct) { detection.NewConfigRules(scope, id, nil) }, `ConfigRules "This": ` + settings},
		{"ConfigRules, no id", func(scope constructs.Construct) { detection.NewConfigRules(scope, nil, nil) }, `ConfigRules "": ` + settings},
		{"ConfigRules, wrong too", func(scope constructs.Construct) {
			detection.NewConfigRules(scope, id, &detection.ConfigRulesProps{Settings: trail.Settings{Name: "t-1", ARN: "arn", KMSKeyARN: "key", S3KeyPrefix: `a\b`}, MaximumExecutionFrequency: "HOURLY"})
		}, `ConfigRules "This": Settings.S3BucketName: is required` + "\n" +
			`S3KeyPrefix: "a\\b" cannot be compared in a Config rule: use nothing that cannot be printed, and no " or \` + "\n" +
			`MaximumExecutionFrequency: "HOURLY" is not a frequency: use ONE_HOUR, THREE_HOURS, SIX_HOURS, TWELVE_HOURS or TWENTY_FOUR_HOURS`},
		{"EventRules, nil", func(scope constructs.Construct) { detection.NewEventRules(scope, id, nil) },
			`EventRules "This": ` + settings + "\nAutomationRole: is required\nRunbook: is required"},
		{"EventRules, settings alone", func(scope constructs.Construct) {
			detection.NewEventRules(scope, id, &detection.EventRulesProps{Settings: declared, CheckEvery: awscdk.Duration_Minutes(jsii.Number(1))})
		}, "EventRules \"This\": AutomationRole: is required\nRunbook: is required\nCheckEvery: 1 minute " + checkRange},
		{"IamEvents, nil", func(scope constructs.Construct) { detection.NewIamEvents(scope, id, nil) },
			`IamEvents "This": GuardStackName: is required` + "\nGuardRegion: is required"},
		{"Remediation, nil", func(scope constructs.Construct) { remediation.NewRemediation(scope, id, nil) }, `Remediation "This": ` + settings + "\nAutomationRole: is required"},
		{"Remediation, settings alone", func(scope constructs.Construct) {
			remediation.NewRemediation(scope, id, &remediation.RemediationProps{Settings: declared})
		}, `Remediation "This": AutomationRole: is required`},
		{"LogStoreRemediation, nil", func(scope constructs.Construct) { remediation.NewLogStoreRemediation(scope, id, nil) },
			`LogStoreRemediation "This": ` + "LogStore: is required\nTrailName: is required\nAlertTopic: is not given, and neither is CentralEventBus, so that nobody would be told: give one of them"},
		{"LogStoreRemediation, no id", func(scope constructs.Construct) { remediation.NewLogStoreRemediation(scope, nil, nil) },
			`LogStoreRemediation "": ` + "LogStore: is required\nTrailName: is required\nAlertTopic: is not given, and neither is CentralEventBus, so that nobody would be told: give one of them"},
		{"Role, nil", func(scope constructs.Construct) { remediation.NewRole(scope, id, nil) }, `Role "This": ` + settings},
		{"Role, no id", func(scope constructs.Construct) {
			remediation.NewRole(scope, nil, &remediation.RoleProps{Settings: declared})
		}, `Role "": id: is required`},
		{"LogStore, nil", func(scope constructs.Construct) { logstore.NewLogStore(scope, id, nil) }, `LogStore "This": TrailName: is required`},
		{"LogStore, no id", func(scope constructs.Construct) { logstore.NewLogStore(scope, nil, nil) }, `LogStore "": TrailName: is required`},
		{"Alerts, wrong", func(scope constructs.Construct) {
			alerting.NewAlerts(scope, id, &alerting.AlertsProps{AlertEmailAddresses: jsii.Strings("a")})
		}, `Alerts "This": AlertEmailAddresses[0]: "a" is not an e-mail address: use one such as security@example.com`},
		{"Alerts, no id", func(scope constructs.Construct) {
			alerting.NewAlerts(scope, nil, &alerting.AlertsProps{AlertEmailAddresses: jsii.Strings("a")})
		}, `Alerts "": AlertEmailAddresses[0]: "a" is not an e-mail address: use one such as security@example.com`},
		{"Notices, nil", func(scope constructs.Construct) { alerting.NewAlerts(scope, id, nil).AddNotices(nil) },
			`Notices of "Stack/This": ` + settings + "\nAutomationRole: is required\nRunbook: is required\nEventRules: is required"},
		{"TrailGuard, no id", func(scope constructs.Construct) {
			trailguard.NewTrailGuard(scope, nil, &trailguard.TrailGuardProps{TrailName: jsii.String("x")})
		}, `TrailGuard "": TrailName: "x" is not a trail name: ` + nameRule},
		// All their props have defaults.
		{"Alerts, nil", func(scope constructs.Construct) { alerting.NewAlerts(scope, id, nil) }, "<nil>"},
		{"TrailGuard, nil", func(scope constructs.Construct) { trailguard.NewTrailGuard(scope, id, nil) }, "<nil>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != test.want {
					t.Errorf("the panic is\n%s\nnot\n%s", got, test.want)
				}
			}()
			test.call(awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil))
		})
	}
}

// TestPartsThatHaveNoScopeOrIDAreRefusedByTheCDK: what the constructs themselves do not need is not asked for twice.
func TestPartsThatHaveNoScopeOrIDAreRefusedByTheCDK(t *testing.T) {
	for name, call := range map[string]func(){
		"no scope":                func() { trailguard.NewTrailGuard(nil, jsii.String("This"), nil) },
		"no scope, of the alerts": func() { alerting.NewAlerts(nil, jsii.String("This"), nil) },
		"no id": func() {
			trailguard.NewTrailGuard(awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil), nil, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "is required") {
					t.Errorf("the panic is %s", got)
				}
			}()
			call()
		})
	}
}
