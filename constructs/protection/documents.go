package protection

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trailguard/trailguard/constructs/validation/problem"
)

const (
	// MaximumCharacters is the most that AWS Organizations takes in one policy of either kind.
	// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
	MaximumCharacters = 5120
	// MaximumServiceControlPolicies is the most that the guard takes of the five that can be attached to a root, an OU or an account:
	// FullAWSAccess is the fourth, and one is left.
	MaximumServiceControlPolicies = 3
	// MaximumResourceControlPolicies likewise, beside RCPFullAWSAccess.
	MaximumResourceControlPolicies = 3
)

// Documents are the policies. All of a kind are attached to the same root, OUs or accounts.
type Documents struct {
	ServiceControl, ResourceControl []Document
}

// Document is one policy.
type Document struct {
	// Sids are the ids of its statements, which say what they keep.
	Sids []string
	// JSON is the policy, as short as can be.
	JSON string
}

// Characters is how long the policy is.
func (d Document) Characters() int { return utf8.RuneCountInString(d.JSON) }

// Policies are the policies for the options. The error has all that is wrong with them.
func Policies(options Options) (Documents, error) {
	if err := options.Validate(); err != nil {
		return Documents{}, err
	}
	var service, resource []policyStatement
	for _, s := range options.serviceControl() {
		service = append(service, s.deny("", options.exempt()))
	}
	for _, s := range options.resourceControl() {
		resource = append(resource, s.deny("*", nil))
	}
	documents := Documents{ServiceControl: split(service), ResourceControl: split(resource)}
	return documents, documents.check(options)
}

// check returns an error if there are more documents than can be attached, or if one statement is longer than a policy.
func (d Documents) check(options Options) error {
	longest := "BreakGlassRoleARNs"
	for prop, values := range map[string][]string{"KeyARNs": options.KeyARNs, "BucketNames": options.BucketNames} {
		if len(strings.Join(values, "")) > len(strings.Join(options.BreakGlassRoleARNs, "")) {
			longest = prop
		}
	}
	for _, kind := range []struct {
		name      string
		documents []Document
		most      int
	}{
		{"service control policies", d.ServiceControl, MaximumServiceControlPolicies},
		{"resource control policies", d.ResourceControl, MaximumResourceControlPolicies},
	} {
		if len(kind.documents) > kind.most {
			return problem.New(longest, "makes %d %s of up to %d characters, and %d can be attached beside yours: give fewer or shorter values",
				len(kind.documents), kind.name, MaximumCharacters, kind.most)
		}
		for _, document := range kind.documents {
			if document.Characters() > MaximumCharacters {
				return problem.New(longest, "makes the statement %s of the %s %d characters long, and a policy has at most %d: give fewer or shorter values",
					document.Sids[0], kind.name, document.Characters(), MaximumCharacters)
			}
		}
	}
	return nil
}

// policyStatement is a statement as a policy has it.
type policyStatement struct {
	Sid       string
	Effect    string
	Principal string                      `json:",omitempty"`
	Action    words                       // never empty
	Resource  words                       // never empty
	Condition map[string]map[string]words `json:",omitempty"`
}

// words are written without a list if there is one.
type words []string

func (w words) MarshalJSON() ([]byte, error) {
	if len(w) == 1 {
		return compact(w[0]), nil
	}
	return compact([]string(w)), nil
}

// deny is the statement of a policy, whose principal is empty in a service control policy.
func (s statement) deny(principal string, always conditions) policyStatement {
	all := map[string]map[string]words{}
	for _, some := range []conditions{always, s.when} {
		for operator, keys := range some {
			if all[operator] == nil {
				all[operator] = map[string]words{}
			}
			for key, values := range keys {
				all[operator][key] = values
			}
		}
	}
	return policyStatement{Sid: s.sid, Effect: "Deny", Principal: principal, Action: s.actions, Resource: s.resources, Condition: all}
}

// split makes as few documents of the statements as it can: in their order, or from the longest down where that takes fewer.
func split(statements []policyStatement) []Document {
	statements = slices.DeleteFunc(statements, func(s policyStatement) bool { return len(s.Action) == 0 || len(s.Resource) == 0 })
	inOrder := fill(statements)
	length := func(s policyStatement) int { return len(compact(s)) }
	slices.SortStableFunc(statements, func(one, other policyStatement) int { return cmp.Compare(length(other), length(one)) })
	if packed := fill(statements); len(packed) < len(inOrder) {
		return packed
	}
	return inOrder
}

// fill puts each statement into the first document that has room for it.
func fill(statements []policyStatement) []Document {
	var filled [][]policyStatement
next:
	for _, s := range statements {
		for i, held := range filled {
			if more := append(held[:len(held):len(held)], s); document(more).Characters() <= MaximumCharacters {
				filled[i] = more
				continue next
			}
		}
		filled = append(filled, []policyStatement{s})
	}
	var documents []Document
	for _, statements := range filled {
		documents = append(documents, document(statements))
	}
	return documents
}

func document(statements []policyStatement) Document {
	var d Document
	for _, s := range statements {
		d.Sids = append(d.Sids, s.Sid)
	}
	d.JSON = string(compact(struct {
		Version   string
		Statement []policyStatement
	}{"2012-10-17", statements}))
	return d
}

// compact is a value as JSON, with & < > as they are. It panics for what cannot be written, which nothing here is.
func compact(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Errorf("protection: writing %T: %w", value, err))
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
