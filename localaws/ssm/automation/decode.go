package automation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decode reads JSON or YAML into maps with string keys, lists, strings, booleans, int64, float64 and nil.
//
// What YAML readers disagree on is an error: a document must mean the same to every reader. Those are duplicate keys,
// anchors, tags, dates, numbers that are not plain decimals, and the words yes, no, on and off without quotes.
func decode(content []byte) (any, error) {
	if trimmed := bytes.TrimSpace(content); len(trimmed) > 0 && trimmed[0] == '{' {
		value, err := decodeJSON(trimmed)
		if err != nil {
			return nil, fmt.Errorf("reading the document as json: %w", err)
		}
		return value, nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("reading the document as yaml: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading the document as yaml: more than one document")
	}
	value, err := plain(root.Content[0])
	if err != nil {
		return nil, fmt.Errorf("reading the document as yaml: %w", err)
	}
	return value, nil
}

func plain(node *yaml.Node) (any, error) {
	if node.Anchor != "" || node.Kind == yaml.AliasNode || node.Style&yaml.TaggedStyle != 0 {
		return nil, fmt.Errorf("line %d: anchors, aliases and tags are not allowed", node.Line)
	}
	switch node.Kind {
	case yaml.MappingNode:
		return plainMap(node)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			value, err := plain(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	default:
		return plainScalar(node)
	}
}

func plainMap(node *yaml.Node) (any, error) {
	m := make(map[string]any, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, fmt.Errorf("line %d: the key %q is not a string", key.Line, key.Value)
		}
		if _, again := m[key.Value]; again {
			return nil, fmt.Errorf("line %d: the key %q is given twice", key.Line, key.Value)
		}
		value, err := plain(node.Content[i+1])
		if err != nil {
			return nil, err
		}
		m[key.Value] = value
	}
	return m, nil
}

func plainScalar(node *yaml.Node) (any, error) {
	switch node.ShortTag() {
	case "!!str":
		ambiguous := []string{"yes", "no", "on", "off", "y", "n"}
		if node.Style == 0 && slices.Contains(ambiguous, strings.ToLower(node.Value)) {
			return nil, fmt.Errorf("line %d: %s is a boolean to some yaml readers: quote it, or write true or false", node.Line, node.Value)
		}
		return node.Value, nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true"), nil
	case "!!null":
		return nil, nil
	case "!!int":
		n, err := strconv.ParseInt(node.Value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != node.Value {
			return nil, fmt.Errorf("line %d: %s is not a plain decimal number: quote it if it is a text", node.Line, node.Value)
		}
		return n, nil
	case "!!float":
		n, err := strconv.ParseFloat(node.Value, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s is not a plain decimal number: quote it if it is a text", node.Line, node.Value)
		}
		return n, nil
	}
	return nil, fmt.Errorf("line %d: %s is read as %s: quote it if it is a text", node.Line, node.Value, node.ShortTag())
}

// decodeJSON reads one JSON value. A key that is given twice is an error.
func decodeJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := jsonValue(decoder)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return value, nil
}

func jsonValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return n, nil
		}
		return token.Float64()
	case json.Delim:
		if token == '[' {
			return jsonList(decoder)
		}
		return jsonMap(decoder)
	}
	return token, nil
}

func jsonList(decoder *json.Decoder) (any, error) {
	list := []any{}
	for decoder.More() {
		value, err := jsonValue(decoder)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := decoder.Token() // the bracket
	return list, err
}

func jsonMap(decoder *json.Decoder) (any, error) {
	m := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder takes nothing else for a key
		if _, again := m[key]; again {
			return nil, fmt.Errorf("the key %q is given twice", key)
		}
		if m[key], err = jsonValue(decoder); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token() // the brace
	return m, err
}
