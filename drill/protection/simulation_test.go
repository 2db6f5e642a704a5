package protection_test

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/repository"
)

func allQuestions() []question {
	return slices.Concat(serviceControlQuestions(), resourceControlQuestions())
}

func TestThePoliciesDenyTamperingAndLeaveTheRest(t *testing.T) {
	organizations, all := documents(t), allQuestions()
	var read []parsed
	for _, of := range organizations {
		read = append(read, parse(t, of))
	}
	for _, q := range all {
		if !q.alone && q.evaluate(t, read[q.options]) != q.want {
			t.Errorf("%s: allowed is %v", q.name, !q.want)
		}
	}
}

// TestAnotherSimulatorAgrees puts many of the questions to iam-simulate, and the questions of planted faults, in one run of Node.js.
func TestAnotherSimulatorAgrees(t *testing.T) {
	organizations := documents(t)
	all := slices.DeleteFunc(allQuestions(), func(q question) bool { return !q.other })
	mutants, plants := planted(t)
	for _, m := range mutants {
		organizations = append(organizations, m.documents)
	}
	answers := simulate(t, organizations, slices.Concat(all, plants))
	for i, q := range all {
		if a := answers[i]; a.Error != "" || (a.Result == "Allowed") != q.want {
			t.Errorf("%s: iam-simulate says %s%s, want allowed %v (ignored keys %v)", q.name, a.Error, a.Result, q.want, a.Ignored)
		}
	}
	seen := map[int]bool{}
	for i, q := range plants {
		if a := answers[len(all)+i]; a.Error == "" && (a.Result == "Allowed") != q.want {
			seen[q.options] = true
		}
	}
	for i, m := range mutants {
		if !seen[len(cases)+i] {
			t.Errorf("%s: iam-simulate gives no other answer", m.name)
		}
	}
	if len(all) < 1000 || len(mutants) < 20 {
		t.Errorf("there are %d questions and %d planted faults only", len(all), len(mutants))
	}
}

// TestEachRowOfTheCatalogueIsDenied asks for each row, T01 to T60 without T61, which is none; and for each scenario of the drill.
func TestEachRowOfTheCatalogueIsDenied(t *testing.T) {
	denied := map[string]bool{}
	for _, row := range catalogue() {
		if len(row.calls) == 0 {
			t.Errorf("%s has no call", row.row)
		}
		denied[row.row] = true
	}
	rows := map[string]bool{}
	for n := 1; n <= 60; n++ {
		rows["T"+string(rune('0'+n/10))+string(rune('0'+n%10))] = true
	}
	for _, scenario := range drill.Scenarios() {
		rows[scenario.ID] = true
	}
	for row := range rows {
		if _, known := undenied[row]; denied[row] == known {
			t.Errorf("%s: denied is %v, and said to be undenied is %v", row, denied[row], known)
		}
	}
	if len(life()) < 25 {
		t.Errorf("normal life is %d things only", len(life()))
	}
}

// TestEachActionTakesAResourceOfItsStatement asks the Service Authorization Reference: an action that AWS does not have, and a resource
// that no action of the statement takes, deny nothing.
func TestEachActionTakesAResourceOfItsStatement(t *testing.T) {
	reference, err := servicereference.Open(repository.NodeModules())
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range documents(t) {
		for _, s := range statementsOf(t, of) {
			used := map[string]bool{}
			for _, name := range s.actions {
				action, known, err := reference.Action(name)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				if !known || action.Name != name {
					t.Errorf("%s: %s: AWS has no action %s, but %q", cases[i].name, s.sid, name, action.Name)
					continue
				}
				taken := false
				for _, resource := range s.resources {
					if resource == "*" || slices.ContainsFunc(action.ResourceTypes, func(r servicereference.ResourceType) bool { return isOfType(resource, r.ARN) }) {
						used[resource], taken = true, true
					}
				}
				if !taken {
					t.Errorf("%s: %s: %s takes none of its resources: %v", cases[i].name, s.sid, name, s.resources)
				}
				for _, key := range s.keys {
					if !action.HasKey(key) {
						t.Errorf("%s: %s: %s does not have the key %s", cases[i].name, s.sid, name, key)
					}
				}
			}
			for _, resource := range s.resources {
				if !used[resource] {
					t.Errorf("%s: %s: no action takes %s", cases[i].name, s.sid, resource)
				}
			}
		}
	}
	for _, wrong := range []struct{ resource, form string }{
		{"arn:aws:sns:*:*:TrailGuard*", "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}"},
		{"arn:aws:events:*:*:rule/TrailGuard*", "arn:${Partition}:events:${Region}:${Account}:event-bus/${EventBusName}"},
		{"arn:aws:iam::*:role/TrailGuard*", "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}"},
		{"arn:aws:s3:::security-lake-of-old/*", "arn:${Partition}:s3:::${BucketName}"},
		{"arn:aws:s3:::security-lake-of-old", "arn:${Partition}:s3:::${BucketName}/${ObjectName}"},
	} {
		if isOfType(wrong.resource, wrong.form) {
			t.Errorf("%s is taken for %s", wrong.resource, wrong.form)
		}
	}
}

var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// isOfType tells whether a pattern of ARNs and a resource type, whose ARN has variables, have an ARN in common. The name of a bucket has
// no slash.
func isOfType(pattern, form string) bool {
	if strings.HasSuffix(form, ":${BucketName}") && strings.Contains(pattern, "/") {
		return false
	}
	patterns, forms := strings.SplitN(pattern, ":", 6), strings.SplitN(variable.ReplaceAllString(form, "*"), ":", 6)
	for i := range forms {
		if i >= len(patterns) || !haveCommon(patterns[i], forms[i]) {
			return false
		}
	}
	return true
}

// haveCommon tells whether there is a text that both patterns describe, in which * stands for any text.
func haveCommon(one, other string) bool {
	switch {
	case one == "" && other == "":
		return true
	case strings.HasPrefix(one, "*"):
		return haveCommon(one[1:], other) || other != "" && haveCommon(one, other[1:])
	case strings.HasPrefix(other, "*"):
		return haveCommon(other, one)
	}
	return one != "" && other != "" && one[0] == other[0] && haveCommon(one[1:], other[1:])
}

// statementText is a statement as the reference is asked about it.
type statementText struct {
	sid                      string
	actions, resources, keys []string
}

func statementsOf(t *testing.T, of protection.Documents) []statementText {
	t.Helper()
	var all []statementText
	for _, document := range slices.Concat(of.ServiceControl, of.ResourceControl) {
		for _, s := range decoded(t, document.JSON) {
			one := statementText{sid: s["Sid"].(string), actions: list(s["Action"]), resources: list(s["Resource"])}
			for _, keys := range s["Condition"].(object) {
				for key := range keys.(object) {
					one.keys = append(one.keys, key)
				}
			}
			all = append(all, one)
		}
	}
	return all
}

// list is a value that may be written without one.
func list(value any) []string {
	if text, ok := value.(string); ok {
		return []string{text}
	}
	var all []string
	for _, one := range value.([]any) {
		all = append(all, one.(string))
	}
	return all
}
