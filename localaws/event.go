package localaws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/iam/policy"
)

// logs tells whether a trail logs a call now.
func (g *Gateway) logs(call api.Call) bool { return g.options.Logs == nil || g.options.Logs(call) }

// tell gives the event of a call that changes something to the history and, if a trail logs it, to the sink. before says whether one
// did when the call arrived: the call that stops the logging is itself still logged.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (g *Gateway) tell(
	r *http.Request, call api.Call, from caller, accessKey string, answer *response, refused *api.Error, p protocol, requestID string, before bool,
) {
	if !isMutating(call) {
		return
	}
	after := g.logs(call)
	logged := (before || after) && !(g.options.DropDeletionOfLastTrail && call.Action() == "cloudtrail:DeleteTrail" && !after)
	if g.options.History == nil && (g.options.Sink == nil || !logged) {
		return
	}
	event := g.event(r, call, from, accessKey, answer, refused, p, requestID)
	if g.options.History != nil {
		g.options.History(event)
	}
	if g.options.Sink != nil && logged {
		g.options.Sink(event)
	}
}

// event builds the EventBridge event of a call.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func (g *Gateway) event(
	r *http.Request, call api.Call, from caller, accessKey string, answer *response, refused *api.Error, p protocol, requestID string,
) map[string]any {
	now := g.options.Clock.Now().UTC().Format(time.RFC3339)
	eventID := fmt.Sprintf("00000000-0000-4000-8001-%012x", g.sequence.Add(1))
	source := eventSource(call.Service)
	detail := map[string]any{
		"eventVersion":       "1.11",
		"userIdentity":       userIdentity(from, accessKey, now),
		"eventTime":          now,
		"eventSource":        source,
		"eventName":          eventName(call),
		"awsRegion":          call.Region,
		"sourceIPAddress":    "127.0.0.1",
		"userAgent":          r.UserAgent(),
		"requestParameters":  requestParameters(call),
		"responseElements":   nil,
		"requestID":          requestID,
		"eventID":            eventID,
		"readOnly":           false,
		"eventType":          "AwsApiCall",
		"managementEvent":    true,
		"recipientAccountId": api.Account,
		"eventCategory":      "Management",
	}
	if service := from.service(); service != "" {
		detail["sourceIPAddress"], detail["userAgent"] = service, service
	}
	switch {
	case refused != nil:
		detail["errorCode"], detail["errorMessage"] = refused.Code, refused.Message
	case p == awsJSON:
		detail["responseElements"] = responseElements(answer.body)
	}
	return map[string]any{
		"version":     "0",
		"id":          eventID,
		"detail-type": "AWS API Call via CloudTrail",
		"source":      "aws." + strings.TrimSuffix(source, ".amazonaws.com"),
		"account":     api.Account,
		"time":        now,
		"region":      call.Region,
		"resources":   []any{},
		"detail":      detail,
	}
}

// eventSource is the service's name in an event, which for most is its signing name.
func eventSource(service string) string { return service + ".amazonaws.com" }

func eventName(call api.Call) string {
	if call.Service == "s3" {
		if operation, _ := s3ByName(call.Operation); operation.event != "" {
			return operation.event
		}
	}
	return call.Operation
}

// service is the service that makes the calls, if it is one.
func (c caller) service() string {
	if c.principal.Type == api.AWSService {
		return c.principal.ARN
	}
	return c.invokedBy
}

// userIdentity describes who called.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func userIdentity(from caller, accessKey, now string) map[string]any {
	p := from.principal
	if p.Type == api.AWSService {
		return map[string]any{"type": string(p.Type), "invokedBy": p.ARN}
	}
	identity := map[string]any{
		"type":        string(p.Type),
		"principalId": principalID(p),
		"arn":         policy.SessionARN(p),
		"accountId":   api.Account,
		"accessKeyId": accessKey,
	}
	if p.Type == api.IAMUser {
		identity["userName"] = p.Name()
	}
	if p.Type == api.AssumedRole || p.Type == api.FederatedUser {
		issuer := api.Principal{Type: api.IAMUser, ARN: p.ARN}
		kind := "IAMUser"
		if p.Type == api.AssumedRole {
			issuer, kind = api.Principal{Type: api.AssumedRole, ARN: p.ARN}, "Role"
		}
		issuerID, _, _ := strings.Cut(principalID(issuer), ":")
		identity["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{
				"type": kind, "principalId": issuerID, "arn": p.ARN, "accountId": api.Account, "userName": p.Name(),
			},
			"attributes": map[string]any{"creationDate": now, "mfaAuthenticated": "false"},
		}
	}
	if from.invokedBy != "" {
		identity["invokedBy"] = from.invokedBy
	}
	return identity
}

// principalID is the unique id of a principal: here made of its ARN.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func principalID(p api.Principal) string {
	hash := fnv.New64a()
	hash.Write([]byte(p.ARN))
	id := fmt.Sprintf("%016X", hash.Sum64())
	switch p.Type {
	case api.AssumedRole:
		return "AROA" + id + ":" + p.SessionName
	case api.FederatedUser:
		return api.Account + ":" + p.SessionName
	case api.IAMUser:
		return "AIDA" + id
	}
	return api.Account
}

// requestParameters are the members of a call as CloudTrail writes them: the first letter is in lower case, the keys of
// maps stay as they are. Those of S3 hold the bucket and the subresource.
func requestParameters(call api.Call) any {
	if call.Service == "s3" {
		parameters := map[string]any{"Host": "s3.amazonaws.com"}
		for name, value := range call.Input {
			switch name {
			case "Bucket":
				parameters["bucketName"] = value
			case "Policy":
				var document any
				if json.Unmarshal([]byte(text(value, "")), &document) == nil {
					parameters["bucketPolicy"] = document
				}
			default:
				parameters[name] = value
			}
		}
		return parameters
	}
	if len(call.Input) == 0 {
		return nil
	}
	return lowerNames(call.Input, false)
}

// responseElements are what a JSON service answered.
func responseElements(body []byte) any {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	if decoder.Decode(&fields) != nil || len(fields) == 0 {
		return nil
	}
	return lowerNames(fields, false)
}

// mapMembers are the members that are maps: their keys are no members.
var mapMembers = map[string]bool{
	"Parameters": true, "Attributes": true, "TargetParameters": true, "InputPathsMap": true, "tags": true, "RequestParameters": true,
}

func lowerNames(value any, isMap bool) any {
	switch value := value.(type) {
	case map[string]any:
		lowered := make(map[string]any, len(value))
		for name, item := range value {
			lowered[lowerName(name, isMap)] = lowerNames(item, !isMap && mapMembers[name])
		}
		return lowered
	case []any:
		list := make([]any, 0, len(value))
		for _, item := range value {
			list = append(list, lowerNames(item, isMap))
		}
		return list
	}
	return value
}

func lowerName(name string, isMap bool) string {
	if isMap {
		return name
	}
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
