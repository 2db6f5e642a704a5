package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// object is a JSON object in the order of its text.
type object []member

type member struct {
	key   string
	value any
}

// decodeOrdered reads one JSON value; unlike encoding/json it keeps the order of keys and refuses duplicates.
func decodeOrdered(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	value, err := decodeValue(decoder)
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read JSON: something follows the value")
	}
	return value, nil
}

func decodeValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = decoder.Token()
		return list, err
	case json.Delim('{'):
		fields := object{}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeValue(decoder)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(fields, func(m member) bool { return m.key == key }) {
				return nil, fmt.Errorf("key %q twice in one object is %w", key, ErrNotModelled)
			}
			fields = append(fields, member{key.(string), value})
		}
		_, err = decoder.Token()
		return fields, err
	}
	return token, nil
}

// copyEvent copies an event as JSON carries it: every number becomes a float64.
func copyEvent(event map[string]any) (map[string]any, error) {
	text, err := marshal(event)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal([]byte(text), &out)
}

// marshal writes JSON without HTML's escapes.
func marshal(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
