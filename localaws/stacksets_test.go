package localaws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
)

// queueTemplate is a member's template, with a delay of so many seconds.
func queueTemplate(delay int) string {
	return fmt.Sprintf(`{"Resources":{"Queue":{"Type":"AWS::SQS::Queue","Properties":{"DelaySeconds":%d}}}}`, delay)
}

var stackSetName = aws.String("TrailGuard")

func (h house) stackSets(account string) *cloudformation.Client {
	return cloudformation.NewFromConfig(h.as(account))
}

// createStackSet makes a stack set that deploys by itself.
func (h house) createStackSet(template string, retain bool) {
	h.t.Helper()
	_, err := h.stackSets(management).CreateStackSet(h.t.Context(), &cloudformation.CreateStackSetInput{
		StackSetName: stackSetName, PermissionModel: cfntypes.PermissionModelsServiceManaged, TemplateBody: &template,
		AutoDeployment: &cfntypes.AutoDeployment{Enabled: aws.Bool(true), RetainStacksOnAccountRemoval: &retain},
		Capabilities:   []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam},
	})
	h.must(err)
}

// deploy makes the instances of targets, and returns how the operation ended.
func (h house) deploy(targets *cfntypes.DeploymentTargets, preferences *cfntypes.StackSetOperationPreferences) cfntypes.StackSetOperationStatus {
	h.t.Helper()
	started, err := h.stackSets(management).CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: stackSetName, Regions: []string{"us-east-1"}, DeploymentTargets: targets, OperationPreferences: preferences,
	})
	h.must(err)
	told, err := h.stackSets(management).DescribeStackSetOperation(h.t.Context(), &cloudformation.DescribeStackSetOperationInput{
		StackSetName: stackSetName, OperationId: started.OperationId,
	})
	h.must(err)
	return told.StackSetOperation.Status
}

func units(ids ...string) *cfntypes.DeploymentTargets {
	return &cfntypes.DeploymentTargets{OrganizationalUnitIds: ids}
}

// instances are the statuses of the stack set's instances by account.
func (h house) instances() map[string]cfntypes.StackInstanceStatus {
	h.t.Helper()
	found := map[string]cfntypes.StackInstanceStatus{}
	for pages := cloudformation.NewListStackInstancesPaginator(h.stackSets(management), &cloudformation.ListStackInstancesInput{StackSetName: stackSetName}); pages.HasMorePages(); {
		page, err := pages.NextPage(h.t.Context())
		h.must(err)
		for _, instance := range page.Summaries {
			found[*instance.Account] = instance.Status
		}
	}
	return found
}

func (h house) wantInstances(accounts ...string) {
	h.t.Helper()
	found := h.instances()
	for _, account := range accounts {
		if found[account] != cfntypes.StackInstanceStatusCurrent {
			h.t.Errorf("the instance in %s is %q", account, found[account])
		}
	}
	if len(found) != len(accounts) {
		h.t.Errorf("there are instances in %v, want %v", found, accounts)
	}
}

// stacks are the names of the stacks in an account, as the account sees them.
func (h house) stacks(account string) []string {
	h.t.Helper()
	described, err := h.stackSets(account).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{})
	h.must(err)
	var names []string
	for _, stack := range described.Stacks {
		names = append(names, *stack.StackName)
	}
	return names
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-associate-stackset-with-org.html
func testTargets(h house) {
	h.createStackSet(queueTemplate(1), false)
	if got := h.deploy(units(h.unit("Workloads")), nil); got != cfntypes.StackSetOperationStatusSucceeded {
		h.t.Fatalf("the operation is %s", got)
	}
	h.wantInstances(memberOne, memberTwo)
	names := h.stacks(memberOne)
	if len(names) != 1 || !strings.HasPrefix(names[0], "StackSet-TrailGuard-") || len(names[0]) != len("StackSet-TrailGuard-00000000-0000-0000-0000-000000000000") {
		h.t.Errorf("the member's stacks are %v", names)
	}
	if got := h.stacks(security); len(got) != 0 {
		h.t.Errorf("an account outside of the targets has the stacks %v", got)
	}
	// The member's own calls are those of the role that StackSets makes there, and the member's EventBridge is told of the stack.
	calls := h.Account(memberOne).Gateway.Calls()
	made := slices.IndexFunc(calls, func(c CallRecord) bool { return c.Action() == "sqs:CreateQueue" })
	if made < 0 || !strings.Contains(calls[made].Principal.ARN, "::"+memberOne+":role/stacksets-exec-") {
		h.t.Errorf("the calls in the member are %+v", calls)
	}
	if h.Account(memberOne).Bus().Queued() != true {
		h.t.Error("EventBridge of the member was not told of the stack")
	}

	// The root holds all accounts, but nothing is deployed into the management account.
	h.deploy(units(h.unit("")), nil)
	h.wantInstances(archive, security, memberOne, memberTwo, sandboxed)
	if got := h.stacks(management); len(got) != 0 {
		h.t.Errorf("the management account has the stacks %v", got)
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/account-level-targets.html
func testAccountFilters(h house) {
	h.createStackSet(queueTemplate(1), false)
	filtered := func(filter cfntypes.AccountFilterType, accounts ...string) *cfntypes.DeploymentTargets {
		return &cfntypes.DeploymentTargets{OrganizationalUnitIds: []string{h.unit("Workloads")}, AccountFilterType: filter, Accounts: accounts}
	}
	h.deploy(filtered(cfntypes.AccountFilterTypeIntersection, memberTwo, sandboxed), nil)
	h.wantInstances(memberTwo)
	h.deploy(filtered(cfntypes.AccountFilterTypeDifference, memberTwo), nil)
	h.wantInstances(memberOne, memberTwo)
	_, err := h.stackSets(management).CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: stackSetName, Regions: []string{"us-east-1"}, DeploymentTargets: filtered(cfntypes.AccountFilterTypeUnion, sandboxed),
	})
	world.WantCode(h.t, err, "ValidationError")
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html#stackset-ops-options
func testTolerance(h house) {
	// A name of a bucket that is taken fails the stack.
	taken := `{"Resources":{"Bucket":{"Type":"AWS::S3::Bucket","Properties":{"BucketName":{"Fn::Sub":"taken-${AWS::AccountId}"}}}}}`
	h.must(CreateStack(h.t.Context(), h.as(outsider), "Before", `{"Resources":{"Bucket":{"Type":"AWS::S3::Bucket","Properties":{"BucketName":"taken-`+memberOne+`"}}}}`))
	h.createStackSet(taken, false)
	targets := units(h.unit("Workloads"))
	if got := h.deploy(targets, nil); got != cfntypes.StackSetOperationStatusFailed {
		h.t.Errorf("without tolerance the operation is %s", got)
	}
	if got := h.instances(); got[memberOne] != cfntypes.StackInstanceStatusOutdated || got[memberTwo] != cfntypes.StackInstanceStatusOutdated {
		h.t.Errorf("the instances are %v", got)
	}
	if got := h.deploy(targets, &cfntypes.StackSetOperationPreferences{FailureToleranceCount: aws.Int32(1)}); got != cfntypes.StackSetOperationStatusSucceeded {
		h.t.Errorf("with tolerance the operation is %s", got)
	}
	if got := h.instances(); got[memberOne] != cfntypes.StackInstanceStatusOutdated || got[memberTwo] != cfntypes.StackInstanceStatusCurrent {
		h.t.Errorf("the instances are %v", got)
	}
}

func testTemplateUpdate(h house) {
	h.createStackSet(queueTemplate(1), false)
	h.deploy(units(h.unit("Workloads")), nil)
	_, err := h.stackSets(management).UpdateStackSet(h.t.Context(), &cloudformation.UpdateStackSetInput{
		StackSetName: stackSetName, TemplateBody: aws.String(queueTemplate(2)),
	})
	h.must(err)
	h.wantInstances(memberOne, memberTwo)
	for _, account := range []string{memberOne, memberTwo} {
		got, err := h.stackSets(account).GetTemplate(h.t.Context(), &cloudformation.GetTemplateInput{StackName: &h.stacks(account)[0]})
		h.must(err)
		if !strings.Contains(*got.TemplateBody, `"DelaySeconds":2`) {
			h.t.Errorf("in %s the template is %s", account, *got.TemplateBody)
		}
	}
}

// move moves an account below another unit.
func (h house) move(account, from, to string) {
	h.t.Helper()
	_, err := organizations.NewFromConfig(h.as(management)).MoveAccount(h.t.Context(), &organizations.MoveAccountInput{
		AccountId: &account, SourceParentId: aws.String(h.unit(from)), DestinationParentId: aws.String(h.unit(to)),
	})
	h.must(err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html
func testAutomaticDeployment(h house) {
	h.createStackSet(queueTemplate(1), false)
	h.deploy(units(h.unit("Workloads")), nil)
	h.move(sandboxed, "Sandbox", "Workloads/Prod")
	h.wantInstances(memberOne, memberTwo, sandboxed)
	if got := h.stacks(sandboxed); len(got) != 1 {
		h.t.Errorf("the account that has come has the stacks %v", got)
	}
	h.move(sandboxed, "Workloads/Prod", "Sandbox")
	h.wantInstances(memberOne, memberTwo)
	if got := h.stacks(sandboxed); len(got) != 0 {
		h.t.Errorf("the account that has left has the stacks %v", got)
	}
	h.move(memberOne, "Workloads/Prod", "Workloads/Test")
	h.wantInstances(memberOne, memberTwo)

	client := organizations.NewFromConfig(h.as(management))
	made, err := client.CreateAccount(h.t.Context(), &organizations.CreateAccountInput{AccountName: aws.String("New"), Email: aws.String("new@example.com")})
	h.must(err)
	account := *made.CreateAccountStatus.AccountId
	h.wantInstances(memberOne, memberTwo) // it begins in the root
	h.move(account, "", "Workloads")
	h.wantInstances(memberOne, memberTwo, account)
}

func testRetainedStacks(h house) {
	h.createStackSet(queueTemplate(1), true)
	h.deploy(units(h.unit("Workloads")), nil)
	h.move(memberOne, "Workloads/Prod", "Sandbox")
	h.wantInstances(memberTwo)
	if got := h.stacks(memberOne); len(got) != 1 {
		h.t.Errorf("the account that has left has the stacks %v", got)
	}
}

// delegate makes an account a delegated administrator.
func (h house) delegate(account, service string) {
	h.t.Helper()
	_, err := organizations.NewFromConfig(h.as(management)).RegisterDelegatedAdministrator(h.t.Context(), &organizations.RegisterDelegatedAdministratorInput{
		AccountId: &account, ServicePrincipal: &service,
	})
	h.must(err)
}

const stackSetsService = "member.org.stacksets.cloudformation.amazonaws.com"

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
func testWhoMayAdministerStackSets(h house) {
	create := func(account string, as cfntypes.CallAs) error {
		_, err := h.stackSets(account).CreateStackSet(h.t.Context(), &cloudformation.CreateStackSetInput{
			StackSetName: stackSetName, PermissionModel: cfntypes.PermissionModelsServiceManaged, TemplateBody: aws.String(queueTemplate(1)), CallAs: as,
			AutoDeployment: &cfntypes.AutoDeployment{Enabled: aws.Bool(true), RetainStacksOnAccountRemoval: aws.Bool(false)},
		})
		return err
	}
	world.WantCode(h.t, create(security, cfntypes.CallAsDelegatedAdmin), "ValidationError")
	h.delegate(security, stackSetsService)
	world.WantCode(h.t, create(security, cfntypes.CallAsSelf), "ValidationError")
	world.WantCode(h.t, create(outsider, cfntypes.CallAsSelf), "ValidationError")
	h.must(create(security, cfntypes.CallAsDelegatedAdmin))
	_, err := h.stackSets(security).CreateStackInstances(h.t.Context(), &cloudformation.CreateStackInstancesInput{
		StackSetName: stackSetName, Regions: []string{"us-east-1"}, DeploymentTargets: units(h.unit("Workloads")), CallAs: cfntypes.CallAsDelegatedAdmin,
	})
	h.must(err)
	h.wantInstances(memberOne, memberTwo) // the stack set is the management account's

	_, err = organizations.NewFromConfig(h.as(management)).DisableAWSServiceAccess(h.t.Context(), &organizations.DisableAWSServiceAccessInput{
		ServicePrincipal: aws.String(stackSetsService),
	})
	h.must(err)
	_, err = h.stackSets(management).DescribeStackSet(h.t.Context(), &cloudformation.DescribeStackSetInput{StackSetName: stackSetName})
	world.WantCode(h.t, err, "ValidationError")
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
func testWhatStackSetsRefuse(h house) {
	role := `{"Resources":{"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{}}}}}`
	create := func(template string) error {
		_, err := h.stackSets(management).CreateStackSet(h.t.Context(), &cloudformation.CreateStackSetInput{
			StackSetName: stackSetName, PermissionModel: cfntypes.PermissionModelsServiceManaged, TemplateBody: &template,
			AutoDeployment: &cfntypes.AutoDeployment{Enabled: aws.Bool(false)},
		})
		return err
	}
	world.WantCode(h.t, create(role), "InsufficientCapabilitiesException")
	world.WantCode(h.t, create(queueTemplate(1)+strings.Repeat(" ", 51_200)), "ValidationError")
	h.must(create(queueTemplate(1)))
	world.WantCode(h.t, create(queueTemplate(1)), "NameAlreadyExistsException")
}

// rollout is a template with a stack set.
func rollout(unit string, delay int) string {
	return `{"Resources":{"Members":{"Type":"AWS::CloudFormation::StackSet","Properties":{
		"StackSetName":"TrailGuard","PermissionModel":"SERVICE_MANAGED","AutoDeployment":{"Enabled":true,"RetainStacksOnAccountRemoval":false},
		"ManagedExecution":{"Active":true},"Capabilities":["CAPABILITY_IAM"],
		"OperationPreferences":{"FailureTolerancePercentage":10,"MaxConcurrentPercentage":25},
		"StackInstancesGroup":[{"Regions":["us-east-1"],"DeploymentTargets":{"OrganizationalUnitIds":["` + unit + `"]}}],
		"TemplateBody":` + strconv.Quote(queueTemplate(delay)) + `}}}}`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html
func testStackSetAsResource(h house) {
	administrator := h.as(management)
	h.must(CreateStack(h.t.Context(), administrator, "Rollout", rollout(h.unit("Workloads"), 1)))
	h.wantInstances(memberOne, memberTwo)
	update := func(template string) {
		client := cloudformation.NewFromConfig(administrator)
		_, err := client.UpdateStack(h.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("Rollout"), TemplateBody: &template})
		h.must(err)
		described, err := client.DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("Rollout")})
		h.must(err)
		if got := described.Stacks[0]; got.StackStatus != cfntypes.StackStatusUpdateComplete {
			h.t.Fatalf("the update is %s: %s", got.StackStatus, aws.ToString(got.StackStatusReason))
		}
	}
	update(rollout(h.unit("Workloads"), 3))
	h.wantInstances(memberOne, memberTwo)
	got, err := h.stackSets(memberOne).GetTemplate(h.t.Context(), &cloudformation.GetTemplateInput{StackName: &h.stacks(memberOne)[0]})
	h.must(err)
	if !strings.Contains(*got.TemplateBody, `"DelaySeconds":3`) {
		h.t.Errorf("the member's template is %s", *got.TemplateBody)
	}
	update(rollout(h.unit("Sandbox"), 3))
	h.wantInstances(sandboxed)
	_, err = cloudformation.NewFromConfig(administrator).DeleteStack(h.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("Rollout")})
	h.must(err)
	for _, account := range []string{memberOne, memberTwo, sandboxed} {
		if got := h.stacks(account); len(got) != 0 {
			h.t.Errorf("%s has the stacks %v", account, got)
		}
	}
	// A rollout that fails in a member fails the stack.
	broken := strings.Replace(rollout(h.unit("Workloads"), 3), `\"DelaySeconds\":3`, `\"DelaySeconds\":9999`, 1)
	if err := CreateStack(h.t.Context(), administrator, "Broken", broken); err == nil || !strings.Contains(err.Error(), memberOne) {
		h.t.Errorf("got %v", err)
	}
}

// A service control policy binds the role with which StackSets deploys.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
func testPoliciesBindStackSets(h house) {
	h.attach(orgtypes.PolicyTypeServiceControlPolicy, h.unit("Workloads/Prod"),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:CreateQueue","Resource":"*"}]}`)
	h.createStackSet(queueTemplate(1), false)
	h.deploy(units(h.unit("Workloads")), &cfntypes.StackSetOperationPreferences{FailureToleranceCount: aws.Int32(2)})
	if got := h.instances(); got[memberOne] != cfntypes.StackInstanceStatusOutdated || got[memberTwo] != cfntypes.StackInstanceStatusCurrent {
		h.t.Errorf("the instances are %v", got)
	}
}

// A delegated administrator's stack may hold the stack set, which is the management account's.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html#cfn-cloudformation-stackset-callas
func testStackSetOfADelegate(h house) {
	h.delegate(security, stackSetsService)
	template := strings.Replace(rollout(h.unit("Workloads"), 1), `"PermissionModel"`, `"CallAs":"DELEGATED_ADMIN","PermissionModel"`, 1)
	h.must(CreateStack(h.t.Context(), h.as(security), "Rollout", template))
	h.wantInstances(memberOne, memberTwo)
	_, err := h.stackSets(security).DeleteStack(h.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("Rollout")})
	h.must(err)
	if got := h.stacks(memberOne); len(got) != 0 {
		h.t.Errorf("the member has the stacks %v", got)
	}
	if err := CreateStack(h.t.Context(), h.as(archive), "Rollout", template); err == nil || !strings.Contains(err.Error(), "delegated administrator") {
		h.t.Errorf("from another member: got %v", err)
	}
}

func TestStackSetsDeployInEachPartition(t *testing.T) {
	for _, place := range []api.Place{
		{Partition: "aws-us-gov", Account: management, Region: "us-gov-west-1"}, {Partition: "aws-cn", Account: management, Region: "cn-north-1"},
	} {
		o, err := StartOrganization(t.Context(), OrganizationOptions{
			Options: Options{Python: repository.Python(), NodeModules: repository.NodeModules(), Place: place},
			Members: []Member{{ID: memberOne, Unit: "Workloads"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		h := house{o, t}
		h.createStackSet(queueTemplate(1), false)
		_, err = h.stackSets(management).CreateStackInstances(t.Context(), &cloudformation.CreateStackInstancesInput{
			StackSetName: stackSetName, Regions: []string{place.Region}, DeploymentTargets: units(h.unit("Workloads")),
		})
		h.must(err)
		h.wantInstances(memberOne)
		if err := errors.Join(h.Err(), h.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestStackSets(t *testing.T) {
	h := startHouse(t)
	for name, test := range map[string]func(house){
		"deploy into units and the units below, and never into the management account": testTargets,
		"heed account filters":                                 testAccountFilters,
		"stop when more fail than is tolerated":                testTolerance,
		"update all instances":                                 testTemplateUpdate,
		"follow accounts into and out of their targets":        testAutomaticDeployment,
		"retain the stacks of accounts that leave":             testRetainedStacks,
		"are the management account's and its delegate's":      testWhoMayAdministerStackSets,
		"refuse templates":                                     testWhatStackSetsRefuse,
		"are resources of a delegate":                          testStackSetOfADelegate,
		"are resources":                                        testStackSetAsResource,
		"are bound by the service control policies of members": testPoliciesBindStackSets,
	} {
		h.test(name, test)
	}
}

// TestTheGuardIsRolledOut deploys the guard into as many accounts as $TRAILGUARD_ACCOUNTS says, and reports how long it takes.
func TestTheGuardIsRolledOut(t *testing.T) {
	accounts := 4
	if given := os.Getenv("TRAILGUARD_ACCOUNTS"); given != "" {
		var err error
		if accounts, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
	}
	var fleet []Member
	for i := range accounts {
		fleet = append(fleet, Member{ID: fmt.Sprintf("7%011d", i), Unit: "Fleet"})
	}
	h := startHouse(t, fleet...)
	golden, err := os.ReadFile(repository.Path("constructs", "trailguard", "testdata", "default.template.json"))
	h.must(err)
	var template bytes.Buffer
	h.must(json.Compact(&template, golden))
	var all []string
	for _, member := range fleet {
		h.must(PutRecorder(t.Context(), h.as(member.ID)))
		all = append(all, member.ID)
	}
	began := time.Now()
	h.createStackSet(template.String(), false)
	h.deploy(units(h.unit("Fleet")), nil)
	deployed := time.Now()
	h.wantInstances(all...)
	h.must(h.RunToQuiescence(t.Context()))
	for _, account := range all {
		if trails := h.Account(account).CloudTrail().Trails(); len(trails) != 1 || !trails[0].IsLogging {
			t.Errorf("the trails of %s are %+v", account, trails)
		}
	}
	t.Logf("%d accounts: %s an account to deploy, %s to run the first repair", accounts,
		deployed.Sub(began)/time.Duration(accounts), time.Since(deployed)/time.Duration(accounts))
	h.must(h.Err())
}
