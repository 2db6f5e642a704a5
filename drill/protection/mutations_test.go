package protection_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/trailguard/trailguard/constructs/protection"
)

// mutation is a policy with one part less.
type mutation struct {
	name      string
	statement string   // the Sid of what was changed
	actions   []string // the action that was taken away, or those of the statement if it was something else
	service   bool     // the policy is a service control policy
	documents protection.Documents
}

// object is an object of JSON.
type object = map[string]any

// mutations are the policies without each statement, and without each action, resource, and value of a condition of each statement.
func mutations(t *testing.T, of protection.Documents) []mutation {
	t.Helper()
	var all []mutation
	for _, kind := range []struct {
		service   bool
		documents []protection.Document
	}{{true, of.ServiceControl}, {false, of.ResourceControl}} {
		for i, document := range kind.documents {
			add := func(sid string, actions []string, name string, changed object) {
				text, err := json.Marshal(changed)
				if err != nil {
					t.Fatal(err)
				}
				documents := slices.Clone(kind.documents)
				documents[i].JSON = string(text)
				m := mutation{name: sid + " without " + name, statement: sid, actions: actions, service: kind.service, documents: of}
				if kind.service {
					m.documents.ServiceControl = documents
				} else {
					m.documents.ResourceControl = documents
				}
				all = append(all, m)
			}
			var policy object
			if err := json.Unmarshal([]byte(document.JSON), &policy); err != nil {
				t.Fatal(err)
			}
			statements := policy["Statement"].([]any)
			for n, raw := range statements {
				s := raw.(object)
				sid, actions := s["Sid"].(string), list(s["Action"])
				if len(statements) > 1 {
					add(sid, actions, "all", object{"Version": policy["Version"], "Statement": slices.Delete(slices.Clone(statements), n, n+1)})
				}
				replaced := func(element string, value any) object {
					other := maps.Clone(s)
					other[element] = value
					changed := slices.Clone(statements)
					changed[n] = other
					return object{"Version": policy["Version"], "Statement": changed}
				}
				for _, element := range []string{"Action", "Resource"} {
					for value, rest := range without(s[element]) {
						if element == "Action" {
							add(sid, []string{value}, value, replaced(element, rest))
						} else {
							add(sid, actions, value, replaced(element, rest))
						}
					}
				}
				conditions := s["Condition"].(object)
				for operator, keys := range conditions {
					for key, values := range keys.(object) {
						other := maps.Clone(conditions)
						delete(other, operator)
						add(sid, actions, operator+" of "+key, replaced("Condition", other))
						for value, rest := range without(values) {
							other := maps.Clone(conditions)
							other[operator] = object{key: rest}
							add(sid, actions, operator+" "+value, replaced("Condition", other))
						}
					}
				}
			}
		}
	}
	return all
}

// without are the values of a list that has more than one, each with the others.
func without(values any) map[string][]any {
	all := map[string][]any{}
	if list, ok := values.([]any); ok {
		for i, value := range list {
			all[value.(string)] = slices.Delete(slices.Clone(list), i, i+1)
		}
	}
	return all
}

// unneeded are mutations that change no answer, with the reason why the part is there.
var unneeded = map[string]string{
	"KeepStrangersTrailsOut without Bool of aws:PrincipalIsAWSService": "only a service's request has aws:SourceAccount: AWS's example has both",
}

// TestEachPartOfThePoliciesIsNeeded takes each part away, and sees an answer change. So the questions are those of all parts.
func TestEachPartOfThePoliciesIsNeeded(t *testing.T) {
	organizations, all := documents(t), allQuestions()
	changed, tried := map[string]bool{}, map[string]bool{}
	for options, of := range organizations {
		original := parse(t, of)
		for _, m := range mutations(t, of) {
			tried[m.name] = true
			if changed[m.name] || m.statement == "KeepRolesForServices" { // our evaluator cannot ask: the other one is
				changed[m.name] = true
				continue
			}
			mutated := parse(t, m.documents)
			if m.service {
				mutated.resourceControl = original.resourceControl
			} else {
				mutated.serviceControl = original.serviceControl
			}
			changed[m.name] = slices.ContainsFunc(all, func(q question) bool {
				return q.options == options && !q.alone && q.bound == m.service && slices.Contains(m.actions, q.action) && q.evaluate(t, mutated) != q.want
			})
		}
	}
	for name := range tried {
		switch _, known := unneeded[name]; {
		case !changed[name] && !known:
			t.Errorf("%s: no answer is another", name)
		case changed[name] && known:
			t.Errorf("%s: an answer is another, though it is said to be unneeded", name)
		}
	}
	if len(tried) < 300 {
		t.Errorf("only %d parts were taken away", len(tried))
	}
}

// planted are policies with one part less, and the questions of each, of which iam-simulate must answer at least one otherwise: one
// question for each statement, and all that our evaluator cannot answer for each part of the statement that they are about.
func planted(t *testing.T) (mutants []mutation, questions []question) {
	t.Helper()
	all := allQuestions()
	for _, m := range mutations(t, documents(t)[strictly]) {
		var asked []question
		if m.statement == "KeepRolesForServices" {
			for _, q := range all {
				if q.alone {
					asked = append(asked, q)
				}
			}
		} else if m.name == m.statement+" without all" {
			mutated := parse(t, m.documents)
			found := slices.IndexFunc(all, func(q question) bool {
				return q.options == strictly && q.other && !q.alone && !q.want && q.bound == m.service && q.evaluate(t, mutated)
			})
			if found < 0 {
				t.Fatalf("%s: there is no question for it", m.name)
			}
			asked = append(asked, all[found])
		} else {
			continue
		}
		for _, q := range asked {
			q.options = len(cases) + len(mutants)
			questions = append(questions, q)
		}
		mutants = append(mutants, m)
	}
	return mutants, questions
}

// decoded are the statements of a policy.
func decoded(t *testing.T, document string) []object {
	t.Helper()
	var policy struct{ Statement []object }
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		t.Fatal(err)
	}
	return policy.Statement
}
