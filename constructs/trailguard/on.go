package trailguard

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"

	"github.com/trailguard/trailguard/constructs/alerting"
	"github.com/trailguard/trailguard/constructs/detection"
)

func (g *trailGuard) OnTampering(id *string, options *awsevents.OnEventOptions) awsevents.Rule {
	return g.on(id, options, detection.TamperingPattern(g.settings, *g.automationRole.RoleArn()))
}

func (g *trailGuard) OnRepaired(id *string, options *awsevents.OnEventOptions) awsevents.Rule {
	return g.on(id, options, alerting.RepairPattern(g.Runbook(), "Success"))
}

func (g *trailGuard) OnRepairFailed(id *string, options *awsevents.OnEventOptions) awsevents.Rule {
	return g.on(id, options, alerting.RepairFailedPattern(g.Runbook()))
}

// on defines a rule for the pattern, as the On… methods of the CDK's own constructs do.
func (g *trailGuard) on(id *string, options *awsevents.OnEventOptions, pattern detection.Pattern) awsevents.Rule {
	if options == nil {
		options = &awsevents.OnEventOptions{}
	}
	rule := awsevents.NewRule(g, id, &awsevents.RuleProps{
		CrossStackScope: options.CrossStackScope,
		Description:     options.Description,
		RuleName:        options.RuleName,
		EventPattern:    pattern.EventPattern(),
	})
	rule.AddEventPattern(options.EventPattern)
	if options.Target != nil {
		rule.AddTarget(options.Target)
	}
	return rule
}
