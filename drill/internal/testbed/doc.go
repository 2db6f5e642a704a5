// Package testbed is what the tests of a deployed guard stand on: accounts, each a local AWS under one reading of what AWS does not
// document, a guard that is deployed to one, and a template that can be broken before.
//
// It knows a guard only as its users do: by its stack's outputs, the types of its resources, and the APIs of AWS.
package testbed
