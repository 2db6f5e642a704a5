package tampering

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventstypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws/api"
)

// caller is a form in which an attacker can call.
type caller struct {
	name string
	api.Principal
}

// callers are all forms: the role of a session stands in the event as its issuer, and a root user and an IAM user have no
// session.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
var callers = []caller{
	{"root", api.Principal{Type: api.Root, ARN: "arn:aws:iam::" + api.Account + ":root"}},
	{"an IAM user", api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::" + api.Account + ":user/mallory"}},
	{"an assumed role", api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::" + api.Account + ":role/operators", SessionName: "mallory"}},
	{"a federated user", api.Principal{Type: api.FederatedUser, ARN: "arn:aws:iam::" + api.Account + ":user/broker", SessionName: "mallory"}},
}

// attacker is a client of a caller who may do everything.
func (g guard) attacker(c caller) *cloudtrail.Client { return g.account.attackers[c.name] }

// attack is one call of an attacker.
type attack struct {
	drill.Scenario
	caller
	byARN bool
}

func (a attack) String() string {
	form := "by name"
	if a.byARN {
		form = "by ARN"
	}
	return strings.Join([]string{a.ID, strings.TrimPrefix(a.Call, "cloudtrail "), form, "by " + a.name}, ", ")
}

// attacks are the scenarios that apply to the guard, each in every form, or else in two of them, so that every form has its turn.
func (g guard) attacks(everyForm bool) [][]attack {
	g.T.Helper()
	var all [][]attack
	for i, scenario := range g.scenarios() {
		if scenario.NotApplicable(g.Guard.Guard) != "" {
			continue
		}
		var forms []attack
		for j, c := range callers {
			if turn := i % len(callers); everyForm || j == turn {
				forms = append(forms, attack{scenario, c, false})
			}
			if turn := (i + 1) % len(callers); everyForm || j == turn {
				forms = append(forms, attack{scenario, c, true})
			}
		}
		all = append(all, forms)
	}
	return all
}

// scenarios are those of the catalogue, some in which CloudTrail accepts what it refuses in the catalogue's form or which
// the catalogue's form leaves out, and the calls that change nothing.
func (g guard) scenarios() []drill.Scenario {
	return append(scenarios(), g.harmless()...)
}

func scenarios() []drill.Scenario {
	return append(drill.Scenarios(),
		drill.Scenario{ID: "T09", Call: "cloudtrail UpdateTrail S3BucketName=another bucket S3KeyPrefix=elsewhere", Needs: drill.AnotherBucket,
			Tamper: func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
				_, err := api.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{Name: &t.Trail, S3BucketName: &t.Bucket, S3KeyPrefix: aws.String("elsewhere")})
				return err
			}},
		drill.Scenario{ID: "T17", Call: "cloudtrail PutEventSelectors AdvancedEventSelectors of read events only",
			Tamper: func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
				_, err := api.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: &t.Trail,
					AdvancedEventSelectors: []types.AdvancedEventSelector{advanced("eventCategory", "Management", "readOnly", "true")},
				})
				return err
			}},
		drill.Scenario{ID: "T52", Call: "cloudtrail AddTags with another value", Takes: deployed.Tags, UnseenByConfig: "no Config rule looks at the tags",
			Tamper: func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
				_, err := api.(*cloudtrail.Client).AddTags(ctx, &cloudtrail.AddTagsInput{
					ResourceId: &t.ARN, TagsList: []types.Tag{{Key: aws.String("owner"), Value: aws.String("mallory")}},
				})
				return err
			}},
	)
}

// harmless are the forms of T51 that put what is declared: the settings, the selectors in other words, Insights in another
// order, the tags.
func (g guard) harmless() []drill.Scenario {
	g.T.Helper()
	ctx := g.T.Context()
	declared := func(setting deployed.Setting) *string {
		text, err := strconv.Unquote(g.Declared[setting])
		g.Must(err)
		return &text
	}
	update := cloudtrail.UpdateTrailInput{
		S3BucketName: declared(deployed.S3BucketName), S3KeyPrefix: declared(deployed.S3KeyPrefix), KmsKeyId: declared(deployed.KMSKeyID),
		SnsTopicName: declared(deployed.SNSTopicARN), CloudWatchLogsLogGroupArn: declared(deployed.CloudWatchLogsLogGroupARN),
		CloudWatchLogsRoleArn: declared(deployed.CloudWatchLogsRoleARN), IsMultiRegionTrail: aws.Bool(true),
		EnableLogFileValidation: aws.Bool(true), IncludeGlobalServiceEvents: aws.Bool(true),
	}
	if g.Declared[deployed.IsOrganizationTrail] == "true" {
		update.IsOrganizationTrail = aws.Bool(true)
	}
	selectors, err := g.Clients.CloudTrail.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &g.TrailARN})
	g.Must(err)
	insights, err := g.Clients.CloudTrail.GetInsightSelectors(ctx, &cloudtrail.GetInsightSelectorsInput{TrailName: &g.TrailARN})
	g.Must(err)
	tags, err := g.Clients.CloudTrail.ListTags(ctx, &cloudtrail.ListTagsInput{ResourceIdList: []string{g.TrailARN}})
	g.Must(err)
	calls := map[string]func(context.Context, drill.TrailAPI, drill.Target) error{
		"UpdateTrail with every declared setting": func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
			update.Name = &t.Trail
			_, err := api.UpdateTrail(ctx, &update)
			return err
		},
		"PutEventSelectors with the declared selectors": func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
			_, err := api.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{
				TrailName: &t.Trail, EventSelectors: selectors.EventSelectors, AdvancedEventSelectors: selectors.AdvancedEventSelectors,
			})
			return err
		},
		"PutEventSelectors with selectors that mean what is declared": func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
			_, err := api.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{
				TrailName: &t.Trail, AdvancedEventSelectors: inOtherWords(selectors.EventSelectors, selectors.AdvancedEventSelectors),
			})
			return err
		},
		"PutInsightSelectors with the declared ones, the last first": func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
			list := slices.Clone(insights.InsightSelectors)
			slices.Reverse(list)
			_, err := api.PutInsightSelectors(ctx, &cloudtrail.PutInsightSelectorsInput{TrailName: &t.Trail, InsightSelectors: list})
			return err
		},
	}
	if list := tags.ResourceTagList[0].TagsList; len(list) > 0 {
		calls["AddTags with the declared tags"] = func(ctx context.Context, api drill.TrailAPI, t drill.Target) error {
			_, err := api.(*cloudtrail.Client).AddTags(ctx, &cloudtrail.AddTagsInput{ResourceId: &t.ARN, TagsList: list})
			return err
		}
	}
	var all []drill.Scenario
	for call, tamper := range sorted(calls) {
		all = append(all, drill.Scenario{ID: "T51", Call: "cloudtrail " + call, Harmless: true, Tamper: tamper})
	}
	return all
}

// inOtherWords are advanced selectors that mean what a template's selectors do: the last first, the fields of each in another
// order, under another name.
func inOtherWords(basic []types.EventSelector, selectors []types.AdvancedEventSelector) []types.AdvancedEventSelector {
	selectors = slices.Clone(selectors)
	for _, one := range basic { // every template's have all management events, and prefixes of objects
		selectors = append(selectors, advanced("eventCategory", "Management"))
		for _, resource := range one.DataResources {
			selector := advanced("eventCategory", "Data", "resources.type", *resource.Type)
			selector.FieldSelectors = append(selector.FieldSelectors, types.AdvancedFieldSelector{Field: aws.String("resources.ARN"), StartsWith: resource.Values})
			selectors = append(selectors, selector)
		}
	}
	slices.Reverse(selectors)
	for i := range selectors {
		selectors[i].Name = aws.String("in other words")
		selectors[i].FieldSelectors = slices.Clone(selectors[i].FieldSelectors)
		slices.Reverse(selectors[i].FieldSelectors)
	}
	return selectors
}

// advanced is a selector of fields that equal a value each.
func advanced(fieldsAndValues ...string) types.AdvancedEventSelector {
	var selector types.AdvancedEventSelector
	for i := 0; i < len(fieldsAndValues); i += 2 {
		selector.FieldSelectors = append(selector.FieldSelectors, types.AdvancedFieldSelector{
			Field: &fieldsAndValues[i], Equals: []string{fieldsAndValues[i+1]},
		})
	}
	return selector
}

// elsewhere makes what an attacker sends the log to.
func (g guard) elsewhere() drill.Target {
	g.T.Helper()
	target := drill.Target{ARN: g.TrailARN, Declared: g.Declared}
	maker := drill.NewProvisioner(g.Clients, g.Guard.Guard)
	for _, need := range []drill.Need{drill.AnotherBucket, drill.AnotherKey} {
		_, err := maker.Provision(g.T.Context(), need, &target)
		g.Must(err)
	}
	return target
}

// tamper makes the attack's call.
func (g guard) tamper(a attack, target drill.Target) error {
	target.Trail, target.ARN, target.Declared = g.TrailName, g.TrailARN, g.Declared
	if a.byARN {
		target.Trail = g.TrailARN
	}
	return a.Tamper(g.T.Context(), g.attacker(a.caller), target)
}

// strike makes the call of a scenario, which is accepted.
func (g guard) strike(id string) {
	g.T.Helper()
	g.Must(g.tamper(attack{scenario(id), callers[0], false}, drill.Target{}))
}

// scenario is the first of those with an id.
func scenario(id string) drill.Scenario {
	all := scenarios()
	i := slices.IndexFunc(all, func(s drill.Scenario) bool { return s.ID == id })
	return all[i]
}

// deployedRule is a rule of EventBridge with its targets.
type deployedRule struct {
	eventstypes.Rule
	targets []eventstypes.Target
}

func (g guard) eventRules() []deployedRule {
	g.T.Helper()
	listed, err := g.Clients.Events.ListRules(g.T.Context(), &eventbridge.ListRulesInput{})
	g.Must(err)
	var rules []deployedRule
	for _, rule := range listed.Rules {
		targets, err := g.Clients.Events.ListTargetsByRule(g.T.Context(), &eventbridge.ListTargetsByRuleInput{Rule: rule.Name})
		g.Must(err)
		rules = append(rules, deployedRule{rule, targets.Targets})
	}
	return rules
}

// openBucket makes a bucket that lets CloudTrail write into it, for any trail.
func (g guard) openBucket(bucket string) {
	g.T.Helper()
	_, err := g.Clients.S3.CreateBucket(g.T.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	g.Must(err)
	_, err = g.Clients.S3.PutBucketPolicy(g.T.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:*",
		"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`,
	)})
	g.Must(err)
}

// trail is another trail than the guarded one.
type trail struct{ name, arn string }

// goodTrail makes a trail that nobody guards, with every security setting, and starts it.
func (g guard) goodTrail() trail {
	g.T.Helper()
	const bucket = "good-trails-bucket"
	g.openBucket(bucket)
	key, err := g.Clients.KMS.CreateKey(g.T.Context(), &kms.CreateKeyInput{Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + api.Account + `:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"}]}`,
	)})
	g.Must(err)
	made, err := g.Clients.CloudTrail.CreateTrail(g.T.Context(), &cloudtrail.CreateTrailInput{
		Name: aws.String(g.TrailName + "-2"), S3BucketName: aws.String(bucket), KmsKeyId: key.KeyMetadata.Arn,
		IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
	})
	g.Must(err)
	_, err = g.Clients.CloudTrail.StartLogging(g.T.Context(), &cloudtrail.StartLoggingInput{Name: made.Name})
	g.Must(err)
	return trail{*made.Name, *made.TrailARN}
}

// startLogging is what an administrator may do: it is no tampering, and lets events through again.
func (g guard) startLogging() {
	g.T.Helper()
	_, err := g.Clients.CloudTrail.StartLogging(g.T.Context(), &cloudtrail.StartLoggingInput{Name: &g.TrailName})
	g.Must(err)
}
