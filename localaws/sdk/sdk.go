// Package sdk binds a service of the local AWS to aws-sdk-go-v2's types of that service: the members of a request,
// their types and enums, and the shape of the answer, are those of the SDK, so nothing about them is written twice.
package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trailguard/trailguard/localaws/api"
)

// Codec turns requests into the SDK's input types and the SDK's output types into answers, in the JSON of the protocol
// awsJson1.1: timestamps are seconds since the epoch, what is not set is left out.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
type Codec struct {
	lowerCamel map[reflect.Type]bool
	open       map[reflect.Type]bool
}

// NewCodec returns a codec. On the wire a member has the name of its Go field; in the structures of which lowerCamel
// holds a value, its first letter is lower case.
func NewCodec(lowerCamel ...any) Codec {
	return Codec{lowerCamel: typesOf(lowerCamel)}
}

// Open returns a codec that accepts any value for the enums of which enums holds a value: those of which the service
// knows more values than its model lists.
func (c Codec) Open(enums ...any) Codec {
	return Codec{lowerCamel: c.lowerCamel, open: typesOf(enums)}
}

func typesOf(values []any) map[reflect.Type]bool {
	set := map[reflect.Type]bool{}
	for _, v := range values {
		set[reflect.TypeOf(v)] = true
	}
	return set
}

// Operation is one operation of a service.
type Operation func(ctx context.Context, call api.Call) (any, error)

// Bind makes an operation of a function on the SDK's types. A request with a member that the SDK does not know, or with
// one of another type, fails with SerializationException; one with a value that an enum lacks, with ValidationException.
func Bind[I, O any](c Codec, f func(ctx context.Context, call api.Call, in *I) (*O, error)) Operation {
	return func(ctx context.Context, call api.Call) (any, error) {
		in := new(I)
		if err := c.Decode(call.Input, in); err != nil {
			return nil, err
		}
		out, err := f(ctx, call, in)
		if err != nil {
			return nil, err
		}
		return c.Encode(out), nil
	}
}

// Dispatch calls the operation that the call names. An operation that is not among them is an error that says so.
func Dispatch(ctx context.Context, operations map[string]Operation, call api.Call) (any, error) {
	operation, ok := operations[call.Operation]
	if !ok {
		return nil, api.NotModelled("%s", call.Action())
	}
	return operation(ctx, call)
}

// Decode fills the SDK type to which into points.
func (c Codec) Decode(input map[string]any, into any) error {
	if input == nil {
		input = map[string]any{}
	}
	return c.decode(input, reflect.ValueOf(into).Elem(), "")
}

func (c Codec) decode(value any, into reflect.Value, path string) error {
	if value == nil {
		return nil
	}
	mismatch := func() error {
		return api.Errorf("SerializationException", "%s: %T cannot be a %s", path, value, into.Type())
	}
	if into.Type() == reflect.TypeFor[time.Time]() {
		seconds, err := number(value)
		if err != nil {
			return mismatch()
		}
		whole, fraction := math.Modf(seconds)
		into.Set(reflect.ValueOf(time.Unix(int64(whole), int64(fraction*1e9)).UTC()))
		return nil
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return c.decode(value, into.Elem(), path)
	case reflect.Struct:
		members, ok := value.(map[string]any)
		if !ok {
			return mismatch()
		}
		for name, member := range members {
			field := c.field(into, name)
			if !field.IsValid() {
				return api.Errorf("SerializationException", "%s: %s has no member of this name", join(path, name), into.Type())
			}
			if err := c.decode(member, field, join(path, name)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		items := reflect.ValueOf(value)
		if items.Kind() != reflect.Slice {
			return mismatch()
		}
		into.Set(reflect.MakeSlice(into.Type(), items.Len(), items.Len()))
		for i := range items.Len() {
			if err := c.decode(items.Index(i).Interface(), into.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		members, ok := value.(map[string]any)
		if !ok {
			return mismatch()
		}
		into.Set(reflect.MakeMap(into.Type()))
		for name, member := range members {
			item := reflect.New(into.Type().Elem()).Elem()
			if err := c.decode(member, item, join(path, name)); err != nil {
				return err
			}
			into.SetMapIndex(reflect.ValueOf(name), item)
		}
		return nil
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return mismatch()
		}
		into.SetString(text)
		if allowed := into.MethodByName("Values"); allowed.IsValid() && !c.open[into.Type()] && !contains(allowed.Call(nil)[0], text) {
			return api.Errorf("ValidationException", "value %q at %q failed to satisfy constraint: member must satisfy enum value set: %v",
				text, path, allowed.Call(nil)[0].Interface())
		}
		return nil
	case reflect.Bool:
		flag, ok := value.(bool)
		if !ok {
			return mismatch()
		}
		into.SetBool(flag)
		return nil
	case reflect.Int32, reflect.Int64:
		n, err := number(value)
		if err != nil || n != math.Trunc(n) || into.OverflowInt(int64(n)) {
			return mismatch()
		}
		into.SetInt(int64(n))
		return nil
	}
	return fmt.Errorf("%s: decoding a %s is not simulated", path, into.Type())
}

// Encode returns the JSON of an SDK type, as a map.
func (c Codec) Encode(value any) map[string]any {
	v := reflect.ValueOf(value)
	if v.IsNil() {
		return map[string]any{}
	}
	return c.encode(v.Elem()).(map[string]any)
}

func (c Codec) encode(v reflect.Value) any {
	if at, ok := v.Interface().(time.Time); ok {
		return float64(at.UnixMilli()) / 1000
	}
	switch v.Kind() {
	case reflect.Pointer:
		return c.encode(v.Elem())
	case reflect.Struct:
		members := map[string]any{}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !c.isMember(field) || unset(v.Field(i)) {
				continue
			}
			members[c.wireName(v.Type(), field.Name)] = c.encode(v.Field(i))
		}
		return members
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = c.encode(v.Index(i))
		}
		return items
	case reflect.Map:
		members := map[string]any{}
		for entry := v.MapRange(); entry.Next(); {
			members[entry.Key().String()] = c.encode(entry.Value())
		}
		return members
	case reflect.String:
		return v.String()
	}
	return v.Interface()
}

// unset tells whether a field of an SDK type holds nothing: pointers, lists and maps may be nil; an enum is never empty.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}

func (c Codec) isMember(field reflect.StructField) bool {
	return field.IsExported() && field.Name != "ResultMetadata"
}

func (c Codec) field(structure reflect.Value, wireName string) reflect.Value {
	for i := range structure.NumField() {
		field := structure.Type().Field(i)
		if c.isMember(field) && c.wireName(structure.Type(), field.Name) == wireName {
			return structure.Field(i)
		}
	}
	return reflect.Value{}
}

func (c Codec) wireName(structure reflect.Type, field string) string {
	if !c.lowerCamel[structure] {
		return field
	}
	first, size := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(first)) + field[size:]
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func contains(list reflect.Value, text string) bool {
	for i := range list.Len() {
		if list.Index(i).String() == text {
			return true
		}
	}
	return false
}

func number(value any) (float64, error) {
	switch n := value.(type) {
	case float64:
		return n, nil
	case int:
		return float64(n), nil
	case int32:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case json.Number:
		return strconv.ParseFloat(n.String(), 64)
	}
	return 0, errors.New("not a number")
}
