// Package tampering tries every documented way to blind the trail against the guard that the CDK app synthesizes, deployed
// to a local AWS (see localaws) with the loop closed: the attacker's call becomes an event, the deployed rules start the
// deployed runbook, and nothing is called by hand. It holds nothing but tests.
//
// The tests know the guard only as its users do: by its stack's outputs, the types of its resources, and the APIs of AWS.
package tampering
