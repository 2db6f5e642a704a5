package trail

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTrailNames(t *testing.T) {
	for name, good := range map[string]bool{
		"abc": true, "my-trail_1.x": true, "A1b": true, "192.168.5": true,
		"": false, "ab": false, "-abc": false, "abc.": false, "a--b": false, "a._b": false, "a b": false, "10.0.0.1": false, "trail/x": false, "trail*": false,
	} {
		if err := CheckName("TrailName", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeyPrefixes(t *testing.T) {
	for prefix, good := range map[string]bool{
		"audit": true, "audit/2026": true, "a b": true, "${Token[TOKEN.7]}": true,
		"": false, "/audit": false, "audit/": false, "*": false, "a?": false, "${aws:username}": false, "{{ x }}": false, "a\nb": false,
		"a'b é#%&<>|~": true, `a\b`: false, `a"b`: false, "a\u00a0b": false, "a\u200bb": false, "a\xffb": false, strings.Repeat("ü", 200): true, strings.Repeat("ü", 201): false,
	} {
		if err := CheckS3KeyPrefix("S3KeyPrefix", prefix); (err == nil) != good {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestBucketNames(t *testing.T) {
	for name, good := range map[string]bool{
		"abc": true, "my-bucket.logs.2": true, "1.2.3": true, strings.Repeat("b", 63): true, "${Token[TOKEN.7]}": true, "logs-111122223333-us-east-1-an": true,
		"": false, "ab": false, strings.Repeat("b", 64): false, "My-bucket": false, "my_bucket": false, "-abc": false, "abc-": false, ".abc": false, "abc.": false,
		"a..b": false, "a.-b": false, "a-.b": false, "192.168.1.1": false, "a b": false, "xn--abc": false, "sthree-abc": false, "amzn-s3-demo-bucket": false,
		"abc-s3alias": false, "abc--ol-s3": false, "abc.mrap": false, "abc--x-s3": false, "abc--table-s3": false, "a\nb": false,
	} {
		if err := CheckBucketName("LogBucket", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestDataResources(t *testing.T) {
	for _, test := range []struct {
		kind, value string
		good        bool
	}{
		{"AWS::S3::Object", "arn:aws:s3", true},
		{"AWS::S3::Object", "arn:aws:s3:::a/", true},
		{"AWS::S3::Object", "arn:aws-iso-b:s3:::a/b c", true},
		{"AWS::S3::Object", "${Token[TOKEN.7]}", true},
		{"AWS::S3::Object", "#{Token[TOKEN.7]}", true},
		{"AWS::S3::Object", "arn:${Token[AWS.Partition.3]}:s3:::a/", true},
		{"AWS::Lambda::Function", "arn:aws-us-gov:lambda", true},
		{"AWS::DynamoDB::Table", "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t", true},
		{"AWS::S3::Object", "arn:aws:s3x", false},
		{"AWS::S3::Object", "arn:aws:lambda", false},
		{"AWS::S3::Object", "s3://a/", false},
		{"AWS::S3::Object", "", false},
		{"AWS::S3::Object", "arn:aws:s3:::a/\xff", false},
		{"AWS::S3::Object", "arn:aws:s3:::{{ x }}", false},
		{"AWS::EC2::Instance", "arn:aws:ec2", false},
	} {
		if err := CheckDataResource("D", DataResource{test.kind, []string{test.value}}); (err == nil) != test.good {
			t.Errorf("%s %q: %v", test.kind, test.value, err)
		}
	}
}

func TestOrganizationIDs(t *testing.T) {
	for id, good := range map[string]bool{
		"o-a1b2c3d4e5": true, "${Token[TOKEN.7]}": true,
		"": false, "o-short": false, "O-A1B2C3D4E5": false, "r-a1b2c3d4e5": false, "o-a1b2c3d4e5/*": false,
	} {
		if err := CheckOrganizationID("OrganizationId", id); (err == nil) != good {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestAdvancedEventSelectorsGetTheirErrors(t *testing.T) {
	var (
		data    = FieldSelector{Field: "eventCategory", Equals: []string{"Data"}}
		network = FieldSelector{Field: "eventCategory", Equals: []string{"NetworkActivity"}}
		all     = FieldSelector{Field: "eventCategory", Equals: []string{"Management"}}
		objects = FieldSelector{Field: "resources.type", Equals: []string{"AWS::S3::Object"}}
		source  = FieldSelector{Field: "eventSource", Equals: []string{"kms.amazonaws.com"}}
	)
	selector := func(conditions ...FieldSelector) AdvancedEventSelector {
		return AdvancedEventSelector{FieldSelectors: conditions}
	}
	many := func(n int) FieldSelector {
		return FieldSelector{Field: "resources.ARN", StartsWith: strings.Fields(strings.Repeat("arn ", n))}
	}
	const (
		category  = "give the field eventCategory with Equals Data, NetworkActivity or Management"
		condition = "is no condition: give Field, and at least one value of Equals, StartsWith, EndsWith, NotEquals, NotStartsWith or NotEndsWith"
		values    = "has a value that cannot be used: give no empty value, and none with {{ in it or that is not UTF-8"
	)
	for _, test := range []struct {
		name      string
		selectors []AdvancedEventSelector
		want      string
	}{
		{"none", nil, ""},
		{"data events", []AdvancedEventSelector{selector(data, objects)}, ""},
		{"data events of some names", []AdvancedEventSelector{selector(objects, FieldSelector{Field: "eventName", NotStartsWith: []string{"Get"}}, data)}, ""},
		{"network activity events", []AdvancedEventSelector{selector(network, source)}, ""},
		{"all management events", []AdvancedEventSelector{selector(all), selector(data, objects)}, ""},
		{"the longest name", []AdvancedEventSelector{{Name: strings.Repeat("ü", 1000), FieldSelectors: selector(data, objects).FieldSelectors}}, ""},
		{"the most values", []AdvancedEventSelector{selector(data, objects, many(498))}, ""},
		{"a token", []AdvancedEventSelector{selector(data, objects, FieldSelector{Field: "resources.ARN", StartsWith: []string{"${Token[TOKEN.7]}"}})}, ""},

		{"nothing", []AdvancedEventSelector{{}}, `S[0]: has the category "": ` + category},
		{"no category", []AdvancedEventSelector{selector(data, objects), selector(objects)}, `S[1]: has the category "": ` + category},
		{"another category", []AdvancedEventSelector{selector(FieldSelector{Field: "eventCategory", Equals: []string{"Insight"}}, objects)}, `S[0]: has the category "Insight": ` + category},
		{"two categories", []AdvancedEventSelector{selector(FieldSelector{Field: "eventCategory", Equals: []string{"Data", "Management"}}, objects)}, `S[0]: has the category "": ` + category},
		{"a category that is not equal", []AdvancedEventSelector{selector(FieldSelector{Field: "eventCategory", StartsWith: []string{"Data"}}, objects)}, `S[0]: has the category "": ` + category},
		{"some management events", []AdvancedEventSelector{selector(all, FieldSelector{Field: "readOnly", Equals: []string{"true"}})},
			"S[0]: selects some management events only, and a guarded trail logs all of them: leave the selector out"},
		{"data events of no type", []AdvancedEventSelector{selector(data)}, "S[0]: has no resources.type: give the field resources.type with one value of Equals"},
		{"data events of two types", []AdvancedEventSelector{selector(data, FieldSelector{Field: "resources.type", Equals: []string{"AWS::S3::Object", "AWS::Lambda::Function"}})},
			"S[0]: has no resources.type: give the field resources.type with one value of Equals"},
		{"network activity events of no source", []AdvancedEventSelector{selector(network, objects)}, "S[0]: has no eventSource: give the field eventSource with one value of Equals"},
		{"a name too long", []AdvancedEventSelector{{Name: strings.Repeat("x", 1001), FieldSelectors: selector(data, objects).FieldSelectors}},
			`S[0].Name: "` + strings.Repeat("x", 1001) + `" cannot be used: use at most 1000 characters, without {{`},
		{"a variable as a name", []AdvancedEventSelector{{Name: "{{ x }}", FieldSelectors: selector(data, objects).FieldSelectors}},
			`S[0].Name: "{{ x }}" cannot be used: use at most 1000 characters, without {{`},
		{"a variable as a value", []AdvancedEventSelector{selector(data, objects, FieldSelector{Field: "resources.ARN", EndsWith: []string{"a", "{{ x }}"}})},
			`S[0].FieldSelectors[2].EndsWith: ["a" "{{ x }}"] ` + values},
		{"an empty value", []AdvancedEventSelector{selector(data, objects, FieldSelector{Field: "eventName", NotEndsWith: []string{""}})},
			`S[0].FieldSelectors[2].NotEndsWith: [""] ` + values},
		{"a condition without a field", []AdvancedEventSelector{selector(data, objects, FieldSelector{Equals: []string{"a"}})}, "S[0].FieldSelectors[2]: " + condition},
		{"a condition without a value", []AdvancedEventSelector{selector(data, objects, FieldSelector{Field: "eventName", NotEquals: []string{}})}, "S[0].FieldSelectors[2]: " + condition},
		{"too many values", []AdvancedEventSelector{selector(data, objects, many(298)), selector(data, objects, many(199))}, "S: 501 values are too many: give at most 500 over all selectors"},
		{"several at once", []AdvancedEventSelector{selector(data, FieldSelector{}), selector(all, source)},
			"S[0]: has no resources.type: give the field resources.type with one value of Equals\n" +
				"S[0].FieldSelectors[1]: " + condition + "\n" +
				"S[1]: selects some management events only, and a guarded trail logs all of them: leave the selector out"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, CheckAdvancedEventSelectors("S", test.selectors), test.want) })
	}
}

func TestTagsGetTheirErrors(t *testing.T) {
	const (
		key   = "is not the key of a tag: use 1-128 letters, digits, spaces and _ . : / = + - @, and no aws: at the beginning"
		value = "is not the value of a tag: use at most 256 letters, digits, spaces and _ . : / = + - @"
	)
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = ""
	}
	for _, test := range []struct {
		name string
		tags map[string]string
		want string
	}{
		{"none", nil, ""},
		{"good", map[string]string{"cost-center": "4711", "owner": "security team", "e-mail": "a@example.com", "Straße": "Köln", "empty": ""}, ""},
		{"the longest", map[string]string{strings.Repeat("ü", 128): strings.Repeat("ü", 256)}, ""},
		{"a token", map[string]string{"owner": "${Token[TOKEN.7]}"}, ""},
		{"an empty key", map[string]string{"": "x"}, `T: "" ` + key},
		{"a key too long", map[string]string{strings.Repeat("x", 129): ""}, `T: "` + strings.Repeat("x", 129) + `" ` + key},
		{"a key of AWS", map[string]string{"AWS:owner": "x"}, `T: "AWS:owner" ` + key},
		{"a mark in a key", map[string]string{"own*er": "x"}, `T: "own*er" ` + key},
		{"a value too long", map[string]string{"owner": strings.Repeat("x", 257)}, `T[owner]: "` + strings.Repeat("x", 257) + `" ` + value},
		{"a variable as a value", map[string]string{"owner": "{{ x }}"}, `T[owner]: "{{ x }}" ` + value},
		{"too many", many, "T: 51 tags are too many: give at most 50"},
		{"several at once", map[string]string{"b": "?", "a!": "!"}, `T: "a!" ` + key + "\n" + `T[a!]: "!" ` + value + "\n" + `T[b]: "?" ` + value},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, CheckTags("T", test.tags), test.want) })
	}
}

func TestPreviousNamesGetTheirErrors(t *testing.T) {
	const (
		rule = "use 3-128 letters, digits, periods, underscores and dashes, begin and end with a letter or digit, " +
			"put no two marks side by side, and do not form an IP address"
		again = "is given twice, or is the trail's name of now: leave it out"
	)
	for _, test := range []struct {
		name  string
		names []string
		want  string
	}{
		{"none", nil, ""},
		{"good", []string{"old-trail", "older-trail"}, ""},
		{"no trail name", []string{"old-trail", "x"}, `P[1]: "x" is not a trail name: ` + rule},
		{"a token", []string{"${Token[TOKEN.7]}"}, "P[0]: ${Token[TOKEN.7]} is a token, and the policies need the name itself: give a literal name"},
		{"the name of now", []string{"my-trail"}, `P[0]: "my-trail" ` + again},
		{"twice", []string{"old-trail", "older-trail", "old-trail"}, `P[2]: "old-trail" ` + again},
		{"several at once", []string{"", "my-trail"}, `P[0]: "" is not a trail name: ` + rule + "\n" + `P[1]: "my-trail" ` + again},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, CheckPreviousNames("P", test.names, "my-trail"), test.want) })
	}
}

// compare expects the error, or none where want is empty.
func compare(t *testing.T, got error, want string) {
	t.Helper()
	if got == nil {
		got = errors.New("")
	}
	if got.Error() != want {
		t.Errorf("the error is\n%s\nit should be\n%s", got, want)
	}
}
