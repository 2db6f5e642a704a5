package drill

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// document is a policy, of which the text is compared by its meaning: S3 and KMS show it with its values in any order, one value or a list
// of one, and an account as its id or its root user.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
type document struct{ text string }

// MarshalJSON writes what the policy means.
func (d document) MarshalJSON() ([]byte, error) {
	var plain any
	if err := json.Unmarshal([]byte(d.text), &plain); err != nil {
		return nil, fmt.Errorf("reading a policy: %w", err)
	}
	return json.Marshal(inOrder(plain))
}

var rootUser = regexp.MustCompile(`^arn:[^:]+:iam::(\d+):root$`)

// inOrder is a part of a policy with its lists in order, single values as lists, and accounts as their ids.
func inOrder(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if text, isText := member.(string); isText && name != "Version" && name != "Sid" && name != "Effect" {
				member = []any{text}
			}
			value[name] = inOrder(member)
		}
	case []any:
		for i := range value {
			value[i] = inOrder(value[i])
		}
		slices.SortFunc(value, func(a, b any) int { return slices.Compare([]byte(encode(a)), []byte(encode(b))) })
	case string:
		return rootUser.ReplaceAllString(value, "$1")
	}
	return value
}

// withStatement is the policy with a statement added.
func (d document) withStatement(statement map[string]any) (string, error) {
	var plain map[string]any
	if err := json.Unmarshal([]byte(d.text), &plain); err != nil {
		return "", fmt.Errorf("reading a policy: %w", err)
	}
	statements, isList := plain["Statement"].([]any)
	if !isList {
		statements = []any{plain["Statement"]}
	}
	plain["Statement"] = append(statements, statement)
	return encode(plain), nil
}

// policy writes a policy of maps and texts.
func policy(statements ...any) *string {
	return aws.String(encode(map[string]any{"Version": "2012-10-17", "Statement": statements}))
}
