// Package assets embeds the runbooks that lie beside it, so that a construct finds them wherever the module is imported.
package assets

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// The runbook is written in YAML, for people and for the console. The JSON beside it is the same document, for
// encoding/json: it spares every importer of the library a YAML parser. `make update` writes it, a test compares the two.
//
//go:embed runbooks/cloudtrail-remediation-action.json
var cloudTrailRemediationAction []byte

// CloudTrailRemediationAction returns a copy of the remediation runbook, which the caller may change.
func CloudTrailRemediationAction() Runbook {
	var runbook Runbook
	if err := json.Unmarshal(cloudTrailRemediationAction, &runbook); err != nil {
		panic(fmt.Errorf("assets: decoding the embedded runbook cloudtrail-remediation-action: %w", err))
	}
	return runbook
}

// Runbook is an SSM Automation document.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-documents.html
type Runbook struct {
	SchemaVersion string               `json:"schemaVersion"`
	Description   string               `json:"description"`
	AssumeRole    string               `json:"assumeRole"`
	Parameters    map[string]Parameter `json:"parameters"`
	MainSteps     []Step               `json:"mainSteps"`
	Outputs       []string             `json:"outputs,omitempty"`
}

// Parameter is a parameter of a Runbook.
type Parameter struct {
	Type           string `json:"type"`
	Description    string `json:"description,omitempty"`
	Default        any    `json:"default,omitempty"`
	AllowedPattern string `json:"allowedPattern,omitempty"`
	AllowedValues  []any  `json:"allowedValues,omitempty"`
}

// Step is a step of a Runbook.
type Step struct {
	Name           string         `json:"name"`
	Description    string         `json:"description,omitempty"`
	Action         string         `json:"action"`
	MaxAttempts    int            `json:"maxAttempts,omitempty"`
	TimeoutSeconds int            `json:"timeoutSeconds,omitempty"`
	OnFailure      string         `json:"onFailure,omitempty"`
	IsCritical     *bool          `json:"isCritical,omitempty"`
	NextStep       string         `json:"nextStep,omitempty"`
	IsEnd          bool           `json:"isEnd,omitempty"`
	Inputs         map[string]any `json:"inputs"`
	Outputs        []Output       `json:"outputs,omitempty"`
}

// Output is a value that a Step takes from an API's answer.
type Output struct {
	Name     string `json:"Name"`
	Selector string `json:"Selector"`
	Type     string `json:"Type"`
}
