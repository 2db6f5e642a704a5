package localaws

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/moto"
)

var update = flag.Bool("update", false, "write the table of operations into README.md")

func TestTheTableOfOperationsIsThatOfTheCatalogue(t *testing.T) {
	const begin, end = "<!-- catalog -->\n", "<!-- /catalog -->"
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("README.md has no %s and %s", begin, end)
	}
	want := before + begin + catalog.Table() + end + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatal("the table in README.md is not that of the catalogue: run go test ./localaws -run TestTheTable -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// unconnected are the services before a gateway without a moto.
func unconnected(t *testing.T) (*wiring, *gateway.Services) {
	t.Helper()
	const nowhere = "http://127.0.0.1:1"
	m := &common{options: Options{Place: api.Home()}, alone: true, door: gateway.NewDoor(), clock: api.NewClock(time.Time{}), ids: &api.IDs{}}
	m.connect(nowhere)
	m.memberships.read = func(context.Context) ([]moto.Organization, error) { return nil, nil }
	w := &wiring{
		options: &m.options, common: m, clock: m.clock, ids: m.ids, direct: moto.ClientConfig(nowhere, api.Home(), time.Second),
	}
	w.connect(world.Reference(t), "")
	_, registry := w.newServices()
	w.gateway.Use(registry)
	return w, registry
}

// TestTheCatalogueSaysWhoAnswers compares its rows with what the services have registered for.
func TestTheCatalogueSaysWhoAnswers(t *testing.T) {
	_, registry := unconnected(t)
	rows := map[catalog.By][]string{}
	for _, service := range catalog.Services() {
		for name := range service.Operations {
			by := service.Operation(name).By
			rows[by] = append(rows[by], service.Name+":"+name)
		}
	}
	for what, compared := range map[string]struct{ rows, registered []string }{
		"simulated": {rows[catalog.Simulated], registry.Answered()},
		"checked":   {rows[catalog.CheckedMoto], registry.Checked()},
	} {
		slices.Sort(compared.rows)
		if !slices.Equal(compared.rows, compared.registered) {
			t.Errorf("%s are, by the catalogue,\n%v\nand registered are\n%v", what, compared.rows, compared.registered)
		}
	}
}

func TestWhatIsNotModelledHasOneCodeInEachProtocol(t *testing.T) {
	w, _ := unconnected(t)
	w.iam.Grant(Administrator.ARN, policy.MustParse(policy.Identity, policy.FullAWSAccess))
	client, ctx := w.gateway.Config(w.gateway.Credentials(Administrator)), t.Context()
	one := aws.String("one")
	do := func(_ any, err error) error { return err }
	for what, err := range map[string]error{
		"a service that is simulated in part": do(cloudtrail.NewFromConfig(client).ListChannels(ctx, &cloudtrail.ListChannelsInput{})),
		"a member":                            do(cloudtrail.NewFromConfig(client).GetInsightSelectors(ctx, &cloudtrail.GetInsightSelectorsInput{EventDataStore: one})),
		"pages":                               do(cloudtrail.NewFromConfig(client).ListTrails(ctx, &cloudtrail.ListTrailsInput{NextToken: one})),
		"another service": do(configservice.NewFromConfig(client).DescribeConformancePacks(ctx,
			&configservice.DescribeConformancePacksInput{})),
		"a member of it": do(configservice.NewFromConfig(client).DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{
			Filters: &configtypes.DescribeConfigRulesFilters{EvaluationMode: configtypes.EvaluationModeProactive}})),
		"an operation that moto must not answer": do(ssm.NewFromConfig(client).SendAutomationSignal(ctx, &ssm.SendAutomationSignalInput{
			AutomationExecutionId: aws.String("00000000-0000-4000-8002-000000000001"), SignalType: ssmtypes.SignalTypeResume})),
		"a member of its service": do(ssm.NewFromConfig(client).StartAutomationExecution(ctx, &ssm.StartAutomationExecutionInput{
			DocumentName: one, Mode: ssmtypes.ExecutionModeInteractive})),
		"the query protocol": do(sts.NewFromConfig(client).GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: one})),
		"S3":                 do(s3.NewFromConfig(client).GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: one})),
		"a pattern": do(eventbridge.NewFromConfig(client).PutRule(ctx, &eventbridge.PutRuleInput{
			Name: one, EventPattern: aws.String(`{"detail":{"sourceIPAddress":[{"cidr":"10.0.0.0/8"}]}}`)})),
	} {
		if code := world.Code(err); code != api.CodeNotModelled {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if w.gateway.Err() == nil {
		t.Error("nothing was kept as a failure")
	}
}
