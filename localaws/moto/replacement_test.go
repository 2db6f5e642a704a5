package moto

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"gopkg.in/yaml.v3"
)

// replacing returns the guard's template with a runbook that a change replaces, after another edit.
func replacing(t *testing.T, edit func(resources map[string]map[string]any)) string {
	t.Helper()
	return edited(t, func(resources map[string]map[string]any) {
		delete(properties(resources["Runbook"]), "UpdateMethod")
		edit(resources)
	})
}

// redescribed gives the runbook another description.
func redescribed(resources map[string]map[string]any) {
	properties(resources["Runbook"])["Content"].(map[string]any)["description"] = "Puts the trail back, better"
}

// runbook returns the description and version of a document, both empty if there is no such document.
func runbook(t *testing.T, cfg aws.Config, name string) (description, version string) {
	t.Helper()
	got, err := ssm.NewFromConfig(cfg).GetDocument(t.Context(), &ssm.GetDocumentInput{Name: &name})
	if err != nil {
		if !strings.Contains(err.Error(), "InvalidDocument") {
			t.Fatal(err)
		}
		return "", ""
	}
	var content struct{ Description string }
	if err := yaml.Unmarshal([]byte(*got.Content), &content); err != nil {
		t.Fatal(err)
	}
	return content.Description, *got.DocumentVersion
}

// started is the runbook that the rule starts.
func started(t *testing.T, cfg aws.Config, rule string) string {
	t.Helper()
	for _, target := range targets(t, cfg, rule) {
		if *target.Id == "Runbook" {
			return (*target.Arn)[strings.LastIndexByte(*target.Arn, '/')+1:]
		}
	}
	t.Fatalf("rule %s starts no runbook", rule)
	return ""
}

// remediating is the runbook of the last remediation that was put, and its version.
func remediating(t *testing.T) (name, version any) {
	t.Helper()
	put := gateway.named("config:PutRemediationConfigurations")
	if len(put) == 0 {
		t.Fatal("no remediation was put")
	}
	config := put[len(put)-1].body["RemediationConfigurations"].([]any)[0].(map[string]any)
	return config["TargetId"], config["TargetVersion"]
}

func TestAChangedRunbookIsReplacedWhereverItIsReferredTo(t *testing.T) {
	cfg := fresh(t)
	old := outputs(create(t, cfg, replacing(t, func(map[string]map[string]any) {})))
	stack := update(t, cfg, replacing(t, redescribed))
	wantStatus(t, stack, cfntypes.StackStatusUpdateComplete)
	name := outputs(stack)["RunbookName"]
	if name == old["RunbookName"] || !strings.HasPrefix(name, "guard-Runbook-") {
		t.Errorf("the runbook was %s and is %s", old["RunbookName"], name)
	}
	if description, version := runbook(t, cfg, name); description != "Puts the trail back, better" || version != "1" {
		t.Errorf("version %s of the new runbook %q", version, description)
	}
	if description, _ := runbook(t, cfg, old["RunbookName"]); description != "" {
		t.Errorf("the old runbook %q is left", description)
	}
	if got := started(t, cfg, old["TamperingName"]); got != name {
		t.Errorf("the rule starts %s", got)
	}
	if got, _ := remediating(t); got != name {
		t.Errorf("the remediation starts %s", got)
	}
	// The old runbook goes at the end, when nothing refers to it any more.
	gateway.mu.Lock()
	defer gateway.mu.Unlock()
	deleted := slices.IndexFunc(gateway.calls, func(c call) bool { return c.operation == "DeleteDocument" })
	later := gateway.calls[max(deleted, 0):]
	if deleted < 0 || slices.ContainsFunc(later, func(c call) bool { return strings.HasPrefix(c.operation, "Put") }) {
		t.Errorf("after DeleteDocument, call %d, something is put: %v", deleted, later)
	}
}

func TestAReplacementThatFailsKeepsTheOldRunbook(t *testing.T) {
	cfg := fresh(t)
	old := outputs(create(t, cfg, replacing(t, func(map[string]map[string]any) {})))
	gateway.refuse = "PutRemediationConfigurations"
	wantStatus(t, update(t, cfg, replacing(t, redescribed)), cfntypes.StackStatusUpdateRollbackComplete)
	if description, version := runbook(t, cfg, old["RunbookName"]); description != "Puts the trail back" || version != "1" {
		t.Errorf("version %s of the old runbook %q", version, description)
	}
	if got := started(t, cfg, old["TamperingName"]); got != old["RunbookName"] {
		t.Errorf("the rule starts %s", got)
	}
	documents, err := ssm.NewFromConfig(cfg).ListDocuments(t.Context(), &ssm.ListDocumentsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents.DocumentIdentifiers {
		if strings.HasPrefix(*document.Name, "guard-") && *document.Name != old["RunbookName"] {
			t.Errorf("the new runbook %s is left", *document.Name)
		}
	}
	gateway.refuse = ""
	wantStatus(t, update(t, cfg, replacing(t, redescribed)), cfntypes.StackStatusUpdateComplete)
}

// The control: neither a change of tags replaces a runbook, nor any change if it is to get versions.
func TestARunbookIsNotReplacedForItsTagsNorIfItHasVersions(t *testing.T) {
	cfg := fresh(t)
	old := outputs(create(t, cfg, replacing(t, func(map[string]map[string]any) {})))["RunbookName"]
	tagged := func(resources map[string]map[string]any) {
		properties(resources["Runbook"])["Tags"] = []any{map[string]any{"Key": "team", "Value": "security"}}
	}
	if name := outputs(update(t, cfg, replacing(t, tagged)))["RunbookName"]; name != old {
		t.Errorf("the tagged runbook was %s and is %s", old, name)
	}
	update(t, cfg, guardTemplate)
	if name := outputs(update(t, cfg, edited(t, redescribed)))["RunbookName"]; name != old {
		t.Errorf("the runbook with versions was %s and is %s", old, name)
	}
	if description, version := runbook(t, cfg, old); description != "Puts the trail back, better" || version != "2" {
		t.Errorf("version %s of the runbook %q", version, description)
	}
}

func TestARemediationKeepsTheVersionOfItsRunbook(t *testing.T) {
	cfg := fresh(t)
	create(t, cfg, guardTemplate)
	if _, version := remediating(t); version != nil {
		t.Errorf("without a version it is %v", version)
	}
	wantStatus(t, update(t, cfg, edited(t, func(resources map[string]map[string]any) {
		properties(resources["Remediation"])["TargetVersion"] = "1"
	})), cfntypes.StackStatusUpdateComplete)
	if _, version := remediating(t); version != "1" {
		t.Errorf("the version is %v", version)
	}
}

func TestARuleHasAPatternOrAScheduleOrBoth(t *testing.T) {
	cfg := fresh(t)
	daily := func(resources map[string]map[string]any) {
		properties(resources["Tampering"])["ScheduleExpression"] = "rate(1 day)"
	}
	name := outputs(create(t, cfg, edited(t, daily)))["TamperingName"]
	for _, step := range []struct {
		template          string
		pattern, schedule bool
	}{
		{"", true, true},
		{edited(t, func(resources map[string]map[string]any) {
			daily(resources)
			delete(properties(resources["Tampering"]), "EventPattern")
		}), false, true},
		{guardTemplate, true, false},
	} {
		if step.template != "" {
			wantStatus(t, update(t, cfg, step.template), cfntypes.StackStatusUpdateComplete)
		}
		rule, err := eventbridge.NewFromConfig(cfg).DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		if (aws.ToString(rule.EventPattern) != "") != step.pattern || (aws.ToString(rule.ScheduleExpression) == "rate(1 day)") != step.schedule {
			t.Errorf("the rule has the pattern %q and the schedule %q", aws.ToString(rule.EventPattern), aws.ToString(rule.ScheduleExpression))
		}
		if len(targets(t, cfg, name)) != 2 {
			t.Error("the targets are gone")
		}
	}
}

// statuses are those of the stack itself, in order.
func statuses(t *testing.T, cfg aws.Config, id string) []string {
	t.Helper()
	input := &cloudformation.DescribeStackEventsInput{StackName: &id}
	var all []string
	for pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(cfg), input); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range page.StackEvents {
			if *event.PhysicalResourceId == id {
				all = append(all, string(event.ResourceStatus))
			}
		}
	}
	slices.Reverse(all)
	return all
}

func TestAStackGoesThroughTheStatusesOfCloudFormation(t *testing.T) {
	cfg := fresh(t)
	stack := create(t, cfg, guardTemplate)
	update(t, cfg, replacing(t, redescribed))
	gateway.refuse = "PutRemediationConfigurations"
	update(t, cfg, replacing(t, func(map[string]map[string]any) {}))
	gateway.refuse = ""
	remove(t, cfg)
	want := []string{
		"CREATE_IN_PROGRESS", "CREATE_COMPLETE",
		"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE",
		"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE",
		"DELETE_IN_PROGRESS", "DELETE_COMPLETE",
	}
	if got := statuses(t, cfg, *stack.StackId); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	gateway.refuse = "PutRemediationConfigurations"
	failed := create(t, cfg, guardTemplate)
	if got, want := statuses(t, cfg, *failed.StackId), []string{"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"}; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAnOutputThatFailsRollsTheStackBack(t *testing.T) {
	cfg := fresh(t)
	template := func(export string) *string {
		return aws.String(`{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
			"Outputs": {"Topic": {"Value": {"Ref": "Topic"}, "Export": {"Name": "` + export + `"}}}}`)
	}
	client := cloudformation.NewFromConfig(cfg)
	for _, name := range []string{"other", "guard"} {
		if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: template("topic")}); err != nil {
			t.Fatal(err)
		}
	}
	stack := describe(t, cfg)
	wantStatus(t, stack, cfntypes.StackStatusRollbackComplete)
	if reason := aws.ToString(stack.StackStatusReason); !strings.Contains(reason, "an export with the name topic exists already") {
		t.Errorf("the reason is %q", reason)
	}
	topics, err := sns.NewFromConfig(cfg).ListTopics(t.Context(), &sns.ListTopicsInput{})
	if err != nil || len(topics.Topics) != 1 {
		t.Errorf("the topics are %v, %v: want that of the other stack", topics, err)
	}
}
