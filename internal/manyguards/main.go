// Command manyguards is a CDK app for the benchmarks: as many guards as its argument says, each in a stack of its own.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

func main() {
	defer jsii.Close()
	guards, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "manyguards: %q is not a number of guards: give one, such as 10\n", os.Args[len(os.Args)-1])
		os.Exit(1)
	}
	app := awscdk.NewApp(nil)
	for i := range guards {
		stack := awscdk.NewStack(app, jsii.String(fmt.Sprintf("TrailGuard%d", i)), &awscdk.StackProps{Synthesizer: awscdk.NewBootstraplessSynthesizer(nil)})
		trailguard.NewTrailGuard(stack, jsii.String("Default"), nil)
	}
	app.Synth(nil)
}
