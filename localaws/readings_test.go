package localaws

import (
	"reflect"
	"testing"

	"github.com/trailguard/trailguard/localaws/config"
)

// values are how many values each type of a reading has.
var values = map[reflect.Type]int{
	reflect.TypeFor[bool]():                   2,
	reflect.TypeFor[config.UnsetFields]():     int(config.UnsetIsEmpty) + 1,
	reflect.TypeFor[config.TrailResourceID](): int(config.ResourceIDIsName) + 1,
	reflect.TypeFor[config.AttemptCount]():    int(config.AttemptsInWindow) + 1,
}

func TestEachValueOfEachReadingIsInOneOfThem(t *testing.T) {
	seen, types := map[string]map[any]bool{}, map[string]reflect.Type{}
	var look func(name string, v reflect.Value)
	look = func(name string, v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				look(name+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		}
		if seen[name] == nil {
			seen[name] = map[any]bool{}
		}
		seen[name][v.Interface()], types[name] = true, v.Type()
	}
	for _, readings := range AllReadings() {
		look("Readings", reflect.ValueOf(readings))
	}
	for name, found := range seen {
		if want := values[types[name]]; len(found) != want {
			t.Errorf("%s has %d values in AllReadings, and %d are possible", name, len(found), want)
		}
	}
}
