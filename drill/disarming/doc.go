// Package disarming takes the deployed guard apart in the local AWS, part by part, and takes away what the log needs to arrive: people are
// told of each, once, and of no deployment.
package disarming
