package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/configservice/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/sdk"
)

func TestDecodeTakesTheNamesOfTheWireOnly(t *testing.T) {
	codec := sdk.NewCodec(types.ConfigurationRecorder{})
	tests := []struct {
		what  string
		input string
		code  string
	}{
		{"the names of the wire", `{"ConfigurationRecorder":{"name":"n","roleARN":"r"}}`, ""},
		{"null", `{"ConfigurationRecorder":null}`, ""},
		{"an upper-case member", `{"ConfigurationRecorder":{"Name":"n"}}`, "SerializationException"},
		{"a lower-case member", `{"configurationRecorder":{"name":"n"}}`, "SerializationException"},
		{"an unknown member", `{"ConfigurationRecorder":{"names":"n"}}`, "SerializationException"},
		{"another type", `{"ConfigurationRecorder":{"name":1}}`, "SerializationException"},
		{"a value that the enum lacks", `{"ConfigurationRecorder":{"recordingScope":"FREE"}}`, "ValidationException"},
		{"the answer's metadata", `{"ResultMetadata":{}}`, "SerializationException"},
	}
	for _, test := range tests {
		var input map[string]any
		if err := json.Unmarshal([]byte(test.input), &input); err != nil {
			t.Fatal(err)
		}
		err := codec.Decode(input, new(configservice.PutConfigurationRecorderInput))
		var refused *api.Error
		if errors.As(err, &refused); (refused == nil) != (test.code == "") || refused != nil && refused.Code != test.code {
			t.Errorf("%s: got %v, want %q", test.what, err, test.code)
		}
	}
}

func TestDecodeAndEncodeAreInverse(t *testing.T) {
	codec := sdk.NewCodec()
	want := &configservice.DescribeRemediationExceptionsOutput{RemediationExceptions: []types.RemediationException{{
		ConfigRuleName: aws.String("r"), ExpirationTime: aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 500e6, time.UTC)),
	}}}
	encoded := codec.Encode(want)
	exceptions := []any{map[string]any{"ConfigRuleName": "r", "ExpirationTime": 1767323045.5}}
	if !reflect.DeepEqual(encoded, map[string]any{"RemediationExceptions": exceptions}) {
		t.Errorf("got %v", encoded)
	}
	got := new(configservice.DescribeRemediationExceptionsOutput)
	if err := codec.Decode(encoded, got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnEmptyListIsNotAMissingOne(t *testing.T) {
	codec := sdk.NewCodec()
	if got := codec.Encode(&configservice.DescribeConfigRulesOutput{ConfigRules: []types.ConfigRule{}}); len(got) != 1 {
		t.Errorf("an empty list is %v", got)
	}
	if got := codec.Encode(&configservice.DescribeConfigRulesOutput{}); len(got) != 0 {
		t.Errorf("a missing list is %v", got)
	}
	in := new(configservice.DescribeConfigRulesInput)
	if err := codec.Decode(map[string]any{"ConfigRuleNames": []any{}}, in); err != nil || in.ConfigRuleNames == nil {
		t.Errorf("got %v, %v", in.ConfigRuleNames, err)
	}
}

func TestAnOpenEnumTakesAnyValue(t *testing.T) {
	input := map[string]any{"ConfigurationRecorder": map[string]any{"RecordingScope": "FREE"}}
	if err := sdk.NewCodec().Open(types.RecordingScope("")).Decode(input, new(configservice.PutConfigurationRecorderInput)); err != nil {
		t.Error(err)
	}
}

func TestDispatchRefusesWhatIsNotThere(t *testing.T) {
	_, err := sdk.Dispatch(context.Background(), nil, api.Call{Service: "config", Operation: "PutConfigRule"})
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Code != api.CodeNotModelled || refused.Message != "the local AWS does not model config:PutConfigRule" {
		t.Errorf("got %v", err)
	}
}
