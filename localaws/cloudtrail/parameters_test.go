package cloudtrail

import (
	"fmt"
	"testing"

	"github.com/trailguard/trailguard/localaws/api"
)

func TestKeysOfMapsKeepTheirCase(t *testing.T) {
	parameters := requestParameters(api.Call{Service: "ssm", Input: map[string]any{
		"DocumentName": "d", "Parameters": map[string]any{"CloudTrailName": []any{"x"}},
	}})
	if got, want := fmt.Sprint(parameters), "map[documentName:d parameters:map[CloudTrailName:[x]]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
