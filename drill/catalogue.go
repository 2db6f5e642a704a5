package drill

import (
	"cmp"
	"slices"
)

// Catalogue are the ways to tamper with the trail, its log store and the guard, in their order. Those of the trail alone are Scenarios.
func Catalogue() []Scenario {
	all := slices.Concat(Scenarios(), storeScenarios(), guardScenarios())
	slices.SortStableFunc(all, func(a, b Scenario) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
