package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/trailguard/trailguard/localaws/api"
)

// Response is an answer before it is sent.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewResponse makes a response.
func NewResponse(status int, contentType, requestID string, body []byte) *Response {
	header := http.Header{}
	header.Set("Content-Type", contentType)
	header.Set("X-Amzn-Requestid", requestID)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	return &Response{Status: status, Header: header, Body: body}
}

// WriteAnswer writes the output of a service that runs in Go. Those services speak JSON and the query protocol only: what
// is written in the query protocol encoding/xml must be able to write.
func WriteAnswer(p Protocol, operation string, output any, requestID string) (*Response, error) {
	switch p {
	case JSON:
		body, err := json.Marshal(output)
		if err != nil {
			return nil, fmt.Errorf("writing an answer: %w", err)
		}
		if output == nil {
			body = []byte("{}")
		}
		return NewResponse(http.StatusOK, "application/x-amz-json-1.1", requestID, body), nil
	case Query:
		var body bytes.Buffer
		response := queryResponse{XMLName: xml.Name{Local: operation + "Response"}, Result: queryResult{operation + "Result", output}, ID: requestID}
		if err := xml.NewEncoder(&body).Encode(response); err != nil {
			return nil, fmt.Errorf("writing an answer: %w", err)
		}
		return NewResponse(http.StatusOK, "text/xml", requestID, body.Bytes()), nil
	}
	return nil, fmt.Errorf("answering in the protocol %s is not modelled", p)
}

type queryResponse struct {
	XMLName xml.Name
	Result  queryResult
	ID      string `xml:"ResponseMetadata>RequestId"`
}

// queryResult is an output under the name that the operation gives it.
type queryResult struct {
	name   string
	output any
}

func (r queryResult) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return e.EncodeElement(r.output, xml.StartElement{Name: xml.Name{Local: r.name}})
}

// WriteRefusal writes an error as the protocol has it.
func WriteRefusal(p Protocol, refusal *api.Error, requestID string) *Response {
	status := refusal.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	switch p {
	case Query, REST:
		detail := xmlError{Code: refusal.Code, Message: refusal.Message, RequestID: requestID}
		var document any = detail
		if p == Query {
			detail.Type, detail.RequestID = "Sender", ""
			document = xmlErrorResponse{Error: detail, RequestID: requestID}
		}
		body, err := xml.Marshal(document)
		if err != nil {
			body = []byte(err.Error())
		}
		return NewResponse(status, "text/xml", requestID, body)
	case CBOR:
		body := cbor.Encode(cbor.Map{"__type": cbor.String(refusal.Code), "message": cbor.String(refusal.Message)})
		r := NewResponse(status, "application/cbor", requestID, body)
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		return r
	}
	body, err := json.Marshal(map[string]string{"__type": refusal.Code, "message": refusal.Message})
	if err != nil {
		body = []byte(err.Error())
	}
	return NewResponse(status, "application/x-amz-json-1.1", requestID, body)
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

// ParseRefusal reads the error out of an answer, in whatever protocol; nil if the answer is no error.
func ParseRefusal(r *Response) *api.Error {
	if r.Status < 400 {
		return nil
	}
	refusal := &api.Error{Code: strconv.Itoa(r.Status), Message: string(r.Body), Status: r.Status}
	var fields map[string]any
	if json.Unmarshal(r.Body, &fields) != nil {
		if decoded, err := parseCBOR(r.Body); err == nil && len(r.Body) > 0 {
			fields = decoded
		}
	}
	for name, value := range fields {
		text, _ := value.(string)
		switch strings.ToLower(name) {
		case "__type", "code":
			refusal.Code = text[strings.LastIndexByte(text, '#')+1:]
		case "message":
			refusal.Message = text
		}
	}
	if fields != nil {
		return refusal
	}
	detail := xmlError{}
	var wrapped xmlErrorResponse
	if xml.Unmarshal(r.Body, &detail) != nil && xml.Unmarshal(r.Body, &wrapped) == nil {
		detail = wrapped.Error
	}
	if detail.Code != "" {
		refusal.Code, refusal.Message = detail.Code, detail.Message
	}
	return refusal
}
