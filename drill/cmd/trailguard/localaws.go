package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/api"
)

// simulated are the parts of the local drill that are not AWS. Those up to the clock this program simulates, the rest moto.
var simulated = []string{
	"CloudTrail", "AWS Config", "EventBridge", "SSM Automation", "authorization", "the clock",
	"CloudFormation", "S3", "KMS", "IAM", "STS", "SNS", "SQS", "CloudWatch", "CloudWatch Logs",
}

// ownedClock is the clock of the local AWS. The simulation goes on when somebody waits on it.
type ownedClock struct{ local *localaws.AWS }

func (c ownedClock) Now() time.Time { return c.local.Clock.Now() }

// Wait lets events arrive and automations run. If nothing is under way, d passes, and what is due happens.
func (c ownedClock) Wait(ctx context.Context, d time.Duration) error {
	before := c.Now()
	if err := c.local.RunToQuiescence(ctx); err != nil || c.Now() != before {
		return err
	}
	return c.local.Advance(ctx, d)
}

// settle lets what an attempt began come to rest, and Config see that the trail is back.
func (c ownedClock) settle(ctx context.Context) error { return c.local.Advance(ctx, time.Minute) }

// localCallers are the callers of the local drill: none of them is known to the guard.
func localCallers(local *localaws.AWS) []drill.Caller {
	role := api.Principal{Type: api.AssumedRole, SessionName: "mallory", ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":role/Operations"}
	local.Administrate(role)
	var callers []drill.Caller
	for _, one := range []struct {
		name string
		who  api.Principal
	}{
		{"root", rootUser},
		{"IAM user", api.Principal{Type: api.IAMUser, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":user/mallory"}},
		{"assumed role", role},
	} {
		callers = append(callers, drill.NewCaller(one.name, drill.NewClients(local.Config(one.who))))
	}
	return callers
}

var rootUser = api.Principal{Type: api.Root, ARN: "arn:" + api.Partition + ":iam::" + api.Account + ":root"}

// arm leaves a path of the guard armed: it switches the rules of EventBridge that start the runbook on or off, and holds AWS
// Config.
func arm(ctx context.Context, local *localaws.AWS, clients drill.Clients, rules []deployed.EventRule, path deployed.Path) error {
	local.HoldConfig(path != deployed.ConfigPath && path != deployed.AllPaths)
	for _, rule := range rules {
		of := rule.Path
		if rule.OfLogStore {
			of = deployed.EventPath
		}
		if of == "" {
			continue
		}
		var err error
		if path == of || path == deployed.AllPaths {
			_, err = clients.Events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &rule.Name})
		} else {
			_, err = clients.Events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &rule.Name})
		}
		if err != nil {
			return fmt.Errorf("arming the %s path: rule %s: %w", path, rule.Name, err)
		}
	}
	return nil
}

// armed says in words what a path leaves armed.
func armed(path deployed.Path) string {
	return map[deployed.Path]string{
		deployed.EventPath:    "events alone: no schedule, and AWS Config held",
		deployed.ConfigPath:   "AWS Config alone: the rules of EventBridge switched off",
		deployed.SchedulePath: "the schedule alone: no events, and AWS Config held",
		deployed.AllPaths:     "events, the schedule and AWS Config",
	}[path]
}
