package iam

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
)

// anyResource is the resource of an action that takes none.
const anyResource = "*"

// question is one thing that a call must be allowed.
type question struct {
	action, resource string
	keys             map[string][]string // condition keys
	via              string              // the service that asks for the action: see sent
	code             string              // of the refusal, if it is not that of the service's protocol
}

// named is a resource that a call names: by the values of the variables in the type's ARN that are neither partition,
// Region nor account, in their order, or by the ARN itself.
type named []string

// arnVariable is a variable in the form of an ARN.
var arnVariable = regexp.MustCompile(`\$\{(\w+)\}`)

// arn fills in the form of the type's ARN. What is not known stays open: *.
func (n named) arn(kind servicereference.ResourceType, call api.Call) string {
	if len(n) == 1 && (strings.HasPrefix(n[0], "arn:") || n[0] == anyResource) {
		return n[0]
	}
	next := 0
	return arnVariable.ReplaceAllStringFunc(kind.ARN, func(variable string) string {
		switch variable {
		case "${Partition}":
			return call.Partition
		case "${Region}":
			return call.Region
		case "${Account}":
			return call.Account
		}
		next++
		if next > len(n) || n[next-1] == "" {
			return "*"
		}
		return n[next-1]
	})
}

// arnOf is the ARN of a resource of the called service, in the Region of the call.
func arnOf(call api.Call, resource string) string {
	service := catalog.Find(call.Service)
	return call.ARN(cmp.Or(service.Prefix, service.Name), resource)
}
