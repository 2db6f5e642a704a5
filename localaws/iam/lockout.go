package iam

import (
	"context"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// checkLockout refuses a key policy that would not let the caller change it again, unless the caller bypasses the check. Whether IAM lets
// the caller is taken not to matter: a policy that leaves the key to the account passes.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
func (a *Authorizer) checkLockout(ctx context.Context, call api.Call) error {
	document := call.Text("Policy")
	if bypass, _ := call.Input["BypassPolicyLockoutSafetyCheck"].(bool); bypass || document == "" {
		return nil
	}
	parsed, err := policy.Parse(policy.Resource, document)
	if err != nil {
		return api.Errorf("MalformedPolicyDocumentException", "%v", err)
	}
	key := call.ARN("kms", "key/00000000-0000-4000-8000-000000000000")
	if id := call.Text("KeyId"); id != "" {
		found, err := a.Key(ctx, id)
		if api.IsRefusal(err) {
			return nil // there is no such key: KMS says so itself
		}
		if err != nil {
			return err
		}
		key = found.ARN
	}
	decision, err := policy.Evaluate(policy.Request{
		Principal: call.Principal, Action: "kms:PutKeyPolicy", Resource: key, ResourceAccount: call.Account,
		Context: map[string][]string{"aws:RequestedRegion": {call.Region}, "aws:SecureTransport": {"true"}},
	}, policy.Policies{
		Identity: []policy.Document{policy.MustParse(policy.Identity, policy.FullAWSAccess)}, Resource: &parsed,
	})
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return api.Errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}
