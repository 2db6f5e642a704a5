package wire

import (
	"fmt"
	"testing"
)

func TestFormsAreUnflattened(t *testing.T) {
	input, err := parseForm(map[string][]string{
		"Action": {"X"}, "Name": {"n"}, "Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {"v"}, "Names.member.2": {"b"}, "Names.member.1": {"a"},
		"Attributes.entry.1.key": {"Policy"}, "Attributes.entry.1.value": {"{}"}, "A.B": {"c"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "map[A:map[B:c] Attributes:map[Policy:{}] Name:n Names:[a b] Tags:[map[Key:k Value:v]]]"
	if got := fmt.Sprint(input); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := parseForm(map[string][]string{"A": {"x"}, "A.B": {"y"}}); err == nil {
		t.Error("a name that is a value and a structure gave no error")
	}
}
