// Package closedloop proves that the guard works: its tests deploy the templates that the CDK app synthesizes to a local
// AWS (see localaws) and let the deployed rules, remediations, runbook, role and policies do their work there. It holds
// nothing but tests.
//
// The tests know the guard only as its users do: by its stack's outputs, the types of its resources, and the APIs of AWS.
package closedloop
