package automation

import (
	"slices"
	"testing"
)

func TestUnknownAndMissingParametersAreFound(t *testing.T) {
	document, err := Parse([]byte(`{"schemaVersion":"0.3",
		"parameters":{"Needed":{"type":"String"},"Optional":{"type":"Boolean","default":false},"List":{"type":"StringList"}},
		"mainSteps":[{"name":"Wait","action":"aws:sleep","inputs":{"Duration":"PT1S"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ names, unknown, missing []string }{
		{nil, nil, []string{"List", "Needed"}},
		{[]string{"Needed", "List"}, nil, nil},
		{[]string{"Needed", "List", "Optional"}, nil, nil},
		{[]string{"needed", "List", "Another"}, []string{"Another", "needed"}, []string{"Needed"}},
	} {
		unknown, missing := document.CheckNames(test.names)
		if !slices.Equal(unknown, test.unknown) || !slices.Equal(missing, test.missing) {
			t.Errorf("of %v, %v are unknown and %v missing, want %v and %v", test.names, unknown, missing, test.unknown, test.missing)
		}
	}
}
