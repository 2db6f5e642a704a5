package policy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/repository"
)

func parse(t *testing.T, kind Kind, documents ...string) []Document {
	t.Helper()
	var policies []Document
	for _, document := range documents {
		if document == "" {
			continue
		}
		policy, err := Parse(kind, document)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, policy)
	}
	return policies
}

func (q question) request() Request {
	account := q.account
	if account == "" {
		account = api.Account
	}
	return Request{Principal: q.principal, Action: q.action, Resource: q.resource, ResourceAccount: account, Context: q.context}
}

func (q question) policies(t *testing.T) Policies {
	t.Helper()
	policies := Policies{
		Identity: parse(t, Identity, q.identity),
		Boundary: parse(t, Identity, q.boundary),
	}
	if len(q.organization) > 0 {
		policies.Organization = [][]Document{parse(t, Identity, q.organization...)}
	}
	for _, resource := range append(parse(t, Resource, q.resourcePolicy), parse(t, Trust, q.trust)...) {
		policies.Resource = &resource
	}
	return policies
}

func TestEvaluateFollowsTheRulesOfIAM(t *testing.T) {
	for _, q := range questions() {
		t.Run(q.name, func(t *testing.T) {
			got, err := Evaluate(q.request(), q.policies(t))
			if err != nil {
				t.Fatal(err)
			}
			if got.Allowed != q.want {
				t.Errorf("allowed is %v, want %v: %s", got.Allowed, q.want, got.Reason)
			}
		})
	}
}

// nodeModules is the folder of Node modules, where it holds iam-simulate.
func nodeModules(t *testing.T) string {
	t.Helper()
	folder := repository.NodeModules()
	if !exists(filepath.Join(folder, "@cloud-copilot", "iam-simulate")) {
		t.Fatalf("@cloud-copilot/iam-simulate is not in %s: run make setup", folder)
	}
	return folder
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

type simulatedAnswer struct {
	Error   string
	Result  string
	Ignored []string
}

// simulate puts the questions to iam-simulate.
func simulate(t *testing.T, questions []question) []simulatedAnswer {
	t.Helper()
	type named struct {
		Name   string          `json:"name"`
		Policy json.RawMessage `json:"policy"`
	}
	name := func(documents ...string) []named {
		list := []named{}
		for _, document := range documents {
			if document != "" {
				list = append(list, named{"policy", json.RawMessage(document)})
			}
		}
		return list
	}
	var simulations []map[string]any
	for _, q := range questions {
		request := q.request()
		context := map[string]any{}
		for key, values := range contextKeys(request) {
			context[key] = values
			if len(values) == 1 {
				context[key] = values[0]
			}
		}
		simulation := map[string]any{
			"request": map[string]any{
				"principal": request.Principal.SessionARN(), "action": request.Action, "contextVariables": context,
				"resource": map[string]string{"resource": request.Resource, "accountId": request.ResourceAccount},
			},
			"identityPolicies":        name(q.identity),
			"resourceControlPolicies": []any{},
			"serviceControlPolicies":  []any{},
		}
		if len(q.organization) > 0 {
			simulation["serviceControlPolicies"] = []any{map[string]any{"orgIdentifier": "o", "policies": name(q.organization...)}}
		}
		if q.boundary != "" {
			simulation["permissionBoundaryPolicies"] = name(q.boundary)
		}
		if document := q.resourcePolicy + q.trust; document != "" {
			simulation["resourcePolicy"] = json.RawMessage(document)
		}
		simulations = append(simulations, simulation)
	}
	input, err := json.Marshal(simulations)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "simulate.mjs"), nodeModules(t))
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("running iam-simulate: %v (where node or its modules are missing, run make setup)", err)
	}
	var answers []simulatedAnswer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(questions) {
		t.Fatalf("iam-simulate gave %d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

func TestAnotherSimulatorAgrees(t *testing.T) {
	all := questions()
	if len(all) < 60 {
		t.Fatalf("there are %d questions, want at least 60", len(all))
	}
	for i, answer := range simulate(t, all) {
		q := all[i]
		agrees := answer.Error == "" && (answer.Result == "Allowed") == q.want
		switch {
		case q.differs == "" && answer.Error != "":
			t.Errorf("%s: iam-simulate refuses the question: %s", q.name, answer.Error)
		case q.differs == "" && !agrees:
			t.Errorf("%s: iam-simulate says %s, want allowed %v (ignored keys %v)", q.name, answer.Result, q.want, answer.Ignored)
		case q.differs != "" && agrees:
			t.Errorf("%s: iam-simulate agrees now, though it is said that %s", q.name, q.differs)
		}
	}
}

// TestAnotherSimulatorSeesPlantedErrors is the negative control: with an error in a policy, both must change their answer.
func TestAnotherSimulatorSeesPlantedErrors(t *testing.T) {
	plants := map[string]struct{ old, new string }{
		"an identity policy allows an action on its trail": {"trail/guarded", "trail/guardad"},
		"PassRole to the named service":                    {"ssm.amazonaws.com", "ec2.amazonaws.com"},
		"CloudTrail delivers":                              {":123456789012:trail", ":999999999999:trail"},
		"CloudTrail reads the ACL":                         {"trail/guarded", "trail/other"},
		"a key policy leaves it to IAM":                    {"iam::123456789012:root", "iam::999999999999:root"},
		"a key policy that names the role":                 {"role/Repair", "role/Other"},
		"Automation assumes the role":                      {"automation-execution", "automation-executions"},
		"an organization policy exempts the repairing role": {
			"role/Repair", "role/Repairer"},
		"an organization policy leaves other trails alone": {"trail/guarded", "trail/*"},
		"a service publishes":                              {"events.amazonaws.com", "config.amazonaws.com"},
	}
	var planted []question
	for _, q := range questions() {
		plant, ok := plants[q.name]
		if !ok {
			continue
		}
		delete(plants, q.name)
		replace := strings.NewReplacer(plant.old, plant.new)
		q.resourcePolicy, q.trust = replace.Replace(q.resourcePolicy), replace.Replace(q.trust)
		q.organization = slices.Clone(q.organization)
		if q.organization == nil && q.resourcePolicy+q.trust == "" {
			q.identity = replace.Replace(q.identity)
		}
		for i := range q.organization {
			q.organization[i] = replace.Replace(q.organization[i])
		}
		planted = append(planted, q)
	}
	if len(plants) > 0 {
		t.Fatalf("no questions for the plants %v", plants)
	}
	for i, answer := range simulate(t, planted) {
		q := planted[i]
		got, err := Evaluate(q.request(), q.policies(t))
		if err != nil {
			t.Fatal(err)
		}
		if got.Allowed || answer.Error != "" || answer.Result == "Allowed" {
			t.Errorf("%s: with an error planted, allowed is %v, and iam-simulate says %s%s", q.name, got.Allowed, answer.Result, answer.Error)
		}
	}
}

func TestParseRefusesWhatIsNotModelled(t *testing.T) {
	for _, test := range []struct {
		kind           Kind
		document, want string
	}{
		{Identity, `{`, "unexpected EOF"},
		{Identity, `{"Version":"2012-10-17","Statement":[]}`, "no statement"},
		{Identity, `{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, `version "2020-01-01"`},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Actions":"*"`), `unknown field "Actions"`},
		{Identity, statementOf(`"Effect":"allow","Action":"*","Resource":"*"`), `effect "allow"`},
		{Identity, statementOf(`"Effect":"Allow","Resource":"*"`), "Action or NotAction"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"`), "Action or NotAction"},
		{Identity, statementOf(`"Effect":"Allow","Action":"StopLogging","Resource":"*"`), `action "StopLogging"`},
		{Identity, statementOf(`"Effect":"Allow","Action":"*"`), "Resource or NotResource"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"trail/guarded"`), `resource "trail/guarded"`},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":{"Ref":"x"}`), "neither a string nor a list"},
		{Identity, statementOf(`"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`), "no Principal"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:PrincipalTag/x}"`), "not modelled"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"`), "no end"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3::${aws:PrincipalAccount}:x"`), "after the fifth colon"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringIs":{"a":"b"}}`), "operator is unknown"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), "operator is unknown"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NotStringEquals":{"a":"b"}}`), "operator is unknown"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"yes"}}`), "neither true nor false"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"a":["true","false"]}}`), "Null takes one value"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"a":"x"}}`), "six fields"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a":"x"}}`), "no number"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":[]}}`), "no value"},
		{Identity, statementOf(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"a":{"b":"c"}}}`), "no string, number or boolean"},
		{Resource, statementOf(`"Effect":"Allow","Action":"*","Resource":"*"`), "Principal or NotPrincipal"},
		{Resource, statementOf(`"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"*","Resource":"*"`), "lets everyone in"},
		{Resource, statementOf(`"Effect":"Allow","Principal":"me","Action":"*","Resource":"*"`), "other than *"},
		{Resource, statementOf(`"Effect":"Allow","Principal":{},"Action":"*","Resource":"*"`), "names nobody"},
		{Resource, statementOf(`"Effect":"Allow","Principal":{"Federated":"x"},"Action":"*","Resource":"*"`), "not modelled"},
		{Resource, statementOf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/*"},"Action":"*","Resource":"*"`), "not valid"},
		{Resource, statementOf(`"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLE"},"Action":"*","Resource":"*"`), "not valid"},
		{Resource, statementOf(`"Effect":"Allow","Principal":{"Service":"cloudtrail"},"Action":"*","Resource":"*"`), "not valid"},
		{Trust, statementOf(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"`), "no Resource"},
		{"other", FullAWSAccess, "unknown kind"},
	} {
		_, err := Parse(test.kind, test.document)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%s, %s) gave %v, want an error with %q", test.kind, test.document, err, test.want)
		}
	}
}

func TestParseReportsEveryBadStatement(t *testing.T) {
	_, err := Parse(Identity, `{"Statement":[{"Sid":"A","Effect":"No"},{"Effect":"Allow"}]}`)
	if err == nil || !strings.Contains(err.Error(), "statement A") || !strings.Contains(err.Error(), "statement number 2") {
		t.Errorf("got %v, want both statements named", err)
	}
}

func TestSeveralValuesNeedAQuantifier(t *testing.T) {
	q := stop("", `"StringEquals":{"aws:CalledVia":"a"}`, map[string][]string{"aws:CalledVia": {"a", "b"}}, false)
	_, err := Evaluate(q.request(), q.policies(t))
	if err == nil || !strings.Contains(err.Error(), "ForAnyValue") {
		t.Errorf("got %v, want an error that asks for a quantifier", err)
	}
}

func TestPoliciesInTheWrongPlaceAreErrors(t *testing.T) {
	trust := MustParse(Trust, automationTrust)
	request := Request{Principal: repair, Action: "s3:GetObject", Resource: logARN}
	for _, policies := range []Policies{{Resource: &trust}, {Identity: []Document{trust}}} {
		if _, err := Evaluate(request, policies); err == nil {
			t.Errorf("Evaluate(%v) gave no error", policies)
		}
	}
}

func TestReasonsReadAsThoseOfAWS(t *testing.T) {
	session := "User: arn:aws:sts::123456789012:assumed-role/Repair/Automation-1 is not authorized to perform: " +
		"cloudtrail:StopLogging on resource: " + trailARN + " "
	request := Request{Principal: repair, Action: "cloudtrail:StopLogging", Resource: trailARN}
	identity := func(document string) []Document { return parse(t, Identity, document) }
	deny := statementOf(`"Effect":"Deny","Action":"*","Resource":"*"`)
	for _, test := range []struct {
		policies Policies
		want     string
	}{
		{Policies{}, session + "because no identity-based policy allows the cloudtrail:StopLogging action"},
		{Policies{Identity: identity(deny)}, session + "with an explicit deny in an identity-based policy"},
		{Policies{Identity: identity(allowAll), Boundary: identity(deny)}, session + "with an explicit deny in a permissions boundary"},
		{Policies{Identity: identity(allowAll), Boundary: identity(passRepair)},
			session + "because no permissions boundary allows the cloudtrail:StopLogging action"},
		{Policies{Identity: identity(allowAll), Organization: [][]Document{identity(deny)}}, session + "with an explicit deny in a service control policy"},
		{Policies{Identity: identity(allowAll), Organization: [][]Document{identity(passRepair)}},
			session + "because no service control policy allows the cloudtrail:StopLogging action"},
	} {
		got, err := Evaluate(request, test.policies)
		if err != nil {
			t.Fatal(err)
		}
		if got.Allowed || got.Reason != test.want {
			t.Errorf("got %+v, want %q", got, test.want)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	policies := Policies{
		Identity:     []Document{MustParse(Identity, startGuarded)},
		Organization: [][]Document{{MustParse(Identity, FullAWSAccess), MustParse(Identity, denyTampering)}},
	}
	request := Request{Principal: repair, Action: "cloudtrail:StartLogging", Resource: trailARN}
	for b.Loop() {
		if d, err := Evaluate(request, policies); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}

// Every level must allow; a deny on any of them wins.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_evaluation.html
func TestEachLevelOfAnOrganizationMustAllow(t *testing.T) {
	const (
		fullResource = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
		denyAll      = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
		denyResource = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`
	)
	full, deny := MustParse(Identity, FullAWSAccess), MustParse(Identity, denyAll)
	open, closed := MustParse(Resource, fullResource), MustParse(Resource, denyResource)
	user := api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::123456789012:user/u"}
	service := api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}
	linked := api.Principal{Type: api.AssumedRole, ARN: "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", SessionName: "s"}
	for _, test := range []struct {
		name             string
		principal        api.Principal
		control, bounded [][]Document
		want             bool
	}{
		{"no organization", user, nil, nil, true},
		{"each level allows", user, [][]Document{{full}, {full}}, [][]Document{{open}, {open}}, true},
		{"one level has no policy", user, [][]Document{{full}, {}}, nil, false},
		{"one level denies", user, [][]Document{{full, deny}, {full}}, nil, false},
		{"a service is not bound by service control policies", service, [][]Document{{deny}}, nil, true},
		{"nor is a service-linked role", linked, [][]Document{{deny}}, nil, true},
		{"one level denies the resource", user, nil, [][]Document{{open}, {open, closed}}, false},
		{"one level has no resource control policy", user, nil, [][]Document{{open}, {}}, false},
		{"a service is bound by resource control policies", service, nil, [][]Document{{open, closed}}, false},
		{"a service-linked role is not", linked, nil, [][]Document{{closed}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Evaluate(Request{Principal: test.principal, Action: "s3:PutObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: "123456789012"},
				Policies{Identity: []Document{full}, Resource: &open, Organization: test.control, ResourceControl: test.bounded})
			if err != nil || got.Allowed != test.want {
				t.Errorf("allowed is %v (%s, %v), want %v", got.Allowed, got.Reason, err, test.want)
			}
		})
	}
}
