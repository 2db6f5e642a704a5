// Package lifecycle holds tests of what comes after the first deployment of a guard: the stack is updated, property by property, and
// deleted, in a local AWS (see localaws), and the trail and its log live on.
//
// The local AWS deploys as CloudFormation does: what is new is made first, what is replaced or no longer declared is deleted last. What
// CloudFormation replaces, it takes from a list of its own for each type; the tests of templates in the folder review ask
// CloudFormation's schemas instead.
package lifecycle
