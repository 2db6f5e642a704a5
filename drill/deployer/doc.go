// Package deployer holds tests of the permissions that a deployment needs: the policies in examples are enough for
// CloudFormation to create, update and delete the golden templates, and no statement of theirs can be left out.
package deployer
