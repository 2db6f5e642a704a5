package updates

import (
	"encoding/json"
	"reflect"
	"testing"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestChangesMakeTheOtherTemplate(t *testing.T) {
	const template = `{"a": {"b": [1, {"c": "x"}], "gone": true}, "kept": 1}`
	for _, test := range []struct {
		other   string
		changes string
	}{
		{template, `null`},
		{`{"a": {"b": [1, {"c": "y"}], "gone": true}, "kept": 1}`, `[{"path":["a","b","1","c"],"value":"y"}]`},
		{`{"a": {"b": [2], "gone": true}, "kept": 1}`, `[{"path":["a","b"],"value":[2]}]`},
		{`{"a": {"b": [1, {"c": "x"}]}, "kept": 1, "new": {"d": 1}}`, `[{"path":["a","gone"]},{"path":["new"],"value":{"d":1}}]`},
		{`{"a": 1, "kept": 1}`, `[{"path":["a"],"value":1}]`},
		{`{"a": {"b": ["z", {"c": "x"}], "gone": true}, "kept": false}`, `[{"path":["a","b","0"],"value":"z"},{"path":["kept"],"value":false}]`},
	} {
		from, to := decode(t, template), decode(t, test.other)
		changes := Between(from, to)
		written, err := json.Marshal(changes)
		if err != nil || string(written) != test.changes {
			t.Errorf("the changes are %s (%v), want %s", written, err, test.changes)
		}
		var read []Change
		if err := json.Unmarshal(written, &read); err != nil {
			t.Fatal(err)
		}
		if got := Apply(from, read); !reflect.DeepEqual(got, to) {
			t.Errorf("%s make %v, want %v", written, got, to)
		}
		if !reflect.DeepEqual(from, decode(t, template)) {
			t.Error("the template itself was changed")
		}
	}
}
