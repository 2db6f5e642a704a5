package protection_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/constructs/protection"
	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/repository"
)

// question asks whether a principal may do something, whose own policies and the resource's allow all. Of the organization's policies
// it is asked under those that options make.
type question struct {
	name      string
	principal api.Principal
	action    string
	resource  string
	owner     string // the account of the resource
	keys      keys
	options   int  // the index of the options
	bound     bool // service control policies bind the principal
	guarded   bool // the resource's account has the resource control policies
	want      bool
	other     bool // it is put to iam-simulate, too
	alone     bool // it is put to iam-simulate alone
}

// cases are options and what they are called.
var cases = []struct {
	name    string
	options protection.Options
}{{"strict", strict()}, {"lenient", lenient()}}

// documents are the policies of each case.
func documents(t *testing.T) []protection.Documents {
	t.Helper()
	var all []protection.Documents
	for _, c := range cases {
		made, err := protection.Policies(c.options)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made)
	}
	return all
}

// binds tells whether service control policies bind a principal: in a member account, and not service-linked.
func binds(p api.Principal) bool {
	return !strings.Contains(p.ARN, ":role/aws-service-role/") && (p.Account() == member || p.Account() == archive)
}

func (q question) context() map[string]any {
	context := map[string]any{"aws:PrincipalIsAWSService": fmt.Sprint(q.principal.Type == api.AWSService), "aws:SecureTransport": "true"}
	if q.principal.Type == api.AWSService {
		context["aws:PrincipalServiceName"] = q.principal.ARN
	} else {
		context["aws:PrincipalArn"], context["aws:PrincipalAccount"] = q.principal.ARN, q.principal.Account()
		context["aws:PrincipalOrgID"] = organization
		if q.principal.Account() == stranger {
			context["aws:PrincipalOrgID"] = "o-zzzzzzzzzz"
		}
	}
	for key, value := range q.keys {
		context[key] = value
	}
	return context
}

// open is a resource's policy that lets in everybody, and its account's own policies: whatever is refused is refused by the
// organization's.
const open = `{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`

// resourcePolicy is the policy of the resource, empty where a resource has none.
func (q question) resourcePolicy() string {
	switch {
	case strings.HasPrefix(q.action, "sts:AssumeRole"):
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"` + q.action + `"}}`
	case strings.HasPrefix(q.action, "s3:"), strings.HasPrefix(q.action, "kms:"):
		return `{"Version":"2012-10-17","Statement":[` + open + `]}`
	}
	return ""
}

var fullAccess = policy.MustParse(policy.Identity, policy.FullAWSAccess)

type parsed struct{ serviceControl, resourceControl []policy.Document }

// parse reads policies for the evaluator of this repository. It has no resource control policies: what they deny is denied in the
// policy of the resource.
func parse(t *testing.T, of protection.Documents) parsed {
	t.Helper()
	p := parsed{serviceControl: []policy.Document{fullAccess}}
	for _, document := range of.ServiceControl {
		one, err := policy.Parse(policy.Identity, document.JSON)
		if err != nil {
			t.Fatal(err)
		}
		p.serviceControl = append(p.serviceControl, one)
	}
	for _, document := range of.ResourceControl {
		one, err := policy.Parse(policy.Resource, strings.Replace(document.JSON, `"Statement":[`, `"Statement":[`+open+`,`, 1))
		if err != nil {
			t.Fatal(err)
		}
		p.resourceControl = append(p.resourceControl, one)
	}
	return p
}

// request is the question for the evaluator of this repository.
func (q question) request() policy.Request {
	context := map[string][]string{}
	for key, value := range q.context() {
		context[key] = []string{value.(string)}
	}
	return policy.Request{Principal: q.principal, Action: q.action, Resource: q.resource, ResourceAccount: q.owner, Context: context}
}

// evaluate answers a question with the evaluator of this repository.
func (q question) evaluate(t *testing.T, p parsed) bool {
	t.Helper()
	base := policy.Policies{Identity: []policy.Document{fullAccess}}
	if q.bound {
		base.Organization = [][]policy.Document{p.serviceControl} // one level
	}
	var resources []policy.Document
	switch document := q.resourcePolicy(); {
	case strings.HasPrefix(q.action, "sts:AssumeRole"):
		resources = []policy.Document{policy.MustParse(policy.Trust, document)}
	case document != "" && q.guarded:
		resources = p.resourceControl
	case document != "":
		resources = []policy.Document{policy.MustParse(policy.Resource, document)}
	default:
		resources = []policy.Document{{}}
	}
	for _, resource := range resources {
		policies := base
		if q.resourcePolicy() != "" {
			policies.Resource = &resource
		}
		decision, err := policy.Evaluate(q.request(), policies)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		if !decision.Allowed {
			return false
		}
	}
	return true
}

type answer struct {
	Error   string
	Result  string
	Ignored []string
}

// simulate answers the questions with iam-simulate, which also checks the policies by their grammar.
func simulate(t *testing.T, organizations []protection.Documents, questions []question) []answer {
	t.Helper()
	raw := func(of []protection.Document) []json.RawMessage {
		all := []json.RawMessage{}
		for _, document := range of {
			all = append(all, json.RawMessage(document.JSON))
		}
		return all
	}
	full := json.RawMessage(policy.FullAWSAccess)
	var input struct {
		Organizations []map[string]any `json:"organizations"`
		Questions     []map[string]any `json:"questions"`
	}
	for _, of := range organizations {
		input.Organizations = append(input.Organizations, map[string]any{
			"serviceControl": append(raw(of.ServiceControl), full), "resourceControl": raw(of.ResourceControl),
		})
	}
	for _, q := range questions {
		asked := map[string]any{
			"principal": q.principal.SessionARN(), "action": q.action, "resource": q.resource, "resourceAccount": q.owner, "context": q.context(),
			"organization": q.options, "bound": q.bound, "guarded": q.guarded, "identity": []json.RawMessage{full},
		}
		if q.principal.Type == api.AWSService {
			asked["identity"] = []json.RawMessage{}
		}
		if document := q.resourcePolicy(); document != "" {
			asked["resourcePolicy"] = json.RawMessage(document)
		}
		input.Questions = append(input.Questions, asked)
	}
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	modules := repository.NodeModules()
	if _, err := os.Stat(filepath.Join(modules, "@cloud-copilot", "iam-simulate")); err != nil {
		t.Fatalf("%v: run make setup", err)
	}
	command := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "simulate.mjs"), modules)
	command.Stdin, command.Stderr = bytes.NewReader(text), os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("running iam-simulate: %v (where node or its modules are missing, run make setup)", err)
	}
	var answers []answer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(questions) {
		t.Fatalf("iam-simulate gave %d answers to %d questions", len(answers), len(questions))
	}
	return answers
}
