package status

import (
	"strings"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// revert is what puts back whatever the template declares.
const revert = "cdk deploy --revert-drift"

// view is what a part is looked at with.
type view struct {
	Clients
	stack *stack
	guard deployed.Guard
	now   time.Time
}

// run is the command that starts the guard's runbook by hand.
func (v *view) run() string {
	return "aws ssm start-automation-execution --document-name " + v.guard.RunbookName + " --document-version 1"
}

// lastOf is what follows the last slash of an ARN.
func lastOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
