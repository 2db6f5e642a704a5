package localaws

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// TestTheLoopIsClosedInEachPartition runs the loop, and looks for anything that is left of the default place.
func TestTheLoopIsClosedInEachPartition(t *testing.T) {
	for _, place := range []api.Place{
		{Partition: "aws-us-gov", Account: "111122223333", Region: "us-gov-west-1"},
		{Partition: "aws-cn", Account: "444455556666", Region: "cn-north-1"},
	} {
		t.Run(place.Partition, func(t *testing.T) {
			local, err := Start(t.Context(), Options{Python: repository.Python(), NodeModules: repository.NodeModules(), Place: place})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := local.Close(); err != nil {
					t.Error(err)
				}
			})
			g := guarded{local, t}
			g.must(PutRecorder(t.Context(), g.Config(g.Administrator())))
			g.deploy()
			g.stopLogging()
			g.run()
			g.wantLogging(true)
			if all := g.Executions(); len(all) != 1 || all[0].Status != automation.Success {
				t.Errorf("the executions are %+v", all)
			}
			g.disableRule()
			g.stopLogging()
			g.putRule()
			g.must(g.Advance(t.Context(), time.Hour))
			g.wantLogging(true)
			g.wantNothingOfTheDefaultPlace()
			if err := local.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// wantNothingOfTheDefaultPlace looks at what a client sees, and at all events.
func (g guarded) wantNothingOfTheDefaultPlace() {
	g.t.Helper()
	administrator, ctx := g.Config(g.Administrator()), g.t.Context()
	identity, err := sts.NewFromConfig(administrator).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	g.must(err)
	topic, err := sns.NewFromConfig(administrator).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t")})
	g.must(err)
	rules, err := configservice.NewFromConfig(administrator).DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{})
	g.must(err)
	for what, arn := range map[string]string{
		"the caller": *identity.Arn, "a topic": *topic.TopicArn, "a rule of Config": *rules.ConfigRules[0].ConfigRuleArn,
		"the trail": g.CloudTrail().Trails()[0].ARN, "the execution's starter": g.Executions()[0].ExecutedBy,
	} {
		if got, want := api.PlaceOf(arn), g.Place(); got.Partition != want.Partition || got.Account != want.Account {
			g.t.Errorf("%s is %s", what, arn)
		}
	}
	if len(g.Bus().Deliveries()) == 0 {
		g.t.Error("there was no event")
	}
	for _, delivery := range g.Bus().Deliveries() {
		if delivery.Event["account"] != g.Place().Account || delivery.Event["region"] != g.Place().Region {
			g.t.Errorf("the event is %v", delivery.Event)
		}
		if arn, _ := world.At(delivery.Event, "detail.userIdentity.arn").(string); strings.Contains(arn, api.Account) {
			g.t.Errorf("the caller in an event is %s", arn)
		}
	}
}
