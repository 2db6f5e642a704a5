package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/trailguard/trailguard/localaws/api"
)

// MaxBody is how long the body of a request may be, as it is sent and uncompressed. No call of AWS but an upload to S3 has a
// longer one, and nothing here uploads as much.
const MaxBody = 32 << 20

// ReadBody reads the body of a request, at most MaxBody of it.
func ReadBody(body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	if len(content) > MaxBody {
		return nil, &api.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: "the body of the request is longer than " + strconv.Itoa(MaxBody) + " bytes"}
	}
	return content, err
}

// cborPath is the path of a request of the protocol rpcv2Cbor.
var cborPath = regexp.MustCompile(`^/service/[A-Za-z0-9_.]+/operation/([A-Za-z0-9]+)$`)

// ParseCall finds the operation and the input of a request.
func ParseCall(r *http.Request, body []byte, service string) (operation string, input map[string]any, p Protocol, err error) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gunzip(body); err != nil {
			return "", nil, JSON, err
		}
	}
	target := r.Header.Get("X-Amz-Target")
	cborOperation := cborPath.FindStringSubmatch(r.URL.Path)
	switch {
	case target != "":
		input = map[string]any{}
		if len(bytes.TrimSpace(body)) > 0 {
			if err := json.Unmarshal(body, &input); err != nil {
				return "", nil, JSON, api.Errorf("SerializationException", "%v", err)
			}
		}
		return target[strings.LastIndexByte(target, '.')+1:], input, JSON, nil
	case cborOperation != nil:
		input, err = parseCBOR(body)
		return cborOperation[1], input, CBOR, err
	case service == "s3":
		operation, input, err = parseS3(r, body)
		return operation, input, REST, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, Query, api.Errorf("MalformedInput", "%v", err)
	}
	for name, values := range r.URL.Query() {
		form[name] = values
	}
	if form.Get("Action") == "" {
		return "", nil, Query, api.NotModelled("the protocol of service %s, %s %s", service, r.Method, r.URL.Path)
	}
	input, err = parseForm(form)
	return form.Get("Action"), input, Query, err
}

func gunzip(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = ReadBody(reader)
	}
	if err != nil && !api.IsRefusal(err) {
		err = api.Errorf("SerializationException", "the body is not compressed with gzip: %v", err)
	}
	return body, err
}

// parseForm builds the members of a request from the flattened names of the query protocol: A.member.1.B=c is a list A
// of structures, A.entry.1.key and A.entry.1.value a map A.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func parseForm(form url.Values) (map[string]any, error) {
	root := map[string]any{}
	for name, values := range form {
		if name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		at := root
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				if at[part] != nil {
					return nil, api.Errorf("MalformedInput", "%s is both a value and a structure", name)
				}
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		last := parts[len(parts)-1]
		if _, taken := at[last].(map[string]any); taken {
			return nil, api.Errorf("MalformedInput", "%s is both a value and a structure", name)
		}
		at[last] = values[0]
	}
	for name, value := range root {
		root[name] = unflatten(value)
	}
	return root, nil
}

// unflatten turns structures whose names are numbers into lists, and those of keys and values into maps.
func unflatten(value any) any {
	fields, ok := value.(map[string]any)
	if !ok {
		return value
	}
	if len(fields) == 1 {
		for _, wrapper := range []string{"member", "entry"} {
			if inner, ok := fields[wrapper].(map[string]any); ok {
				return unflatten(inner)
			}
		}
	}
	list := make([]any, 0, len(fields))
	for i := 1; fields[strconv.Itoa(i)] != nil; i++ {
		list = append(list, unflatten(fields[strconv.Itoa(i)]))
	}
	if len(list) == 0 || len(list) != len(fields) {
		for name, field := range fields {
			fields[name] = unflatten(field)
		}
		return fields
	}
	entries := map[string]any{}
	for _, item := range list {
		entry, ok := item.(map[string]any)
		key, hasKey := entry["key"].(string)
		if !ok || !hasKey || len(entry) != 2 {
			return list
		}
		entries[key] = entry["value"]
	}
	return entries
}

func parseCBOR(body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	value, err := cbor.Decode(body)
	if err != nil {
		return nil, api.Errorf("SerializationException", "%v", err)
	}
	input, ok := plain(value).(map[string]any)
	if !ok {
		return nil, api.Errorf("SerializationException", "the body is no structure")
	}
	return input, nil
}

// plain turns a CBOR value into what encoding/json would give.
func plain(value cbor.Value) any {
	switch v := value.(type) {
	case cbor.Map:
		m := make(map[string]any, len(v))
		for key, item := range v {
			m[key] = plain(item)
		}
		return m
	case cbor.List:
		list := make([]any, 0, len(v))
		for _, item := range v {
			list = append(list, plain(item))
		}
		return list
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case cbor.Uint:
		return float64(v)
	case cbor.NegInt:
		return -float64(v)
	case cbor.Float32:
		return float64(v)
	case cbor.Float64:
		return float64(v)
	case cbor.Slice:
		return []byte(v)
	case *cbor.Tag:
		return plain(v.Value)
	}
	return nil
}
