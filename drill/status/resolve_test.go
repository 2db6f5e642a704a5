package status

import (
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

const sample = `{
	"Parameters": {"Name": {"Type": "String"}, "Secret": {"Type": "String", "NoEcho": true}, "Names": {"Type": "CommaDelimitedList"}},
	"Conditions": {
		"IsA": {"Fn::Equals": [{"Ref": "Name"}, "a"]}, "IsB": {"Fn::Equals": [{"Ref": "Name"}, "b"]}, "Unknown": {"Fn::Equals": [{"Ref": "Secret"}, "x"]},
		"Not": {"Fn::Not": [{"Condition": "IsA"}]}, "Both": {"Fn::And": [{"Condition": "IsA"}, {"Condition": "Unknown"}]},
		"Neither": {"Fn::And": [{"Condition": "IsB"}, {"Condition": "Unknown"}]}, "Either": {"Fn::Or": [{"Condition": "IsA"}, {"Condition": "Unknown"}]},
		"None": {"Fn::Or": [{"Condition": "IsB"}, {"Condition": "Not"}]}
	},
	"Mappings": {"Of": {"us-east-1": {"Id": "east"}}},
	"Resources": {
		"Role": {"Type": "AWS::IAM::Role", "Properties": {"Path": "/trailguard/"}}, "Plain": {"Type": "AWS::IAM::Role"},
		"Key": {"Type": "AWS::KMS::Key"}, "Queue": {"Type": "AWS::SQS::Queue"}, "Rule": {"Type": "AWS::Events::Rule"}, "OtherRule": {"Type": "AWS::Events::Rule"},
		"Bus": {"Type": "AWS::Events::EventBus"}, "Bucket": {"Type": "AWS::S3::Bucket"}, "Group": {"Type": "AWS::Logs::LogGroup"}, "Topic": {"Type": "AWS::SNS::Topic"},
		"Alarm": {"Type": "AWS::CloudWatch::Alarm"}, "ConfigRule": {"Type": "AWS::Config::ConfigRule"}, "Missing": {"Type": "AWS::S3::Bucket"},
		"OnlyB": {"Type": "AWS::S3::Bucket", "Condition": "IsB"}
	}
}`

// sampleStack is a stack of the sample, which has made all but one resource.
func sampleStack(t *testing.T) *stack {
	t.Helper()
	s, err := parseStack(types.Stack{
		StackName: aws.String("guard"), StackId: aws.String("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/guard/1"),
		Parameters: []types.Parameter{
			{ParameterKey: aws.String("Name"), ParameterValue: aws.String("a")}, {ParameterKey: aws.String("Secret"), ParameterValue: aws.String("****")},
			{ParameterKey: aws.String("Names"), ParameterValue: aws.String("x,y")},
		},
	}, sample, map[string]string{
		"Role": "guard-Role-1", "Plain": "guard-Plain-1", "Key": "k-1", "Queue": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/guard-Queue-1", "Rule": "guard-Rule-1",
		"OtherRule": "bus-1|guard-Rule-2", "Bus": "bus-1", "Bucket": "logs", "Group": "group-1", "Topic": "arn:aws-cn:sns:cn-north-1:123456789012:topic-1", "Alarm": "alarm-1",
		"ConfigRule": "rule-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIntrinsicFunctionsAreWorkedOut(t *testing.T) {
	s := sampleStack(t)
	for text, want := range map[string]any{
		`{"Ref": "Bucket"}`: "logs", `{"Ref": "Name"}`: "a", `{"Ref": "Names"}`: []any{"x", "y"}, `{"Ref": "AWS::Region"}`: "cn-north-1", `{"Ref": "AWS::AccountId"}`: "123456789012",
		`{"Ref": "AWS::Partition"}`: "aws-cn", `{"Ref": "AWS::URLSuffix"}`: "amazonaws.com.cn", `{"Ref": "AWS::StackName"}`: "guard",
		`{"Ref": "AWS::StackId"}`:                                           "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/guard/1",
		`{"Fn::GetAtt": ["Role", "Arn"]}`:                                   "arn:aws-cn:iam::123456789012:role/trailguard/guard-Role-1",
		`{"Fn::GetAtt": ["Plain", "Arn"]}`:                                  "arn:aws-cn:iam::123456789012:role/guard-Plain-1",
		`{"Fn::GetAtt": "Key.Arn"}`:                                         "arn:aws-cn:kms:cn-north-1:123456789012:key/k-1",
		`{"Fn::GetAtt": ["Queue", "Arn"]}`:                                  "arn:aws-cn:sqs:cn-north-1:123456789012:guard-Queue-1",
		`{"Fn::GetAtt": "Queue.QueueName"}`:                                 "guard-Queue-1",
		`{"Fn::GetAtt": "Rule.Arn"}`:                                        "arn:aws-cn:events:cn-north-1:123456789012:rule/guard-Rule-1",
		`{"Fn::GetAtt": "OtherRule.Arn"}`:                                   "arn:aws-cn:events:cn-north-1:123456789012:rule/bus-1/guard-Rule-2",
		`{"Fn::GetAtt": "Bus.Arn"}`:                                         "arn:aws-cn:events:cn-north-1:123456789012:event-bus/bus-1",
		`{"Fn::GetAtt": "Bucket.Arn"}`:                                      "arn:aws-cn:s3:::logs",
		`{"Fn::GetAtt": "Group.Arn"}`:                                       "arn:aws-cn:logs:cn-north-1:123456789012:log-group:group-1:*",
		`{"Fn::GetAtt": "Alarm.Arn"}`:                                       "arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:alarm-1",
		`{"Fn::GetAtt": "Topic.TopicName"}`:                                 "topic-1",
		`{"Fn::Sub": "a ${AWS::Region} ${Bucket} ${Role.Arn} ${!Literal}"}`: "a cn-north-1 logs arn:aws-cn:iam::123456789012:role/trailguard/guard-Role-1 ${Literal}",
		`{"Fn::Sub": ["${X}-${Bucket}", {"X": {"Ref": "Name"}}]}`:           "a-logs",
		`{"Fn::Join": ["/", [{"Ref": "Bucket"}, "x", {"Fn::If": ["IsB", "b", {"Ref": "AWS::NoValue"}]}]]}`: "logs/x",
		`{"Fn::If": ["IsA", "yes", "no"]}`: "yes", `{"Fn::If": ["Not", "yes", "no"]}`: "no", `{"Fn::If": ["Neither", "yes", "no"]}`: "no", `{"Fn::If": ["Either", "yes", "no"]}`: "yes",
		`{"Fn::If": ["None", "yes", "no"]}`: "no", `{"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}`: "b", `{"Fn::FindInMap": ["Of", "us-east-1", "Id"]}`: "east",
		`{"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}`: map[string]any{"b": []any{plain(1)}},
		// What is not in the stack is not known.
		`{"Ref": "Missing"}`: unresolved("Ref of Missing"), `{"Ref": "Secret"}`: unresolved("parameter Secret, which is not shown"), `{"Fn::ImportValue": "x"}`: unresolved("Fn::ImportValue"),
		`{"Fn::GetAtt": "Missing.Arn"}`: unresolved("Missing.Arn"), `{"Fn::GetAtt": "ConfigRule.Arn"}`: unresolved("ConfigRule.Arn"),
		`{"Fn::If": ["Both", "yes", "no"]}`: unresolved("Fn::If of condition Both"), `{"Fn::Sub": "x${Secret}"}`: unresolved("parameter Secret, which is not shown"),
		`{"Fn::Join": ["", ["x", {"Ref": "Missing"}]]}`: unresolved("Ref of Missing"), `{"Fn::Select": ["7", ["a"]]}`: unresolved("Fn::Select"), `{"Fn::Transform": {}}`: unresolved("Fn::Transform"),
	} {
		value, err := decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.resolver.resolve(value); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, want %#v", text, got, want)
		}
	}
}

func TestAResourceWhoseConditionDoesNotHoldIsNotWanted(t *testing.T) {
	s := sampleStack(t)
	names := map[string]bool{}
	for _, r := range s.of("AWS::S3::Bucket") {
		names[r.id] = true
	}
	if !reflect.DeepEqual(names, map[string]bool{"Bucket": true, "Missing": true}) {
		t.Errorf("the buckets are %v", names)
	}
	v := &view{stack: s}
	for _, p := range v.parts("") {
		if p.LogicalID != "Missing" {
			continue
		}
		if p.look(t.Context(), v, &p.Finding); len(p.Problems) != 1 || p.Problems[0] != (Problem{"the stack has not made it", "cdk deploy"}) {
			t.Errorf("of a resource that the stack has not made status says %s", said(p.Finding))
		}
		return
	}
	t.Error("a resource that the stack has not made is not looked at")
}

func TestATypeThatNothingIsKnownOfIsNotSeen(t *testing.T) {
	s, err := parseStack(types.Stack{StackName: aws.String("guard")}, `{"Resources": {"X": {"Type": "AWS::Lambda::Function"}, "CDKMetadata": {"Type": "AWS::CDK::Metadata"}}}`, map[string]string{"X": "x"})
	if err != nil {
		t.Fatal(err)
	}
	v := &view{stack: s}
	parts := slices.DeleteFunc(v.parts(""), func(p part) bool { return p.LogicalID == "" })
	if len(parts) != 1 {
		t.Fatalf("the parts are %v", parts)
	}
	if parts[0].look(t.Context(), v, &parts[0].Finding); parts[0].Whole() || len(parts[0].NotSeen) != 1 || parts[0].Part != "AWS::Lambda::Function" {
		t.Errorf("got %+v", parts[0].Finding)
	}
}

func TestATemplateThatIsNotJSONIsAnError(t *testing.T) {
	if _, err := parseStack(types.Stack{StackName: aws.String("guard")}, "Resources:\n  X: !Ref Y", nil); err == nil {
		t.Error("got no error")
	}
}
