// Package organization closes the loop for an organization: its tests deploy the stacks of the app's mode organization into a local AWS of
// several accounts, and tamper with trails there.
package organization
