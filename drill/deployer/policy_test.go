package deployer

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// change is a template in which every resource that can be changed without being replaced is changed, and has a tag.
func change(template testbed.Template) testbed.Template {
	changed := clone(template)
	for _, resource := range changed.ByID() {
		properties, ok := resource["Properties"].(map[string]any)
		if !ok {
			properties = map[string]any{}
			resource["Properties"] = properties
		}
		if how, ok := changes[resource["Type"].(string)]; ok {
			how(properties)
		}
		if slices.Contains(taggable, resource["Type"].(string)) {
			properties["Tags"] = []any{map[string]any{"Key": "team", "Value": "security"}}
		}
	}
	// What a template does not declare any more is deleted.
	for id, resource := range changed.ByID() {
		if resource["Type"] == "AWS::SNS::Subscription" {
			delete(changed["Resources"].(map[string]any), id)
		}
	}
	return changed
}

func clone(template testbed.Template) testbed.Template {
	encoded, err := json.Marshal(template)
	if err != nil {
		panic(err)
	}
	var copied testbed.Template
	if err := json.Unmarshal(encoded, &copied); err != nil {
		panic(err)
	}
	return copied
}

var taggable = []string{
	"AWS::CloudWatch::Alarm", "AWS::Events::Rule", "AWS::IAM::Role", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket",
	"AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::SSM::Document",
}

// changes change the properties of a resource type.
var changes = map[string]func(properties map[string]any){
	"AWS::CloudWatch::Alarm":             describe,
	"AWS::Config::ConfigRule":            describe,
	"AWS::Config::ConfigurationRecorder": func(p map[string]any) { p["RecordingGroup"] = map[string]any{"AllSupported": true} },
	"AWS::Config::RemediationConfiguration": func(p map[string]any) {
		p["MaximumAutomaticAttempts"] = 7
	},
	"AWS::Events::Rule": func(p map[string]any) {
		describe(p)
		if targets, ok := p["Targets"].([]any); ok {
			targets[0].(map[string]any)["Id"] = "Other" // the target before it is removed
		}
	},
	"AWS::IAM::Policy": addStatement,
	"AWS::IAM::Role": func(p map[string]any) {
		describe(p)
		p["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)[0].(map[string]any)["Sid"] = "Changed"
	},
	"AWS::KMS::Key": func(p map[string]any) {
		describe(p)
		p["KeyPolicy"].(map[string]any)["Statement"].([]any)[0].(map[string]any)["Sid"] = "Changed"
	},
	"AWS::Logs::LogGroup":   func(p map[string]any) { delete(p, "RetentionInDays") },
	"AWS::S3::Bucket":       func(p map[string]any) { delete(p, "LifecycleConfiguration") },
	"AWS::S3::BucketPolicy": addStatement,
	"AWS::SNS::Topic":       func(p map[string]any) { p["DisplayName"] = "Changed" },
	"AWS::SNS::TopicPolicy": addStatement,
	"AWS::SQS::Queue":       func(p map[string]any) { p["MessageRetentionPeriod"] = 60 },
	"AWS::SQS::QueuePolicy": addStatement,
	"AWS::SSM::Document":    func(p map[string]any) { p["Content"].(map[string]any)["description"] = "Changed" },
}

func describe(p map[string]any) {
	for _, name := range []string{"AlarmDescription", "Description"} {
		if _, ok := p[name]; ok {
			p[name] = "Changed"
			return
		}
	}
	p["Description"] = "Changed"
}

func addStatement(p map[string]any) {
	document := p["PolicyDocument"].(map[string]any)
	statements := document["Statement"].([]any)
	last := clone(statements[len(statements)-1].(map[string]any))
	last["Sid"] = "Changed"
	document["Statement"] = append(statements, any(last))
}

// doom is a template whose creation fails once everything else is there.
func doom(template testbed.Template) map[string]any {
	doomed := clone(template)
	all := doomed["Resources"].(map[string]any)
	others := slices.Sorted(maps.Keys(all))
	all["Doomed"] = map[string]any{"Type": "AWS::SNS::Subscription", "DependsOn": others, "Properties": map[string]any{
		"TopicArn": "arn:aws:sns:us-east-1:123456789012:TrailGuard-None", "Protocol": "email", "Endpoint": "a@example.com",
	}}
	return doomed
}

// deployable is a template with the policy that is for it.
type deployable struct {
	name     string
	template testbed.Template
	policy   []statement
}

func deployables(t *testing.T) []deployable {
	t.Helper()
	base, options := readPolicy(t, defaultPolicy), readPolicy(t, optionsPolicy)
	return []deployable{
		{"default", testbed.ReadTemplate(t, "default"), base},
		{"everything", testbed.ReadTemplate(t, "everything"), slices.Concat(base, options)},
	}
}

func TestAStackIsCreatedUpdatedAndDeletedWithThePolicies(t *testing.T) {
	for _, test := range deployables(t) {
		t.Run(test.name, func(t *testing.T) {
			account(t, test.policy, test.template)
			if failed := live(t, test.template); len(failed) > 0 {
				t.Errorf("%d failures:\n%s", len(failed), strings.Join(failed, "\n"))
			}
		})
	}
}

// rollBack are the statements that a creation needs when it fails, by the beginning of their names.
const rollBack = "RollBack"

func TestAFailedCreationIsTakenBackWithThePolicies(t *testing.T) {
	test := deployables(t)[1]
	account(t, test.policy, test.template)
	failed := slices.DeleteFunc(create(t, doom(test.template)), holdsLogs)
	if len(failed) != 1 || !strings.HasPrefix(failed[0], "Doomed is CREATE_FAILED: ") {
		t.Errorf("%d failures:\n%s", len(failed), strings.Join(failed, "\n"))
	}
	listed, err := s3.NewFromConfig(local.Admin).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	testbed.Must(t, err)
	for _, bucket := range listed.Buckets {
		// The recorder's is retained in any case.
		if !strings.Contains(*bucket.Name, "recorder") && !strings.Contains(*bucket.Name, "serveraccesslogs") {
			t.Errorf("bucket %s is left", *bucket.Name)
		}
	}
}

// holdsLogs tells whether a bucket could not be deleted because access to the log bucket was logged in it already.
func holdsLogs(failure string) bool {
	return strings.HasPrefix(failure, "LogStoreServerAccessLogsBucket") && strings.Contains(failure, "(BucketNotEmpty)")
}

// TestEachStatementIsNeeded is the negative control: without a statement the deployment fails, and says which of its
// actions is denied.
func TestEachStatementIsNeeded(t *testing.T) {
	all := deployables(t)
	for i, test := range all {
		for n, left := range test.policy {
			if i > 0 && slices.ContainsFunc(all[i-1].policy, func(s statement) bool { return s.Sid == left.Sid }) {
				continue // the template before needs it, too
			}
			t.Run(left.Sid, func(t *testing.T) {
				account(t, slices.Delete(slices.Clone(test.policy), n, n+1), test.template)
				var failed []string
				if strings.HasPrefix(left.Sid, rollBack) {
					failed = create(t, doom(test.template))
				} else {
					failed = live(t, test.template)
				}
				named := slices.ContainsFunc(denied(failed), func(action string) bool { return matches(left.Action, action) })
				if !named {
					t.Errorf("no failure names an action of %s:\n%s", left.Sid, strings.Join(failed, "\n"))
				}
			})
		}
	}
}

// matches tells whether one of the actions of a statement is an action.
func matches(actions []string, action string) bool {
	return slices.ContainsFunc(actions, func(pattern string) bool {
		form := "(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
		return regexp.MustCompile(form).MatchString(action)
	})
}

// maximumPolicy is how many characters a managed policy may have, without white space.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maximumPolicy = 6144

func TestThePoliciesAreOnesThatIAMTakes(t *testing.T) {
	sids := map[string]bool{}
	for _, name := range []string{defaultPolicy, optionsPolicy} {
		statements := readPolicy(t, name)
		encoded, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
		testbed.Must(t, err)
		if n := len(encoded); n > maximumPolicy {
			t.Errorf("%s has %d characters, more than %d", name, n, maximumPolicy)
		}
		for _, s := range statements {
			if !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s.Sid) || sids[s.Sid] || s.Effect != "Allow" {
				t.Errorf("%s: the statement %q, %s is not one that is wanted", name, s.Sid, s.Effect)
			}
			sids[s.Sid] = true
		}
	}
}
