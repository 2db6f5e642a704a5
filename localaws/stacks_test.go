package localaws

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/trailguard/trailguard/localaws/api"
	localevents "github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

// template is testdata/guard.json with more resources, each as JSON.
func (g guarded) template(more map[string]string) *string {
	g.t.Helper()
	text, err := os.ReadFile("testdata/guard.json")
	if err != nil {
		g.t.Fatal(err)
	}
	var template struct{ Resources map[string]json.RawMessage }
	if err := json.Unmarshal(text, &template); err != nil {
		g.t.Fatal(err)
	}
	for name, resource := range more {
		template.Resources[name] = json.RawMessage(resource)
	}
	encoded, err := json.Marshal(template)
	if err != nil {
		g.t.Fatal(err)
	}
	return aws.String(string(encoded))
}

// startRule is a rule of a template that starts the runbook.
func startRule(when string) string {
	return fmt.Sprintf(`{"Type":"AWS::Events::Rule","Properties":{%s,"Targets":[{"Id":"Repair",
		"Arn":"arn:aws:ssm:us-east-1:123456789012:automation-definition/Repair","RoleArn":{"Fn::GetAtt":["EventRole","Arn"]},
		"Input":{"Fn::Sub":"{\"AutomationAssumeRole\":[\"${Role.Arn}\"],\"TrailName\":[\"guarded\"]}"}}]}}`, when)
}

// ownStack matches what becomes of the stack that the rule is part of.
const ownStack = `"EventPattern":{"source":["aws.cloudformation"],"detail-type":["CloudFormation Stack Status Change"],
	"detail":{"stack-id":[{"Ref":"AWS::StackId"}],"status-details":{"status":["CREATE_COMPLETE","UPDATE_COMPLETE"]}}}`

func (g guarded) cloudFormation() *cloudformation.Client {
	return cloudformation.NewFromConfig(g.Config(Administrator))
}

func (g guarded) createStack(name string, template *string) {
	g.t.Helper()
	_, err := g.cloudFormation().CreateStack(g.t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: template})
	g.must(err)
}

func (g guarded) updateStack(name string, template *string) {
	g.t.Helper()
	_, err := g.cloudFormation().UpdateStack(g.t.Context(), &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: template})
	g.must(err)
}

func (g guarded) deleteStack(name string) {
	g.t.Helper()
	_, err := g.cloudFormation().DeleteStack(g.t.Context(), &cloudformation.DeleteStackInput{StackName: &name})
	g.must(err)
}

func (g guarded) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// listen puts a rule whose deliveries show which events there are. Nothing lets it deliver them.
func (g guarded) listen(name, pattern, schedule string) {
	g.t.Helper()
	client, input := eventbridge.NewFromConfig(g.Config(Administrator)), &eventbridge.PutRuleInput{Name: &name}
	if pattern != "" {
		input.EventPattern = &pattern
	}
	if schedule != "" {
		input.ScheduleExpression = &schedule
	}
	_, err := client.PutRule(g.t.Context(), input)
	g.must(err)
	_, err = client.PutTargets(g.t.Context(), &eventbridge.PutTargetsInput{Rule: &name, Targets: []eventbridgetypes.Target{
		{Id: aws.String("t"), Arn: aws.String(world.TopicARN)},
	}})
	g.must(err)
}

// heard are the events that a rule has delivered, or tried to.
func (g guarded) heard(rule string) []map[string]any {
	var all []map[string]any
	for _, d := range g.Bus().Deliveries() {
		if d.Rule == rule {
			all = append(all, d.Event)
		}
	}
	return all
}

func (g guarded) advance(d time.Duration) {
	g.t.Helper()
	g.must(g.Advance(g.t.Context(), d))
}

func (g guarded) wantHeard(rule string, want int) {
	g.t.Helper()
	if got := len(g.heard(rule)); got != want {
		g.t.Errorf("rule %s heard %d events, want %d", rule, got, want)
	}
}

func (g guarded) wantExecutions(what string, want int) {
	g.t.Helper()
	g.run()
	if got := len(g.Executions()); got != want {
		g.t.Errorf("%s: there are %d executions, want %d", what, got, want)
	}
}

// firstSteps are the names of the first steps of all executions.
func (g guarded) firstSteps() []string {
	g.t.Helper()
	var all []string
	for _, execution := range g.Executions() {
		got, err := ssm.NewFromConfig(g.Config(Administrator)).GetAutomationExecution(g.t.Context(), &ssm.GetAutomationExecutionInput{AutomationExecutionId: &execution.ID})
		g.must(err)
		all = append(all, aws.ToString(got.AutomationExecution.StepExecutions[0].StepName))
	}
	return all
}

// addVersion gives the runbook a second version, whose first step has another name, and which becomes the default.
func (g guarded) addVersion() {
	g.t.Helper()
	client, name := ssm.NewFromConfig(g.Config(Administrator)), aws.String("Repair")
	document, err := client.GetDocument(g.t.Context(), &ssm.GetDocumentInput{Name: name, DocumentFormat: ssmtypes.DocumentFormatJson})
	g.must(err)
	var content map[string]any
	g.must(json.Unmarshal([]byte(*document.Content), &content))
	content["mainSteps"].([]any)[0].(map[string]any)["name"] = "Again"
	delete(content, "outputs")
	encoded, err := json.Marshal(content)
	g.must(err)
	_, err = client.UpdateDocument(g.t.Context(), &ssm.UpdateDocumentInput{
		Name: name, DocumentVersion: aws.String("$LATEST"), DocumentFormat: ssmtypes.DocumentFormatJson, Content: aws.String(string(encoded)),
	})
	g.must(err)
	_, err = client.UpdateDocumentDefaultVersion(g.t.Context(), &ssm.UpdateDocumentDefaultVersionInput{Name: name, DocumentVersion: aws.String("2")})
	g.must(err)
}

func TestEventsOfStacksAndSchedulesReachTheirRules(t *testing.T) {
	scenario := scenarios(t)

	scenario("what EventBridge refuses does not keep events from the other rules", func(g guarded) {
		client, ctx := eventbridge.NewFromConfig(g.Config(Administrator)), g.t.Context()
		g.listen("good", `{"source":["aws.cloudformation"]}`, "")
		for _, pattern := range []string{
			`{`, `[]`, `{}`, `{"source":"aws.s3"}`, `{"source":[]}`, `{"source":[["aws.s3"]]}`, `{"source":[{}]}`, `{"source":[{"prefix":1}]}`,
			`{"source":[{"exists":"true"}]}`, `{"detail":{"n":[{"numeric":["<"]}]}}`, `{"detail":{"n":[{"numeric":[">",5,"<",1]}]}}`,
			`{"source":[{"anything-but":[]}]}`, `{"source":[{"wildcard":"a**b"}]}`, `{"source":[{"prefixes":"aws."}]}`, `{"$or":[{"source":["a"]}]}`,
		} {
			_, err := client.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("bad"), EventPattern: &pattern})
			if code := world.Code(err); code != "InvalidEventPatternException" {
				g.t.Errorf("the pattern %s: got %v", pattern, err)
			}
		}
		var six []eventbridgetypes.Target
		for i := range 6 {
			six = append(six, eventbridgetypes.Target{Id: aws.String(fmt.Sprint(i)), Arn: aws.String(world.TopicARN)})
		}
		_, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("good"), Targets: six})
		world.WantCode(g.t, err, "LimitExceededException")
		_, err = client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("good"), Targets: six[:5]})
		world.WantCode(g.t, err, "LimitExceededException") // with the one that it has
		g.createStack("other", aws.String(`{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}`))
		g.must(g.RunToQuiescence(ctx))
		g.wantHeard("good", 2)
	})

	scenario("a rule hears of the creation and the updates of its own stack", func(g guarded) {
		resources := map[string]string{"Deployed": startRule(ownStack)}
		g.createStack("guard", g.template(resources))
		g.createTrail()
		g.wantExecutions("after the creation", 1)
		resources["Extra"] = `{"Type":"AWS::SNS::Topic"}`
		g.updateStack("guard", g.template(resources))
		g.wantExecutions("after an update", 2)
		_, err := g.cloudFormation().UpdateStack(g.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("guard"), TemplateBody: g.template(resources)})
		world.WantCode(g.t, err, "ValidationError")
		g.wantExecutions("without an update", 2)
		resources["Extra"] = `{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::GetAtt":["Role","Nothing"]}}}`
		g.updateStack("guard", g.template(resources))
		g.wantExecutions("after an update that failed", 2)
		g.createStack("other", aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}`))
		g.wantExecutions("after the creation of another stack", 2)
		g.deleteStack("guard")
		g.wantExecutions("after the deletion", 2)
	})

	scenario("each status of a stack is one event", func(g guarded) {
		g.listen("stacks", `{"source":["aws.cloudformation"]}`, "")
		topic := func(name string) *string {
			return aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":"` + name + `"}}}}`)
		}
		created, err := g.cloudFormation().CreateStack(g.t.Context(), &cloudformation.CreateStackInput{
			StackName: aws.String("s"), TemplateBody: topic("a"), ClientRequestToken: aws.String("token"),
		})
		g.must(err)
		g.updateStack("s", topic("b"))
		g.updateStack("s", aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::Length":[]}}}}}`))
		g.deleteStack("s")
		g.run()
		var got []string
		for _, event := range g.heard("stacks") {
			got = append(got, fmt.Sprint(world.At(event, "detail.status-details.status")))
		}
		want := []string{
			"CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE",
			"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE",
			"DELETE_IN_PROGRESS", "DELETE_COMPLETE",
		}
		if !slices.Equal(got, want) {
			g.t.Fatalf("got  %v\nwant %v", got, want)
		}
		first := g.heard("stacks")[1]
		for path, want := range map[string]string{
			"detail-type": "CloudFormation Stack Status Change", "source": "aws.cloudformation", "account": "123456789012", "region": "us-east-1",
			"resources": "[" + *created.StackId + "]", "detail.stack-id": *created.StackId, "detail.client-request-token": "token",
			"detail.status-details.status-reason": "", "time": g.Clock.Now().UTC().Format(time.RFC3339),
		} {
			if got := fmt.Sprint(world.At(first, path)); got != want {
				g.t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		if reason := fmt.Sprint(world.At(g.heard("stacks")[8], "detail.status-details.status-reason")); !strings.Contains(reason, "AWS::SNS::Topic") {
			g.t.Errorf("the failed update says %q", reason)
		}
	})

	scenario("change sets are told, too", func(g guarded) {
		g.listen("stacks", `{"source":["aws.cloudformation"],"detail":{"status-details":{"status":[{"suffix":"_COMPLETE"}]}}}`, "")
		set, err := g.cloudFormation().CreateChangeSet(g.t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: aws.String("s"), ChangeSetName: aws.String("first"), ChangeSetType: cloudformationtypes.ChangeSetTypeCreate,
			TemplateBody: aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}`),
		})
		g.must(err)
		g.run()
		g.wantHeard("stacks", 0)
		_, err = g.cloudFormation().ExecuteChangeSet(g.t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: set.Id})
		g.must(err)
		g.run()
		g.wantHeard("stacks", 1)
	})

	scenario("a schedule fires a period after its rule was put, whatever moved the clock", func(g guarded) {
		g.deploy()
		g.listen("daily", "", "rate(1 day)")
		put := g.Clock.Now()
		g.stopLogging()
		g.run() // an automation runs, and takes its time
		if !g.Clock.Now().After(put) {
			g.t.Fatal("the clock stands still")
		}
		g.advance(put.Add(24*time.Hour - time.Second).Sub(g.Clock.Now()))
		g.wantHeard("daily", 0)
		g.advance(time.Second)
		g.wantHeard("daily", 1)
		g.advance(0)
		g.advance(23 * time.Hour)
		g.wantHeard("daily", 1)
		g.advance(49 * time.Hour)
		g.wantHeard("daily", 2)
		if event := g.heard("daily")[0]; event["detail-type"] != "Scheduled Event" || fmt.Sprint(event["resources"]) != "[arn:aws:events:us-east-1:123456789012:rule/daily]" {
			g.t.Errorf("got %v", event)
		}
	})

	scenario("a schedule that is disabled, deleted or forgotten does not fire", func(g guarded) {
		client, name := eventbridge.NewFromConfig(g.Config(Administrator)), aws.String("daily")
		g.listen("daily", `{"source":["nobody"]}`, "rate(1 day)")
		g.advance(12 * time.Hour)
		_, err := client.DisableRule(g.t.Context(), &eventbridge.DisableRuleInput{Name: name})
		g.must(err)
		g.advance(24 * time.Hour)
		g.wantHeard("daily", 0)
		_, err = client.EnableRule(g.t.Context(), &eventbridge.EnableRuleInput{Name: name})
		g.must(err)
		g.advance(23 * time.Hour)
		g.wantHeard("daily", 0)
		g.advance(time.Hour)
		g.wantHeard("daily", 1)
		_, err = client.RemoveTargets(g.t.Context(), &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"t"}})
		g.must(err)
		_, err = client.DeleteRule(g.t.Context(), &eventbridge.DeleteRuleInput{Name: name})
		g.must(err)
		g.advance(48 * time.Hour)
		g.wantHeard("daily", 1)
		g.listen("daily", "", "rate(1 day)")
		g.must(g.Reset(g.t.Context()))
		g.advance(48 * time.Hour)
		g.wantHeard("daily", 0)
	})

	scenario("a rule of a stack with a pattern and a schedule starts the runbook by both", func(g guarded) {
		g.options.Readings.Events = localevents.Options{ScheduleFiresAtCreation: true}
		defer func() { g.options.Readings.Events = localevents.Options{} }()
		g.must(g.Reset(g.t.Context()))
		g.createStack("guard", g.template(map[string]string{"Both": startRule(ownStack + `,"ScheduleExpression":"rate(1 day)"`)}))
		g.createTrail()
		g.wantExecutions("after the creation", 1)
		g.advance(time.Second)
		g.wantExecutions("as soon as time moves", 2)
		g.advance(24 * time.Hour)
		g.wantExecutions("a day later", 3)
	})

	scenario("a stack whose rule EventBridge refuses is rolled back, and other rules go on", func(g guarded) {
		g.deploy()
		g.createStack("bad", aws.String(`{"Resources":{"Rule":{"Type":"AWS::Events::Rule","Properties":{"EventPattern":{"source":["aws.s3",{"prefixes":"x"}]}}}}}`))
		stacks, err := g.cloudFormation().DescribeStacks(g.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("bad")})
		g.must(err)
		stack := stacks.Stacks[0]
		if reason := aws.ToString(stack.StackStatusReason); stack.StackStatus != cloudformationtypes.StackStatusRollbackComplete ||
			!strings.Contains(reason, "InvalidEventPatternException") || !strings.Contains(reason, "prefixes") {
			g.t.Errorf("the stack is %s: %s", stack.StackStatus, reason)
		}
		g.stopLogging()
		g.run()
		g.wantLogging(true)
	})

	scenario("a target and a remediation start the version of the runbook that they name", func(g guarded) {
		g.deploy()
		g.addVersion()
		client := eventbridge.NewFromConfig(g.Config(Administrator))
		rules, err := client.ListRules(g.t.Context(), &eventbridge.ListRulesInput{})
		g.must(err)
		rule := rules.Rules[0].Name
		listed, err := client.ListTargetsByRule(g.t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: rule})
		g.must(err)
		for _, version := range []string{":1", ":$DEFAULT", ""} {
			target := listed.Targets[0]
			target.Arn = aws.String("arn:aws:ssm:us-east-1:123456789012:automation-definition/Repair" + version)
			_, err := client.PutTargets(g.t.Context(), &eventbridge.PutTargetsInput{Rule: rule, Targets: []eventbridgetypes.Target{target}})
			g.must(err)
			g.stopLogging()
			g.run()
			g.wantLogging(true)
		}
		g.disableRule()
		g.putConfig()
		remediations, err := configservice.NewFromConfig(g.Config(Administrator)).DescribeRemediationConfigurations(g.t.Context(),
			&configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{"enabled"}})
		g.must(err)
		for _, version := range []*string{aws.String("1"), nil} {
			remediation := remediations.RemediationConfigurations[0]
			remediation.Arn, remediation.TargetVersion = nil, version
			_, err := configservice.NewFromConfig(g.Config(Administrator)).PutRemediationConfigurations(g.t.Context(),
				&configservice.PutRemediationConfigurationsInput{RemediationConfigurations: []configtypes.RemediationConfiguration{remediation}})
			g.must(err)
			g.stopLogging()
			g.advance(time.Hour)
			g.wantLogging(true)
		}
		if got, want := g.firstSteps(), []string{"Repair", "Again", "Again", "Repair", "Again"}; !slices.Equal(got, want) {
			g.t.Errorf("the first steps are %v, want %v", got, want)
		}
	})

	scenario("a rule publishes to an encrypted topic if the key lets EventBridge", func(g guarded) {
		const events = `{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":["kms:GenerateDataKey*","kms:Decrypt"],"Resource":"*"}`
		root := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}`
		g.createStack("topic", aws.String(`{"Resources":{
			"Key":{"Type":"AWS::KMS::Key","Properties":{"KeyPolicy":{"Version":"2012-10-17","Statement":[`+root+`,`+events+`]}}},
			"Topic":{"Type":"AWS::SNS::Topic","Properties":{"TopicName":"alerts","KmsMasterKeyId":{"Fn::GetAtt":["Key","Arn"]}}},
			"Policy":{"Type":"AWS::SNS::TopicPolicy","Properties":{"Topics":[{"Ref":"Topic"}],"PolicyDocument":{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sns:Publish","Resource":{"Ref":"Topic"}}]}}}}}`))
		g.listen("daily", "", "rate(1 day)")
		g.advance(24 * time.Hour)
		topic, err := sns.NewFromConfig(g.Config(Administrator)).GetTopicAttributes(g.t.Context(), &sns.GetTopicAttributesInput{TopicArn: aws.String(world.TopicARN)})
		g.must(err)
		key := topic.Attributes["KmsMasterKeyId"]
		_, err = kms.NewFromConfig(g.Config(Administrator)).PutKeyPolicy(g.t.Context(), &kms.PutKeyPolicyInput{
			KeyId: &key, PolicyName: aws.String("default"), Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + root + `]}`),
		})
		g.must(err)
		g.advance(24 * time.Hour)
		var outcomes []string
		for _, d := range g.Bus().Deliveries() {
			outcomes = append(outcomes, string(d.Outcome)+" "+d.ErrorCode)
		}
		if want := []string{"Invoked ", "Failed NO_PERMISSIONS"}; !slices.Equal(outcomes, want) {
			g.t.Errorf("the outcomes are %v, want %v", outcomes, want)
		}
		published := slices.DeleteFunc(g.Gateway.Calls(), func(c CallRecord) bool { return c.Action() != "sns:Publish" })
		if len(published) != 2 || published[0].ErrorCode != "" || published[1].ErrorCode != "KMSAccessDenied" ||
			!strings.Contains(api.Text(published[0].Input, "Message"), "Scheduled Event") {
			g.t.Errorf("published were %v", published)
		}
	})
}
