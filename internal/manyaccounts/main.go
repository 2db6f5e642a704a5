// Command manyaccounts is a CDK app for the benchmarks: a rollout of a guard over an organization with as many accounts as its argument says.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/internal/organizationcases"
)

func main() {
	defer jsii.Close()
	accounts, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "manyaccounts: %q is not a number of accounts: give one, such as 100\n", os.Args[len(os.Args)-1])
		os.Exit(1)
	}
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("TrailGuardRollout"), &awscdk.StackProps{
		Env:                         &awscdk.Environment{Account: jsii.String("111111111111"), Region: jsii.String("us-east-1")},
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
	organizationcases.RolloutOf(organizationcases.GuardMember, accounts)(stack)
	app.Synth(nil)
}
