package status

import (
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
