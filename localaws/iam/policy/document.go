// Package policy evaluates IAM policies: identity policies, permissions boundaries, resource policies, role trust
// policies and organization policies.
//
// The rules are those of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
// Session policies, VPC endpoint policies and ABAC on tags are not modelled. Whatever a policy
// says that is not modelled is an error of Parse, never silently ignored.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is what a policy is attached to; it decides which elements the policy must and must not have.
type Kind string

// The kinds of policies.
const (
	// Identity policies name no principal: policies of users and roles, permissions boundaries, organization policies.
	Identity Kind = "identity"
	// Resource policies name principals and resources: of buckets, keys, topics and queues.
	Resource Kind = "resource"
	// Trust policies name principals and no resource: who may assume a role.
	Trust Kind = "trust"
)

// FullAWSAccess is the organization policy that AWS attaches everywhere unless someone detaches it.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
const FullAWSAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// Document is a parsed policy. The zero Document says nothing. It may be used by many goroutines.
type Document struct {
	kind       Kind
	statements []statement
}

type statement struct {
	id            string // for messages: the Sid or the position
	deny          bool
	principals    []principal
	notPrincipals bool
	actions       []pattern
	notActions    bool
	resources     [][]pattern // six fields, or one that is a lone *
	notResources  bool
	hasResources  bool
	conditions    []condition
}

// principal is one entry of a Principal element.
type principal struct {
	any     bool
	service string // cloudtrail.amazonaws.com
	account string // an account's root user: delegates to the account's identity policies
	arn     string
}

// element is a value that may be written as one string or as a list of strings.
type element []string

func (e *element) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*e = element{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return fmt.Errorf("%s is neither a string nor a list of strings", data)
	}
	*e = many
	return nil
}

// statements is a value that may be written as one statement or as a list of them.
type statements []rawStatement

func (s *statements) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		var many []rawStatement
		if err := strict(data, &many); err != nil {
			return err
		}
		*s = many
		return nil
	}
	var one rawStatement
	if err := strict(data, &one); err != nil {
		return err
	}
	*s = statements{one}
	return nil
}

type rawStatement struct {
	Sid          string
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       element
	NotAction    element
	Resource     element
	NotResource  element
	Condition    map[string]map[string]json.RawMessage
}

type rawPolicy struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

// strict decodes JSON and refuses names that the value does not have.
func strict(data []byte, value any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("there is text after the document")
	}
	return nil
}

// Parse reads a policy document. It refuses an element, operator, principal or policy variable that is unknown or not
// modelled, and reports every statement that is wrong.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
func Parse(kind Kind, document string) (Document, error) {
	if !slices.Contains([]Kind{Identity, Resource, Trust}, kind) {
		return Document{}, fmt.Errorf("parsing a policy: unknown kind %q", kind)
	}
	var raw rawPolicy
	if err := strict([]byte(document), &raw); err != nil {
		return Document{}, fmt.Errorf("parsing a policy: %w", err)
	}
	// Without a version, or with the old one, ${ is no variable but text.
	variables := raw.Version == "2012-10-17"
	if raw.Version != "" && !variables && raw.Version != "2008-10-17" {
		return Document{}, fmt.Errorf("parsing a policy: version %q is neither 2012-10-17 nor 2008-10-17", raw.Version)
	}
	if len(raw.Statement) == 0 {
		return Document{}, errors.New("parsing a policy: it has no statement")
	}
	policy := Document{kind: kind}
	var problems []error
	for i, rs := range raw.Statement {
		id := rs.Sid
		if id == "" {
			id = fmt.Sprintf("number %d", i+1)
		}
		parsed, err := rs.parse(kind, variables)
		if err != nil {
			problems = append(problems, fmt.Errorf("parsing a policy: statement %s: %w", id, err))
			continue
		}
		parsed.id = id
		policy.statements = append(policy.statements, parsed)
	}
	if len(problems) > 0 {
		return Document{}, errors.Join(problems...)
	}
	return policy, nil
}

// MustParse is Parse for documents that are constants: it panics on an error.
func MustParse(kind Kind, document string) Document {
	policy, err := Parse(kind, document)
	if err != nil {
		panic(err)
	}
	return policy
}

func (rs rawStatement) parse(kind Kind, variables bool) (statement, error) {
	s := statement{deny: rs.Effect == "Deny"}
	if !s.deny && rs.Effect != "Allow" {
		return s, fmt.Errorf("effect %q is neither Allow nor Deny", rs.Effect)
	}
	if err := rs.parsePrincipals(kind, &s); err != nil {
		return s, err
	}
	if err := rs.parseActions(&s); err != nil {
		return s, err
	}
	if err := rs.parseResources(kind, variables, &s); err != nil {
		return s, err
	}
	for operator, keys := range rs.Condition {
		for key, values := range keys {
			c, err := parseCondition(operator, key, values, variables)
			if err != nil {
				return s, fmt.Errorf("condition %s on %s: %w", operator, key, err)
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return s, nil
}

func (rs rawStatement) parsePrincipals(kind Kind, s *statement) error {
	if kind == Identity {
		if rs.Principal != nil || rs.NotPrincipal != nil {
			return errors.New("an identity policy has no Principal")
		}
		return nil
	}
	if (rs.Principal == nil) == (rs.NotPrincipal == nil) {
		return fmt.Errorf("a %s policy needs either Principal or NotPrincipal", kind)
	}
	raw := rs.Principal
	if rs.NotPrincipal != nil {
		raw, s.notPrincipals = rs.NotPrincipal, true
		if !s.deny {
			return errors.New("NotPrincipal with Allow lets everyone in and is not modelled")
		}
	}
	var err error
	s.principals, err = parsePrincipals(raw)
	return err
}

func (rs rawStatement) parseActions(s *statement) error {
	if (len(rs.Action) == 0) == (len(rs.NotAction) == 0) {
		return errors.New("it needs either Action or NotAction")
	}
	actions := rs.Action
	if len(actions) == 0 {
		actions, s.notActions = rs.NotAction, true
	}
	for _, action := range actions {
		if action != "*" && !actionForm.MatchString(action) {
			return fmt.Errorf("action %q is not of the form service:Operation", action)
		}
		p, err := compile(strings.ToLower(action), false)
		if err != nil {
			return fmt.Errorf("action %q: %w", action, err)
		}
		s.actions = append(s.actions, p)
	}
	return nil
}

func (rs rawStatement) parseResources(kind Kind, variables bool, s *statement) error {
	if kind == Trust {
		if rs.Resource != nil || rs.NotResource != nil {
			return errors.New("a trust policy has no Resource")
		}
		return nil
	}
	if (len(rs.Resource) == 0) == (len(rs.NotResource) == 0) {
		return errors.New("it needs either Resource or NotResource")
	}
	resources := rs.Resource
	if len(resources) == 0 {
		resources, s.notResources = rs.NotResource, true
	}
	s.hasResources = true
	for _, resource := range resources {
		p, err := compileARN(resource, variables)
		if err != nil {
			return fmt.Errorf("resource %q: %w", resource, err)
		}
		s.resources = append(s.resources, p)
	}
	return nil
}

var (
	actionForm    = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$`)
	accountForm   = regexp.MustCompile(`^[0-9]{12}$`)
	rootForm      = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::([0-9]{12}):root$`)
	principalForm = regexp.MustCompile(`^arn:[a-z0-9-]+:(iam::[0-9]{12}:(role|user)|sts::[0-9]{12}:assumed-role)/[\w+=,.@/-]+$`)
	serviceForm   = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$`)
)

// parsePrincipals reads a Principal or NotPrincipal element.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func parsePrincipals(raw json.RawMessage) ([]principal, error) {
	var everyone string
	if json.Unmarshal(raw, &everyone) == nil {
		if everyone != "*" {
			return nil, fmt.Errorf("principal %q is a string other than *", everyone)
		}
		return []principal{{any: true}}, nil
	}
	var types map[string]element
	if err := json.Unmarshal(raw, &types); err != nil {
		return nil, fmt.Errorf("principal %s: %w", raw, err)
	}
	var principals []principal
	for kind, values := range types {
		for _, value := range values {
			root := rootForm.FindStringSubmatch(value)
			switch {
			case kind == "AWS" && value == "*":
				principals = append(principals, principal{any: true})
			case kind == "AWS" && accountForm.MatchString(value):
				principals = append(principals, principal{account: value})
			case kind == "AWS" && root != nil:
				principals = append(principals, principal{account: root[1]})
			case kind == "AWS" && principalForm.MatchString(value):
				principals = append(principals, principal{arn: value})
			case kind == "Service" && serviceForm.MatchString(value):
				principals = append(principals, principal{service: value})
			default:
				return nil, fmt.Errorf("principal %s %q is not modelled or not valid", kind, value)
			}
		}
	}
	if len(principals) == 0 {
		return nil, fmt.Errorf("principal %s names nobody", raw)
	}
	return principals, nil
}
