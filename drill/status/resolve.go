package status

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// unresolved stands for a value of a template that cannot be worked out from the stack.
type unresolved string // what it is

// noValue stands for AWS::NoValue: what has it is not declared.
type noValue struct{}

// truth is whether a condition holds.
type truth int

const (
	maybe truth = iota
	yes
	no
)

// resolver works out the intrinsic functions of a template.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
type resolver struct {
	pseudo     map[string]string
	parameters map[string]any
	resources  map[string]any
	conditions map[string]any
	mappings   map[string]any
	made       map[string]string // physical ids
}

// decode reads JSON, and keeps numbers as they are written.
func decode(text string) (any, error) {
	decoder := json.NewDecoder(bytes.NewBufferString(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
}

func newResolver(stack types.Stack, template map[string]any, made map[string]string) *resolver {
	section := func(name string) map[string]any {
		found, _ := template[name].(map[string]any)
		return found
	}
	r := &resolver{
		pseudo: map[string]string{"AWS::StackName": aws.ToString(stack.StackName), "AWS::StackId": aws.ToString(stack.StackId)}, parameters: map[string]any{},
		resources: section("Resources"), conditions: section("Conditions"), mappings: section("Mappings"), made: made,
	}
	if arn := strings.SplitN(aws.ToString(stack.StackId), ":", 6); len(arn) == 6 {
		r.pseudo["AWS::Partition"], r.pseudo["AWS::Region"], r.pseudo["AWS::AccountId"] = arn[1], arn[3], arn[4]
		r.pseudo["AWS::URLSuffix"] = "amazonaws.com"
		if arn[1] == "aws-cn" {
			r.pseudo["AWS::URLSuffix"] = "amazonaws.com.cn"
		}
	}
	declared := section("Parameters")
	for _, parameter := range stack.Parameters {
		name, value := aws.ToString(parameter.ParameterKey), aws.ToString(parameter.ParameterValue)
		if parameter.ResolvedValue != nil {
			value = *parameter.ResolvedValue
		}
		of, _ := declared[name].(map[string]any)
		kind, _ := of["Type"].(string)
		switch hidden := fmt.Sprint(of["NoEcho"]); {
		case hidden == "true":
			r.parameters[name] = unresolved("parameter " + name + ", which is not shown")
		case strings.Contains(kind, "List"):
			r.parameters[name] = anys(strings.Split(value, ","))
		default:
			r.parameters[name] = value
		}
	}
	return r
}

func anys[T any](list []T) []any {
	all := []any{}
	for _, value := range list {
		all = append(all, value)
	}
	return all
}

// properties are the properties of a resource.
func (r *resolver) properties(id string) any {
	declared, _ := r.resources[id].(map[string]any)
	return r.resolve(declared["Properties"])
}

// resolve works out a value.
func (r *resolver) resolve(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			if resolved := r.resolve(item); resolved != (noValue{}) {
				list = append(list, resolved)
			}
		}
		return list
	case map[string]any:
		if len(value) == 1 {
			for name, argument := range value {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return r.call(strings.TrimPrefix(name, "Fn::"), argument)
				}
			}
		}
		object := map[string]any{}
		for name, member := range value {
			if resolved := r.resolve(member); resolved != (noValue{}) {
				object[name] = resolved
			}
		}
		return object
	}
	return value
}

// call works out an intrinsic function.
func (r *resolver) call(function string, argument any) any {
	arguments, _ := argument.([]any)
	switch {
	case function == "Ref":
		return r.ref(fmt.Sprint(argument))
	case function == "GetAtt":
		if text, isText := argument.(string); isText {
			id, attribute, _ := strings.Cut(text, ".")
			return r.attribute(id, attribute)
		}
		if len(arguments) == 2 {
			return r.attribute(fmt.Sprint(arguments[0]), fmt.Sprint(arguments[1]))
		}
	case function == "Sub":
		if len(arguments) == 2 {
			variables, _ := arguments[1].(map[string]any)
			return r.sub(fmt.Sprint(arguments[0]), variables)
		}
		return r.sub(fmt.Sprint(argument), nil)
	case function == "Join" && len(arguments) == 2:
		items, isList := r.resolve(arguments[1]).([]any)
		if !isList {
			return unresolved("Fn::Join of what is no list")
		}
		return joined(items, fmt.Sprint(arguments[0]))
	case function == "If" && len(arguments) == 3:
		switch r.condition(fmt.Sprint(arguments[0])) {
		case yes:
			return r.resolve(arguments[1])
		case no:
			return r.resolve(arguments[2])
		}
		return unresolved("Fn::If of condition " + fmt.Sprint(arguments[0]))
	case function == "Select" && len(arguments) == 2:
		list, _ := r.resolve(arguments[1]).([]any)
		for i, item := range list {
			if fmt.Sprint(i) == fmt.Sprint(r.resolve(arguments[0])) {
				return item
			}
		}
	case function == "Split" && len(arguments) == 2:
		if text, isText := r.resolve(arguments[1]).(string); isText {
			return anys(strings.Split(text, fmt.Sprint(arguments[0])))
		}
	case function == "FindInMap" && len(arguments) == 3:
		var found any = r.mappings
		for _, key := range arguments {
			of, _ := found.(map[string]any)
			found = of[fmt.Sprint(r.resolve(key))]
		}
		if found != nil {
			return found
		}
	}
	return unresolved("Fn::" + function)
}

// joined puts the parts of a text together. With a part that is not resolved, the text is not.
func joined(parts []any, by string) any {
	var texts []string
	for _, part := range parts {
		if what, is := part.(unresolved); is {
			return what
		}
		texts = append(texts, fmt.Sprint(part))
	}
	return strings.Join(texts, by)
}

var variable = regexp.MustCompile(`\$\{(!?)([^}]*)\}`)

func (r *resolver) sub(text string, variables map[string]any) any {
	var parts []any
	last := 0
	for _, at := range variable.FindAllStringSubmatchIndex(text, -1) {
		name := strings.TrimSpace(text[at[4]:at[5]])
		parts = append(parts, text[last:at[0]])
		last = at[1]
		value, given := variables[name]
		switch id, attribute, dotted := strings.Cut(name, "."); {
		case at[2] < at[3]:
			parts = append(parts, "${"+name+"}")
		case given:
			parts = append(parts, r.resolve(value))
		case dotted:
			parts = append(parts, r.attribute(id, attribute))
		default:
			parts = append(parts, r.ref(name))
		}
	}
	return joined(append(parts, text[last:]), "")
}

func (r *resolver) ref(name string) any {
	if name == "AWS::NoValue" {
		return noValue{}
	}
	if value, known := r.pseudo[name]; known && value != "" {
		return value
	}
	if value, known := r.parameters[name]; known {
		return value
	}
	if id := r.made[name]; id != "" {
		return id
	}
	return unresolved("Ref of " + name)
}

// attribute is an attribute of a resource, which follows from the resource's physical id.
func (r *resolver) attribute(id, name string) any {
	declared, _ := r.resources[id].(map[string]any)
	physical := r.made[id]
	if physical == "" || r.pseudo["AWS::Partition"] == "" {
		return unresolved(id + "." + name)
	}
	arn := func(service, resource string) string {
		return fmt.Sprintf("arn:%s:%s:%s:%s:%s", r.pseudo["AWS::Partition"], service, r.pseudo["AWS::Region"], r.pseudo["AWS::AccountId"], resource)
	}
	last := physical[strings.LastIndex(physical, "/")+1:]
	kind, _ := declared["Type"].(string)
	switch kind + " " + name {
	case "AWS::IAM::Role Arn":
		path := "/"
		properties, _ := declared["Properties"].(map[string]any)
		if given, isText := r.resolve(properties["Path"]).(string); isText {
			path = given
		}
		return fmt.Sprintf("arn:%s:iam::%s:role%s%s", r.pseudo["AWS::Partition"], r.pseudo["AWS::AccountId"], path, physical)
	case "AWS::KMS::Key Arn":
		return arn("kms", "key/"+physical)
	case "AWS::SQS::Queue Arn":
		return arn("sqs", last)
	case "AWS::SQS::Queue QueueName":
		return last
	case "AWS::Events::Rule Arn":
		// The Ref of a rule of another bus than the default has the bus before it.
		return arn("events", "rule/"+strings.Replace(physical, "|", "/", 1))
	case "AWS::Events::EventBus Arn":
		return arn("events", "event-bus/"+physical)
	case "AWS::S3::Bucket Arn":
		return fmt.Sprintf("arn:%s:s3:::%s", r.pseudo["AWS::Partition"], physical)
	case "AWS::Logs::LogGroup Arn":
		return arn("logs", "log-group:"+physical+":*")
	case "AWS::CloudWatch::Alarm Arn":
		return arn("cloudwatch", "alarm:"+physical)
	case "AWS::KMS::Key KeyId", "AWS::SNS::Topic TopicArn", "AWS::Events::EventBus Name":
		return physical
	case "AWS::SNS::Topic TopicName":
		return physical[strings.LastIndex(physical, ":")+1:]
	}
	return unresolved(id + "." + name)
}

// condition tells whether a condition of the template holds.
func (r *resolver) condition(name string) truth { return r.holds(r.conditions[name]) }

func (r *resolver) holds(condition any) truth {
	function, _ := condition.(map[string]any)
	for name, argument := range function {
		arguments, _ := argument.([]any)
		var all []truth
		for _, one := range arguments {
			all = append(all, r.holds(one))
		}
		switch {
		case name == "Condition":
			return r.condition(fmt.Sprint(argument))
		case name == "Fn::Not" && len(all) == 1:
			return map[truth]truth{yes: no, no: yes}[all[0]]
		case name == "Fn::And" && slices.Contains(all, no), name == "Fn::Or" && !slices.Contains(all, yes) && !slices.Contains(all, maybe):
			return no
		case name == "Fn::And" && !slices.Contains(all, maybe), name == "Fn::Or" && slices.Contains(all, yes):
			return yes
		case name == "Fn::Equals" && len(arguments) == 2:
			a, b := r.resolve(arguments[0]), r.resolve(arguments[1])
			_, unknownA := a.(unresolved)
			_, unknownB := b.(unresolved)
			switch {
			case unknownA || unknownB:
				return maybe
			case fmt.Sprint(a) == fmt.Sprint(b):
				return yes
			}
			return no
		}
	}
	return maybe
}
