// Package deployed reads a guard that is deployed: what its stack says of it, the state that its runbook declares, the state that its
// trail is in, the runs of its runbook, and the rules that start it.
//
// It changes nothing: the interfaces through which it calls AWS have no call that does.
package deployed
