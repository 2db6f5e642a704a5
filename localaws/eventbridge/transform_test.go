package eventbridge

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The example of https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
const instanceEvent = `{"version":"0","id":"7bf73129","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2",
	"account":"123456789012","time":"2015-11-11T21:29:54Z","region":"us-east-1","resources":["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
	"detail":{"instance-id":"i-0123456789","state":"RUNNING","count":3,"ok":true,"nothing":null,"list":["a",{"b":"c"}],"say":"he said \"hi\""}}`

var instancePaths = map[string]string{
	"time": "$.time", "instance": "$.detail.instance-id", "state": "$.detail.state", "count": "$.detail.count", "ok": "$.detail.ok",
	"nothing": "$.detail.nothing", "list": "$.detail.list", "deep": "$.detail.list[1].b", "absent": "$.detail.absent",
	"beyond": "$.detail.list[2]", "into": "$.detail.state.x", "say": "$.detail.say", "resource": "$.resources[0]",
}

func TestInputTemplatesRenderAsDocumented(t *testing.T) {
	event := decode(t, instanceEvent)
	whole, err := marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	rule := Rule{Name: "example", ARN: "arn:aws:events:us-east-1:123456789012:rule/example"}
	tests := []struct{ template, want string }{
		{`"instance <instance> is in <state>"`, `"instance i-0123456789 is in RUNNING"`},
		{`"instance \"<instance>\" is in <state>"`, `"instance \"i-0123456789\" is in RUNNING"`},
		{"{\n  \"instance\" : <instance>,\n  \"state\": <state>\n}", `{"instance":"i-0123456789","state":"RUNNING"}`},
		{`{"instance": <instance>, "state": "<state>", "status": "instance \"<instance>\" is in <state>"}`,
			`{"instance":"i-0123456789","state":"RUNNING","status":"instance \"i-0123456789\" is in RUNNING"}`},
		{`{"state": [ 9, <state>, true ], "Transformed" : "Yes"}`, `{"state":[9,"RUNNING",true],"Transformed":"Yes"}`},
		{`"<aws.events.rule-name> triggered"`, `"example triggered"`},
		{`{"ruleArn": <aws.events.rule-arn>, "at": <aws.events.event.ingestion-time>}`,
			`{"ruleArn":"arn:aws:events:us-east-1:123456789012:rule/example","at":"2026-01-02T03:04:05Z"}`},
		{`{"e": <aws.events.event.json>}`, `{"e":` + whole + `}`},
		{`{"TrailName": ["<instance>"], "Count": ["<count>"]}`, `{"TrailName":["i-0123456789"],"Count":["3"]}`},
		{`[<count>, <ok>, <nothing>, <list>, <deep>]`, `[3,true,null,["a",{"b":"c"}],"c"]`},
		{`"<count> <ok> <resource>"`, `"3 true arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"`},
		{"\"one <state>\"\n\"two <count>\"", "\"one RUNNING\"\n\"two 3\""},
		{`"[<absent>][<beyond>][<into>]"`, `"[][][]"`},
		{`{"a": ["<absent>"]}`, `{"a":[""]}`},
		{`"no placeholder"`, `"no placeholder"`},
	}
	for _, tt := range tests {
		transformer := Transformer{instancePaths, tt.template}
		if err := transformer.Validate(); err != nil {
			t.Errorf("%s: %v", tt.template, err)
		}
		got, err := transformer.Render(rule.Name, rule.ARN, event, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if err != nil || got != tt.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", tt.template, got, err, tt.want)
		}
	}
	got, err := Transformer{nil, `{"e": <aws.events.event>}`}.Render(rule.Name, rule.ARN, event, time.Time{})
	if err != nil || strings.Contains(got, "RUNNING") || !strings.Contains(got, `"id":"7bf73129"`) {
		t.Errorf("aws.events.event is the event without its detail, got %s, %v", got, err)
	}
}

func TestATemplateThatRendersInvalidJSONIsAnInvalidInput(t *testing.T) {
	for _, template := range []string{`{"a": <absent>}`, `[<absent>, 1]`, `{"a": <say>}`, `"<say>"`, `"<list>"`} {
		transformer := Transformer{instancePaths, template}
		if err := transformer.Validate(); err != nil {
			t.Errorf("%s is refused at deployment: %v", template, err)
		}
		got, err := transformer.Render("", "", decode(t, instanceEvent), time.Time{})
		if err == nil || !strings.HasPrefix(err.Error(), "invalid input") {
			t.Errorf("%s: got %s, %v", template, got, err)
		}
	}
}

func TestTransformersThatEventBridgeRefusesDoNotValidate(t *testing.T) {
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint("v", i)] = "$.a"
	}
	tests := []struct {
		transformer Transformer
		want        string
	}{
		{Transformer{nil, `"<instance>"`}, "<instance> is not in InputPathsMap"},
		{Transformer{nil, `"<aws.events.rule>"`}, "<aws.events.rule> is not in InputPathsMap"},
		{Transformer{nil, `no quotes`}, "invalid input"},
		{Transformer{nil, ``}, "1 to 8192"},
		{Transformer{nil, `"` + strings.Repeat("x", 8191) + `"`}, "1 to 8192"},
		{Transformer{nil, `{"a": 1} {"b": 2}`}, "one JSON value"},
		{Transformer{nil, `"a -> b"`}, "not modelled"},
		{Transformer{nil, `"<a b>"`}, "not modelled"},
		{Transformer{nil, `"<aws.events.event.json>"`}, "only be the value"},
		{Transformer{map[string]string{"a": "$.a"}, `{"x": [{<a>: 1}]}`}, `key "<a>"`},
		{Transformer{map[string]string{"a": "$.a"}, `{"k <a>": 1}`}, `key "k <a>"`},
		{Transformer{map[string]string{"a": "$.detail[*]"}, `"<a>"`}, "not modelled"},
		{Transformer{map[string]string{"a": "$['detail']"}, `"<a>"`}, "not modelled"},
		{Transformer{map[string]string{"a": "detail"}, `"<a>"`}, "JSON path"},
		{Transformer{map[string]string{"aws.x": "$.a"}, `"x"`}, "variable's name"},
		{Transformer{map[string]string{"AWSx": "$.a"}, `"x"`}, "variable's name"},
		{Transformer{many, `"x"`}, "101 entries"},
	}
	for _, tt := range tests {
		if err := tt.transformer.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: got %v, want an error with %q", tt.transformer.InputTemplate, err, tt.want)
		} else if errors.Is(err, ErrNotModelled) != strings.Contains(tt.want, "not modelled") {
			t.Errorf("%.60s: %v confuses what EventBridge refuses with what is not modelled", tt.transformer.InputTemplate, err)
		}
	}
}
