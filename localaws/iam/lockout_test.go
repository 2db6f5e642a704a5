package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/trailguard/trailguard/localaws/internal/world"
)

func TestAKeyPolicyThatLocksTheCallerOutIsNotPut(t *testing.T) {
	statement := func(effect, principal, action string) string {
		return `{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `","Resource":"*"}`
	}
	account, caller := `{"AWS":"arn:aws:iam::123456789012:root"}`, `{"AWS":"`+world.Mallory.ARN+`"}`
	service := `{"Service":"cloudtrail.amazonaws.com"}`
	for what, test := range map[string]struct {
		statements string
		bypass     bool
		want       string
	}{
		"the account":                 {statement("Allow", account, "kms:*"), false, ""},
		"the caller":                  {statement("Allow", caller, "kms:PutKeyPolicy"), false, ""},
		"anyone":                      {statement("Allow", `"*"`, "kms:*"), false, ""},
		"the account, but not this":   {statement("Allow", account, "kms:Describe*"), false, "MalformedPolicyDocumentException"},
		"a service":                   {statement("Allow", service, "kms:*"), false, "MalformedPolicyDocumentException"},
		"the account, but the caller": {statement("Allow", account, "kms:*") + "," + statement("Deny", caller, "kms:*"), false, "MalformedPolicyDocumentException"},
		"another account":             {statement("Allow", `{"AWS":"arn:aws:iam::999999999999:root"}`, "kms:*"), false, "MalformedPolicyDocumentException"},
		"a service, and it is meant":  {statement("Allow", service, "kms:*"), true, ""},
		"what is no policy":           {`{"Effect":"Allow"}`, false, "MalformedPolicyDocumentException"},
	} {
		w := world.New(t)
		_, err := kms.NewFromConfig(w.As(world.Mallory)).CreateKey(t.Context(), &kms.CreateKeyInput{
			Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + test.statements + `]}`), BypassPolicyLockoutSafetyCheck: test.bypass,
		})
		if got := world.Code(err); got != test.want {
			t.Errorf("%s: got %q (%v), want %q", what, got, err, test.want)
		}
		if forwarded := len(w.Forwarded); (forwarded == 1) != (test.want == "") {
			t.Errorf("%s: %d calls were forwarded", what, forwarded)
		}
	}
}
