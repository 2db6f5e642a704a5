// Package refusals holds tests of what a deployment refuses: the golden templates, broken on purpose in one place each, are deployed
// into a local AWS (see localaws), which must refuse them as AWS does, in the words of the resource, and leave nothing behind.
//
// A refusal comes from software that AWS or others wrote where that knows it: CloudFormation's resource schemas as cfn-lint has them,
// the SDK's models of the services, the Service Authorization Reference. What the services refuse besides is written down beside the
// check, with the page that says so. Each break names its source.
package refusals
