package drill

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestTheREADMENamesScenariosThatThereAre looks at each id of a scenario in what people read.
func TestTheREADMENamesScenariosThatThereAre(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Catalogue() {
		known[s.ID] = true
	}
	for _, path := range []string{"README.md", "CHANGELOG.md", filepath.Join("localaws", "fidelity.md")} {
		for _, id := range regexp.MustCompile(`\bT[0-9]{2}\b`).FindAllString(documentation(t, path), -1) {
			if !known[id] {
				t.Errorf("%s names the scenario %s, which there is not", path, id)
			}
		}
	}
}

func documentation(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
