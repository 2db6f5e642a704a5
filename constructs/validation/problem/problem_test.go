package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func ExamplePropError() {
	err := fmt.Errorf("TrailGuard %q: %w", "Audit", errors.Join(
		New("RetryAttempt", "is for Config rules, and %s is false", Prop("ConfigRules")),
		New("DataResources[0].Type", "%q is not a type of data resource", "AWS::EC2::Instance"),
	))
	for _, wrong := range PropErrors(err) {
		fmt.Printf("%s | %s\n", wrong.Prop, wrong.Problem)
	}
	var first *PropError
	fmt.Println(errors.As(err, &first), first)
	// Output:
	// RetryAttempt | is for Config rules, and ConfigRules is false
	// DataResources[0].Type | "AWS::EC2::Instance" is not a type of data resource
	// true RetryAttempt: is for Config rules, and ConfigRules is false
}

func TestPropsAreRenamedInWhatIsSaidOfThemAlone(t *testing.T) {
	other := errors.New("Prop: of another kind")
	err := Renamed(errors.Join(
		New("Prop[a.Other]", "%q is beside %s in %[1]s", "Other", Prop("Other")),
		errors.Join(New("Other.Part", "of Other"), other),
		&PropError{Prop: "Prop", Problem: "100 % of Other"},
	), strings.ToLower)
	const want = "prop[a.Other]: \"Other\" is beside other in Other\nother.Part: of Other\nProp: of another kind\nprop: 100 % of Other"
	if err.Error() != want || !errors.Is(err, other) {
		t.Errorf("the error is\n%v\nnot\n%s", err, want)
	}
	if got := len(PropErrors(err)); got != 3 {
		t.Errorf("it has %d errors of properties", got)
	}
	if err := Renamed(nil, strings.ToLower); err != nil {
		t.Errorf("nothing becomes %v", err)
	}
}
