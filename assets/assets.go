// Package assets embeds the runbooks that lie beside it, so that a construct finds them wherever the module is imported.
package assets

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

// A runbook is written in YAML, for people and for the console, and its script in Python: what the scripts have in common, and the part of
// the resource that it restores. The JSON beside them is the YAML without the script, for encoding/json: it spares every importer of the
// library a YAML parser. `make update` writes the JSON, and the script into the YAML; a test compares them.
var (
	//go:embed runbooks/reconciliation.py
	reconciliation string

	//go:embed runbooks/cloudtrail-remediation-action.json
	cloudTrailRemediationAction []byte
	//go:embed runbooks/cloudtrail_remediation_action.py
	trailPart string

	//go:embed runbooks/log-store-remediation-action.json
	logStoreRemediationAction []byte
	//go:embed runbooks/log_store_remediation_action.py
	logStorePart string
)

// Resource is what a script restores, by its name in InputPayload.
type Resource string

// The resources.
const (
	Trail    Resource = "CloudTrail trail"
	LogStore Resource = "log store"
)

// Script returns a script that restores each of the resources: that which the Resource of its InputPayload names.
func Script(resources ...Resource) string {
	script := reconciliation
	for _, resource := range resources {
		script += "\n\n" + map[Resource]string{Trail: trailPart, LogStore: logStorePart}[resource]
	}
	return script
}

// CloudTrailRemediationAction returns a copy of the runbook that restores a trail, which the caller may change. Its one step has the
// script among its inputs.
func CloudTrailRemediationAction() Runbook {
	return runbook("cloudtrail-remediation-action", cloudTrailRemediationAction, Trail)
}

// LogStoreRemediationAction returns a copy of the runbook that restores the bucket and the key of a log, as
// CloudTrailRemediationAction does.
func LogStoreRemediationAction() Runbook {
	return runbook("log-store-remediation-action", logStoreRemediationAction, LogStore)
}

func runbook(name string, content []byte, resource Resource) Runbook {
	var runbook Runbook
	if err := json.Unmarshal(content, &runbook); err != nil {
		panic(fmt.Errorf("assets: decoding the embedded runbook %s: %w", name, err))
	}
	runbook.MainSteps[0].Inputs["Script"] = Script(resource)
	return runbook
}

// Runtime is the one that a step's script needs, empty where it has no script.
func (s Step) Runtime() string {
	runtime, _ := s.Inputs["Runtime"].(string)
	return runtime
}

// endsOfLife are the dates after which a language has no security fixes. Automation then ends its runtime: documents that name
// it can no longer be created, nor executed.
// https://devguide.python.org/versions/
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
var endsOfLife = map[string]time.Time{"python3.11": time.Date(2027, time.October, 31, 0, 0, 0, 0, time.UTC)}

// RuntimeWarning tells, from six months before its end, that a runtime comes to its end of life; it is empty until then.
func RuntimeWarning(runtime string, now time.Time) string {
	end, known := endsOfLife[runtime]
	if !known || now.Before(end.AddDate(0, -6, 0)) {
		return ""
	}
	return fmt.Sprintf("the runbook's runtime %s is without security fixes from %s, and Automation will end it: update TrailGuard",
		runtime, end.Format(time.DateOnly))
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
	Name    string         `json:"name"`
	Action  string         `json:"action"`
	Inputs  map[string]any `json:"inputs"`
	Outputs []Output       `json:"outputs,omitempty"`
}

// Output is a value that a Step takes from what its action returns.
type Output struct {
	Name     string `json:"Name"`
	Selector string `json:"Selector"`
	Type     string `json:"Type"`
}
