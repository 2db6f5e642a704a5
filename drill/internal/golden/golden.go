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

// Check reports a file of the test's folder testdata that differs from what the test made.
func Check(t *testing.T, file string, got []byte) {
	t.Helper()
	path := "testdata/" + file
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
		t.Errorf("%s differs (go test -update rewrites it):\n%s", path, got)
	}
}
