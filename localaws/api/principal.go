package api

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// PrincipalType is the type of a caller, in the words of a CloudTrail event's userIdentity.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type PrincipalType string

// The callers that the local AWS knows.
const (
	Root          PrincipalType = "Root"
	IAMUser       PrincipalType = "IAMUser"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	AWSService    PrincipalType = "AWSService"
)

// Principal is a caller.
type Principal struct {
	Type PrincipalType
	// ARN is the ARN that policies are written for: of the root user, the user, or the role itself (not its session);
	// for a service its name, such as config.amazonaws.com.
	ARN string
	// SessionName is the name of an assumed role's or federated user's session.
	SessionName string
}

// Name is the last part of the principal's ARN.
func (p Principal) Name() string { return p.ARN[strings.LastIndexAny(p.ARN, "/:")+1:] }

// Account is the account in the principal's ARN; empty for a service.
func (p Principal) Account() string {
	return PlaceOf(p.ARN).Account
}

// SessionARN is the ARN under which a principal acts: that of the session for an assumed role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
func (p Principal) SessionARN() string {
	fields := strings.SplitN(p.ARN, ":", 6)
	if len(fields) != 6 {
		return p.ARN
	}
	switch p.Type {
	case AssumedRole:
		return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", fields[1], fields[4], p.Name(), p.SessionName)
	case FederatedUser:
		return fmt.Sprintf("arn:%s:sts::%s:federated-user/%s", fields[1], fields[4], p.SessionName)
	}
	return p.ARN
}

// ID is the unique id of a principal: here made of its ARN.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func (p Principal) ID() string {
	hash := fnv.New64a()
	hash.Write([]byte(p.ARN))
	id := fmt.Sprintf("%016X", hash.Sum64())
	switch p.Type {
	case AssumedRole:
		return "AROA" + id + ":" + p.SessionName
	case FederatedUser:
		return p.Account() + ":" + p.SessionName
	case IAMUser:
		return "AIDA" + id
	}
	return p.Account()
}
