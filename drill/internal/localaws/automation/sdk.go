package automation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
	"github.com/aws/smithy-go/middleware"
)

// services are the namespaces that a document may name, as boto3 calls them.
// https://docs.aws.amazon.com/boto3/latest/reference/services/index.html
func services() []string {
	return []string{"cloudtrail", "cloudwatch", "config", "events", "iam", "kms", "logs", "s3", "sns", "sqs", "ssm", "sts"}
}

// newClient returns the SDK's client of a service, or nil for one that is not among services.
func newClient(service string, cfg aws.Config) any {
	switch service {
	case "cloudtrail":
		return cloudtrail.NewFromConfig(cfg)
	case "cloudwatch":
		return cloudwatch.NewFromConfig(cfg)
	case "config":
		return configservice.NewFromConfig(cfg)
	case "events":
		return eventbridge.NewFromConfig(cfg)
	case "iam":
		return iam.NewFromConfig(cfg)
	case "kms":
		return kms.NewFromConfig(cfg)
	case "logs":
		return cloudwatchlogs.NewFromConfig(cfg)
	case "s3":
		// A bucket's name cannot be part of the host name of an endpoint on loopback.
		return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	case "sns":
		return sns.NewFromConfig(cfg)
	case "sqs":
		return sqs.NewFromConfig(cfg)
	case "ssm":
		return ssm.NewFromConfig(cfg)
	case "sts":
		return sts.NewFromConfig(cfg)
	}
	return nil
}

// operation is one API of one service.
type operation struct {
	service, api  string
	input, output reflect.Type // structs
	method        int          // of the client's type
}

// call calls the operation with a pointer to its input.
func (op *operation) call(ctx context.Context, client any, input reflect.Value) (reflect.Value, error) {
	results := reflect.ValueOf(client).Method(op.method).Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, failed := results[1].Interface().(error); failed {
		return reflect.Value{}, err
	}
	return results[0].Elem(), nil
}

// catalog knows the APIs of the SDK: their names, their members and the types of these.
type catalog struct {
	shapes sync.Map // reflect.Type to *shape

	mu      sync.Mutex
	clients map[string]any // clients that validate an input and call nobody
}

// errValid is what a client of the catalog returns for an input that is valid.
var errValid = errors.New("the input is valid")

func (c *catalog) client(service string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	client := c.clients[service]
	if client == nil {
		// The SDK validates in the step Initialize; nothing after it may run.
		stop := middleware.SerializeMiddlewareFunc("StopAfterValidation",
			func(context.Context, middleware.SerializeInput, middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
				return middleware.SerializeOutput{}, middleware.Metadata{}, errValid
			})
		client = newClient(service, aws.Config{
			Region:      "us-east-1",
			Credentials: aws.AnonymousCredentials{},
			APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
				return stack.Serialize.Add(stop, middleware.Before)
			}},
		})
		if client != nil {
			if c.clients == nil {
				c.clients = map[string]any{}
			}
			c.clients[service] = client
		}
	}
	return client
}

// operation looks up an API. The error says which of the two names is wrong, and what is right.
func (c *catalog) operation(service, api string) (*operation, error) {
	client := c.client(service)
	if client == nil {
		//lint:ignore ST1005 it begins with the name of the input
		return nil, fmt.Errorf("Service %q is not one of %s", service, strings.Join(services(), ", "))
	}
	t := reflect.TypeOf(client)
	if method, ok := t.MethodByName(api); ok && isOperation(method) {
		op := &operation{
			service: service, api: api, method: method.Index,
			input: method.Type.In(2).Elem(), output: method.Type.Out(0).Elem(),
		}
		for _, t := range []reflect.Type{op.input, op.output} {
			if s, err := c.shape(t); err != nil {
				return nil, err
			} else if s.streams {
				//lint:ignore ST1005 it begins with the name of the input
				return nil, fmt.Errorf("Api: %s %s streams: Automation does not support it", service, api)
			}
		}
		return op, nil
	}
	var names []string
	for i := range t.NumMethod() {
		if isOperation(t.Method(i)) {
			names = append(names, t.Method(i).Name)
		}
	}
	//lint:ignore ST1005 it begins with the name of the input
	return nil, fmt.Errorf("Api: %s has no operation %q%s", service, api, suggestion(api, names))
}

// isOperation tells operations from a client's other methods: func(ctx, *XInput, ...func(*Options)) (*XOutput, error).
func isOperation(m reflect.Method) bool {
	return m.Type.NumIn() == 4 && m.Type.NumOut() == 2 && m.Type.In(2).Kind() == reflect.Pointer &&
		m.Type.In(2).Elem().Name() == m.Name+"Input"
}

// shape is a struct of the SDK under the names that its members have on the wire and in boto3.
type shape struct {
	members []member // sorted by name
	streams bool     // has a member that is a stream
}

type member struct {
	name  string
	index int // of the struct's field
}

func (s *shape) member(name string) (member, bool) {
	i, ok := slices.BinarySearchFunc(s.members, name, func(m member, name string) int { return strings.Compare(m.name, name) })
	if !ok {
		return member{}, false
	}
	return s.members[i], true
}

func (s *shape) names() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return names
}

// shape describes a struct type. Some services of the SDK carry their Smithy schema: it has the names. The SDK of the
// others capitalizes the names; lowerCamelNames has those that begin with a small letter.
func (c *catalog) shape(t reflect.Type) (*shape, error) {
	if s, ok := c.shapes.Load(t); ok {
		return s.(*shape), nil
	}
	wire := map[string]string{} // names by their lower-case form
	value := reflect.New(t).Interface()
	serializable, hasSchema := value.(smithy.Serializable)
	if hasSchema {
		var schema schemaReader
		serializable.Serialize(&schema)
		if schema.schema != nil { // an empty struct may write none
			for name := range schema.schema.Members() {
				wire[strings.ToLower(name)] = name
			}
		}
	}
	s := &shape{}
	for i := range t.NumField() {
		field := t.Field(i)
		if !field.IsExported() || field.Name == "ResultMetadata" {
			continue
		}
		name := field.Name
		if hasSchema {
			if name = wire[strings.ToLower(name)]; name == "" {
				return nil, fmt.Errorf("the SDK's schema of %v has no member for its field %s", t, field.Name)
			}
		} else if lower, ok := lowerCamelNames()[path.Base(strings.TrimSuffix(t.PkgPath(), "/types"))+"."+t.Name()+"."+name]; ok {
			name = lower
		}
		reader := reflect.TypeFor[io.Reader]()
		s.streams = s.streams || (field.Type.Kind() == reflect.Interface && field.Type.Implements(reader))
		s.members = append(s.members, member{name: name, index: i})
	}
	slices.SortFunc(s.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	c.shapes.Store(t, s)
	return s, nil
}

// lowerCamelNames are the members of cloudtrail, iam, s3, sns and sts that begin with a small letter; the SDK has no
// schema of these services. They are those of the API references, such as
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func lowerCamelNames() map[string]string {
	return map[string]string{
		"cloudtrail.DescribeTrailsInput.TrailNameList":       "trailNameList",
		"cloudtrail.DescribeTrailsInput.IncludeShadowTrails": "includeShadowTrails",
		"cloudtrail.DescribeTrailsOutput.TrailList":          "trailList",
		"iam.ListDelegationRequestsOutput.IsTruncated":       "isTruncated",
		"sns.CheckIfPhoneNumberIsOptedOutInput.PhoneNumber":  "phoneNumber",
		"sns.CheckIfPhoneNumberIsOptedOutOutput.IsOptedOut":  "isOptedOut",
		"sns.GetSMSAttributesInput.Attributes":               "attributes",
		"sns.GetSMSAttributesOutput.Attributes":              "attributes",
		"sns.ListPhoneNumbersOptedOutInput.NextToken":        "nextToken",
		"sns.ListPhoneNumbersOptedOutOutput.NextToken":       "nextToken",
		"sns.ListPhoneNumbersOptedOutOutput.PhoneNumbers":    "phoneNumbers",
		"sns.OptInPhoneNumberInput.PhoneNumber":              "phoneNumber",
		"sns.SetSMSAttributesInput.Attributes":               "attributes",
		"sts.PolicyDescriptorType.Arn":                       "arn",
	}
}

// schemaReader is a serializer that writes nothing and keeps the schema of the struct that it is given.
type schemaReader struct{ schema *smithy.Schema }

func (r *schemaReader) WriteStruct(s *smithy.Schema) {
	if r.schema == nil {
		r.schema = s
	}
}

func (*schemaReader) Bytes() []byte                                { return nil }
func (*schemaReader) WriteInt8(*smithy.Schema, int8)               {}
func (*schemaReader) WriteInt16(*smithy.Schema, int16)             {}
func (*schemaReader) WriteInt32(*smithy.Schema, int32)             {}
func (*schemaReader) WriteInt64(*smithy.Schema, int64)             {}
func (*schemaReader) WriteFloat32(*smithy.Schema, float32)         {}
func (*schemaReader) WriteFloat64(*smithy.Schema, float64)         {}
func (*schemaReader) WriteBool(*smithy.Schema, bool)               {}
func (*schemaReader) WriteString(*smithy.Schema, string)           {}
func (*schemaReader) WriteBigInt(*smithy.Schema, *big.Int)         {}
func (*schemaReader) WriteBigFloat(*smithy.Schema, *big.Float)     {}
func (*schemaReader) WriteBlob(*smithy.Schema, []byte)             {}
func (*schemaReader) WriteTime(*smithy.Schema, time.Time)          {}
func (*schemaReader) WriteUnion(_, _ *smithy.Schema)               {}
func (*schemaReader) CloseUnion()                                  {}
func (*schemaReader) WriteDocument(*smithy.Schema, document.Value) {}
func (*schemaReader) WriteNil(*smithy.Schema)                      {}
func (*schemaReader) CloseStruct()                                 {}
func (*schemaReader) WriteList(*smithy.Schema)                     {}
func (*schemaReader) CloseList()                                   {}
func (*schemaReader) WriteMap(*smithy.Schema)                      {}
func (*schemaReader) WriteKey(*smithy.Schema, string)              {}
func (*schemaReader) CloseMap()                                    {}

// build makes a pointer to an operation's input from inputs in wire casing, or says everything that is wrong with them.
func (c *catalog) build(op *operation, inputs map[string]any) (reflect.Value, []error) {
	var p problems
	pointer := reflect.New(op.input)
	c.fillStruct(&p, "inputs", pointer.Elem(), inputs)
	if len(p.errs) > 0 {
		return reflect.Value{}, p.errs
	}
	return pointer, nil
}

// missing says which required members an input lacks, as the SDK's own validators have it.
func (c *catalog) missing(op *operation, input reflect.Value) []error {
	_, err := op.call(context.Background(), c.client(op.service), input)
	if errors.Is(err, errValid) {
		return nil
	}
	var invalid smithy.InvalidParamsError
	if errors.As(err, &invalid) {
		return c.required(op, invalid)
	}
	return []error{err}
}

// required names the required members that an input lacks.
func (c *catalog) required(op *operation, invalid smithy.InvalidParamsError) []error {
	var errs []error
	for _, err := range invalid.Errs() {
		var param smithy.InvalidParamError
		if !errors.As(err, &param) {
			errs = append(errs, err)
			continue
		}
		field := strings.TrimPrefix(param.Field(), op.input.Name())
		errs = append(errs, fmt.Errorf("inputs%s is required by %s", c.wirePath(op.input, field), op.api))
	}
	return errs
}

// wirePath turns a path of Go fields, such as .ResourceKeys[0].ResourceType, into one of wire names.
func (c *catalog) wirePath(t reflect.Type, field string) string {
	var b strings.Builder
	for _, element := range strings.Split(strings.TrimPrefix(field, "."), ".") {
		name, index, _ := strings.Cut(element, "[")
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			if f, ok := t.FieldByName(name); ok {
				if s, err := c.shape(t); err == nil {
					for _, m := range s.members {
						if m.index == f.Index[0] {
							name = m.name
						}
					}
				}
				t = f.Type
			}
		}
		b.WriteString("." + name)
		if index != "" {
			b.WriteString("[" + index)
		}
	}
	return b.String()
}

func (c *catalog) fillStruct(p *problems, where string, target reflect.Value, values map[string]any) {
	s, err := c.shape(target.Type())
	if err != nil {
		p.add(where, "%v", err)
		return
	}
	for _, key := range sortedKeys(values) {
		m, ok := s.member(key)
		if !ok {
			p.add(where, "%s has no member %q%s", target.Type().Name(), key, suggestion(key, s.names()))
			continue
		}
		c.fill(p, where+"."+key, target.Field(m.index), values[key])
	}
}

// fill sets target, of one of the SDK's types, to v.
func (c *catalog) fill(p *problems, where string, target reflect.Value, v any) {
	if u, ok := v.(unknown); ok {
		c.fillUnknown(p, where, target, u)
		return
	}
	t := target.Type()
	wrong := func(want string) { p.add(where, "must be %s, got %s", want, describe(v)) }
	switch {
	case t.Kind() == reflect.Pointer:
		pointer := reflect.New(t.Elem())
		c.fill(p, where, pointer.Elem(), v)
		target.Set(pointer)
	case t == reflect.TypeFor[time.Time]():
		text, _ := v.(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			wrong("a time such as 2006-01-02T15:04:05Z")
			return
		}
		target.Set(reflect.ValueOf(at))
	case t == reflect.TypeFor[[]byte]():
		if text, ok := v.(string); ok {
			target.SetBytes([]byte(text))
			return
		}
		wrong("a string")
	case t.Kind() == reflect.String:
		text, ok := v.(string)
		if !ok {
			wrong("a string")
		} else if allowed := enum(t); allowed != nil && !slices.Contains(allowed, text) {
			p.add(where, "%q is not one of %s", text, strings.Join(allowed, ", "))
		}
		target.SetString(text)
	case t.Kind() == reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			wrong("true or false, without quotes")
		}
		target.SetBool(b)
	case target.CanInt():
		n, ok := v.(int64)
		if !ok || target.OverflowInt(n) {
			wrong("a whole number of " + strconv.Itoa(t.Bits()) + " bits")
			return
		}
		target.SetInt(n)
	case target.CanFloat():
		switch n := v.(type) {
		case int64:
			target.SetFloat(float64(n))
		case float64:
			target.SetFloat(n)
		default:
			wrong("a number")
		}
	case t.Kind() == reflect.Slice:
		items, ok := v.([]any)
		if !ok {
			wrong("a list")
		}
		list := reflect.MakeSlice(t, len(items), len(items))
		for i, item := range items {
			c.fill(p, where+"["+strconv.Itoa(i)+"]", list.Index(i), item)
		}
		target.Set(list)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		values, ok := v.(map[string]any)
		if !ok {
			wrong("a map")
		}
		m := reflect.MakeMapWithSize(t, len(values))
		for _, key := range sortedKeys(values) {
			k, item := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			c.fill(p, where+" key", k, key)
			c.fill(p, where+"."+key, item, values[key])
			m.SetMapIndex(k, item)
		}
		target.Set(m)
	case t.Kind() == reflect.Struct:
		values, ok := v.(map[string]any)
		if !ok {
			wrong("a map")
		}
		c.fillStruct(p, where, target, values)
	default:
		p.add(where, "a value of type %v is not modelled", t)
	}
}

// fillUnknown sets target to any value of its type, so that the SDK's validators find it there, and checks the values
// that the unknown is known to take.
func (c *catalog) fillUnknown(p *problems, where string, target reflect.Value, u unknown) {
	t := target.Type()
	if t.Kind() == reflect.Pointer {
		pointer := reflect.New(t.Elem())
		c.fillUnknown(p, where, pointer.Elem(), u)
		target.Set(pointer)
		return
	}
	if u.typ != "" && !u.typ.fits(t) {
		p.add(where, "must be %s, and %s is a %s", kindName(t), u.source, u.typ)
		return
	}
	for _, sample := range u.samples {
		var sampled problems
		c.fill(&sampled, where, reflect.New(t).Elem(), sample)
		for _, err := range sampled.errs {
			p.errs = append(p.errs, fmt.Errorf("%w, in a value of %s", err, u.source))
		}
	}
	switch t.Kind() {
	case reflect.Slice:
		target.Set(reflect.MakeSlice(t, 0, 0))
	case reflect.Map:
		target.Set(reflect.MakeMap(t))
	case reflect.String:
		target.SetString("x")
	}
}

// fits reports whether values of the type can be values of a type of the SDK.
func (v valueType) fits(t reflect.Type) bool {
	switch v {
	case typeString:
		return t.Kind() == reflect.String || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[[]byte]()
	case typeBoolean:
		return t.Kind() == reflect.Bool
	case typeInteger:
		return t.Kind() == reflect.Int32 || t.Kind() == reflect.Int64
	case typeStringList:
		return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
	case typeMapList:
		return t.Kind() == reflect.Slice && (t.Elem().Kind() == reflect.Struct || t.Elem().Kind() == reflect.Map)
	case typeStringMap:
		return t.Kind() == reflect.Map
	}
	return false
}

// kindName says what kind of value a type of the SDK holds.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time"
	case t == reflect.TypeFor[[]byte](), t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct:
		return "a map"
	}
	return "a number"
}

// enum returns the values of an enumeration of the SDK, nil for other strings.
func enum(t reflect.Type) []string {
	method, ok := t.MethodByName("Values")
	if !ok {
		return nil
	}
	list := method.Func.Call([]reflect.Value{reflect.Zero(t)})[0]
	values := make([]string, list.Len())
	for i := range values {
		values[i] = list.Index(i).String()
	}
	return values
}

// export turns a value of the SDK into maps, lists, strings, booleans, int64 and float64 under the names of the wire.
// Members that are nil, and enumerations that are empty, are absent. Numbers and booleans that the SDK does not hold by
// pointer are always present. Times are RFC 3339.
func (c *catalog) export(v reflect.Value) (any, error) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		return v.Interface().(time.Time).UTC().Format(time.RFC3339), nil
	case v.Type() == reflect.TypeFor[[]byte]():
		return string(v.Bytes()), nil
	case v.Kind() == reflect.Pointer:
		return c.export(v.Elem())
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.Kind() == reflect.Bool:
		return v.Bool(), nil
	case v.CanInt():
		return v.Int(), nil
	case v.CanFloat():
		return v.Float(), nil
	case v.Kind() == reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			item, err := c.export(v.Index(i))
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	case v.Kind() == reflect.Map:
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			item, err := c.export(it.Value())
			if err != nil {
				return nil, err
			}
			m[it.Key().String()] = item
		}
		return m, nil
	case v.Kind() == reflect.Struct:
		return c.exportStruct(v)
	}
	return nil, fmt.Errorf("a value of type %v is not modelled", v.Type())
}

func (c *catalog) exportStruct(v reflect.Value) (map[string]any, error) {
	s, err := c.shape(v.Type())
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(s.members))
	for _, member := range s.members {
		field := v.Field(member.index)
		switch field.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			if field.IsNil() {
				continue
			}
		case reflect.String:
			if field.Len() == 0 {
				continue
			}
		}
		if m[member.name], err = c.export(field); err != nil {
			return nil, err
		}
	}
	return m, nil
}
