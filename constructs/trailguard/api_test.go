package trailguard_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsconfig"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
)

// TestConstructorsAreOfOneForm reads the source of the constructs: each constructor takes scope, id and props, each type of props
// validates itself, and each list of props is a pointer, as in the CDK's Go API.
func TestConstructorsAreOfOneForm(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	// The constructs of an organization are called in their own package, by TestEachWrongPropIsNamedAtOnce.
	constructors, tested := 0, source(t, "constructors_test.go")+source(t, filepath.Join("..", "organization", "validate_test.go"))
	validated, props := map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		of := file.Name.Name + "."
		for _, declaration := range file.Decls {
			switch declaration := declaration.(type) {
			case *ast.FuncDecl:
				name := declaration.Name.Name
				if declaration.Recv != nil {
					if receiver, ok := declaration.Recv.List[0].Type.(*ast.StarExpr); ok && name == "Validate" {
						validated[of+fmt.Sprint(receiver.X)] = true
					}
					continue
				}
				if !regexp.MustCompile(`^New[A-Z]`).MatchString(name) {
					continue
				}
				constructors++
				var form []string
				for _, parameter := range declaration.Type.Params.List {
					for _, name := range parameter.Names {
						form = append(form, name.Name)
					}
				}
				if got := strings.Join(form, ", "); got != "scope, id, props" {
					t.Errorf("%s%s takes %s", of, name, got)
				}
				if !strings.Contains(tested, of+name+"(") {
					t.Errorf("%s%s is not called by TestConstructorsNameThePropsThatAreMissing", of, name)
				}
			case *ast.GenDecl:
				for _, spec := range declaration.Specs {
					spec, ok := spec.(*ast.TypeSpec)
					if !ok || !(strings.HasSuffix(spec.Name.Name, "Props") || file.Name.Name == "trailguard" && spec.Name.IsExported()) {
						continue
					}
					object, ok := spec.Type.(*ast.StructType)
					if !ok {
						continue
					}
					if strings.HasSuffix(spec.Name.Name, "Props") {
						props[of+spec.Name.Name] = true
					}
					for _, field := range object.Fields.List {
						if list, isList := field.Type.(*ast.ArrayType); isList {
							t.Errorf("%s%s has the list %v of %v, which is no pointer", of, spec.Name.Name, field.Names, list.Elt)
						}
					}
				}
			}
		}
	}
	for name := range props {
		if !validated[name] {
			t.Errorf("%s has no Validate", name)
		}
	}
	if constructors < 7 || len(props) < 7 {
		t.Errorf("there are %d constructors and %d types of props", constructors, len(props))
	}
}

func source(t *testing.T, path string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var calls strings.Builder
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
				fmt.Fprintf(&calls, "%v.%s(\n", selector.X, selector.Sel.Name)
			}
		}
		return true
	})
	return calls.String()
}

// TestRulesAreThoseOfTheCDK uses the guard's rules as any IRule: an event of a rule, a dependency on it, its resource, its name in
// another stack.
func TestRulesAreThoseOfTheCDK(t *testing.T) {
	app := awscdk.NewApp(nil)
	stack, other := awscdk.NewStack(app, jsii.String("Stack"), nil), awscdk.NewStack(app, jsii.String("Other"), nil)
	guard := trailguard.NewTrailGuard(stack, jsii.String("Default"), nil)
	queue := awssqs.NewQueue(stack, jsii.String("Queue"), nil)
	topic := awssns.NewTopic(stack, jsii.String("Topic"), nil)
	for i, rule := range *guard.Rules() {
		rule.OnComplianceChange(jsii.String("Changed"), &awsevents.OnEventOptions{Target: awseventstargets.NewSnsTopic(topic, nil)})
		queue.Node().AddDependency(rule)
		rule.Node().DefaultChild().(awsconfig.CfnConfigRule).AddMetadata(jsii.String("Owner"), "security")
		awscdk.NewCfnOutput(other, jsii.String(fmt.Sprintf("Rule%d", i)), &awscdk.CfnOutputProps{Value: rule.ConfigRuleName()})
	}
	template, another := synthesize(stack), synthesize(other)

	rules := ofType(template, "AWS::Config::ConfigRule")
	if len(rules) != 3 {
		t.Errorf("the rules are %v", rules)
	}
	waits := list(resource(template, ofType(template, "AWS::SQS::Queue")[1])["DependsOn"])
	for _, id := range rules {
		if !slices.Contains(waits, id) {
			t.Errorf("the queue waits for %v, not for %s", waits, id)
		}
		if got := fmt.Sprint(resource(template, id)["Metadata"]); got != "map[Owner:security]" {
			t.Errorf("%s has the metadata %s", id, got)
		}
		found := false
		for _, rule := range ofType(template, "AWS::Events::Rule") {
			found = found || property(template, rule, "EventPattern.detail.configRuleName") == "[map[Ref:"+id+"]]"
		}
		if !found {
			t.Errorf("no event rule is for %s", id)
		}
	}
	if got := fmt.Sprint(another["Outputs"]); strings.Count(got, "Fn::ImportValue:Stack:ExportsOutputRefConfigRules") != 3 {
		t.Errorf("the other stack has the outputs %s", got)
	}
}

func TestWithoutConfigThereAreNoRules(t *testing.T) {
	guard := trailguard.NewTrailGuard(awscdk.NewStack(nil, nil, nil), jsii.String("Guard"), &trailguard.TrailGuardProps{ConfigRules: jsii.Bool(false)})
	if rules := guard.Rules(); rules == nil || len(*rules) > 0 {
		t.Errorf("the rules are %v", rules)
	}
}
