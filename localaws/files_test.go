package localaws

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/repository"
)

// reached are, for each file of a package, the others whose declarations it uses, and those that these use.
func reached(set *token.FileSet, files []*ast.File) map[string]map[string]bool {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Error: func(error) {}} // nothing is imported: what the package itself declares is resolved all the same
	own, _ := config.Check("own", set, files, info)
	reached := map[string]map[string]bool{}
	for _, file := range files {
		reached[set.Position(file.Package).Filename] = map[string]bool{}
	}
	for identifier, object := range info.Uses {
		from, to := set.Position(identifier.Pos()).Filename, set.Position(object.Pos()).Filename
		if object.Pkg() == own && from != to {
			reached[from][to] = true
		}
	}
	for by := range reached {
		for from := range reached {
			for to := range reached {
				if reached[from][by] && reached[by][to] {
					reached[from][to] = true
				}
			}
		}
	}
	return reached
}

func TestTheFilesOfAPackageFormNoCircle(t *testing.T) {
	set, packages := token.NewFileSet(), map[string][]*ast.File{}
	err := filepath.WalkDir(repository.Path(), func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name()[0] == '.'):
			return fs.SkipDir
		case filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		packages[filepath.Dir(name)] = append(packages[filepath.Dir(name)], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range packages {
		for name, others := range reached(set, files) {
			if others[name] {
				t.Errorf("%s uses a file that uses it, of %v", name, others)
			}
		}
	}
}
