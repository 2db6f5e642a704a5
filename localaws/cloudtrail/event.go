package cloudtrail

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

// Recorder makes the event of each call that changes something, and hands it on: to the event history, and, if a trail logs it,
// to EventBridge. It is an api.Observer.
type Recorder struct {
	// Clock is the time of the events. Required.
	Clock *api.Clock
	// IDs number the events. Required.
	IDs *api.IDs
	// Logs tells whether at this moment a trail logs a call. It is asked before and after each call that changes something:
	// the call that stops the logging is itself still logged. Required.
	Logs func(api.Call) bool
	// History receives the event of each call, whether a trail logs it or not.
	//
	// Default: - there is no history.
	History func(event map[string]any)
	// Emit receives the event of each logged call, as EventBridge gets it.
	//
	// Default: - events are dropped.
	Emit func(event map[string]any)
	// DropDeletionOfLastTrail makes the DeleteTrail of the only logging trail an event that never arrives. AWS does not
	// say which it is.
	//
	// Default: - the event arrives.
	DropDeletionOfLastTrail bool
}

// Begin notes whether a trail logs the call as it arrives.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (c *Recorder) Begin(request api.Request) func(api.Outcome) {
	if !catalog.Writes(request.Service, request.Operation) {
		return nil
	}
	before := c.Logs(request.Call)
	return func(outcome api.Outcome) {
		after := c.Logs(request.Call)
		logged := (before || after) && !(c.DropDeletionOfLastTrail && request.Action() == "cloudtrail:DeleteTrail" && !after)
		if c.History == nil && (c.Emit == nil || !logged) {
			return
		}
		event := c.event(request, outcome)
		if c.History != nil {
			c.History(event)
		}
		if c.Emit != nil && logged {
			c.Emit(event)
		}
	}
}

// event builds the EventBridge event of a call.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func (c *Recorder) event(request api.Request, outcome api.Outcome) map[string]any {
	now := c.Clock.Now().UTC().Format(time.RFC3339)
	eventID := c.IDs.UUID(api.TrailEventID)
	source := eventSource(request.Service)
	region := catalog.Find(request.Service).EventRegion(request.Partition, request.Region)
	detail := map[string]any{
		"eventVersion":       "1.11",
		"userIdentity":       userIdentity(request, now),
		"eventTime":          now,
		"eventSource":        source,
		"eventName":          catalog.Of(request.Service, request.Operation).Event,
		"awsRegion":          region,
		"sourceIPAddress":    "127.0.0.1",
		"userAgent":          request.UserAgent,
		"requestParameters":  requestParameters(request.Call),
		"responseElements":   nil,
		"requestID":          request.ID,
		"eventID":            eventID,
		"readOnly":           false,
		"eventType":          "AwsApiCall",
		"managementEvent":    true,
		"recipientAccountId": request.Account,
		"eventCategory":      "Management",
	}
	if service := serviceOf(request); service != "" {
		detail["sourceIPAddress"], detail["userAgent"] = service, service
	}
	switch {
	case outcome.Refusal != nil:
		detail["errorCode"], detail["errorMessage"] = outcome.Refusal.Code, outcome.Refusal.Message
	case outcome.JSON != nil:
		detail["responseElements"] = responseElements(outcome.JSON)
	}
	return map[string]any{
		"version":     "0",
		"id":          eventID,
		"detail-type": "AWS API Call via CloudTrail",
		"source":      "aws." + strings.TrimSuffix(source, ".amazonaws.com"),
		"account":     request.Account,
		"time":        now,
		"region":      region,
		"resources":   []any{},
		"detail":      detail,
	}
}

// eventSource is the service's name in an event, which for most is its signing name.
func eventSource(service string) string { return service + ".amazonaws.com" }

// serviceOf is the service that makes a call, if it is one. CloudFormation makes its calls with the credentials of who deploys; here its
// user agent shows that.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-api-logging-cloudtrail.html
func serviceOf(request api.Request) string {
	const cloudFormation = "cloudformation.amazonaws.com"
	switch {
	case request.Principal.Type == api.AWSService:
		return request.Principal.ARN
	case request.InvokedBy == "" && strings.Contains(request.UserAgent, cloudFormation):
		return cloudFormation
	}
	return request.InvokedBy
}

// userIdentity describes who called.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func userIdentity(request api.Request, now string) map[string]any {
	p := request.Principal
	if p.Type == api.AWSService {
		return map[string]any{"type": string(p.Type), "invokedBy": p.ARN}
	}
	identity := map[string]any{
		"type":        string(p.Type),
		"principalId": p.ID(),
		"arn":         p.SessionARN(),
		"accountId":   p.Account(),
		"accessKeyId": request.AccessKeyID,
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
		issuerID, _, _ := strings.Cut(issuer.ID(), ":")
		identity["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{
				"type": kind, "principalId": issuerID, "arn": p.ARN, "accountId": p.Account(), "userName": p.Name(),
			},
			"attributes": map[string]any{"creationDate": now, "mfaAuthenticated": "false"},
		}
	}
	if service := serviceOf(request); service != "" {
		identity["invokedBy"] = service
	}
	return identity
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
				if json.Unmarshal([]byte(api.Text(value, "")), &document) == nil {
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
