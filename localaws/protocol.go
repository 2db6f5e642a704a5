package localaws

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/trailguard/trailguard/localaws/api"
)

// protocol is how a request is written, which decides how its answer and its errors are.
type protocol string

// The protocols in use. https://smithy.io/2.0/aws/protocols/index.html
const (
	awsJSON  protocol = "awsJson"  // 1.0 and 1.1: X-Amz-Target names the operation
	awsQuery protocol = "awsQuery" // a form, of which Action names the operation
	restS3   protocol = "restXml"  // S3
	rpcCBOR  protocol = "rpcv2Cbor"
)

// credentialForm is the part of SigV4 that says who calls which service where.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
var credentialForm = regexp.MustCompile(`^([^/]+)/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request$`)

// scope is who calls which service where.
type scope struct{ accessKey, region, service string }

// parseScope reads the credential scope of the Authorization header or of a presigned URL. The signature is not verified.
func parseScope(r *http.Request) (scope, error) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if header, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); ok {
		for field := range strings.SplitSeq(header, ",") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(field), "Credential="); ok {
				credential = value
			}
		}
	}
	if credential == "" {
		return scope{}, &api.Error{Code: "MissingAuthenticationToken", Message: "the request is not signed with SigV4", Status: 403}
	}
	match := credentialForm.FindStringSubmatch(credential)
	if match == nil {
		return scope{}, &api.Error{Code: "IncompleteSignature", Message: fmt.Sprintf("credential %q is no credential scope", credential), Status: 403}
	}
	return scope{accessKey: match[1], region: match[2], service: match[3]}, nil
}

// cborPath is the path of a request of the protocol rpcv2Cbor.
var cborPath = regexp.MustCompile(`^/service/[A-Za-z0-9_.]+/operation/([A-Za-z0-9]+)$`)

// parseCall finds the operation and the input of a request.
func parseCall(r *http.Request, body []byte, service string) (operation string, input map[string]any, p protocol, err error) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gunzip(body); err != nil {
			return "", nil, awsJSON, api.Errorf("SerializationException", "the body is not compressed with gzip: %v", err)
		}
	}
	target := r.Header.Get("X-Amz-Target")
	cborOperation := cborPath.FindStringSubmatch(r.URL.Path)
	switch {
	case target != "":
		input = map[string]any{}
		if len(bytes.TrimSpace(body)) > 0 {
			if err := json.Unmarshal(body, &input); err != nil {
				return "", nil, awsJSON, api.Errorf("SerializationException", "%v", err)
			}
		}
		return target[strings.LastIndexByte(target, '.')+1:], input, awsJSON, nil
	case cborOperation != nil:
		input, err = parseCBOR(body)
		return cborOperation[1], input, rpcCBOR, err
	case service == "s3":
		operation, input, err = parseS3(r, body)
		return operation, input, restS3, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, awsQuery, api.Errorf("MalformedInput", "%v", err)
	}
	for name, values := range r.URL.Query() {
		form[name] = values
	}
	if form.Get("Action") == "" {
		return "", nil, awsQuery, &api.Error{Code: "NotModelled", Status: 501, Message: fmt.Sprintf(
			"the protocol of service %s, %s %s, is not modelled", service, r.Method, r.URL.Path)}
	}
	input, err = parseForm(form)
	return form.Get("Action"), input, awsQuery, err
}

func gunzip(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
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

// response is an answer before it is sent.
type response struct {
	status int
	header http.Header
	body   []byte
}

func newResponse(status int, contentType, requestID string, body []byte) *response {
	header := http.Header{}
	header.Set("Content-Type", contentType)
	header.Set("X-Amzn-Requestid", requestID)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	return &response{status: status, header: header, body: body}
}

// answer writes the output of a service that runs in Go. Those services speak JSON only.
func answer(p protocol, output any, requestID string) (*response, error) {
	if p != awsJSON {
		return nil, fmt.Errorf("answering in the protocol %s is not modelled", p)
	}
	body, err := json.Marshal(output)
	if err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	if output == nil {
		body = []byte("{}")
	}
	return newResponse(http.StatusOK, "application/x-amz-json-1.1", requestID, body), nil
}

// refusal writes an error as the protocol has it.
func refusal(p protocol, refused *api.Error, requestID string) *response {
	status := refused.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	switch p {
	case awsQuery, restS3:
		detail := xmlError{Code: refused.Code, Message: refused.Message, RequestID: requestID}
		var document any = detail
		if p == awsQuery {
			detail.Type, detail.RequestID = "Sender", ""
			document = xmlErrorResponse{Error: detail, RequestID: requestID}
		}
		body, err := xml.Marshal(document)
		if err != nil {
			body = []byte(err.Error())
		}
		return newResponse(status, "text/xml", requestID, body)
	case rpcCBOR:
		body := cbor.Encode(cbor.Map{"__type": cbor.String(refused.Code), "message": cbor.String(refused.Message)})
		r := newResponse(status, "application/cbor", requestID, body)
		r.header.Set("Smithy-Protocol", "rpc-v2-cbor")
		return r
	}
	body, err := json.Marshal(map[string]string{"__type": refused.Code, "message": refused.Message})
	if err != nil {
		body = []byte(err.Error())
	}
	return newResponse(status, "application/x-amz-json-1.1", requestID, body)
}

type xmlError struct {
	XMLName   xml.Name `xml:"Error"`
	Type      string   `xml:"Type,omitempty"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId,omitempty"`
}

type xmlErrorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Error     xmlError
	RequestID string `xml:"RequestId"`
}

// parseRefusal reads the error out of an answer, in whatever protocol; nil if the answer is no error.
func parseRefusal(r *response) *api.Error {
	if r.status < 400 {
		return nil
	}
	refused := &api.Error{Code: strconv.Itoa(r.status), Message: string(r.body), Status: r.status}
	var fields map[string]any
	if json.Unmarshal(r.body, &fields) != nil {
		if decoded, err := parseCBOR(r.body); err == nil && len(r.body) > 0 {
			fields = decoded
		}
	}
	for name, value := range fields {
		text, _ := value.(string)
		switch strings.ToLower(name) {
		case "__type", "code":
			refused.Code = text[strings.LastIndexByte(text, '#')+1:]
		case "message":
			refused.Message = text
		}
	}
	if fields != nil {
		return refused
	}
	detail := xmlError{}
	var wrapped xmlErrorResponse
	if xml.Unmarshal(r.body, &detail) != nil && xml.Unmarshal(r.body, &wrapped) == nil {
		detail = wrapped.Error
	}
	if detail.Code != "" {
		refused.Code, refused.Message = detail.Code, detail.Message
	}
	return refused
}

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
