package localaws

import (
	"math/rand/v2"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudtrail"
)

// Options are the settings of a local AWS.
type Options struct {
	// Python is an interpreter that has moto and boto3. Required.
	Python string
	// NodeModules is the folder of Node modules that holds cfn-guard and the Service Authorization Reference. Required.
	NodeModules string
	// Place is the partition, the account, and the Region of Config, Automation, EventBridge and the clients that run here. A
	// Region must be of the partition.
	//
	// Default: - api.Home.
	Place api.Place
	// Start is what the clock shows first.
	//
	// Default: - the first of January 2030.
	Start time.Time
	// ScriptLimit is how long a script of a runbook may compute between two calls, on a real clock.
	//
	// Default: - see automation.WorkerOptions.
	ScriptLimit time.Duration
	// Rand chooses which of the running executions makes its next step.
	//
	// Default: - they take turns.
	Rand *rand.Rand

	// Organization is what the account is in AWS Organizations.
	//
	// Default: - no organization is in use.
	Organization cloudtrail.Organization
	// OrganizationID is the folder of an organization trail's log files.
	//
	// Default: - o-exampleorgid.
	OrganizationID string
	// RateLimited refuses a second change of a trail within a second.
	//
	// Default: - any number is accepted.
	RateLimited bool
	// BackendTimeout is how long moto may take to answer a call, on a real clock.
	//
	// Default: - see gateway.Options.
	BackendTimeout time.Duration

	// Readings choose where AWS's documentation leaves room.
	//
	// Default: - the first of AllReadings.
	Readings Readings
}
