// The app reads the trailguard block of cdk.json and synthesizes the stack TrailGuard.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

func main() {
	defer jsii.Close()
	if err := synthesize(); err != nil {
		fmt.Fprintf(os.Stderr, "trailguard: the configuration in cdk.json or on the command line cannot be used:\n%v\n", err)
		jsii.Close()
		os.Exit(1)
	}
}

func synthesize() error {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	configuration, err := readConfiguration(app.Node().GetAllContext(nil))
	if err != nil {
		return err
	}
	stack := awscdk.NewStack(app, jsii.String("TrailGuard"), &awscdk.StackProps{
		Description: jsii.String("Keeps the trail " + configuration.trailName() + " switched on and in its declared state"),
		Env:         configuration.environment(),
		// No asset, no bootstrap, no indentation: the template can be handed to a StackSet inline, which takes 51,200 bytes.
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
	props := configuration.props(stack)
	if err := props.Validate(); err != nil {
		return inKeys(err)
	}
	// The id Default is left out of the logical ids, so that they and the outputs read as in a stack of one construct.
	trailguard.NewTrailGuard(stack, jsii.String("Default"), props)
	app.Synth(nil)
	return nil
}
