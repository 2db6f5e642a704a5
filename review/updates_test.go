package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/internal/updates"
)

// TestNoUpdateLosesWhatMatters compares the templates before and after a change of each property, and back, by what CloudFormation's
// own schemas say of replacement. What is not named here stays, or is changed in place.
func TestNoUpdateLosesWhatMatters(t *testing.T) {
	// What another takes the place of is left to the account, with its policy.
	want := map[string][]string{
		"CloudWatchLogGroup, set, back": {"Events is left"},
		"LogBucket, supplied": {
			"LogStoreBucket is left", "LogStoreBucketPolicy is left",
			"LogStoreServerAccessLogsBucket is left", "LogStoreServerAccessLogsBucketPolicy is left",
		},
		"LogBucket, supplied, back":              {"LogBucket is left", "LogBucketPolicy is left"},
		"LogKey, supplied":                       {"LogStoreKey is left"},
		"LogKey, supplied, back":                 {"LogKey is left"},
		"ServerAccessLogsBucket, supplied":       {"LogStoreServerAccessLogsBucket is left", "LogStoreServerAccessLogsBucketPolicy is left"},
		"ServerAccessLogsBucket, supplied, back": {"AccessLogs is left", "AccessLogsPolicy is deleted"},
		"AlertTopic, supplied":                   {"AlertingKey is left"},
		"CreateConfigurationRecorder, on, back":  {"ConfigRulesRecorderBucket is left", "ConfigRulesRecorderBucketPolicy is left"},
	}
	c := comparison{t, createOnly(t)}
	all, template := goldenUpdates(t)
	unknown := maps.Clone(want)
	for _, u := range all {
		before, after := updates.Apply(template, u.Before), updates.Apply(template, u.After)
		for _, step := range []struct {
			name     string
			from, to map[string]any
		}{{u.String(), before, after}, {u.String() + ", back", after, before}} {
			if got := c.losses(step.from, step.to); !slices.Equal(got, want[step.name]) {
				t.Errorf("%s:\n  %s", step.name, strings.Join(got, "\n  "))
			}
			delete(unknown, step.name)
		}
	}
	for name := range unknown {
		t.Errorf("there is no update %s", name)
	}
}

func goldenUpdates(t *testing.T) ([]updates.Update, map[string]any) {
	t.Helper()
	path := goldenTemplates(t)["default"]
	all, template, err := updates.Read(filepath.Join(filepath.Dir(path), "updates.json"), path)
	if err != nil {
		t.Fatal(err)
	}
	return all, template
}

// createOnly are, by the types of all golden templates, the properties whose change makes CloudFormation replace a resource.
func createOnly(t *testing.T) map[string][]string {
	t.Helper()
	types := map[string]bool{}
	for _, path := range goldenTemplates(t) {
		for _, resource := range readTemplate(t, path)["Resources"].(map[string]any) {
			types[resource.(map[string]any)["Type"].(string)] = true
		}
	}
	output, err := exec.Command(tool(t, ".venv", "bin", "python"), append([]string{"-B", "cfn_lint.py", "--create-only"}, slices.Sorted(maps.Keys(types))...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var properties map[string][]string
	if err := json.Unmarshal(output, &properties); err != nil {
		t.Fatal(err)
	}
	return properties
}

// identities are the properties that make two resources one and the same thing in an account. What is deleted takes the setting of
// the resource with it that was made for the same thing before: CloudFormation creates first.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
var identities = map[string][]string{
	"AWS::CloudWatch::Alarm":                {"AlarmName"},
	"AWS::Config::ConfigRule":               {"ConfigRuleName"},
	"AWS::Config::ConfigurationRecorder":    {}, // an account has one in a Region
	"AWS::Config::DeliveryChannel":          {},
	"AWS::Config::RemediationConfiguration": {"ConfigRuleName"},
	"AWS::Events::EventBus":                 {"Name"},
	"AWS::Events::Rule":                     {"Name"},
	"AWS::IAM::Policy":                      {"PolicyName", "Roles"},
	"AWS::IAM::Role":                        {"RoleName"},
	"AWS::KMS::Key":                         {"KeyId"}, // never given
	"AWS::Logs::LogGroup":                   {"LogGroupName"},
	"AWS::S3::Bucket":                       {"BucketName"},
	"AWS::S3::BucketPolicy":                 {"Bucket"},
	"AWS::SNS::Subscription":                {"TopicArn", "Protocol", "Endpoint"},
	"AWS::SNS::Topic":                       {"TopicName"},
	"AWS::SNS::TopicPolicy":                 {"Topics"},
	"AWS::SQS::Queue":                       {"QueueName"},
	"AWS::SQS::QueuePolicy":                 {"Queues"},
	"AWS::SSM::Document":                    {"Name"},
}

// comparison compares two templates of one stack.
type comparison struct {
	t          *testing.T
	createOnly map[string][]string
}

type resource = map[string]any

func kind(r resource) string { return r["Type"].(string) }

func property(r resource, name string) any {
	properties, _ := r["Properties"].(map[string]any)
	return properties[name]
}

// keepers are the types that keep something, or let somebody keep it.
var keepers = []string{"AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"}

// losses are what an update from one template to the other loses: what is to be retained and is replaced, or left to the account;
// what keeps something and is deleted; and what is deleted though it is the same thing as something new.
func (c comparison) losses(from, to map[string]any) []string {
	c.t.Helper()
	had, has := from["Resources"].(map[string]any), to["Resources"].(map[string]any)
	replaced := c.replaced(had, has)
	var gone, found []string
	for _, id := range slices.Sorted(maps.Keys(had)) {
		old := had[id].(resource)
		now, stays := has[id].(resource)
		switch {
		case stays && kind(now) != kind(old):
			found = append(found, fmt.Sprintf("%s is a %s and becomes a %s, which CloudFormation refuses", bare(id), kind(old), kind(now)))
		case !stays && retained(old, "DeletionPolicy"):
			found = append(found, bare(id)+" is left")
		case !stays:
			gone = append(gone, id)
		case slices.Contains(replaced, id) && retained(old, "DeletionPolicy"):
			found = append(found, bare(id)+" is replaced")
		case slices.Contains(replaced, id):
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		old := had[id].(resource)
		if slices.Contains(keepers, kind(old)) {
			found = append(found, bare(id)+" is deleted")
		}
		for _, other := range slices.Sorted(maps.Keys(has)) {
			if _, kept := had[other]; kept && !slices.Contains(replaced, other) {
				continue
			}
			if c.same(old, has[other].(resource)) {
				found = append(found, fmt.Sprintf("%s is deleted, and is the same thing as the new %s", bare(id), bare(other)))
			}
		}
	}
	slices.Sort(found)
	return found
}

// replaced are the resources that CloudFormation replaces: a create-only property is another, or refers to what is replaced.
func (c comparison) replaced(had, has map[string]any) []string {
	var replaced []string
	for {
		before := len(replaced)
		for _, id := range slices.Sorted(maps.Keys(had)) {
			now, stays := has[id].(resource)
			if !stays || slices.Contains(replaced, id) {
				continue
			}
			old := had[id].(resource)
			for _, path := range c.createOnly[kind(old)] {
				name, _, _ := strings.Cut(strings.TrimPrefix(path, "/properties/"), "/")
				refers := func(id string) bool { return refersTo(property(now, name), id) }
				if !reflect.DeepEqual(property(old, name), property(now, name)) || slices.ContainsFunc(replaced, refers) {
					replaced = append(replaced, id)
					break
				}
			}
		}
		if len(replaced) == before {
			return replaced
		}
	}
}

// same tells whether two resources are the same thing in the account.
func (c comparison) same(one, other resource) bool {
	names, known := identities[kind(one)]
	if !known {
		c.t.Errorf("it is not said what makes two %s the same thing: write it into identities", kind(one))
	}
	if kind(one) != kind(other) {
		return false
	}
	for _, name := range names {
		if value := property(one, name); value == nil || !reflect.DeepEqual(value, property(other, name)) {
			return false
		}
	}
	return true
}

func retained(r resource, policy string) bool {
	value, _ := r[policy].(string)
	return value != "" && value != "Delete"
}

// refersTo tells whether a value has a reference to a resource.
func refersTo(value any, id string) bool {
	switch value := value.(type) {
	case map[string]any:
		if value["Ref"] == id {
			return true
		}
		if attribute, ok := value["Fn::GetAtt"].([]any); ok && attribute[0] == id {
			return true
		}
		if text, ok := value["Fn::Sub"].(string); ok && (strings.Contains(text, "${"+id+"}") || strings.Contains(text, "${"+id+".")) {
			return true
		}
		for _, inner := range value {
			if refersTo(inner, id) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, func(inner any) bool { return refersTo(inner, id) })
	}
	return false
}

// TestTheComparisonFindsWhatIsLost is the negative control.
func TestTheComparisonFindsWhatIsLost(t *testing.T) {
	c := comparison{t, createOnly(t)}
	_, template := goldenUpdates(t)
	const (
		bucket, bucketPolicy = "LogStoreBucket0AD36629", "LogStoreBucketPolicyA9D99A2D"
		topicPolicy          = "AlertingTopicPolicyB4989734"
	)
	// byPlace adds subscriptions that are named by their place in the list.
	byPlace := func(addresses ...string) func(resources map[string]any) {
		return func(resources map[string]any) {
			for i, address := range addresses {
				resources[fmt.Sprintf("AlertingEmail%d", i)] = resource{"Type": "AWS::SNS::Subscription", "Properties": map[string]any{
					"TopicArn": map[string]any{"Ref": "AlertingTopic08189029"}, "Protocol": "email", "Endpoint": address,
				}}
			}
		}
	}
	move := func(id, to string) func(resources map[string]any) {
		return func(resources map[string]any) {
			resources[to] = resources[id]
			delete(resources, id)
		}
	}
	set := func(id, name string, value any) func(resources map[string]any) {
		return func(resources map[string]any) {
			resources[id].(resource)["Properties"].(map[string]any)[name] = value
		}
	}
	remove := func(ids ...string) func(resources map[string]any) {
		return func(resources map[string]any) {
			for _, id := range ids {
				delete(resources, id)
			}
		}
	}
	nothing := func(map[string]any) {}
	notRetained := func(resources map[string]any) { delete(resources[bucketPolicy].(resource), "DeletionPolicy") }
	for _, test := range []struct {
		name     string
		from, to func(resources map[string]any)
		want     []string
	}{
		{"nothing is changed", nothing, nothing, nil},
		{"a bucket is described differently", nothing, set(bucket, "Tags", []any{}), nil},
		{"an address is dropped from the front", byPlace("a@b.cc", "b@b.cc", "c@b.cc"), byPlace("b@b.cc", "c@b.cc"), []string{
			"AlertingEmail1 is deleted, and is the same thing as the new AlertingEmail0",
			"AlertingEmail2 is deleted, and is the same thing as the new AlertingEmail1",
		}},
		{"two addresses change places", byPlace("a@b.cc", "b@b.cc"), byPlace("b@b.cc", "a@b.cc"), []string{
			"AlertingEmail0 is deleted, and is the same thing as the new AlertingEmail1",
			"AlertingEmail1 is deleted, and is the same thing as the new AlertingEmail0",
		}},
		{"an address is dropped from the end", byPlace("a@b.cc", "b@b.cc"), byPlace("a@b.cc"), nil},
		{"a bucket gets a name", nothing, set(bucket, "BucketName", "my-bucket"), []string{"LogStoreBucket is replaced", "LogStoreBucketPolicy is replaced"}},
		{"a bucket gets another logical id", nothing, move(bucket, "Bucket"), []string{"LogStoreBucket is left"}},
		{"a bucket becomes a topic", nothing, func(resources map[string]any) { resources[bucket].(resource)["Type"] = "AWS::SNS::Topic" },
			[]string{"LogStoreBucket is a AWS::S3::Bucket and becomes a AWS::SNS::Topic, which CloudFormation refuses"}},
		{"a policy that is not retained goes", notRetained, remove(bucketPolicy), []string{"LogStoreBucketPolicy is deleted"}},
		{"a policy that is not retained gets another logical id", notRetained, move(bucketPolicy, "Policy"), []string{
			"LogStoreBucketPolicy is deleted", "LogStoreBucketPolicy is deleted, and is the same thing as the new Policy",
		}},
		{"a topic's policy gets another logical id", nothing, move(topicPolicy, "Policy"), []string{
			"AlertingTopicPolicy is deleted, and is the same thing as the new Policy",
		}},
	} {
		from, to := updates.Apply(template, nil), updates.Apply(template, nil)
		test.from(from["Resources"].(map[string]any))
		test.to(to["Resources"].(map[string]any))
		if got := c.losses(from, to); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n  %s", test.name, strings.Join(got, "\n  "))
		}
	}
}

// bare is a logical id without the CDK's hash.
func bare(id string) string {
	if len(id) > 8 && strings.Trim(id[len(id)-8:], "0123456789ABCDEF") == "" {
		return id[:len(id)-8]
	}
	return id
}
