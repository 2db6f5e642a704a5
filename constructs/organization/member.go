package organization

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// MaximumTemplateBytes is what a request to CloudFormation takes, and a StackSet as TemplateBody.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const MaximumTemplateBytes = 51_200

const memberDescription = "What TrailGuard keeps in each member account of the organization"

// memberStackName stands for the name that StackSets give the stack, of which only the beginning is known: what is as long as the name of a stack
// is measured with it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
func memberStackName(props *RolloutProps) string {
	return "StackSet-" + *textOr(props.StackSetName, DefaultStackSetName) + "-00000000-0000-0000-0000-000000000000"
}

// member is the stack that each account gets.
type member struct {
	template     string
	capabilities []string
}

// synthesizeMember makes the template in an app of its own, with the context of the scope's app, so that it is the one that an app with this
// stack alone would make. The error says why it cannot be deployed.
func synthesizeMember(scope constructs.Construct, props *RolloutProps) (m member, err error) {
	folder, err := os.MkdirTemp("", "trailguard-member")
	if err != nil {
		return m, fmt.Errorf("making a folder for the member's template: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	context, _ := scope.Node().GetAllContext(nil).(map[string]any)
	app := awscdk.NewApp(&awscdk.AppProps{
		AnalyticsReporting: jsii.Bool(false), AutoSynth: jsii.Bool(false), TreeMetadata: jsii.Bool(false),
		Context: &context, Outdir: &folder,
	})
	name := memberStackName(props)
	stack := awscdk.NewStack(app, jsii.String("Member"), &awscdk.StackProps{
		StackName:   &name,
		Description: jsii.String(memberDescription),
		Env:         memberEnvironment(scope, props),
		// No asset, no bootstrap, no indentation: the template stands in that of the StackSet.
		Synthesizer:                 awscdk.NewBootstraplessSynthesizer(nil),
		SuppressTemplateIndentation: jsii.Bool(true),
	})
	if err := recovered(func() {
		props.Member(stack)
		app.Synth(nil)
	}); err != nil {
		return m, explain(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, *stack.TemplateFile()))
	if err != nil {
		return m, fmt.Errorf("reading the member's template: %w", err)
	}
	m.template = string(text)
	m.capabilities, err = capabilities(text)
	return m, errors.Join(err, m.check(name))
}

// memberEnvironment has the Region, if it is known, and no account: the stack is for many.
func memberEnvironment(scope constructs.Construct, props *RolloutProps) *awscdk.Environment {
	region := props.Region
	if region == nil {
		region = awscdk.Stack_Of(scope).Region()
	}
	if *awscdk.Token_IsUnresolved(region) {
		return nil
	}
	return &awscdk.Environment{Region: region}
}

// recovered returns what the CDK panics with as an error. Mistakes of programming still panic.
func recovered(do func()) (err error) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case runtime.Error:
			panic(problem)
		case error:
			err = problem
		default:
			err = fmt.Errorf("%v", problem)
		}
	}()
	do()
	return nil
}

// explain says in terms of the property what the CDK says of references between apps: of dependencies, of resources in other environments, and of
// all others.
func explain(err error) error {
	isOfReferences := func(words string) bool { return strings.Contains(err.Error(), words) }
	if slices.ContainsFunc([]string{"NoCrossStageDependency", "CannotUseCrossEnvironment", "same CDK app", "across apps"}, isOfReferences) {
		return validation.Problem("Member", "refers to a resource of another stack, which is of another app: name it by a text, such as its ARN (%v)", firstLine(err))
	}
	return validation.Problem("Member", "%v", err)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// check refuses a template that a StackSet does not take, or that would mean something else in it.
func (m member) check(stackName string) error {
	var problems []error
	if len(m.template) > MaximumTemplateBytes {
		problems = append(problems, validation.Problem("Member", "makes a template of %d bytes, and a StackSet takes %d: give fewer or shorter values",
			len(m.template), MaximumTemplateBytes))
	}
	if strings.Contains(m.template, stackName) {
		problems = append(problems, validation.Problem("Member", "uses the name of its stack, which StackSets give: use Aws.STACK_NAME"))
	}
	// CloudFormation would resolve it in the account of the StackSet.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
	if strings.Contains(m.template, "{{resolve:") {
		problems = append(problems, validation.Problem("Member", "has a dynamic reference {{resolve:…}}, which would be resolved in the account of the StackSet: use a value that is the same in each account"))
	}
	for _, token := range []string{"${Token[", "#{Token["} {
		if strings.Contains(m.template, token) {
			problems = append(problems, validation.Problem("Member", "has a token of another app in it: name what it stands for by a text"))
		}
	}
	return errors.Join(problems...)
}

// capabilities are those that CloudFormation asks for before it deploys the template, and no more.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html
func capabilities(text []byte) ([]string, error) {
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
		Transform any
	}
	if err := json.Unmarshal(text, &template); err != nil {
		return nil, fmt.Errorf("reading the member's template: %w", err)
	}
	if template.Transform != nil {
		return nil, validation.Problem("Member", "has a transform, which service-managed StackSets do not take: leave it out")
	}
	named := map[string]string{
		"AWS::IAM::Group": "GroupName", "AWS::IAM::InstanceProfile": "InstanceProfileName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
		"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName",
	}
	needed := map[string]bool{}
	for _, resource := range template.Resources {
		if !strings.HasPrefix(resource.Type, "AWS::IAM::") {
			continue
		}
		capability := "CAPABILITY_IAM"
		if _, hasName := resource.Properties[named[resource.Type]]; hasName {
			capability = "CAPABILITY_NAMED_IAM"
		}
		needed[capability] = true
	}
	for _, capability := range []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"} { // the first includes the other
		if needed[capability] {
			return []string{capability}, nil
		}
	}
	return nil, nil
}
