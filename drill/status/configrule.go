package status

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

// lookAtConfigRule compares a rule of AWS Config with the template's, and looks when it was last evaluated.
func lookAtConfigRule(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.Config.DescribeConfigRules(ctx, &configservice.DescribeConfigRulesInput{ConfigRuleNames: []string{r.name}})
	switch f.read(err, "NoSuchConfigRuleException") {
	case unseen:
		return
	case gone:
		f.wrong(revert, "it is deleted")
		return
	}
	for _, rule := range described.ConfigRules {
		if rule.ConfigRuleState != types.ConfigRuleStateActive && rule.ConfigRuleState != types.ConfigRuleStateEvaluating {
			f.wrong(revert, "it is %s", rule.ConfigRuleState)
		}
		have, _ := plain(rule).(map[string]any)
		f.compare(revert, "InputParameters", pruned(r.properties["InputParameters"]), pruned(opened(have["InputParameters"])))
		for _, name := range []string{"MaximumExecutionFrequency", "Scope"} {
			if want := r.properties[name]; want != nil {
				f.compare(revert, name, want, have[name])
			}
		}
		// The text of a policy rule is not in the answer.
		compareSource(r.properties["Source"], have["Source"], f)
	}
	if text := member(member(r.properties["Source"], "CustomPolicyDetails"), "PolicyText"); text != nil {
		got, err := v.Config.GetCustomRulePolicy(ctx, &configservice.GetCustomRulePolicyInput{ConfigRuleName: &r.name})
		if f.read(err) == seen {
			f.compare(revert, "PolicyText", text, aws.ToString(got.PolicyText))
		}
	}
	lookAtEvaluation(ctx, v, r, f)
}

func compareSource(want, have any, f *Finding) {
	declared, isObject := want.(map[string]any)
	had, _ := have.(map[string]any)
	if !isObject {
		f.compare(revert, "Source", want, have)
		return
	}
	for _, name := range []string{"Owner", "SourceDetails", "SourceIdentifier"} {
		if want := declared[name]; want != nil {
			f.compare(revert, name, want, had[name])
		}
	}
	f.compare(revert, "PolicyRuntime", member(declared["CustomPolicyDetails"], "PolicyRuntime"), member(had["CustomPolicyDetails"], "PolicyRuntime"))
}

// frequencies are how often Config evaluates periodic rules.
var frequencies = map[string]time.Duration{
	"One_Hour": time.Hour, "Three_Hours": 3 * time.Hour, "Six_Hours": 6 * time.Hour, "Twelve_Hours": 12 * time.Hour, "TwentyFour_Hours": 24 * time.Hour,
}

// lookAtEvaluation looks whether Config evaluates a rule as often as it should.
func lookAtEvaluation(ctx context.Context, v *view, r resource, f *Finding) {
	got, err := v.Config.DescribeConfigRuleEvaluationStatus(ctx, &configservice.DescribeConfigRuleEvaluationStatusInput{ConfigRuleNames: []string{r.name}})
	if f.read(err, "NoSuchConfigRuleException") != seen {
		return
	}
	evaluate := "aws configservice start-config-rules-evaluation --config-rule-names " + r.name
	for _, evaluation := range got.ConfigRulesEvaluationStatus {
		failed, succeeded := aws.ToTime(evaluation.LastFailedEvaluationTime), aws.ToTime(evaluation.LastSuccessfulEvaluationTime)
		if failed.After(succeeded) {
			f.wrong("mend what the error says, then "+evaluate, "its last evaluation, at %s, failed: %s %s", at(evaluation.LastFailedEvaluationTime), aws.ToString(evaluation.LastErrorCode),
				cut(aws.ToString(evaluation.LastErrorMessage)))
		}
		every := frequencies[r.text("MaximumExecutionFrequency")]
		since := succeeded
		if active := aws.ToTime(evaluation.FirstActivatedTime); active.After(since) {
			since = active
		}
		if every > 0 && !since.IsZero() && v.now.Sub(since) > 2*every {
			f.wrong(evaluate, "it was last evaluated at %s, and should be each %s", at(evaluation.LastSuccessfulEvaluationTime), every)
		}
	}
}

// lookAtRemediation compares what remediates for a rule with the template's, and looks for resources that are exempt.
func lookAtRemediation(ctx context.Context, v *view, r resource, f *Finding) {
	rule := r.text("ConfigRuleName")
	f.Name = rule
	described, err := v.Config.DescribeRemediationConfigurations(ctx, &configservice.DescribeRemediationConfigurationsInput{ConfigRuleNames: []string{rule}})
	if f.read(err) == seen {
		if len(described.RemediationConfigurations) == 0 {
			f.wrong(revert, "it is deleted: Config does not start the runbook")
		}
		for _, remediation := range described.RemediationConfigurations {
			have, _ := plain(remediation).(map[string]any)
			for _, name := range []string{"Automatic", "ExecutionControls", "MaximumAutomaticAttempts", "Parameters", "RetryAttemptSeconds", "TargetId", "TargetType", "TargetVersion"} {
				if want := r.properties[name]; want != nil {
					f.compare(revert, name, want, have[name])
				}
			}
		}
	}
	exceptions, err := v.Config.DescribeRemediationExceptions(ctx, &configservice.DescribeRemediationExceptionsInput{ConfigRuleName: &rule})
	if f.read(err, "NoSuchConfigRuleException") != seen {
		return
	}
	for _, exception := range exceptions.RemediationExceptions {
		kind, id := aws.ToString(exception.ResourceType), aws.ToString(exception.ResourceId)
		f.wrong("the guard's next run deletes it; at once: aws configservice delete-remediation-exceptions --config-rule-name "+rule+" --resource-keys ResourceType="+kind+",ResourceId="+id,
			"Config no longer remediates %s %s", kind, id)
	}
}
