package refusals

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// breakage is a resource that AWS refuses.
type breakage struct {
	what string
	// golden is the template that has the resource, resource its logical id without CDK's hash.
	golden, resource string
	// path is what is changed of the resource, and to what; nil removes it.
	path string
	to   any
	// source says that AWS refuses it.
	source string
	// want is a piece of the refusal.
	want string
}

// changed is a copy of a golden template's resource with one change.
func changed(t *testing.T, tpl template, resource, path string, to any) any {
	t.Helper()
	content, err := json.Marshal(resources(tpl)[logicalID(t, tpl, resource)])
	testbed.Must(t, err)
	var twin any
	testbed.Must(t, json.Unmarshal(content, &twin))
	twin, err = change(twin, path, to)
	testbed.Must(t, err)
	return twin
}

// with is the template with one more resource.
func with(tpl template, id string, resource any) template {
	all := maps.Clone(resources(tpl))
	all[id] = resource
	more := maps.Clone(tpl)
	more["Resources"] = all
	return more
}

// TestWhatAWSRefusesIsRefused adds a broken twin of a resource to a deployed stack, again and again. The deployment must fail with the
// twin, in the words of the service, and leave the stack as it was.
func TestWhatAWSRefusesIsRefused(t *testing.T) {
	deployed := 0
	for _, name := range []string{"default", "everything"} {
		tpl := testbed.ReadTemplate(t, name)
		if created := create(t, tpl); created.status != "CREATE_COMPLETE" {
			t.Fatalf("%s is %s: %s", name, created.status, created.reason)
		}
		before := present(t)
		for _, b := range breaks {
			if b.golden != name {
				continue
			}
			t.Run(b.what, func(t *testing.T) {
				got := update(t, with(tpl, "Broken", changed(t, tpl, b.resource, b.path, b.to)))
				if got.status == "UPDATE_COMPLETE" {
					deployed++
					t.Errorf("it is deployed, and AWS refuses it: %s", b.source)
					return
				}
				if got.status != "UPDATE_ROLLBACK_COMPLETE" {
					t.Errorf("the stack is %s", got.status)
				}
				if len(got.failed) != 1 || !strings.Contains(got.failed["Broken"], b.want) {
					t.Errorf("the failures are %q, want %q in that of the broken resource", got.failed, b.want)
				}
			})
		}
		if after := present(t); !slices.Equal(after, before) {
			t.Errorf("the resources of the stack were %v and are %v", before, after)
		}
	}
	t.Logf("%d of %d broken resources are deployed", deployed, len(breaks))
}

// TestWhatIsRefusedAtCreationLeavesNothing creates a stack with a broken resource and with what that needs: one that CloudFormation
// refuses, one that a service refuses, and one that the gateway does.
func TestWhatIsRefusedAtCreationLeavesNothing(t *testing.T) {
	for _, what := range []string{"a retention of 59 seconds", "a bucket policy that names another bucket", "a parameter that the runbook does not have"} {
		b := breaks[slices.IndexFunc(breaks, func(b breakage) bool { return b.what == what })]
		tpl := testbed.ReadTemplate(t, b.golden)
		id := logicalID(t, tpl, b.resource)
		resources(tpl)[id] = changed(t, tpl, b.resource, b.path, b.to)
		got := create(t, only(tpl, id))
		if left := present(t); got.status != "ROLLBACK_COMPLETE" || len(left) > 0 {
			t.Errorf("%s: the stack is %s, and %v are left", what, got.status, left)
		}
		if len(got.failed) != 1 || !strings.Contains(got.failed[id], b.want) {
			t.Errorf("%s: the failures are %q, want %q in that of %s", what, got.failed, b.want, id)
		}
	}
}

func TestARemediationWithoutARequiredParameterIsRefused(t *testing.T) {
	tpl := testbed.ReadTemplate(t, "default")
	runbook, remediation := logicalID(t, tpl, "RemediationRunbook"), logicalID(t, tpl, "RemediationTrailEnabled")
	for _, fallback := range []any{nil, "none"} {
		parameter := map[string]any{"type": "String"}
		if fallback != nil {
			parameter["default"] = fallback
		}
		resources(tpl)[runbook] = changed(t, tpl, "RemediationRunbook", "Properties/Content/parameters/Ticket", parameter)
		got := create(t, only(tpl, remediation))
		if refused := strings.Contains(got.failed[remediation], "requires the parameter Ticket"); refused != (fallback == nil) {
			t.Errorf("with the default %v the stack is %s: %q", fallback, got.status, got.failed)
		}
	}
}

// The control of the tests above: values at the edge of what they refuse are deployed.
func TestTheLastValuesThatAWSTakesAreDeployed(t *testing.T) {
	tpl := testbed.ReadTemplate(t, "everything")
	if before := create(t, tpl); before.status != "CREATE_COMPLETE" {
		t.Fatalf("the template is %s: %s", before.status, before.reason)
	}
	all := tpl
	for i, e := range edges {
		all = with(all, fmt.Sprintf("Edge%02d", i), changed(t, tpl, e.resource, e.path, e.to))
	}
	if got := update(t, all); got.status != "UPDATE_COMPLETE" {
		t.Errorf("the stack is %s: %q", got.status, got.failed)
	}
}
