package detection

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"
)

// Pattern is an event pattern: it matches the events of a source and a type whose detail matches.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
type Pattern struct {
	// Source and DetailType are empty for the events of every source, and of every type.
	Source, DetailType string
	Detail             map[string]any
}

// anyType is the type of patterns for API calls: only their events have the name of an operation in the detail.
const anyType = ""

// Object is the pattern as CloudFormation takes it.
func (p Pattern) Object() map[string]any {
	object := map[string]any{"detail": p.Detail}
	if p.Source != "" {
		object["source"] = []any{p.Source}
	}
	if p.DetailType != "" {
		object["detail-type"] = []any{p.DetailType}
	}
	return object
}

// EventPattern is the pattern as the rules of the CDK take it.
func (p Pattern) EventPattern() *awsevents.EventPattern {
	pattern := &awsevents.EventPattern{Source: jsii.Strings(p.Source), Detail: &p.Detail}
	if p.DetailType != anyType {
		pattern.DetailType = jsii.Strings(p.DetailType)
	}
	return pattern
}

// AnyOf is the pattern, as CloudFormation takes it, that matches what one of the patterns matches.
func AnyOf(patterns ...Pattern) map[string]any {
	alternatives := []any{}
	for _, pattern := range patterns {
		alternatives = append(alternatives, pattern.Object())
	}
	return map[string]any{"$or": alternatives}
}
