// Package templates writes the synthesized templates as people read them: as YAML, the scripts as blocks, and at the top what the template is,
// where it goes and what to change.
package templates

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML is a template of JSON as YAML that means the same, in the order of the JSON, beneath the header. The header's lines become comments.
func YAML(template []byte, header string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(template, &document); err != nil { // JSON is YAML, and its order is kept so
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	style(&document)
	var text bytes.Buffer
	for line := range strings.Lines(header) {
		text.WriteString(strings.TrimRight("# "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	return text.Bytes(), nil
}

// plain are strings that no parser of YAML, 1.1 or 1.2, takes for anything else. The names of intrinsic functions are keys alone.
// https://yaml.org/type/bool.html
var (
	plain = regexp.MustCompile(`^[A-Za-z/$][A-Za-z0-9_./:$-]*[A-Za-z0-9_/*]$|^[A-Za-z]$`)
	words = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
)

// style puts blocks in the place of JSON's braces, but for short lists, takes the quotes of strings away that need none, and writes intrinsic
// functions by their short forms.
func style(node *yaml.Node) {
	for _, child := range node.Content {
		style(child)
	}
	switch node.Kind {
	case yaml.MappingNode:
		node.Style = 0
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle
		}
		shorten(node)
	case yaml.SequenceNode:
		node.Style = 0
		if isShort(node) {
			node.Style = yaml.FlowStyle
		}
	case yaml.ScalarNode:
		node.Style = styleOf(node)
		if number, err := strconv.ParseFloat(node.Value, 64); err == nil && node.Tag == "!!float" {
			node.Value = strconv.FormatFloat(number, 'f', -1, 64) // YAML 1.1 takes 1e9 for a string
		}
	}
}

func styleOf(scalar *yaml.Node) yaml.Style {
	switch {
	case scalar.Tag != "!!str":
		return scalar.Style
	case strings.Contains(scalar.Value, "\n") && strings.TrimSpace(scalar.Value[:1]) != "": // what begins with a space or a line would lose it
		return yaml.LiteralStyle
	case plain.MatchString(scalar.Value) && !words.MatchString(scalar.Value):
		return 0
	case strings.Contains(scalar.Value, `"`) && !strings.Contains(scalar.Value, `'`):
		return yaml.SingleQuotedStyle
	}
	return yaml.DoubleQuotedStyle
}

// isShort tells whether a list is written in one line: of a few scalars, or of none.
func isShort(list *yaml.Node) bool {
	const longest = 100
	length := 0
	for _, item := range list.Content {
		if item.Kind != yaml.ScalarNode || item.Style == yaml.LiteralStyle {
			return false
		}
		length += len(item.Tag) + len(item.Value)
	}
	return length < longest
}

// shorten writes an intrinsic function by its short form: !Ref Id for {Ref: Id}.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
func shorten(node *yaml.Node) {
	if len(node.Content) != 2 {
		return
	}
	name, argument := node.Content[0].Value, node.Content[1]
	isList := argument.Kind == yaml.SequenceNode
	switch {
	case name == "Ref" && argument.Kind == yaml.ScalarNode, name == "Fn::Sub", name == "Fn::Join" && isList, name == "Fn::Select" && isList, name == "Fn::Split" && isList:
		*node = *argument
	case name == "Fn::GetAtt" && isList && len(argument.Content) == 2 && argument.Content[1].Kind == yaml.ScalarNode:
		*node = *argument.Content[0]
		node.Value += "." + argument.Content[1].Value
	default:
		return
	}
	node.Tag = "!" + strings.TrimPrefix(name, "Fn::")
}
