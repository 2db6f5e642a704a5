// Package remediation puts the trail back: the runbook that does it, and the role with which it may.
package remediation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/constructs/detection"
	"github.com/trailguard/trailguard/constructs/partition"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/validation"
)

// RemediationProps are the properties of a Remediation.
type RemediationProps struct {
	// Settings is the declared state of the trail.
	Settings trail.Settings

	// AutomationRole is the role that Automation assumes, as NewRole defines it.
	AutomationRole awsiam.IRole

	// Rules are the Config rules that start the runbook. It deletes their remediation exceptions in each run.
	//
	// Default: - Config does not start the runbook.
	Rules detection.ConfigRules

	// AlertTopic is told of each run that changed something, or could not.
	//
	// Default: - nobody is told.
	AlertTopic awssns.ITopic

	// CentralEventBus is an event bus that gets the same reports.
	//
	// Default: - none does.
	CentralEventBus awsevents.IEventBus

	// MaximumAutomaticAttempts is how many remediations, 1-25, may fail before Config stops remediating.
	//
	// Default: - Config's own: 5.
	MaximumAutomaticAttempts *float64

	// RetryAttempt is the time, 1-2,678,000 seconds, in which Config counts failed remediations.
	//
	// Default: - Config's own: 60 seconds.
	RetryAttempt awscdk.Duration

	// ConcurrentExecutionRatePercentage is the share of resources, 1-100 percent, that Config remediates at once.
	//
	// Default: - Config's own: 10 percent.
	ConcurrentExecutionRatePercentage *float64

	// ErrorPercentage is the share of failed remediations, 1-100 percent, at which Config starts no more.
	//
	// Default: - Config's own: 50 percent.
	ErrorPercentage *float64
}

// Remediation is the runbook that restores one trail, and Config's order to start it.
type Remediation interface {
	constructs.Construct
	// Runbook is the SSM Automation document. Its default is to restore the trail.
	Runbook() awsssm.CfnDocument
	// Parameters are the parameters with which Config starts the runbook. The declared state is no parameter.
	Parameters() []Parameter
	// Validate returns an error if the runbook is longer than Systems Manager takes. The synthesis then fails with it.
	Validate() error
	// alsoRestore makes the runbook restore a log store, too, if it is told to.
	alsoRestore(logStore *logStorePart)
}

type remediation struct {
	constructs.Construct
	findings validation.Findings
	props    *RemediationProps
	document document
	runbook  awsssm.CfnDocument
}

// NewRemediation defines a Remediation. It panics where props.Validate or props.ValidateIn returns an error.
//
//	Rules ──NON_COMPLIANT──► …Remediation ──starts──► Runbook ──assumes──► Role ──restores──► the trail
//	                                                     └──tells──► AlertTopic, CentralEventBus
func NewRemediation(scope constructs.Construct, id *string, props *RemediationProps) Remediation {
	if props == nil {
		props = &RemediationProps{}
	}
	validation.Panic("Remediation", id, props.Validate())
	validation.Panic("Remediation", id, props.ValidateIn(scope))

	this := &remediation{props: props}
	constructs.NewConstruct_Override(this, scope, id)
	this.document = this.newDocument()
	this.findings.AtSynthesis(this, this.document.checkSize())
	this.runbook = newRunbook(this, this.document)
	if props.Rules != nil && partition.HasRemediation(this) {
		for _, rule := range *props.Rules.Rules() {
			this.newConfiguration(rule)
		}
	}
	return this
}

func (r *remediation) Runbook() awsssm.CfnDocument { return r.runbook }
func (r *remediation) Validate() error             { return r.findings.Validate() }
func (r *remediation) Parameters() []Parameter {
	return []Parameter{{"AutomationAssumeRole", *r.props.AutomationRole.RoleArn()}, {"StartedBy", "Config"}}
}

func (r *remediation) alsoRestore(logStore *logStorePart) {
	r.document.logStore = logStore
	r.runbook.SetContent(content(r.document.runbook()))
}

// Validate returns an error that names every property that is missing or cannot be used, nil where there is none.
func (p *RemediationProps) Validate() error {
	return errors.Join(p.Settings.Validate(), validation.Required("AutomationRole", p.AutomationRole != nil), p.ValidateOptional())
}

// ValidateOptional returns an error that names every optional property that cannot be used, nil where there is none.
func (p *RemediationProps) ValidateOptional() error {
	var problems []error
	inRange := func(field string, value *float64, highest float64, unit string) {
		if value == nil || *value >= 1 && *value <= highest && *value == float64(int(*value)) {
			return
		}
		// What is no number at all, the CDK could not be asked about.
		if math.IsInf(*value, 0) || math.IsNaN(*value) || !*awscdk.Token_IsUnresolved(value) {
			problems = append(problems, validation.Problem(field, "%s is out of range: use a whole number of %s from 1 to %.0f", strconv.FormatFloat(*value, 'f', -1, 64), unit, highest))
		}
	}
	inRange("MaximumAutomaticAttempts", p.MaximumAutomaticAttempts, 25, "attempts")
	if p.RetryAttempt != nil && !*p.RetryAttempt.IsUnresolved() {
		inRange("RetryAttempt", p.RetryAttempt.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}), 2_678_000, "seconds")
	}
	inRange("ConcurrentExecutionRatePercentage", p.ConcurrentExecutionRatePercentage, 100, "percent")
	inRange("ErrorPercentage", p.ErrorPercentage, 100, "percent")
	return errors.Join(problems...)
}

var reservedName = regexp.MustCompile(`^(?i:aws|amazon|amzn)`)

// ValidateIn returns an error if the runbook would get a name from the stack's that is Systems Manager's own.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
func (p *RemediationProps) ValidateIn(scope constructs.Construct) error {
	stack := awscdk.Stack_Of(scope)
	for stack.NestedStackParent() != nil {
		stack = stack.NestedStackParent()
	}
	name := *stack.StackName()
	if *awscdk.Token_IsUnresolved(name) || !reservedName.MatchString(name) {
		return nil
	}
	return validation.Problem("StackName", "%q cannot be the stack's, for the name of the runbook begins with it, and Systems Manager reserves names "+
		"that begin with aws, amazon or amzn: give the stack another name", name)
}

// newRunbook leaves the name to CloudFormation. A changed document is a new one under another name, not a new version: the rules
// and Config start the first version, whatever versions are added to it later.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-document.html
func newRunbook(scope constructs.Construct, of document) awsssm.CfnDocument {
	runbook := of.runbook()
	if warning := assets.RuntimeWarning(runbook.MainSteps[0].Runtime(), time.Now()); warning != "" {
		awscdk.Annotations_Of(scope).AddWarningV2(jsii.String("trailguard:runtime"), &warning)
	}
	return awsssm.NewCfnDocument(scope, jsii.String("Runbook"), &awsssm.CfnDocumentProps{
		DocumentType:   jsii.String("Automation"),
		DocumentFormat: jsii.String("YAML"),
		UpdateMethod:   jsii.String("Replace"),
		Content:        content(runbook),
	})
}

// newDocument has no rules where Config has no remediation: there are no exceptions then.
func (r *remediation) newDocument() document {
	part := &trailPart{settings: r.props.Settings, roleARN: *r.props.AutomationRole.RoleArn()}
	if r.props.Rules != nil && partition.HasRemediation(r) {
		for _, rule := range *r.props.Rules.Rules() {
			part.configRuleNames = append(part.configRuleNames, *rule.ConfigRuleName())
		}
	}
	d := newDocument(r, r.props.Settings.Name, r.props.AlertTopic, r.props.CentralEventBus)
	d.trail = part
	return d
}

// newDocument is a document that restores nothing yet.
func newDocument(scope constructs.Construct, trailName string, topic awssns.ITopic, bus awsevents.IEventBus) document {
	d := document{trailName: trailName, consoleDomain: partition.ConsoleDomain(*awscdk.Stack_Of(scope).Region())}
	if topic != nil {
		d.alertTopicARN = *topic.TopicArn()
	}
	if bus != nil {
		d.centralEventBusARN = *bus.EventBusArn()
	}
	return d
}

func (r *remediation) newConfiguration(rule awsconfig.IRule) {
	awsconfig.NewCfnRemediationConfiguration(r, rule.Node().Id(), &awsconfig.CfnRemediationConfigurationProps{
		ConfigRuleName:           rule.ConfigRuleName(),
		TargetType:               jsii.String("SSM_DOCUMENT"),
		TargetId:                 r.runbook.Ref(),
		TargetVersion:            jsii.String("1"),
		Parameters:               staticValues(r.Parameters()),
		Automatic:                jsii.Bool(true),
		MaximumAutomaticAttempts: orDefault(r.props.MaximumAutomaticAttempts, 5),
		RetryAttemptSeconds:      r.retryAttemptSeconds(),
		ExecutionControls:        r.executionControls(),
	})
}

// executionControls are left out where neither is given: Config's own are 10 and 50 percent.
// https://docs.aws.amazon.com/config/latest/APIReference/API_SsmControls.html
func (r *remediation) executionControls() any {
	if r.props.ConcurrentExecutionRatePercentage == nil && r.props.ErrorPercentage == nil {
		return nil
	}
	return &awsconfig.CfnRemediationConfiguration_ExecutionControlsProperty{
		SsmControls: &awsconfig.CfnRemediationConfiguration_SsmControlsProperty{
			ConcurrentExecutionRatePercentage: orDefault(r.props.ConcurrentExecutionRatePercentage, 10),
			ErrorPercentage:                   orDefault(r.props.ErrorPercentage, 50),
		},
	}
}

func (r *remediation) retryAttemptSeconds() *float64 {
	if r.props.RetryAttempt == nil {
		return jsii.Number(60)
	}
	return r.props.RetryAttempt.ToSeconds(nil)
}

// staticValues are the parameters in the form that a remediation takes.
// https://docs.aws.amazon.com/config/latest/APIReference/API_RemediationParameterValue.html
func staticValues(parameters []Parameter) map[string]any {
	values := map[string]any{}
	for _, parameter := range parameters {
		values[parameter.Name] = map[string]any{
			"StaticValue": map[string]any{"Values": []any{parameter.Value}},
		}
	}
	return values
}

func orDefault(value *float64, otherwise float64) *float64 {
	if value == nil {
		return jsii.Number(otherwise)
	}
	return value
}

// content is the runbook in the form that the CDK takes: its JSON.
func content(runbook assets.Runbook) any {
	text, err := json.Marshal(runbook)
	if err != nil {
		panic(fmt.Errorf("remediation: encoding the runbook: %w", err))
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		panic(fmt.Errorf("remediation: decoding the runbook: %w", err))
	}
	return value
}
