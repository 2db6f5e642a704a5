package tampering

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventstypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/localaws/api"
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
func (g guard) attacker(c caller) *cloudtrail.Client {
	g.Administrate(c.Principal)
	return cloudtrail.NewFromConfig(g.Config(c.Principal))
}

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

// attacks are scenarios that apply to the guard, in every form.
func (g guard) attacks(scenarios []drill.Scenario, callers []caller) []attack {
	var all []attack
	for _, scenario := range scenarios {
		if scenario.NotApplicable(g.Guard) != "" {
			continue
		}
		for _, c := range callers {
			all = append(all, attack{scenario, c, false}, attack{scenario, c, true})
		}
	}
	return all
}

// scenarios are those of the catalogue, and some in which CloudTrail accepts what it refuses in the catalogue's form, or
// which the catalogue's form leaves out.
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
					AdvancedEventSelectors: []types.AdvancedEventSelector{{FieldSelectors: []types.AdvancedFieldSelector{
						{Field: aws.String("eventCategory"), Equals: []string{"Management"}},
						{Field: aws.String("readOnly"), Equals: []string{"true"}},
					}}},
				})
				return err
			}},
	)
}

// elsewhere makes what an attacker sends the log to.
func (g guard) elsewhere() drill.Target {
	g.t.Helper()
	target := drill.Target{}
	maker := drill.NewProvisioner(g.admin, g.Guard)
	for _, need := range []drill.Need{drill.AnotherBucket, drill.AnotherKey} {
		_, err := maker.Provision(g.t.Context(), need, &target)
		g.must(err)
	}
	return target
}

// tamper makes the attack's call.
func (g guard) tamper(a attack, target drill.Target) error {
	target.Trail = g.TrailName
	if a.byARN {
		target.Trail = g.TrailARN
	}
	return a.Tamper(g.t.Context(), g.attacker(a.caller), target)
}

// optionalScenarios take away what the default template does not set.
func optionalScenarios() []drill.Scenario {
	return slices.DeleteFunc(scenarios(), func(s drill.Scenario) bool { return !slices.Contains([]string{"T10", "T11", "T12", "T19"}, s.ID) })
}

// scenario is one of the catalogue.
func scenario(id string) drill.Scenario {
	all := scenarios()
	i := slices.IndexFunc(all, func(s drill.Scenario) bool { return s.ID == id })
	return all[i]
}

// isUnseen tells whether no event of the attack arrives.
func (a attack) isUnseen(in *account) bool {
	return a.ID == "T02" && in.options.DropDeletionOfLastTrail
}

// repairOnEvents switches the rules that start a runbook on or off.
func (g guard) repairOnEvents(on bool) {
	g.t.Helper()
	for _, rule := range g.eventRules() {
		if rule.startsRunbook() && on {
			_, err := g.admin.Events.EnableRule(g.t.Context(), &eventbridge.EnableRuleInput{Name: rule.Name})
			g.must(err)
		} else if rule.startsRunbook() {
			_, err := g.admin.Events.DisableRule(g.t.Context(), &eventbridge.DisableRuleInput{Name: rule.Name})
			g.must(err)
		}
	}
}

// deployedRule is a rule of EventBridge with its targets.
type deployedRule struct {
	eventstypes.Rule
	targets []eventstypes.Target
}

func (r deployedRule) startsRunbook() bool {
	return slices.ContainsFunc(r.targets, func(target eventstypes.Target) bool { return target.RoleArn != nil })
}

func (g guard) eventRules() []deployedRule {
	g.t.Helper()
	listed, err := g.admin.Events.ListRules(g.t.Context(), &eventbridge.ListRulesInput{})
	g.must(err)
	var rules []deployedRule
	for _, rule := range listed.Rules {
		targets, err := g.admin.Events.ListTargetsByRule(g.t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: rule.Name})
		g.must(err)
		rules = append(rules, deployedRule{rule, targets.Targets})
	}
	return rules
}

// openBucket lets CloudTrail write into a bucket, for any trail.
func (g guard) openBucket(bucket string) {
	g.t.Helper()
	_, err := g.admin.S3.PutBucketPolicy(g.t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:*",
		"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`,
	)})
	g.must(err)
}
