// Package status tells whether a deployed guard is whole. It reads the template of the guard's stack, works out what each resource
// should be, and compares that with what AWS says the resource is. What it cannot work out or may not read is not seen, which is
// something else than whole.
//
// It changes nothing: the interfaces through which it calls AWS have no call that does.
package status
