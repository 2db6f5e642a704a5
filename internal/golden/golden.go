// Package golden compares what tests make with files that `make update` rewrites.
package golden

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

// update has the files rewritten.
var update = flag.Bool("update", false, "rewrite the golden files")

// Check reports a file that differs from what the test made.
func Check(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: review the difference after `make update`\n%.2000s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range g {
		if i >= len(w) || !bytes.Equal(g[i], w[i]) {
			return "first in the line: " + string(g[i])
		}
	}
	return "lines at the end are missing"
}
