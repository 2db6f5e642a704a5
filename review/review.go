// Package review puts the synthesized templates before the tools that reviewers use: cdk-nag, cfn-lint, the CDK's own
// validator and AWS CloudFormation Guard. It is a module of its own, so that nobody who imports the library downloads them.
package review
