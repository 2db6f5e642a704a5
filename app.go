// The app reads the trailguard block of cdk.json and synthesizes the stack TrailGuard, or in the mode organization the stacks of an organization.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/constructs/validation"
)

func main() {
	defer jsii.Close()
	if err := synthesize(); err != nil {
		fmt.Fprintf(os.Stderr, "trailguard: the configuration in cdk.json or on the command line cannot be used:\n%v\n", err)
		os.Stderr = nil // jsii waits for its process twice, and sometimes says that the second time failed
		jsii.Close()
		os.Exit(1)
	}
}

// synthesize writes the template. An error that only the CDK finds is returned as it is.
func synthesize() (err error) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case runtime.Error:
			panic(problem)
		case error:
			err = problem
		default:
			panic(problem)
		}
	}()
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	configuration, err := readConfiguration(app.Node().GetAllContext(nil))
	if err != nil {
		return err
	}
	define := configuration.defineAccount
	if configuration.isOrganization() {
		define = configuration.defineOrganization
	}
	stacks, err := define(app)
	if err != nil {
		return err
	}
	app.Synth(nil)
	var problems []error
	for _, stack := range stacks {
		problems = append(problems, checkTemplate(filepath.Join(*app.Outdir(), *stack.TemplateFile()), configuration))
	}
	return errors.Join(problems...)
}

// defineAccount defines the stack of the mode account.
func (c configuration) defineAccount(app awscdk.App) ([]awscdk.Stack, error) {
	stack := newStack(app, "TrailGuard", "Keeps the trail "+c.trailName()+" switched on and in its declared state", c.environment())
	props := c.props(stack)
	if err := errors.Join(inKeys(errors.Join(props.Validate(), props.ValidateIn(stack))), c.checkIAMEvents()); err != nil {
		return nil, err
	}
	// The id Default is left out of the logical ids, so that they and the outputs read as in a stack of one construct.
	guard := trailguard.NewTrailGuard(stack, jsii.String("Default"), props)
	if err := guard.Validate(); err != nil {
		return nil, inKeys(err)
	}
	stacks := []awscdk.Stack{stack}
	if c.IAMEvents != nil && *c.IAMEvents {
		region := partition.IAMEventsRegion(*c.Region)
		events := newStack(app, iamEventsStack, "Hands events of IAM on to TrailGuard in "+*c.Region, &awscdk.Environment{Account: c.Account, Region: &region})
		detection.NewIamEvents(events, jsii.String("Default"), &detection.IamEventsProps{GuardStackName: stack.StackName(), GuardRegion: c.Region})
		stacks = append(stacks, events)
	}
	return stacks, validate(app)
}

const iamEventsStack = "TrailGuardIamEvents"

// checkTemplate refuses a template that is longer than a request to CloudFormation takes, and removes it, so that nothing deploys it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
func checkTemplate(path string, configuration configuration) error {
	template, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	tooLong := validation.Text{
		Name: "the template", Taker: "CloudFormation", Unit: "bytes", Has: len(template), Most: 51_200, Parts: configuration.parts(),
	}.Check()
	if tooLong == nil {
		return nil
	}
	if bytes.Contains(template, []byte("StoreRemediation")) {
		tooLong = errors.Join(tooLong, validation.Problem("repairLogStore", "is not false, and takes 8,000 bytes of the template: set it to false if nothing else can be spared"))
	}
	return errors.Join(tooLong, os.Remove(path), os.Remove(filepath.Join(filepath.Dir(path), "manifest.json")))
}
