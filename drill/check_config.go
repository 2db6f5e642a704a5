package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	configtypes "github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

func (l *look) startedByConfig(ctx context.Context) (Verdict, string, error) {
	resources, err := l.resources()
	if err != nil {
		return "", "", err
	}
	if len(resources["AWS::Config::RemediationConfiguration"]) == 0 {
		return notSeen("the stack has no remediation of AWS Config")
	}
	found, err := l.startedBy("Config")
	if err != nil {
		return "", "", err
	}
	if len(found) > 0 {
		return held("AWS Config started execution %s", found[len(found)-1].ID)
	}
	for _, name := range l.guard.ConfigRuleNames {
		got, err := l.clients.Config.DescribeRemediationExecutionStatus(ctx, &configservice.DescribeRemediationExecutionStatusInput{ConfigRuleName: &name})
		var none *configtypes.NoSuchRemediationConfigurationException
		if errors.As(err, &none) {
			continue
		}
		if err != nil {
			return "", "", fmt.Errorf("reading the remediations of rule %s: %w", name, err)
		}
		for _, one := range got.RemediationExecutionStatuses {
			if at := aws.ToTime(one.InvocationTime); one.State == configtypes.RemediationExecutionStateFailed && l.reach(at) {
				return didNotHold("the remediation of rule %s at %s failed, and none of the latest executions was started by AWS Config", name, clock(at))
			}
		}
	}
	return notSeen("AWS Config started none of the latest executions")
}

// compliance compares the verdict of the custom policy rule with what the runbook saw: a run that found nothing to change, and
// none since that changed anything, show that the trail was as declared when the verdict was recorded.
func (l *look) compliance(ctx context.Context) (Verdict, string, error) {
	if len(l.guard.ConfigRuleNames) == 0 {
		return notSeen("the guard has no rules of AWS Config")
	}
	described, err := l.clients.Config.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: l.guard.ConfigRuleNames})
	if err != nil {
		return "", "", fmt.Errorf("reading the rules of AWS Config: %w", err)
	}
	i := slices.IndexFunc(described.ConfigRules, func(r configtypes.ConfigRule) bool {
		return r.Source != nil && r.Source.Owner == configtypes.OwnerCustomPolicy
	})
	if i < 0 {
		return notSeen("none of the rules has a custom policy")
	}
	name := aws.ToString(described.ConfigRules[i].ConfigRuleName)
	got, err := l.clients.Config.GetComplianceDetailsByConfigRule(ctx, &configservice.GetComplianceDetailsByConfigRuleInput{ConfigRuleName: &name})
	if err != nil {
		return "", "", fmt.Errorf("reading the verdicts of rule %s: %w", name, err)
	}
	all, err := l.executions()
	if err != nil {
		return "", "", err
	}
	var declaredSince time.Time
	for _, x := range all {
		switch {
		case x.Report == nil || len(x.Report.TrailWrites()) > 0:
			declaredSince = time.Time{}
		case x.Status == "Success" && declaredSince.IsZero():
			declaredSince = x.End
		}
	}
	compliant := false
	for _, result := range got.EvaluationResults {
		at := aws.ToTime(result.ResultRecordedTime)
		switch result.ComplianceType {
		case configtypes.ComplianceTypeCompliant:
			compliant = true
		case configtypes.ComplianceTypeNonCompliant:
			if !declaredSince.IsZero() && at.After(declaredSince) {
				return didNotHold("rule %s was NON_COMPLIANT at %s, and no run changed anything since %s", name, clock(at), clock(declaredSince))
			}
			return notSeen("rule %s was NON_COMPLIANT at %s, when the trail may not have been as declared", name, clock(at))
		}
	}
	if !compliant {
		return notSeen("rule %s has no verdict", name)
	}
	return held("rule %s is COMPLIANT", name)
}

func (l *look) exceptions(context.Context) (Verdict, string, error) {
	all, err := l.executions()
	armed := map[string]string{} // the execution, by rule
	for _, x := range all {
		if x.Report != nil {
			for _, rule := range l.guard.ConfigRuleNames {
				if _, found := x.Report.Changed[rule]; found {
					armed[rule] = x.ID
				}
			}
		}
	}
	for _, x := range all {
		for _, rule := range l.guard.ConfigRuleNames {
			// Of two runs at once, one may find that the other has deleted the exception.
			if x.Report != nil && x.Report.Wrong[rule] != "" && armed[rule] == "" {
				return didNotHold("execution %s could not arm rule %s: %s", x.ID, rule, x.Report.Wrong[rule])
			}
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(armed)) {
		return held("execution %s deleted an exception of rule %s", armed[rule], rule)
	}
	return NotSeen, "none of the latest executions found an exception", err
}
