package localaws

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// imported are the packages of this module that the files of each folder import, without tests.
func imported(t *testing.T) map[string][]string {
	t.Helper()
	const module = "github.com/trailguard/trailguard/localaws"
	folders := map[string][]string{}
	root := os.DirFS(repository.Path("localaws"))
	err := fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imports, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imports, module); ok {
				folders[path.Dir(name)] = append(folders[path.Dir(name)], strings.TrimPrefix(own, "/"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// mayImport are the arrows of the house: what each folder may import, besides api.
var mayImport = map[string][]string{
	".": {
		"cloudformation", "cloudtrail", "config", "eventbridge", "gateway", "iam", "iam/policy", "iam/servicereference", "moto", "sns", "ssm",
		"ssm/automation", "sts",
	},
	"catalog":              nil,
	"wire":                 nil,
	"sdk":                  nil,
	"gateway":              {"catalog", "wire"},
	"iam":                  {"catalog", "iam/policy", "iam/servicereference"},
	"iam/policy":           nil,
	"iam/servicereference": nil,
	"cloudformation":       nil,
	"cloudtrail":           {"catalog", "sdk"},
	"config":               {"sdk"},
	"eventbridge":          {"catalog"},
	"sns":                  nil,
	"ssm":                  {"ssm/automation"},
	"ssm/automation":       {"catalog"},
	"sts":                  nil,
	"moto":                 {"iam"},
}

func TestNoServiceImportsAnotherAndTheGatewayImportsNone(t *testing.T) {
	for folder, imports := range imported(t) {
		if folder == "internal/world" {
			continue // which is for tests
		}
		allowed, known := mayImport[folder]
		if !known {
			t.Errorf("%s imports %v, and has no place in the house", folder, imports)
		}
		for _, name := range imports {
			if name != "api" && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", folder, name)
			}
		}
	}
}
