package iam

import (
	"context"
	"maps"
	"slices"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
)

// SNSKey is the key that AWS manages for SNS.
const SNSKey = snsKey

// Fact is one of sentKeys.
type Fact struct {
	Service, Action, Via string
	ARN, Account, Org    bool
	Page                 string
}

// Facts are sentKeys.
func Facts() []Fact {
	var facts []Fact
	for _, f := range sentKeys {
		facts = append(facts, Fact{f.service, f.action, f.via, f.arn, f.account, f.organization, f.page})
	}
	return facts
}

// Decide asks one question.
func (a *Authorizer) Decide(
	ctx context.Context, p api.Principal, action, resource, via string, keys map[string][]string,
) (policy.Decision, error) {
	return a.decide(ctx, p, api.Region, question{action: action, resource: resource, via: via, keys: keys})
}

// FinderTypes are the resource types of the finders, by service.
func FinderTypes() map[string][]string {
	types := map[string][]string{}
	for service, found := range finders {
		types[service] = slices.Sorted(maps.Keys(found))
	}
	return types
}

// FilledARN is the ARN of a resource that a call names by the variables of its type's ARN.
func FilledARN(variables []string, kind servicereference.ResourceType, call api.Call) string {
	return named(variables).arn(kind, call)
}
