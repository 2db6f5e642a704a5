package organization

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	organizationstypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// testOrganizationEvents calls AWS Organizations in the management account.
func testOrganizationEvents(h *house) {
	client, ctx := h.organizations(), h.t.Context()
	wants := func(call string, err error) {
		h.t.Helper()
		h.must(err)
		h.settle()
		h.wantHeard(call, h.ofOrganization(call))
	}
	wantsNothing := func(call string, err error) {
		h.t.Helper()
		h.must(err)
		h.settle()
		h.wantHeard(call)
	}
	access := func(service string) error {
		_, err := client.DisableAWSServiceAccess(ctx, &organizations.DisableAWSServiceAccessInput{ServicePrincipal: &service})
		return err
	}
	enable := func(service string) {
		_, err := client.EnableAWSServiceAccess(ctx, &organizations.EnableAWSServiceAccessInput{ServicePrincipal: &service})
		wantsNothing("EnableAWSServiceAccess", err)
	}
	const stackSets, other = "member.org.stacksets.cloudformation.amazonaws.com", "sso.amazonaws.com"
	for _, service := range []string{"cloudtrail.amazonaws.com", stackSets} {
		wants("DisableAWSServiceAccess", access(service))
		enable(service)
	}
	enable(other)
	wantsNothing("DisableAWSServiceAccess of a service that the guard does not need", access(other))

	_, err := client.RegisterDelegatedAdministrator(ctx, &organizations.RegisterDelegatedAdministratorInput{AccountId: aws.String(memberOne), ServicePrincipal: aws.String(stackSets)})
	wantsNothing("RegisterDelegatedAdministrator", err)
	_, err = client.DeregisterDelegatedAdministrator(ctx, &organizations.DeregisterDelegatedAdministratorInput{AccountId: aws.String(memberOne), ServicePrincipal: aws.String(stackSets)})
	wants("DeregisterDelegatedAdministrator", err)

	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"cloudtrail:StopLogging","Resource":"*"}]}`
	made, err := client.CreatePolicy(ctx, &organizations.CreatePolicyInput{
		Name: aws.String("own"), Description: aws.String(""), Content: aws.String(document), Type: organizationstypes.PolicyTypeServiceControlPolicy,
	})
	wantsNothing("CreatePolicy", err)
	id, unit := made.Policy.PolicySummary.Id, aws.String(h.unit("Sandbox"))
	_, err = client.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: id, TargetId: unit})
	wantsNothing("AttachPolicy", err)
	_, err = client.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: id, Content: aws.String(strings.Replace(document, "StopLogging", "StartLogging", 1))})
	wants("UpdatePolicy", err)
	_, err = client.DetachPolicy(ctx, &organizations.DetachPolicyInput{PolicyId: id, TargetId: unit})
	wants("DetachPolicy", err)
	_, err = client.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: id})
	wants("DeletePolicy", err)

	root := h.unit("")
	_, err = client.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &root, PolicyType: organizationstypes.PolicyTypeServiceControlPolicy})
	wants("DisablePolicyType", err)
	_, err = client.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: &root, PolicyType: organizationstypes.PolicyTypeServiceControlPolicy})
	wantsNothing("EnablePolicyType", err)
}

// ofAnother replaces the organization in the policy of the event bus.
func ofAnother(t testbed.TB, tpl testbed.Template) {
	for _, properties := range tpl.Resources("AWS::Events::EventBusPolicy") {
		properties["Statement"].(map[string]any)["Condition"].(map[string]any)["StringEquals"] = map[string]any{"aws:PrincipalOrgID": "o-zzzzzzzzzz"}
	}
}

// update deploys another template over that of a stack.
func (h *house) update(stack string, template testbed.Template) {
	h.t.Helper()
	client := cloudformation.NewFromConfig(h.configOf(stack))
	_, err := client.UpdateStack(h.t.Context(), &cloudformation.UpdateStackInput{
		StackName: &stack, TemplateBody: aws.String(template.JSON()), Capabilities: testbed.MayMakeRoles,
	})
	h.must(err)
	described, err := client.DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	h.must(err)
	if got := described.Stacks[0]; !strings.HasSuffix(string(got.StackStatus), "_COMPLETE") || strings.Contains(string(got.StackStatus), "ROLLBACK") {
		h.t.Fatalf("the update of %s is %s: %s", stack, got.StackStatus, aws.ToString(got.StackStatusReason))
	}
}

// testShutBus lets the central event bus trust another organization.
func testShutBus(h *house, account string, guard deployed.Guard) {
	h.update(centralStack, h.template(centralStack).With(h.t, ofAnother))
	by := h.attackers(account)[0]
	h.tamper(h.scenario("T01"), account, by, guard, guard.TrailName)
	h.settle()
	h.wantHeard("a bus that is shut")
	h.wantKept(account, guard)
	executions := h.Account(account).Executions()
	if report := fmt.Sprint(executions[len(executions)-1].Outputs); !strings.Contains(report, "notToldCentrally") {
		h.t.Errorf("the report does not say that it was not told centrally: %s", report)
	}
	dead := h.deadLetters(account, guard.Stack)
	if !slices.ContainsFunc(dead, func(m sqstypes.Message) bool {
		return strings.Contains(*m.Body, `"StopLogging"`) && aws.ToString(m.MessageAttributes["ERROR_CODE"].StringValue) == "NO_PERMISSIONS"
	}) {
		h.t.Errorf("the dead-letter queue has %d messages, and none is the tampering", len(dead))
	}
	h.update(centralStack, h.template(centralStack))
	h.tamper(h.scenario("T01"), account, by, guard, guard.TrailName)
	h.settle()
	h.wantHeard("a bus that is open again", h.tampering("StopLogging", account, by), h.repaired(account))
}

// deadLetters takes the messages out of the dead-letter queues of a stack, of which each must have an alarm that tells a topic.
func (h *house) deadLetters(account, stack string) []sqstypes.Message {
	h.t.Helper()
	config := h.as(account)
	template, err := cloudformation.NewFromConfig(config).GetTemplate(h.t.Context(), &cloudformation.GetTemplateInput{StackName: &stack})
	h.must(err)
	watched := testbed.ParseTemplate(h.t, *template.TemplateBody).Resources("AWS::CloudWatch::Alarm")
	listed, err := cloudformation.NewFromConfig(config).ListStackResources(h.t.Context(), &cloudformation.ListStackResourcesInput{StackName: &stack})
	h.must(err)
	client := sqs.NewFromConfig(config)
	var messages []sqstypes.Message
	for _, resource := range listed.StackResourceSummaries {
		if *resource.ResourceType != "AWS::SQS::Queue" {
			continue
		}
		if !slices.ContainsFunc(watched, func(alarm map[string]any) bool {
			text := testbed.Template(alarm).JSON()
			return alarm["MetricName"] == "ApproximateNumberOfMessagesVisible" && strings.Contains(text, `"`+*resource.LogicalResourceId+`"`) && strings.Contains(text, `"AlarmActions":[{"Ref":"Alert`)
		}) {
			h.t.Errorf("no alarm watches queue %s", *resource.LogicalResourceId)
		}
		got, err := client.ReceiveMessage(h.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: resource.PhysicalResourceId, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		h.must(err)
		messages = append(messages, got.Messages...)
	}
	return messages
}

// testUndelegated takes the delegation for CloudTrail from the account of the guard, and stops the trail.
func testUndelegated(h *house, guard deployed.Guard) {
	service := aws.String("cloudtrail.amazonaws.com")
	_, err := h.organizations().DeregisterDelegatedAdministrator(h.t.Context(), &organizations.DeregisterDelegatedAdministratorInput{
		AccountId: aws.String(delegate), ServicePrincipal: service,
	})
	h.must(err)
	h.settle()
	h.wantHeard("DeregisterDelegatedAdministrator", h.ofOrganization("DeregisterDelegatedAdministrator"))
	h.tamper(h.scenario("T01"), management, h.attackers(management)[0], guard, guard.TrailName)
	h.pass(time.Hour)
	h.wantHeard("a repair without the delegation", h.notRepaired(delegate), h.repairFailed(delegate))
	_, err = h.organizations().RegisterDelegatedAdministrator(h.t.Context(), &organizations.RegisterDelegatedAdministratorInput{
		AccountId: aws.String(delegate), ServicePrincipal: service,
	})
	h.must(err)
	h.pass(time.Hour)
	h.wantKept(management, guard)
	h.wantHeard("a repair with the delegation again", h.repaired(delegate))
}
