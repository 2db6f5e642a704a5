package status

import (
	"slices"
	"strings"
	"testing"
)

func TestValuesAreComparedByTheirMeaning(t *testing.T) {
	for _, test := range []struct {
		name       string
		want, have string
		says       []string // none if they mean the same
	}{
		{"equal", `{"a": [1, {"b": "c"}]}`, `{"a": [1, {"b": "c"}]}`, nil},
		{"the order of a list", `{"a": ["x", "y"]}`, `{"a": ["y", "x"]}`, nil},
		{"a number as a text", `{"a": 7, "b": "1209600"}`, `{"a": "7", "b": 1209600.0}`, nil},
		{"a boolean as a text", `{"a": true}`, `{"a": "true"}`, nil},
		{"false is nothing", `{"a": false}`, `{}`, nil},
		{"JSON in a text", `{"a": {"b": [1, 2]}}`, `{"a": "{\"b\": [2, 1]}"}`, nil},
		{"another text", `{"a": "x"}`, `{"a": "y"}`, []string{"a is y, want x"}},
		{"a large number", `{"a": 1209600}`, `{"a": 60}`, []string{"a is 60, want 1209600"}},
		{"true is not false", `{"a": true}`, `{"a": false}`, []string{"a is false, want true"}},
		{"true is not nothing", `{"a": true}`, `{}`, []string{"a is not set, want true"}},
		{"an item that is missing", `{"a": ["x", "y"]}`, `{"a": ["x"]}`, []string{"a lacks y"}},
		{"an item besides", `{"a": ["x", "y"]}`, `{"a": ["x", "y", "z"]}`, []string{"a has z besides"}},
		{"an item twice", `{"a": ["x", "y"]}`, `{"a": ["x", "x"]}`, []string{"a lacks y", "a has x besides"}},
		{"a member besides", `{"a": {"b": 1}}`, `{"a": {"b": 1, "c": 2}}`, []string{"a.c is 2, want not set"}},
		{"in the only item", `{"a": [{"b": 1, "c": 2}]}`, `{"a": [{"b": 1, "c": 3}]}`, []string{"a.c is 3, want 2"}},
		{"all is missing", `{"a": {"b": 1}}`, `{}`, []string{"a.b is not set, want 1"}},
		{"exists is a condition", `{"a": [{"exists": false}]}`, `{"a": [{"exists": true}]}`, []string{"a.exists is true, want false"}},
	} {
		want, err := decode(test.want)
		if err != nil {
			t.Fatal(err)
		}
		have, err := decode(test.have)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range differences("", want, have) {
			got = append(got, one.text)
		}
		if !slices.Equal(got, test.says) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.says)
		}
	}
}

func TestWhatIsNotResolvedIsNotSeenAndHidesNothingElse(t *testing.T) {
	var f Finding
	f.compare(revert, "Rule", map[string]any{"a": unresolved("Ref of X"), "b": "y", "c": []any{unresolved("Ref of Z")}}, map[string]any{"a": "anything", "b": "x", "c": []any{"z"}})
	if len(f.Problems) != 1 || f.Problems[0] != (Problem{"Rule.b is x, want y", revert}) {
		t.Errorf("the problems are %q", f.Problems)
	}
	if len(f.NotSeen) != 2 || f.NotSeen[0].What != "Rule.a: Ref of X cannot be worked out from the stack" || f.Whole() {
		t.Errorf("not seen are %q", f.NotSeen)
	}
}

func TestPoliciesAreComparedByTheirMeaning(t *testing.T) {
	const declared = `{"Version": "2012-10-17", "Statement": [
		{"Sid": "Write", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": ["s3:PutObject", "s3:GetBucketAcl"], "Resource": "arn:aws:s3:::logs/*",
			"Condition": {"StringEquals": {"aws:SourceArn": "arn:1", "s3:x-amz-acl": ["b", "a"]}, "Bool": {"aws:SecureTransport": "false"}}},
		{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
		{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}`
	change := func(pairs ...string) string {
		changed := strings.NewReplacer(pairs...).Replace(declared)
		if changed == declared {
			t.Fatalf("%q changes nothing", pairs)
		}
		return changed
	}
	for name, test := range map[string]struct {
		have string
		says []string
	}{
		"equal":                      {declared, nil},
		"the order of actions":       {change(`["s3:PutObject", "s3:GetBucketAcl"]`, `["s3:GetBucketAcl", "s3:PutObject"]`), nil},
		"the case of actions":        {change(`"s3:PutObject"`, `"S3:putobject"`), nil},
		"a list of one":              {change(`"arn:aws:s3:::logs/*"`, `["arn:aws:s3:::logs/*"]`, `"arn:1"`, `["arn:1"]`), nil},
		"the account's id":           {change(`"arn:aws:iam::123456789012:root"`, `"123456789012"`), nil},
		"every AWS principal":        {change(`"Principal": "*"`, `"Principal": {"AWS": ["*"]}`), nil},
		"the case of condition keys": {change(`"aws:SourceArn"`, `"AWS:sourcearn"`), nil},
		"a boolean of a condition":   {change(`"aws:SecureTransport": "false"`, `"aws:SecureTransport": false`), nil},
		"another id":                 {change(`"Sid": "Write"`, `"Sid": "Other"`), nil},
		"another resource":           {change("logs/*", "other/*"), []string{"statement Write: Resource is arn:aws:s3:::other/*, want arn:aws:s3:::logs/*"}},
		"another principal":          {change("cloudtrail.amazonaws.com", "config.amazonaws.com"), []string{"statement Write: Principal.Service is config.amazonaws.com, want cloudtrail.amazonaws.com"}},
		"an action less":             {change(`["s3:PutObject", "s3:GetBucketAcl"]`, `["s3:GetBucketAcl"]`), []string{"statement Write: Action lacks s3:putobject"}},
		"another condition":          {change(`"arn:1"`, `"arn:2"`), []string{"statement Write: Condition.StringEquals.aws:sourcearn is 'arn:2', want 'arn:1'"}},
		"a condition of false":       {change(`"aws:SecureTransport": "false"`, `"aws:SecureTransport": "true"`), []string{"statement Write: Condition.Bool.aws:securetransport is 'true', want 'false'"}},
		"another effect":             {change(`"Effect": "Deny"`, `"Effect": "Allow"`), []string{"is missing", "is not in the template"}},
		"a statement less": {change(`,
		{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}`, ""), []string{"is missing"}},
		"a statement besides": {change(`"Statement": [`, `"Statement": [{"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}, `), []string{"statement Open is not in the template"}},
		"another account":     {change("123456789012", "999988887777"), []string{"is missing", "is not in the template"}},
		"another version":     {change("2012-10-17", "2008-10-17"), []string{"Version is 2008-10-17, want 2012-10-17"}},
		"none":                {"", []string{"Version is not set, want 2012-10-17", "is missing", "is missing", "is missing"}},
	} {
		want, err := decode(declared)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range policyDifferences(want, test.have) {
			got = append(got, one.text)
		}
		if len(got) != len(test.says) {
			t.Errorf("%s: got %q, want %q", name, got, test.says)
			continue
		}
		for i, says := range test.says {
			if !strings.Contains(got[i], says) {
				t.Errorf("%s: got %q, want %q", name, got, test.says)
			}
		}
	}
}

func TestAPolicyThatIsNotResolvedIsNotSeen(t *testing.T) {
	want := map[string]any{"Statement": []any{map[string]any{"Sid": "Write", "Effect": "Allow", "Action": "s3:*", "Resource": unresolved("Ref of X")}}}
	var f Finding
	f.comparePolicy(want, `{"Statement": [{"Sid": "Write", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:1"}]}`)
	if len(f.Problems) > 0 || len(f.NotSeen) != 1 || f.NotSeen[0].What != "statement Write: Ref of X cannot be worked out from the stack" {
		t.Errorf("got %s", said(f))
	}
	f = Finding{}
	if f.comparePolicy(unresolved("Ref of Y"), `{}`); len(f.Problems) > 0 || len(f.NotSeen) != 1 {
		t.Errorf("got %s", said(f))
	}
}

func TestDocumentsAreComparedWithTheOrderOfSteps(t *testing.T) {
	want, err := decode(`{"schemaVersion": "0.3", "mainSteps": [{"name": "A", "inputs": {"On": true, "N": 3}}, {"name": "B"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ have, says string }{
		"as YAML":         {"mainSteps:\n- name: A\n  inputs: {N: 3, \"On\": true}\n- name: B\nschemaVersion: \"0.3\"\n", ""},
		"another order":   {"schemaVersion: \"0.3\"\nmainSteps:\n- name: B\n- name: A\n  inputs: {N: 3, \"On\": true}\n", "Content has another order"},
		"a step less":     {`{"schemaVersion": "0.3", "mainSteps": [{"name": "A", "inputs": {"On": true, "N": 3}}]}`, `Content.mainSteps lacks {"name":"B"}`},
		"another input":   {`{"schemaVersion": "0.3", "mainSteps": [{"name": "A", "inputs": {"On": true, "N": 4}}, {"name": "B"}]}`, `Content.mainSteps lacks {"inputs":{"N":3,"On":true},"name":"A"}`},
		"what is no YAML": {"\t{", "its content cannot be read"},
	} {
		var f Finding
		if compareContent(want, test.have, &f); (test.says == "") != f.Whole() || test.says != "" && !strings.Contains(f.Problems[0].What, test.says) {
			t.Errorf("%s: got %s", name, said(f))
		}
	}
}

func TestOfLongTextsTheDifferenceIsShown(t *testing.T) {
	long := strings.Repeat("the same again; ", 20)
	got := differences("Text", long+"declared", long+"another")
	if want := `Text is "…in; the same again; another", want "…in; the same again; declared"`; len(got) != 1 || got[0].text != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
