package localaws

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudformation"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
	"github.com/trailguard/trailguard/localaws/config"
	"github.com/trailguard/trailguard/localaws/eventbridge"
	"github.com/trailguard/trailguard/localaws/gateway"
	"github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// common is what the accounts of a local AWS have in common: one moto, one door, one clock, one worker for scripts.
type common struct {
	options        Options // Place is that of the first account
	alone          bool    // there is one account, whatever a principal's ARN says
	clock          *api.Clock
	ids            *api.IDs
	reference      *servicereference.Reference
	evaluatePolicy func(context.Context, string, []byte) (config.Verdict, error)
	worker         *automation.Worker
	door           *gateway.Door
	motoURL        string
	state          *moto.State
	memberships    *memberships
	others         others
	stacks         stackJournal
	stackSets      string // the access key of StackSets in the first account

	mu     sync.Mutex
	owners map[string]string // of buckets
}

// others are the parts of the accounts, by the account's id.
type others struct {
	gateway    func(account string) *gateway.Gateway
	authorizer func(account string) *iam.Authorizer
	bus        func(account string) *eventbridge.Bus
	trails     func(account string) *cloudtrail.Service
	directory  func(account string) *moto.Directory
}

// connect says where moto is.
func (c *common) connect(url string) {
	c.motoURL, c.state = url, moto.NewState(url, c.options.BackendTimeout)
	c.memberships = &memberships{read: c.state.Organizations}
}

// inCloudTrail is what an account is to CloudTrail.
func (c *common) inCloudTrail(ctx context.Context, account string) (cloudtrail.Membership, error) {
	if c.options.Organization != "" {
		return cloudtrail.Membership{Organization: c.options.Organization, ID: c.options.OrganizationID, Management: account}, nil
	}
	return c.memberships.inCloudTrail(ctx, account)
}

// bucketOwner is the account that owns a bucket; empty if there is no such bucket.
func (c *common) bucketOwner(ctx context.Context, bucket string) (string, error) {
	if c.alone {
		return c.options.Place.Account, nil
	}
	c.mu.Lock()
	owner, known := c.owners[bucket]
	c.mu.Unlock()
	if known {
		return owner, nil
	}
	owner, err := c.state.BucketOwner(ctx, bucket)
	if err != nil || owner == "" {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[bucket] = owner
	return owner, nil
}

// ownerOf is the gateway of the account that owns what a call names, by an ARN, a URL or the name of a bucket; nil if the call names
// nothing of another account.
func (c *common) ownerOf(ctx context.Context, call api.Call, name string) (*gateway.Gateway, error) {
	if c.alone || call.Action() == "s3:CreateBucket" {
		return nil, nil
	}
	owner := api.PlaceOf(name).Account
	switch call.Service {
	case "s3":
		var err error
		if owner, err = c.bucketOwner(ctx, name); err != nil {
			return nil, fmt.Errorf("looking for the owner of bucket %s: %w", name, err)
		}
	case "sqs":
		if fields := strings.Split(name, "/"); len(fields) > 1 {
			owner = fields[len(fields)-2]
		}
	}
	if len(owner) != len(api.Account) || owner == call.Account {
		return nil, nil
	}
	return c.others.gateway(owner), nil
}

// Begin forgets the owner of a bucket that is deleted. It is an api.Observer.
func (c *common) Begin(request api.Request) func(api.Outcome) {
	if request.Action() != "s3:DeleteBucket" {
		return nil
	}
	return func(api.Outcome) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.owners, request.Text("Bucket"))
	}
}

// stackJournal is how many of the statuses of stacks have been read.
type stackJournal struct {
	mu   sync.Mutex
	read int
}

// unreadStatuses are the statuses that the stacks of all accounts have had since the last call.
func (c *common) unreadStatuses(ctx context.Context) ([]cloudformation.Status, error) {
	c.stacks.mu.Lock()
	defer c.stacks.mu.Unlock()
	events, err := c.state.StackEvents(ctx, c.stacks.read)
	if err != nil {
		return nil, err
	}
	c.stacks.read += len(events)
	var statuses []cloudformation.Status
	for _, event := range events {
		statuses = append(statuses, cloudformation.Status(event))
	}
	return statuses, nil
}

// stackSetsPolicy is the part of the role's managed policy, CloudFormationStackSetsOrgAdminServiceRolePolicy, that is used here.
const stackSetsPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:*:iam::*:role/stacksets-exec-*"}]}`

// stackSetsRole is the service-linked role with which StackSets assumes the roles that it makes in member accounts.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-enable-trusted-access.html
func stackSetsRole(place api.Place) api.Principal {
	return api.Principal{
		Type: api.AssumedRole, SessionName: "StackSets",
		ARN: place.GlobalARN("iam", "role/aws-service-role/stacksets.cloudformation.amazonaws.com/AWSServiceRoleForCloudFormationStackSetsOrgAdmin"),
	}
}

// stackSetsKey is an access key of StackSets in the management account, of which a gateway is made.
func (c *common) stackSetsKey(made *gateway.Gateway) string {
	if c.stackSets == "" {
		c.stackSets = made.ServiceCredentials(stackSetsRole(c.options.Place), "stacksets.cloudformation.amazonaws.com", nil).AccessKeyID
	}
	return c.stackSets
}
