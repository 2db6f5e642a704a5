package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// parseXML reads a document into maps, lists and strings: an element that occurs once is a value, one that occurs more
// often a list.
func parseXML(body []byte) (name string, value any, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", nil, err
		}
		if start, ok := token.(xml.StartElement); ok {
			value, err := parseElement(decoder)
			return start.Name.Local, value, err
		}
	}
}

func parseElement(decoder *xml.Decoder) (any, error) {
	var text strings.Builder
	fields := map[string]any{}
	for {
		token, err := decoder.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			value, err := parseElement(decoder)
			if err != nil {
				return nil, err
			}
			name := token.Name.Local
			switch before := fields[name].(type) {
			case nil:
				fields[name] = value
			case []any:
				fields[name] = append(before, value)
			default:
				fields[name] = []any{before, value}
			}
		case xml.EndElement:
			if len(fields) == 0 {
				return strings.TrimSpace(text.String()), nil
			}
			return fields, nil
		}
	}
}
