package main

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newStack defines a stack whose template can be handed to a StackSet inline, which takes 51,200 bytes: no asset, no bootstrap, no indentation.
func newStack(app awscdk.App, name, description string, environment *awscdk.Environment) awscdk.Stack {
	return awscdk.NewStack(app, &name, &awscdk.StackProps{
		Description:                 &description,
		Env:                         environment,
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
}

// validate returns the problems that the CDK's validations find in the construct and the constructs within. At the synthesis, the
// CDK would panic with them.
func validate(construct constructs.Construct) error {
	var problems []error
	for _, child := range *construct.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		for _, problem := range *child.Node().Validate() {
			problems = append(problems, errors.New(*problem))
		}
	}
	return errors.Join(problems...)
}
