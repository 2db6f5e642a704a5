package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table is who answers which operation, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| Service | Simulated | moto, with checks of the local AWS | moto | Not modelled |\n|---|---|---|---|---|\n")
	for _, s := range Services() {
		cells := map[By][]string{}
		for _, name := range slices.Sorted(maps.Keys(s.Operations)) {
			by := s.Operation(name).By
			if by != s.Rest {
				cells[by] = append(cells[by], name)
			}
		}
		cells[s.Rest] = []string{"everything else"}
		fmt.Fprintf(&b, "| `%s` |", s.Name)
		for _, by := range []By{Simulated, CheckedMoto, Moto, NotModelled} {
			fmt.Fprintf(&b, " %s |", strings.Join(cells[by], ", "))
		}
		b.WriteString("\n")
	}
	b.WriteString("| any other | | | everything, for callers that may do everything | |\n")
	return b.String()
}
