package validation

import "testing"

func TestTokensAreCountedAsLongAsTheyMayBecome(t *testing.T) {
	for _, test := range []struct {
		name, text        string
		characters, bytes int
	}{
		{"nothing", "", 0, 0},
		{"no token", "Köln ${x} {{y}}", 15, 16},
		{"pseudo parameters", "arn:${Token[AWS.Partition.3]}:sns:${Token[AWS.Region.4]}:${Token[AWS.AccountId.0]}:t", 49, 49},
		{"another token", "a${Token[TOKEN.12]}b", 130, 130},
		{"two tokens", "${Token[TOKEN.12]}${Token[AWS.StackName.7]}", 256, 256},
		{"the token of a list", "#{Token[TOKEN.12]}", 128, 128},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Characters(test.text); got != test.characters {
				t.Errorf("the characters are %d, not %d", got, test.characters)
			}
			if got := Bytes(test.text); got != test.bytes {
				t.Errorf("the bytes are %d, not %d", got, test.bytes)
			}
		})
	}
}

func TestJSONKeepsTokensAndMarks(t *testing.T) {
	got := JSON(map[string]any{"a": "<&>${Token[TOKEN.1]}"})
	if want := `{"a":"<&>${Token[TOKEN.1]}"}`; got != want {
		t.Errorf("the JSON is %s, not %s", got, want)
	}
}

func TestAProblemNamesTheConstructWithoutAnID(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || err.Error() != `Thing "": Role: is required` {
			t.Errorf("the panic is %v", err)
		}
	}()
	Panic("Thing", nil, Required("Role", false), Required("Topic", true))
}

func TestNoProblemIsNoPanic(t *testing.T) {
	Panic("Thing", nil, nil, Required("Role", true))
}
