// Package lifecycle holds tests of what comes after the first deployment of a guard: the stack is updated, property by property, and
// deleted, in a local AWS (see localaws), and the trail and its log live on.
//
// The local AWS deploys as CloudFormation does: what is new is made first, what is replaced or no longer declared is deleted last. Which
// changes replace a resource is compared with CloudFormation's schemas. How long a handler of CloudFormation takes, and what it does
// between two calls, is not simulated.
package lifecycle
