package automation

import "slices"

// CheckNames finds the names that are no parameter of the document, and the parameters without a default that are not among the names.
func (d *Document) CheckNames(names []string) (unknown, missing []string) {
	for _, name := range names {
		if d.parameters[name] == nil {
			unknown = append(unknown, name)
		}
	}
	for _, name := range sortedKeys(d.parameters) {
		if d.parameters[name].fallback == nil && !slices.Contains(names, name) {
			missing = append(missing, name)
		}
	}
	slices.Sort(unknown)
	return unknown, missing
}
