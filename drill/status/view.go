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
	// guard is the guard of the stack; of a stack without one it has the stack's name alone.
	guard deployed.Guard
	now   time.Time
	among *others
}

// start is the command that starts a runbook by hand.
func start(runbook string) string {
	return "aws ssm start-automation-execution --document-name " + runbook + " --document-version " + firstVersion
}

// firstVersion is the version of a runbook that all rules and remediations start: a document's version cannot be changed.
const firstVersion = "1"

// lastOf is what follows the last slash of an ARN.
func lastOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
