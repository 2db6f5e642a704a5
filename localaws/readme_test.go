package localaws

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/internal/world"
	"github.com/trailguard/trailguard/localaws/moto"
)

var update = flag.Bool("update", false, "write the table of operations into README.md")

func TestTheTableOfOperationsIsThatOfTheCatalogue(t *testing.T) {
	const begin, end = "<!-- catalog -->\n", "<!-- /catalog -->"
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("README.md has no %s and %s", begin, end)
	}
	want := before + begin + catalog.Table() + end + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatal("the table in README.md is not that of the catalogue: run go test ./localaws -run TestTheTable -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTheCatalogueSaysWhoAnswers compares its rows with what the services have registered for.
func TestTheCatalogueSaysWhoAnswers(t *testing.T) {
	w := wiring{
		options: &Options{Place: api.Home()}, clock: api.NewClock(time.Time{}), ids: &api.IDs{},
		direct: moto.ClientConfig("http://127.0.0.1:1", api.Region, time.Second),
	}
	w.connect(world.Reference(t), "")
	_, registry := w.newServices()
	rows := map[catalog.By][]string{}
	for _, service := range catalog.Services() {
		for name := range service.Operations {
			by := service.Operation(name).By
			rows[by] = append(rows[by], service.Name+":"+name)
		}
	}
	for what, compared := range map[string]struct{ rows, registered []string }{
		"simulated": {rows[catalog.Simulated], registry.Answered()},
		"checked":   {rows[catalog.CheckedMoto], registry.Checked()},
	} {
		slices.Sort(compared.rows)
		if !slices.Equal(compared.rows, compared.registered) {
			t.Errorf("%s are, by the catalogue,\n%v\nand registered are\n%v", what, compared.rows, compared.registered)
		}
	}
}
