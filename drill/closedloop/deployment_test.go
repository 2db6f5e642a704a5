package closedloop

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
)

// TestADeploymentAppliesWhatItDeclaresAnew by its end, and nothing else: neither an event nor Config starts anything here.
func TestADeploymentAppliesWhatItDeclaresAnew(t *testing.T) {
	objects := map[string]any{"Type": "AWS::S3::Object", "Values": []any{"arn:aws:s3:::payroll/"}}
	inAny(t, func(t *testing.T, a *account) {
		quiet := []testbed.Mutation{withoutEvents, withoutConfig}
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, quiet...))
		tpl := testbed.ReadTemplate(t, "default").With(t, quiet...)
		for _, change := range []struct {
			name      string
			mutations []testbed.Mutation
			setting   deployed.Setting
			declared  string
			writes    []string
		}{
			{"DataResources", []testbed.Mutation{declaring("EventSelectors", []any{
				map[string]any{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": []any{objects}},
			})},
				deployed.EventSelectors, `["eventCategory = Data and resources.ARN starts with arn:aws:s3:::payroll/ and resources.type = AWS::S3::Object",` +
					`"eventCategory = Management"]`, []string{"PutEventSelectors"}},
			{"InsightTypes", []testbed.Mutation{declaring("InsightSelectors", []any{map[string]any{"InsightType": "ApiErrorRateInsight"}})},
				deployed.InsightSelectors, `["ApiErrorRateInsight"]`, []string{"PutInsightSelectors"}},
			{"AdvancedEventSelectors", []testbed.Mutation{declaring("EventSelectors", []any{}), declaring("AdvancedEventSelectors", []any{
				map[string]any{"FieldSelectors": []any{map[string]any{"Field": "eventCategory", "Equals": []any{"Management"}}}},
				map[string]any{"FieldSelectors": []any{
					map[string]any{"Field": "eventCategory", "Equals": []any{"Data"}}, map[string]any{"Field": "resources.type", "Equals": []any{"AWS::Lambda::Function"}},
				}},
			})},
				deployed.EventSelectors, `["eventCategory = Data and resources.type = AWS::Lambda::Function","eventCategory = Management"]`,
				[]string{"PutEventSelectors"}},
			{"TrailTags", []testbed.Mutation{updated("TrailTags, set")}, deployed.Tags, `{"owner":"security"}`, []string{"AddTags"}},
		} {
			g.step(change.name, func(g guard) {
				before := len(g.Executions())
				g = g.updateStack(tpl.With(g.T, change.mutations...))
				if got := g.Declared[change.setting]; got != change.declared {
					g.T.Fatalf("declared is %s, want %s", got, change.declared)
				}
				if len(g.Unmet()) == 0 {
					g.T.Fatal("the trail is as declared before anything has run")
				}
				g.Settle()
				g.WantRepaired()
				x := g.since(before)
				g.wantStartedBy("schedule", x)
				g.wantSuccess(x...)
				if made := writes(x...); !slices.Equal(made, change.writes) {
					g.T.Errorf("the writes are %v, want %v", made, change.writes)
				}
			})
		}
		g.step("negative control: a schedule that does not know of the deployment's end", func(g guard) {
			g = g.updateStack(testbed.ReadTemplate(g.T, "default").With(g.T, append(quiet, withoutEndOfDeployment)...))
			g.Settle()
			if len(g.Unmet()) == 0 {
				g.T.Error("it was applied all the same")
			}
			g.Pass(schedulePeriod)
			g.WantRepaired()
		})
		g.step("a guard without Config", func(g guard) {
			g = g.updateStack(testbed.ReadTemplate(g.T, "without-config").With(g.T, withoutEvents))
			if len(g.Unmet()) == 0 {
				g.T.Fatal("the trail is as declared before anything has run")
			}
			g.Settle()
			g.WantRepaired()
		})
		g.step("a deployment that is rolled back leaves the guard at work, with the runbook that was there before", func(g guard) {
			g.Guard = g.ReadGuard(g.T, testbed.StackName)
			g.stop()
			before := len(g.Executions())
			tpl := testbed.ReadTemplate(g.T, "default").With(g.T, quiet...)
			tpl["Resources"].(map[string]any)["Broken"] = map[string]any{
				"Type": "AWS::SNS::Topic", "Properties": map[string]any{"DisplayName": map[string]any{"Fn::GetAtt": []any{"AutomationRoleC58D7324", "Nothing"}}},
			}
			g.WantUpdate(g.T, testbed.StackName, tpl, cloudformationtypes.StackStatusUpdateRollbackComplete)
			g.Settle()
			g.WantRepaired()
			g.wantStartedBy("schedule", g.since(before))
			g.wantSuccess(g.since(before)...)
		})
	})
}

// trailNamed is the state of a trail as CloudTrail itself knows it.
func (g guard) trailNamed(name string) cloudtrail.Trail {
	g.T.Helper()
	for _, trail := range g.CloudTrail().Trails() {
		if trail.Name == name {
			return trail
		}
	}
	g.T.Fatalf("there is no trail %s", name)
	return cloudtrail.Trail{}
}

// TestARenamedTrailIsMadeAtOnceAndTheOldOneGoesOn: the log has no gap, and people are told that there are two trails now.
func TestARenamedTrailIsMadeAtOnceAndTheOldOneGoesOn(t *testing.T) {
	for _, test := range []struct {
		name      string
		mutations []testbed.Mutation
		err       string
	}{
		{"with PreviousTrailNames", nil, ""},
		{"negative control: without", []testbed.Mutation{testbed.Replaced("trail/"+previousTrail, "trail/unheard-of")}, "AccessDenied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inAny(t, func(t *testing.T, a *account) {
				g := guarded(t, a, testbed.ReadTemplate(t, "everything").With(t, testbed.Replaced("everything-trail", previousTrail)))
				before := len(g.Executions())
				g = g.updateStack(testbed.ReadTemplate(t, "everything").With(t, test.mutations...))
				g.Settle()
				g.WantRepaired()
				x := g.since(before)
				g.wantSuccess(x...)
				i := slices.IndexFunc(told(x...), func(message string) bool {
					return strings.HasPrefix(message, "REPAIRED: CloudTrail trail everything-trail\n")
				})
				want := "\nTrail " + previousTrail + " writes to " + g.LogBucketName + "\n"
				if i < 0 || !strings.Contains(told(x...)[i], want) || !strings.Contains(told(x...)[i], "started by schedule: ") {
					t.Errorf("people were told\n%s\nwant%s", strings.Join(told(x...), "\n"), want)
				}
				delivered := g.Clock.Now().Add(time.Minute)
				g.Pass(time.Minute)
				old := g.trailNamed(previousTrail)
				if !old.IsLogging || old.S3BucketName != g.LogBucketName {
					t.Errorf("the old trail logs: %v, to %s", old.IsLogging, old.S3BucketName)
				}
				if old.Log.Error != test.err {
					t.Errorf("CloudTrail meets %q when it delivers the old trail's files, want %q", old.Log.Error, test.err)
				}
				if renamed := g.trailNamed(g.TrailName); renamed.Log.Error != "" || renamed.Log.Time.IsZero() {
					t.Errorf("CloudTrail meets %q when it delivers the files of the new trail", renamed.Log.Error)
				}
				if test.err != "" {
					return
				}
				for what, delivery := range map[string]cloudtrail.Delivery{
					"files": old.Log, "digest files": old.Digest, "notices": old.Notification, "events to CloudWatch Logs": old.CloudWatchLogs,
				} {
					if delivery.Error != "" || !delivery.Time.Equal(delivered) {
						t.Errorf("CloudTrail meets %q when it delivers %s of the old trail, and last did so at %s", delivery.Error, what, delivery.Time)
					}
				}
			})
		})
	}
}

// replaceRunbook makes a runbook that does nothing, and says that it did, the default version.
func (g guard) replaceRunbook() {
	g.T.Helper()
	content := g.deployedRunbook()
	inputsOf(content)["Script"] = "def handler(events, context):\n return dict(Report='{}')\n"
	updated, err := g.Clients.SSM.UpdateDocument(g.T.Context(), &ssm.UpdateDocumentInput{
		Name: &g.RunbookName, DocumentVersion: aws.String("$LATEST"), DocumentFormat: ssmtypes.DocumentFormatJson, Content: aws.String(g.encode(content)),
	})
	g.Must(err)
	_, err = g.Clients.SSM.UpdateDocumentDefaultVersion(g.T.Context(), &ssm.UpdateDocumentDefaultVersionInput{
		Name: &g.RunbookName, DocumentVersion: updated.DocumentDescription.DocumentVersion,
	})
	g.Must(err)
}

func TestANewVersionOfTheRunbookChangesNothing(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default"))
		g.Pass(0)
		g.replaceRunbook()
		g.Only(deployed.EventPath)
		g.wantKept("event", guard.stop, g.Settle)
		g.Only(deployed.SchedulePath)
		g.wantKept("schedule", guard.stop, func() { g.Pass(schedulePeriod) })
		g.Only(deployed.ConfigPath)
		g.wantKept("Config", guard.stop, func() { g.Pass(configPeriod) })
	})
}

// TestWithoutAVersionItWouldChangeEverything is a negative control: every trigger reports success, and repairs nothing.
func TestWithoutAVersionItWouldChangeEverything(t *testing.T) {
	inAny(t, func(t *testing.T, a *account) {
		g := guarded(t, a, testbed.ReadTemplate(t, "default").With(t, withoutVersion))
		g.Pass(0)
		g.replaceRunbook()
		before := len(g.Executions())
		g.stop()
		for range 2 {
			g.Pass(configPeriod)
		}
		triggers := map[string]bool{}
		for _, x := range g.since(before) {
			triggers[startedBy(x)] = true
		}
		g.wantSuccess(g.since(before)...)
		if len(triggers) != 3 || g.isLogging() {
			t.Errorf("the triggers %v started the runbook, and the trail logs: %v", triggers, g.isLogging())
		}
	})
}
