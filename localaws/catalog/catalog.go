// Package catalog says of each operation what the parts of the local AWS must know of it: who answers it, whether it reads,
// writes or touches data only, what IAM asks for it, which role it passes, and what CloudTrail calls it. One row is one
// operation; what AWS's naming or the Service Authorization Reference says already is in no row.
package catalog

import (
	"slices"
	"strings"
)

// Kind is what an operation does to what the account holds.
type Kind int

// The kinds. CloudTrail calls a Read readOnly and makes a management event of a Write. The operations on Data change or read
// the data in a resource, not the resource: a trail of management events does not have them.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
const (
	ByName Kind = iota // Read if the operation's name says so, or else Write
	Read
	Write
	Data
)

// readOnlyPrefixes begin the names of operations that change nothing, unless their row says otherwise.
var readOnlyPrefixes = []string{
	"Get", "List", "Describe", "Head", "Lookup", "BatchGet", "Search", "Select", "Test", "Validate", "Filter", "Simulate", "Estimate",
}

func kindByName(operation string) Kind {
	if slices.ContainsFunc(readOnlyPrefixes, func(prefix string) bool { return strings.HasPrefix(operation, prefix) }) {
		return Read
	}
	return Write
}

// By is who answers an operation.
type By int

// Who answers.
const (
	Rest        By = iota // whoever answers the service's operations without a row
	Moto                  // moto_server
	CheckedMoto           // moto_server, once the local AWS has refused what AWS refuses and moto does not
	Simulated             // the local AWS itself
	NotModelled           // nobody: the operation is refused with the code NotModelled
)

// Operation is one row.
type Operation struct {
	Kind Kind
	By   By
	// Action is the action of IAM, without the prefix. Empty means the operation's name.
	Action string
	// Event is the eventName in CloudTrail. Empty means the operation's name.
	Event string
	// Passes is the role that the caller passes to a service.
	Passes Role
	// Keys are the condition keys that the call itself gives, with the members that hold them.
	Keys map[string]string
	// Free operations need no permission.
	Free bool
}

// Role is a member of the input that holds the ARN of a role, and the service that gets the role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
type Role struct{ Member, Service string }

// Service is a service of AWS.
type Service struct {
	Name   string // the signing name
	Prefix string // of its actions in IAM. Empty means the signing name.
	// Rest is who answers the operations without a row: Moto or NotModelled.
	Rest       By
	Operations map[string]Operation
	// Resources are the members in which calls name the resources of a type, the first of them that is there. A member is a
	// path, and may hold a list. The resource types are those of the Service Authorization Reference.
	Resources map[string][]string
	// Shared are the members in which calls name a resource that may be another account's: by its ARN, its URL or, at S3, its name.
	Shared []string
	// Global services are those whose events are global service events.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
	Global bool
	// Policies tells that the service's writes change what decides about later calls.
	Policies bool
}

// EventRegion is the Region in which the events of calls to the service arrive: that of the call, but one in each partition for a
// global service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_security_incident-response.html
// https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Beijing.html
func (s Service) EventRegion(partition, called string) string {
	if !s.Global {
		return called
	}
	switch partition {
	case "aws":
		return "us-east-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	case "aws-cn":
		if s.Name == "organizations" {
			return "cn-northwest-1"
		}
		return "cn-north-1"
	}
	return called
}

// Prefixed is an action of the service as policies write it.
func (s Service) Prefixed(action string) string {
	if s.Prefix != "" {
		return s.Prefix + ":" + action
	}
	return s.Name + ":" + action
}

// Operation returns what is known of an operation, with what its row leaves open filled in. Action is then the whole action:
// s3:PutEncryptionConfiguration.
func (s Service) Operation(name string) Operation {
	o := s.Operations[name]
	if o.Kind == ByName {
		o.Kind = kindByName(name)
	}
	if o.By == Rest {
		o.By = s.Rest
	}
	if o.Event == "" {
		o.Event = name
	}
	if o.Action == "" {
		o.Action = name
	}
	o.Action = s.Prefixed(o.Action)
	return o
}
