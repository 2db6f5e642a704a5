package automation

import "fmt"

// valueType is the type of a parameter or of a step's output.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html
type valueType string

const (
	typeString     valueType = "String"
	typeBoolean    valueType = "Boolean"
	typeInteger    valueType = "Integer"
	typeStringList valueType = "StringList"
	typeMapList    valueType = "MapList"
	typeStringMap  valueType = "StringMap"
)

// check says why a value is not one of the type.
func (t valueType) check(v any) error {
	var ok bool
	var want string
	switch t {
	case typeString:
		_, ok = v.(string)
		want = "a string"
	case typeBoolean:
		_, ok = v.(bool)
		want = "true or false, without quotes"
	case typeInteger:
		_, ok = v.(int64)
		want = "a whole number"
	case typeStringMap:
		_, ok = v.(map[string]any)
		want = "a map"
	case typeStringList, typeMapList:
		items, isList := v.([]any)
		for i, item := range items {
			if err := t.item().check(item); err != nil {
				return fmt.Errorf("[%d] %w", i, err)
			}
		}
		ok, want = isList, "a list"
	}
	if !ok {
		return fmt.Errorf("must be %s, got %s", want, describe(v))
	}
	return nil
}

// item is the type of a list's items; of any other type it is the type itself.
func (t valueType) item() valueType {
	switch t {
	case typeStringList:
		return typeString
	case typeMapList:
		return typeStringMap
	}
	return t
}
