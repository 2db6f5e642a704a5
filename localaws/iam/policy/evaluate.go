package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// Request is one action of one principal on one resource.
type Request struct {
	Principal api.Principal
	Action    string // cloudtrail:StartLogging
	Resource  string // the ARN, or * where the action has no resource
	// ResourceAccount is the account that owns the resource. Empty means the principal's own, and for a service
	// principal that it does not matter.
	ResourceAccount string
	// Context holds further condition keys, in any case. Those that follow from the principal (aws:PrincipalArn,
	// aws:PrincipalAccount, aws:PrincipalType, aws:PrincipalIsAWSService, aws:username) are added by Evaluate.
	Context map[string][]string
}

// Policies are the policies that bear on a request.
type Policies struct {
	// Identity are those of the principal. The root user needs none.
	Identity []Document
	// Boundary are the principal's permissions boundaries; none means no boundary.
	Boundary []Document
	// Resource is the policy of the resource, or the trust policy of the role; nil where there is none.
	Resource *Document
	// Organization are the service control policies that bind the principal's account, by level: those of the root, of each
	// organizational unit, of the account. None means that the account is in no organization, or manages it.
	Organization [][]Document
	// ResourceControl are the resource control policies that bind the resource's account, by level. None means that none do.
	ResourceControl [][]Document
}

// Decision is the answer to a request.
type Decision struct {
	Allowed bool
	// Reason says which policy allowed, or is the text of the AccessDenied message.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
	Reason string
}

// Evaluate decides a request. An explicit deny anywhere wins. Organization policies and boundaries must allow. Within an
// account the identity policies or the resource's policy must allow; across accounts both. A KMS key's policy must
// allow by itself or leave it to IAM by naming the account; a role's trust policy likewise. A service's principal is
// allowed by the resource's policy alone.
//
// Of organization policies each level must allow. Service control policies bind neither service-linked roles nor services,
// resource control policies bind services, too.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_examples.html
func Evaluate(request Request, policies Policies) (Decision, error) {
	e := evaluation{Request: request, keys: contextKeys(request), action: strings.ToLower(request.Action)}
	e.bounded = len(policies.Boundary) > 0
	if err := e.examine(policies); err != nil {
		return Decision{}, fmt.Errorf("evaluating %s on %s: %w", request.Action, request.Resource, err)
	}
	return e.decide(), nil
}

// effect is what a group of policies says.
type effect int

const (
	silent         effect = iota
	allowedAccount        // allowed to the account: its identity policies decide
	allowedRole           // allowed to the role, not to this session of it
	allowed
	denied
)

type evaluation struct {
	Request
	keys    keys
	action  string
	bounded bool // the principal has a permissions boundary

	identity, boundary, resource, organization, resourceControl effect
}

func (e *evaluation) examine(policies Policies) error {
	for _, group := range []struct {
		policies []Document
		kind     Kind
		effect   *effect
	}{
		{policies.Identity, Identity, &e.identity},
		{policies.Boundary, Identity, &e.boundary},
	} {
		said, err := e.saysAny(group.policies, group.kind)
		if err != nil {
			return err
		}
		*group.effect = said
	}
	for _, levels := range []struct {
		policies [][]Document
		kind     Kind
		effect   *effect
	}{
		{policies.Organization, Identity, &e.organization},
		{policies.ResourceControl, Resource, &e.resourceControl},
	} {
		*levels.effect = allowed
		for _, level := range levels.policies {
			said, err := e.saysAny(level, levels.kind)
			if err != nil {
				return err
			}
			// Every level must allow, and a deny on any of them wins.
			if said == denied || *levels.effect != denied && said == silent {
				*levels.effect = said
			}
		}
	}
	if policies.Resource == nil {
		return nil
	}
	want := Resource
	if e.isTrust() {
		want = Trust
	}
	if policies.Resource.kind != want {
		return fmt.Errorf("a %s policy stands where a %s policy belongs", policies.Resource.kind, want)
	}
	var err error
	e.resource, err = e.says(*policies.Resource)
	return err
}

// saysAny is the strongest of what several policies say.
func (e *evaluation) saysAny(policies []Document, kind Kind) (effect, error) {
	result := silent
	for _, policy := range policies {
		if policy.kind != kind {
			return silent, fmt.Errorf("a %s policy stands where an %s policy belongs", policy.kind, kind)
		}
		said, err := e.says(policy)
		if err != nil {
			return silent, err
		}
		result = max(result, said)
	}
	return result, nil
}

// says evaluates the statements of one policy.
func (e *evaluation) says(policy Document) (effect, error) {
	result := silent
	for _, s := range policy.statements {
		said := allowed
		if policy.kind != Identity {
			said = e.matchPrincipals(s)
		}
		if said == silent || !e.matchAction(s) || !e.matchResource(s) {
			continue
		}
		holds := true
		for _, c := range s.conditions {
			h, err := c.holds(e.keys)
			if err != nil {
				return silent, fmt.Errorf("statement %s: %w", s.id, err)
			}
			holds = holds && h
		}
		if !holds {
			continue
		}
		if s.deny {
			return denied, nil
		}
		result = max(result, said)
	}
	return result, nil
}

func (e *evaluation) matchAction(s statement) bool {
	found := slices.ContainsFunc(s.actions, func(p pattern) bool { return p.match(e.action, nil) })
	return found != s.notActions
}

func (e *evaluation) matchResource(s statement) bool {
	if !s.hasResources {
		return true
	}
	found := slices.ContainsFunc(s.resources, func(p []pattern) bool { return matchARN(p, e.Resource, e.keys) })
	return found != s.notResources
}

// matchPrincipals tells how a statement names the principal: silent if it does not.
func (e *evaluation) matchPrincipals(s statement) effect {
	best := silent
	for _, p := range s.principals {
		best = max(best, e.matchPrincipal(p))
	}
	if !s.notPrincipals {
		return best
	}
	// NotPrincipal denies everyone who has a boundary, listed or not.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
	if best == silent || e.bounded {
		return allowed
	}
	return silent
}

func (e *evaluation) matchPrincipal(p principal) effect {
	switch {
	case p.any:
		return allowed
	case p.service != "":
		if e.Principal.Type == api.AWSService && e.Principal.ARN == p.service {
			return allowed
		}
	case e.Principal.Type == api.AWSService:
		return silent
	case p.account != "":
		if p.account == accountOf(e.Principal.ARN) {
			if e.Principal.Type == api.Root {
				return allowed
			}
			return allowedAccount
		}
	case p.arn == e.Principal.SessionARN():
		return allowed
	case p.arn == e.Principal.ARN:
		if e.Principal.Type == api.AssumedRole {
			return allowedRole
		}
		return allowed
	}
	return silent
}

func (e *evaluation) decide() Decision {
	for _, deny := range []struct {
		said effect
		what string
	}{
		{e.organizationEffect(), "a service control policy"},
		{e.resourceControlEffect(), "a resource control policy"},
		{e.resource, "a resource-based policy"},
		{e.boundary, "a permissions boundary"},
		{e.identity, "an identity-based policy"},
	} {
		if deny.said == denied {
			return e.refuse("with an explicit deny in " + deny.what)
		}
	}
	if e.organizationEffect() == silent {
		return e.refuse(fmt.Sprintf("because no service control policy allows the %s action", e.Action))
	}
	if e.resourceControlEffect() == silent {
		return e.refuse(fmt.Sprintf("because no resource control policy allows the %s action", e.Action))
	}
	byIdentity := e.identity == allowed || e.Principal.Type == api.Root
	byResource := e.resource == allowed || e.resource == allowedRole
	if e.Principal.Type == api.AWSService {
		byIdentity = false
	} else if e.bounded && e.boundary != allowed {
		// A resource's policy that names the user or the session itself is not limited by the boundary's silence.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
		if e.resource != allowed || !e.sameAccount() {
			return e.refuse(fmt.Sprintf("because no permissions boundary allows the %s action", e.Action))
		}
		byIdentity = false
	}
	if e.isTrust() || e.isKey() || !e.sameAccount() {
		byAccount := e.resource == allowedAccount && byIdentity
		if !byAccount && !(byResource && (e.sameAccount() || byIdentity)) {
			if byResource || e.resource == allowedAccount {
				return e.refuse(fmt.Sprintf("because no identity-based policy allows the %s action", e.Action))
			}
			return e.refuse(fmt.Sprintf("because no resource-based policy allows the %s action", e.Action))
		}
		return Decision{Allowed: true, Reason: "allowed by a resource-based policy"}
	}
	switch {
	case byIdentity:
		return Decision{Allowed: true, Reason: "allowed by an identity-based policy"}
	case byResource:
		return Decision{Allowed: true, Reason: "allowed by a resource-based policy"}
	case e.Principal.Type == api.AWSService:
		return e.refuse(fmt.Sprintf("because no resource-based policy allows the %s action", e.Action))
	}
	return e.refuse(fmt.Sprintf("because no identity-based policy allows the %s action", e.Action))
}

// organizationEffect is what the service control policies say to those whom they bind, and allowed to all others.
func (e *evaluation) organizationEffect() effect {
	if e.Principal.Type == api.AWSService || e.isServiceLinked() {
		return allowed
	}
	return e.organization
}

// resourceControlEffect is what the resource control policies say to those whom they bind, and allowed to all others.
func (e *evaluation) resourceControlEffect() effect {
	if e.isServiceLinked() {
		return allowed
	}
	return e.resourceControl
}

func (e *evaluation) isServiceLinked() bool {
	return strings.Contains(e.Principal.ARN, ":role/aws-service-role/")
}

// sameAccount tells whether the principal's account owns the resource. A service counts as of the resource's account:
// the resource's policy is all that it needs.
func (e *evaluation) sameAccount() bool {
	return e.Principal.Type == api.AWSService || e.ResourceAccount == "" ||
		e.ResourceAccount == accountOf(e.Principal.ARN)
}

func (e *evaluation) isTrust() bool { return strings.HasPrefix(e.action, "sts:assumerole") }

// isKey tells whether the resource is a KMS key. CreateKey and ListKeys, for example, are on no key.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
func (e *evaluation) isKey() bool {
	fields := strings.SplitN(e.Resource, ":", 6)
	return len(fields) == 6 && fields[2] == "kms" && strings.HasPrefix(fields[5], "key/")
}

func (e *evaluation) refuse(why string) Decision {
	return Decision{Reason: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s",
		e.Principal.SessionARN(), e.Action, e.Resource, why)}
}

// accountOf is the account of an ARN, empty where it has none.
func accountOf(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 {
		return ""
	}
	return fields[4]
}

// contextKeys gathers the condition keys of a request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func contextKeys(request Request) keys {
	all := make(keys, len(request.Context)+6)
	set := func(key, value string) {
		if value != "" {
			all[strings.ToLower(key)] = []string{value}
		}
	}
	p := request.Principal
	service := p.Type == api.AWSService
	set("aws:PrincipalIsAWSService", fmt.Sprint(service))
	set("aws:ResourceAccount", request.ResourceAccount)
	if service {
		set("aws:PrincipalServiceName", p.ARN)
	} else {
		set("aws:PrincipalArn", p.ARN)
		set("aws:PrincipalAccount", accountOf(p.ARN))
		set("aws:PrincipalType", principalTypes[p.Type])
	}
	if p.Type == api.IAMUser {
		set("aws:username", p.Name())
	}
	for key, values := range request.Context {
		all[strings.ToLower(key)] = values
	}
	return all
}

// principalTypes are the values of aws:PrincipalType.
var principalTypes = map[api.PrincipalType]string{
	api.Root:          "Account",
	api.IAMUser:       "User",
	api.AssumedRole:   "AssumedRole",
	api.FederatedUser: "FederatedUser",
}
