package config_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

var accountKey = types.RemediationExceptionResourceKey{ResourceType: aws.String("AWS::::Account"), ResourceId: aws.String("123456789012")}

// guarded is a fixture without a trail, with the rule enabled and its automatic remediation.
func guarded(t *testing.T, change func(*config.Options)) *fixture {
	t.Helper()
	f := recording(t, change)
	f.must(f.putRule(enabledRule()))
	f.must(f.putRemediation(remediation("enabled")))
	return f
}

func (f *fixture) started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts)
}

func (f *fixture) wantStarted(what string, want int) {
	f.t.Helper()
	if got := f.started(); got != want {
		f.t.Errorf("%s: %d automations were started, want %d", what, got, want)
	}
}

// fail lets the latest automation fail.
func (f *fixture) fail() {
	f.service.AutomationFinished(fmt.Sprintf("execution-%d", f.started()), false)
}

func (f *fixture) succeed() {
	f.service.AutomationFinished(fmt.Sprintf("execution-%d", f.started()), true)
}

func (f *fixture) deleteExceptions(keys ...types.RemediationExceptionResourceKey) (*configservice.DeleteRemediationExceptionsOutput, error) {
	return f.DeleteRemediationExceptions(f.t.Context(), &configservice.DeleteRemediationExceptionsInput{
		ConfigRuleName: aws.String("enabled"), ResourceKeys: keys,
	})
}

func TestPutRemediationConfigurationsRefuses(t *testing.T) {
	const bad = "InvalidParameterValueException"
	many := map[string]types.RemediationParameterValue{"AutomationAssumeRole": static("role")}
	for i := range 25 {
		many[fmt.Sprint(i)] = static("x")
	}
	parameter := func(p types.RemediationParameterValue) func(*types.RemediationConfiguration) {
		return func(c *types.RemediationConfiguration) { c.Parameters["P"] = p }
	}
	tests := []struct {
		what   string
		change func(*types.RemediationConfiguration)
		want   string
	}{
		{"nothing", func(*types.RemediationConfiguration) {}, ""},
		{"an unknown rule", func(c *types.RemediationConfiguration) { c.ConfigRuleName = aws.String("nothing") }, "NoSuchConfigRuleException"},
		{"an unknown document", func(c *types.RemediationConfiguration) { c.TargetId = aws.String("nothing") }, bad},
		{"no role", func(c *types.RemediationConfiguration) { delete(c.Parameters, "AutomationAssumeRole") }, bad},
		{"the role under another name", func(c *types.RemediationConfiguration) {
			c.Parameters["AssumeRole"] = c.Parameters["AutomationAssumeRole"]
			delete(c.Parameters, "AutomationAssumeRole")
		}, bad},
		{"no role, not automatic", func(c *types.RemediationConfiguration) {
			c.Automatic = false
			delete(c.Parameters, "AutomationAssumeRole")
		}, ""},
		{"26 parameters", func(c *types.RemediationConfiguration) { c.Parameters = many }, bad},
		{"both kinds of value", parameter(types.RemediationParameterValue{
			ResourceValue: &types.ResourceValue{Value: types.ResourceValueTypeResourceId}, StaticValue: &types.StaticValue{Values: []string{"x"}},
		}), bad},
		{"no value", parameter(types.RemediationParameterValue{}), bad},
		{"no static value", parameter(types.RemediationParameterValue{StaticValue: &types.StaticValue{Values: []string{}}}), bad},
		{"an empty value", parameter(static("")), bad},
		{"256 characters", parameter(static(strings.Repeat("x", 256))), ""},
		{"257 characters", parameter(static(strings.Repeat("x", 257))), bad},
		{"0 attempts", func(c *types.RemediationConfiguration) { c.MaximumAutomaticAttempts = aws.Int32(0) }, bad},
		{"25 attempts", func(c *types.RemediationConfiguration) { c.MaximumAutomaticAttempts = aws.Int32(25) }, ""},
		{"26 attempts", func(c *types.RemediationConfiguration) { c.MaximumAutomaticAttempts = aws.Int32(26) }, bad},
		{"0 seconds", func(c *types.RemediationConfiguration) { c.RetryAttemptSeconds = aws.Int64(0) }, bad},
		{"2,678,001 seconds", func(c *types.RemediationConfiguration) { c.RetryAttemptSeconds = aws.Int64(2678001) }, bad},
		{"101 percent", func(c *types.RemediationConfiguration) {
			c.ExecutionControls = &types.ExecutionControls{SsmControls: &types.SsmControls{ErrorPercentage: aws.Int32(101)}}
		}, bad},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			f := recording(t, nil)
			f.must(f.putRule(enabledRule()))
			config := remediation("enabled")
			test.change(&config)
			world.WantCode(t, f.putRemediation(config), test.want)
			out, err := f.DescribeRemediationConfigurations(t.Context(), &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{"enabled"}})
			f.must(err)
			if exists := len(out.RemediationConfigurations) == 1; exists != (test.want == "") {
				t.Errorf("the remediation exists: %t", exists)
			}
		})
	}
}

func TestANonCompliantResourceIsRemediated(t *testing.T) {
	f := guarded(t, nil)
	f.tick()
	want := []map[string][]string{{
		"AutomationAssumeRole": {"arn:aws:iam::123456789012:role/repair"}, "Regions": {"us-east-1", "eu-west-1"}, "Resource": {"123456789012"},
	}}
	if !reflect.DeepEqual(f.starts, want) {
		t.Errorf("got %v, want %v", f.starts, want)
	}
}

func TestARemediationStartsTheVersionThatItNames(t *testing.T) {
	f := guarded(t, nil)
	config := remediation("enabled")
	config.TargetVersion = aws.String("3")
	f.must(f.putRemediation(config))
	f.tick()
	f.succeed()
	f.must(f.putRemediation(remediation("enabled")))
	f.tick()
	if want := []string{"repair:3", "repair:"}; !reflect.DeepEqual(f.documents, want) {
		t.Errorf("got %q, want %q", f.documents, want)
	}
	out, err := f.DescribeRemediationConfigurations(t.Context(), &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{"enabled"}})
	f.must(err)
	if version := out.RemediationConfigurations[0].TargetVersion; version != nil {
		t.Errorf("the version is %q after it was taken back", *version)
	}
}

func TestACompliantResourceIsNotRemediated(t *testing.T) {
	f := guarded(t, nil)
	f.set("org-trail", goodTrail())
	f.tick()
	f.wantStarted("a compliant account", 0)
}

func TestNothingIsRemediatedWithoutAnAutomaticRemediation(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.tick()
	f.wantStarted("without a remediation", 0)
	manual := remediation("enabled")
	manual.Automatic = false
	f.must(f.putRemediation(manual))
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("with a manual remediation", 0)
}

func TestAnAutomaticRemediationStartsForWhatIsNonCompliantAlready(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	f.tick()
	f.set("org-trail", goodTrail())
	f.must(f.putRemediation(remediation("enabled")))
	f.tick()
	f.wantStarted("on a stale evaluation", 1)
}

func TestOneExecutionRunsAtATimeForAResource(t *testing.T) {
	f := guarded(t, nil)
	f.tick()
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("while the first is running", 1)
	_, err := f.DeleteRemediationConfiguration(t.Context(), &configservice.DeleteRemediationConfigurationInput{ConfigRuleName: aws.String("enabled")})
	world.WantCode(t, err, "RemediationInProgressException")
	f.succeed()
	f.tick()
	f.wantStarted("after its success", 1)
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("after the next evaluation", 2)
}

func TestFailedAttemptsLeadToAnException(t *testing.T) {
	f := guarded(t, nil)
	for attempt := 1; attempt <= 3; attempt++ {
		f.tick()
		f.wantStarted("attempts in a row", attempt)
		if got := f.exceptions("enabled"); len(got) != 0 {
			t.Fatalf("exception before attempt %d failed", attempt)
		}
		f.fail()
		f.tick()
		f.wantStarted("before the time to retry", attempt)
		f.clock.Advance(time.Minute)
	}
	got := f.exceptions("enabled")
	if len(got) != 1 || *got[0].ResourceId != "123456789012" || *got[0].ResourceType != "AWS::::Account" {
		t.Fatalf("got %+v", got)
	}
	for range 5 {
		f.clock.Advance(time.Hour)
		f.tick()
	}
	f.wantStarted("a disarmed remediation", 3)

	if _, err := f.deleteExceptions(accountKey); err != nil {
		t.Fatal(err)
	}
	_, err := f.deleteExceptions(accountKey)
	world.WantCode(t, err, "NoSuchRemediationExceptionException")
	f.tick()
	f.wantStarted("armed again, before the next evaluation", 3)
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("armed again", 4)
}

func TestASuccessForgetsTheFailures(t *testing.T) {
	f := guarded(t, nil)
	for range 5 {
		f.tick()
		f.fail()
		f.clock.Advance(time.Minute)
		f.tick()
		f.succeed()
		f.clock.Advance(time.Hour)
	}
	f.wantStarted("failures and successes", 10)
	if got := f.exceptions("enabled"); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAFailedStartIsAFailedAttempt(t *testing.T) {
	f := guarded(t, nil)
	f.refuse = errors.New("the role cannot be assumed")
	for range 3 {
		f.tick()
		f.clock.Advance(time.Minute)
	}
	if got := f.exceptions("enabled"); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestFailuresInTheWindowLeadToAnException(t *testing.T) {
	for pause, want := range map[time.Duration]int{time.Second: 1, 40 * time.Second: 0} {
		f := guarded(t, func(o *config.Options) { o.Attempts = config.AttemptsInWindow })
		for range 3 {
			f.tick()
			f.fail()
			f.clock.Advance(pause)
		}
		f.wantStarted(pause.String(), 3)
		if got := f.exceptions("enabled"); len(got) != want {
			t.Errorf("3 failures %s apart: %d exceptions, want %d", pause, len(got), want)
		}
	}
}

func TestAnExecutionMayEndBeforeItsStartReturns(t *testing.T) {
	var f *fixture
	starts := 0
	f = guarded(t, func(o *config.Options) {
		o.StartAutomation = func(context.Context, string, string, map[string][]string) (string, error) {
			starts++
			id := fmt.Sprintf("early-%d", starts)
			f.service.AutomationFinished(id, starts > 1)
			return id, nil
		}
	})
	f.tick()
	f.clock.Advance(time.Minute)
	f.tick()
	f.clock.Advance(time.Minute)
	f.tick()
	if starts != 2 {
		t.Errorf("%d starts, want one that fails and one that succeeds", starts)
	}
	out, err := f.DescribeRemediationExecutionStatus(t.Context(), &configservice.DescribeRemediationExecutionStatusInput{ConfigRuleName: aws.String("enabled")})
	f.must(err)
	if got := out.RemediationExecutionStatuses; len(got) != 1 || got[0].State != types.RemediationExecutionStateSucceeded {
		t.Errorf("got %+v", got)
	}
}

func TestExecutionsOfOthersAreIgnored(t *testing.T) {
	f := guarded(t, nil)
	f.tick()
	f.service.AutomationFinished("somebody else's", true)
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("while its own is running", 1)
}

func TestAnExceptionKeepsAResourceFromRemediation(t *testing.T) {
	f := recording(t, nil)
	f.must(f.putRule(enabledRule()))
	put := func(expires *time.Time) *configservice.PutRemediationExceptionsOutput {
		t.Helper()
		out, err := f.PutRemediationExceptions(t.Context(), &configservice.PutRemediationExceptionsInput{
			ConfigRuleName: aws.String("enabled"), ResourceKeys: []types.RemediationExceptionResourceKey{accountKey}, ExpirationTime: expires,
		})
		f.must(err)
		return out
	}
	if out := put(nil); len(out.FailedBatches) != 1 || len(f.exceptions("enabled")) != 0 {
		t.Errorf("an exception for a resource that is not NON_COMPLIANT: %+v", out)
	}
	f.tick()
	expires := f.clock.Now().Add(90 * time.Minute)
	if out := put(&expires); len(out.FailedBatches) != 0 || len(f.exceptions("enabled")) != 1 {
		t.Errorf("got %+v", out)
	}
	f.must(f.putRemediation(remediation("enabled")))
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("before the exception expires", 0)
	f.clock.Advance(time.Hour)
	f.tick()
	f.tick()
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("after the exception expired", 1)
}

func TestAnExecutionIsStartedOnDemand(t *testing.T) {
	f := guarded(t, nil)
	manual := remediation("enabled")
	manual.Automatic = false
	f.must(f.putRemediation(manual))
	f.tick()
	start := func() *configservice.StartRemediationExecutionOutput {
		t.Helper()
		out, err := f.StartRemediationExecution(t.Context(), &configservice.StartRemediationExecutionInput{
			ConfigRuleName: aws.String("enabled"), ResourceKeys: []types.ResourceKey{{ResourceType: "AWS::::Account", ResourceId: aws.String("123456789012")}},
		})
		f.must(err)
		return out
	}
	if out := start(); len(out.FailedItems) != 0 {
		t.Errorf("got %+v", out)
	}
	f.tick()
	f.wantStarted("on demand", 1)
	if out := start(); len(out.FailedItems) != 1 {
		t.Errorf("a second execution at a time: %+v", out)
	}
	f.fail()
	f.clock.Advance(time.Hour)
	f.tick()
	f.wantStarted("after its failure", 1)
	out, err := f.DescribeRemediationExecutionStatus(t.Context(), &configservice.DescribeRemediationExecutionStatusInput{ConfigRuleName: aws.String("enabled")})
	f.must(err)
	if got := out.RemediationExecutionStatuses[0]; got.State != types.RemediationExecutionStateFailed || got.ResourceKey.ResourceType != "AWS::::Account" {
		t.Errorf("got %+v", got)
	}
}

func TestTheServiceIsSafeForConcurrentUse(t *testing.T) {
	f := guarded(t, nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				f.clock.Advance(time.Hour)
				if err := f.service.Tick(t.Context()); err != nil {
					t.Error(err)
				}
				f.succeed()
				if err := f.putRule(enabledRule()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// exempted is a fixture in which a rule has found n trails NON_COMPLIANT, each of which has an exception.
func exempted(t *testing.T, n int) *fixture {
	t.Helper()
	f := recording(t, nil)
	f.must(f.putRule(policyRule("never")))
	var keys []types.RemediationExceptionResourceKey
	for i := range n {
		trail := goodTrail()
		trail.Name, trail.ARN = fmt.Sprintf("trail-%02d", i), fmt.Sprintf("arn:aws:cloudtrail:us-east-1:123456789012:trail/trail-%02d", i)
		f.set(trail.Name, trail)
		keys = append(keys, types.RemediationExceptionResourceKey{ResourceType: aws.String("AWS::CloudTrail::Trail"), ResourceId: &trail.ARN})
	}
	f.tick()
	out, err := f.PutRemediationExceptions(t.Context(), &configservice.PutRemediationExceptionsInput{ConfigRuleName: aws.String("declared"), ResourceKeys: keys})
	f.must(err)
	if len(out.FailedBatches) != 0 {
		t.Fatalf("got %+v", out.FailedBatches)
	}
	return f
}

func TestExceptionsComeInPagesAndAreDeletedByTheKeysFound(t *testing.T) {
	for _, test := range []struct {
		limit int32
		pages []int
	}{{0, []int{25, 25, 10}}, {100, []int{25, 25, 10}}, {20, []int{20, 20, 20}}} {
		f := exempted(t, 60)
		pages := configservice.NewDescribeRemediationExceptionsPaginator(f, &configservice.DescribeRemediationExceptionsInput{
			ConfigRuleName: aws.String("declared"), Limit: test.limit,
		})
		var sizes []int
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			f.must(err)
			sizes = append(sizes, len(page.RemediationExceptions))
			var keys []types.RemediationExceptionResourceKey
			for _, found := range page.RemediationExceptions {
				keys = append(keys, types.RemediationExceptionResourceKey{ResourceType: found.ResourceType, ResourceId: found.ResourceId})
			}
			// That a page is deleted does not keep the next from being found.
			deleted, err := f.DeleteRemediationExceptions(t.Context(), &configservice.DeleteRemediationExceptionsInput{ConfigRuleName: aws.String("declared"), ResourceKeys: keys})
			f.must(err)
			if len(deleted.FailedBatches) != 0 {
				t.Errorf("got %+v", deleted.FailedBatches)
			}
		}
		if !reflect.DeepEqual(sizes, test.pages) || len(f.exceptions("declared")) != 0 {
			t.Errorf("with limit %d the pages are %v, want %v; left are %d", test.limit, sizes, test.pages, len(f.exceptions("declared")))
		}
	}
}

func TestOneExceptionIsFoundAndDeletedByItsKey(t *testing.T) {
	f := exempted(t, 3)
	key := types.RemediationExceptionResourceKey{
		ResourceType: aws.String("AWS::CloudTrail::Trail"), ResourceId: aws.String("arn:aws:cloudtrail:us-east-1:123456789012:trail/trail-01"),
	}
	found, err := f.DescribeRemediationExceptions(t.Context(), &configservice.DescribeRemediationExceptionsInput{
		ConfigRuleName: aws.String("declared"), ResourceKeys: []types.RemediationExceptionResourceKey{key, accountKey},
	})
	f.must(err)
	if len(found.RemediationExceptions) != 1 || *found.RemediationExceptions[0].ResourceId != *key.ResourceId || found.NextToken != nil {
		t.Errorf("got %+v", found)
	}
	deleted, err := f.DeleteRemediationExceptions(t.Context(), &configservice.DeleteRemediationExceptionsInput{
		ConfigRuleName: aws.String("declared"), ResourceKeys: []types.RemediationExceptionResourceKey{key, accountKey},
	})
	f.must(err)
	if len(deleted.FailedBatches) != 1 || *deleted.FailedBatches[0].FailedItems[0].ResourceId != *accountKey.ResourceId || len(f.exceptions("declared")) != 2 {
		t.Errorf("got %+v, and %d exceptions are left", deleted, len(f.exceptions("declared")))
	}
}

func TestRequestsForExceptionsAreRefusedAsTheModelSays(t *testing.T) {
	f := exempted(t, 1)
	describe := func(change func(*configservice.DescribeRemediationExceptionsInput)) error {
		in := &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: aws.String("declared")}
		change(in)
		_, err := f.DescribeRemediationExceptions(t.Context(), in)
		return err
	}
	world.WantCode(t, describe(func(*configservice.DescribeRemediationExceptionsInput) {}), "")
	for what, test := range map[string]struct {
		change func(*configservice.DescribeRemediationExceptionsInput)
		want   string
	}{
		"an unknown rule": {func(in *configservice.DescribeRemediationExceptionsInput) { in.ConfigRuleName = aws.String("nothing") }, "InvalidParameterValueException"},
		"no keys": {func(in *configservice.DescribeRemediationExceptionsInput) {
			in.ResourceKeys = []types.RemediationExceptionResourceKey{}
		}, "InvalidParameterValueException"},
		"a page of 101":    {func(in *configservice.DescribeRemediationExceptionsInput) { in.Limit = 101 }, "InvalidParameterValueException"},
		"an unknown token": {func(in *configservice.DescribeRemediationExceptionsInput) { in.NextToken = aws.String("2") }, "InvalidNextTokenException"},
	} {
		if got := world.Code(describe(test.change)); got != test.want {
			t.Errorf("%s: got %q, want %q", what, got, test.want)
		}
	}
	_, err := f.DeleteRemediationExceptions(t.Context(), &configservice.DeleteRemediationExceptionsInput{
		ConfigRuleName: aws.String("nothing"), ResourceKeys: []types.RemediationExceptionResourceKey{accountKey},
	})
	world.WantCode(t, err, "NoSuchRemediationExceptionException")
	_, err = f.deleteExceptions([]types.RemediationExceptionResourceKey{}...)
	world.WantCode(t, err, "ValidationException")
}
