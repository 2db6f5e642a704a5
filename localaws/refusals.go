package localaws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// checkRemediations refuses a remediation whose parameters are not those of its runbook. What values the runbook allows is not looked
// at, and neither is whether it has the version: an execution is refused then.
//
// That Config looks at the names is taken from its message, and from what is said of documents that change.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
// https://github.com/hashicorp/terraform-provider-aws/issues/31428
func (a *AWS) checkRemediations(ctx context.Context, call api.Call) error {
	configurations, _ := call.Input["RemediationConfigurations"].([]any)
	for _, configuration := range configurations {
		fields, _ := configuration.(map[string]any)
		rule, name, version := text(fields, "ConfigRuleName"), documentName(text(fields, "TargetId")), text(fields, "TargetVersion")
		if name == "" {
			continue // Config says so itself
		}
		if version == "" {
			version = "$DEFAULT"
		}
		refuse := func(format string, args ...any) error {
			return api.Errorf("InvalidParameterValueException", "There were invalid RemediationParameterValues for configurations for AWS Config Rules: [%s]: %s",
				rule, fmt.Sprintf(format, args...))
		}
		found, err := a.backend.definition(ctx, name, version)
		if isRefusal(err) {
			continue // there is no such document, which Config says itself, or no such version
		}
		if err != nil {
			return fmt.Errorf("reading document %s: %w", name, err)
		}
		document, err := automation.Parse([]byte(found.content))
		if err != nil {
			return refuse("the document %s is no runbook: %v", name, err)
		}
		parameters, _ := fields["Parameters"].(map[string]any)
		unknown, missing := document.CheckNames(slices.Collect(maps.Keys(parameters)))
		if len(unknown) > 0 {
			return refuse("the document %s has no parameter %s", name, strings.Join(unknown, ", "))
		}
		if len(missing) > 0 {
			return refuse("the document %s requires the parameter %s", name, strings.Join(missing, ", "))
		}
	}
	return nil
}

// checkLockout refuses a key policy that would not let the caller change it again, unless the caller bypasses the check. Whether IAM lets
// the caller is taken not to matter: a policy that leaves the key to the account passes.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
func (g *Gateway) checkLockout(ctx context.Context, call api.Call) error {
	document := text(call.Input, "Policy")
	if bypass, _ := call.Input["BypassPolicyLockoutSafetyCheck"].(bool); bypass || document == "" {
		return nil
	}
	policy, err := policy.Parse(policy.Resource, document)
	if err != nil {
		return api.Errorf("MalformedPolicyDocumentException", "%v", err)
	}
	key := arnOf(call, "key/00000000-0000-4000-8000-000000000000")
	if id := text(call.Input, "KeyId"); id != "" {
		found, err := g.key(ctx, id)
		if isRefusal(err) {
			return nil // there is no such key: KMS says so itself
		}
		if err != nil {
			return err
		}
		key = found.ARN
	}
	policies := policy.Policies{
		Identity: []authorize.Policy{authorize.MustParse(policy.Identity, policy.FullAWSAccess)}, Resource: &policy,
	}
	decision, err := policy.Evaluate(policy.Request{
		Principal: call.Principal, Action: "kms:PutKeyPolicy", Resource: key, ResourceAccount: api.Account,
		Context: map[string][]string{"aws:RequestedRegion": {call.Region}, "aws:SecureTransport": {"true"}},
	}, policies)
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return api.Errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}
