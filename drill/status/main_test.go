package status

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// accounts has one account for each template that is attacked.
var accounts = map[string]*testbed.Account{"default": testbed.FirstReading(), "everything": testbed.SecondReading()}

func TestMain(m *testing.M) {
	testbed.Main(m, []*testbed.Account{accounts["default"], accounts["everything"]}, func() error { return flag.Set("test.parallel", "2") })
}

// guard is a deployed guard whose triggers do nothing: what events start, starts only when a test settles.
type guard struct {
	testbed.Guard
	template string
	trails   *cloudtrail.Client
	alarms   *cloudwatch.Client
	logs     *cloudwatchlogs.Client
	config   *configservice.Client
	events   *eventbridge.Client
	iam      *iam.Client
	kms      *kms.Client
	orgs     *organizations.Client
	s3       *s3.Client
	sns      *sns.Client
	sqs      *sqs.Client
	ssm      *ssm.Client
	// stack is the stack as the test sees it.
	stack *stack
}

// deploy deploys a template, lets the end of the deployment make the trail, and has somebody confirm a subscription.
func deploy(t *testing.T, a *testbed.Account, template string) *guard {
	t.Helper()
	tpl := testbed.ReadTemplate(t, template)
	a.Empty(t, tpl)
	g := &guard{
		template: template, trails: cloudtrail.NewFromConfig(a.Admin), alarms: cloudwatch.NewFromConfig(a.Admin), logs: cloudwatchlogs.NewFromConfig(a.Admin),
		config: configservice.NewFromConfig(a.Admin), events: eventbridge.NewFromConfig(a.Admin), iam: iam.NewFromConfig(a.Admin), kms: kms.NewFromConfig(a.Admin),
		orgs: organizations.NewFromConfig(a.Admin), s3: s3.NewFromConfig(a.Admin), sns: sns.NewFromConfig(a.Admin), sqs: sqs.NewFromConfig(a.Admin), ssm: ssm.NewFromConfig(a.Admin),
	}
	g.Guard = a.CreateStack(t, testbed.StackName, tpl)
	g.Settle()
	g.WantRepaired()
	if template == "everything" {
		must(g, g.orgs.CreateOrganization, &organizations.CreateOrganizationInput{FeatureSet: orgtypes.OrganizationFeatureSetAll})
		must(g, g.orgs.EnableAWSServiceAccess, &organizations.EnableAWSServiceAccessInput{ServicePrincipal: aws.String("cloudtrail.amazonaws.com")})
	} else {
		g.subscribe()
	}
	read, err := readStack(t.Context(), g.Clients.CloudFormation, testbed.StackName)
	g.Must(err)
	g.stack = read
	return g
}

func (g *guard) subscribe() {
	must(g, g.sns.Subscribe, &sns.SubscribeInput{TopicArn: &g.AlertTopicARN, Protocol: aws.String("https"), Endpoint: aws.String("https://people.example.com")})
}

// must calls AWS, and ends the test if AWS refuses.
func must[In, Out, Option any](g *guard, call func(ctx context.Context, in In, options ...func(*Option)) (Out, error), in In) Out {
	g.T.Helper()
	out, err := call(g.T.Context(), in)
	g.Must(err)
	return out
}

// in is the guard in a part of a test.
func (g *guard) in(t *testing.T) *guard {
	copied := *g
	copied.Guard = g.In(t)
	return &copied
}

// name is the physical id of the resource of a type whose logical id begins so.
func (g *guard) name(kind, begins string) string {
	g.T.Helper()
	for _, r := range g.stack.of(kind) {
		if strings.HasPrefix(r.id, begins) {
			return r.name
		}
	}
	g.T.Fatalf("the stack has no %s that begins with %s", kind, begins)
	return ""
}

// look looks at the parts of some kinds, or at all.
func (g *guard) look(parts ...string) Report {
	g.T.Helper()
	options := Options{choose: func(f Finding) bool { return len(parts) == 0 || slices.Contains(parts, f.Part) }}
	report, err := Inspect(g.T.Context(), NewClients(g.Admin), testbed.StackName, g.Clock.Now(), options)
	g.Must(err)
	return report
}

// wantWhole wants parts of some kinds, or all, to be seen and as declared.
func (g *guard) wantWhole(when string, parts ...string) {
	g.T.Helper()
	report := g.look(parts...)
	if len(report.Findings) == 0 {
		g.T.Errorf("%s there are no parts %v", when, parts)
	}
	for _, f := range report.Findings {
		if !f.Whole() {
			g.T.Errorf("%s %s %s is not whole: %s", when, f.Part, f.Name, said(f))
		}
	}
}

// said is what a finding says, for a test that fails.
func said(f Finding) string {
	var lines []string
	for _, p := range f.Problems {
		lines = append(lines, p.What+" (mend: "+p.Mend+")")
	}
	for _, p := range f.NotSeen {
		lines = append(lines, "not seen: "+p.What)
	}
	return fmt.Sprintf("%q", lines)
}
