package organization

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
)

// The names by which the stacks of an organization find each other.
const (
	// DefaultStackSetName is the name of the Rollout's StackSet. The names of what it deploys begin with StackSet- and this name: the
	// policies of Prevention protect them by that.
	DefaultStackSetName = "TrailGuard"
	// CentralEventBusName is the name of Central's event bus.
	CentralEventBusName = "trailguard"
)

// LogArchiveBucketName is the name of the LogArchive's bucket in an account and a Region.
func LogArchiveBucketName(account, region string) string {
	return "trailguard-logs-" + account + "-" + region
}

// CentralEventBus is Central's event bus in an account and a Region of the scope's partition.
func CentralEventBus(scope constructs.Construct, id, account, region *string) awsevents.IEventBus {
	arn := "arn:" + *awscdk.Stack_Of(scope).Partition() + ":events:" + *region + ":" + *account + ":event-bus/" + CentralEventBusName
	return awsevents.EventBus_FromEventBusArn(scope, id, &arn)
}

// EventsRegion is the Region in which the events of AWS Organizations arrive, of the partition of a Region: its endpoint is there alone.
// https://docs.aws.amazon.com/general/latest/gr/ao.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html
func EventsRegion(region string) string {
	for _, partition := range []struct{ prefix, region string }{
		{"cn-", "cn-northwest-1"},
		{"us-gov-", "us-gov-west-1"},
		{"eusc-", "eusc-de-east-1"},
		{"us-iso-", "us-iso-east-1"},
		{"us-isob-", "us-isob-east-1"},
		{"us-isof-", "us-isof-south-1"},
		{"eu-isoe-", "eu-isoe-west-1"},
	} {
		if strings.HasPrefix(region, partition.prefix) {
			return partition.region
		}
	}
	return "us-east-1"
}

// seesOrganizationEvents tells whether the events of AWS Organizations arrive in the stack's Region, as far as that is known.
func seesOrganizationEvents(scope constructs.Construct) bool {
	region := *awscdk.Stack_Of(scope).Region()
	return *awscdk.Token_IsUnresolved(region) || region == EventsRegion(region)
}
