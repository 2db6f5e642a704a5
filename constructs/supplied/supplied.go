// Package supplied tells people what the policies of supplied resources must hold, where the CDK cannot write it there. What it
// tells is made from the statements that a resource of the stack's own gets, so that the two cannot differ.
package supplied

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/validation"
)

// complete marks a supplied resource whose policy has what is needed.
const complete = "trailguard:complete"

// Complete says of an imported resource that its policy has the statements that a guard needs: nothing is told of it.
func Complete(resource constructs.IConstruct) {
	resource.Node().AddMetadata(jsii.String(complete), true, nil)
}

// IsComplete tells whether Complete was said of a resource.
func IsComplete(resource constructs.IConstruct) bool {
	for _, entry := range *resource.Node().Metadata() {
		if *entry.Type == complete {
			return true
		}
	}
	return false
}

// Tell warns at synthesis that the resource of a property cannot be changed here, and shows the statements that it must have:
// in the warning, with CloudFormation's ${…} where a value is known at deployment only, and in an output of the stack.
// where says which policy the statements belong to, such as "the bucket's policy".
func Tell(scope constructs.Construct, prop, where string, statements ...awsiam.PolicyStatement) {
	id := prop + "Statements"
	for n := 2; scope.Node().TryFindChild(&id) != nil; n++ {
		id = fmt.Sprintf("%sStatements%d", prop, n)
	}
	stack := awscdk.Stack_Of(scope)
	output := awscdk.NewCfnOutput(scope, &id, &awscdk.CfnOutputProps{
		Description: jsii.String("Statements that " + where + " must have"),
		Value:       stack.ToJsonString(statementsOf(statements), nil),
	})
	awscdk.Annotations_Of(scope).AddWarningV2(jsii.String("trailguard:supplied"+prop+strings.ReplaceAll(where, " ", "")), jsii.String(fmt.Sprintf(
		"%s is supplied, and cannot be changed here: see that %s has these statements (the stack's output %s has them with their values): %s",
		prop, where, *stack.GetLogicalId(output), Text(scope, statements...))))
}

// AddToPolicy adds the statements to the policy of the resource of a property, and tells if it cannot be changed here.
func AddToPolicy(scope constructs.Construct, prop, where string, add func(awsiam.PolicyStatement) *awsiam.AddToResourcePolicyResult, statements ...awsiam.PolicyStatement) {
	added := true
	for _, statement := range statements {
		added = *add(statement).StatementAdded && added
	}
	if !added {
		Tell(scope, prop, where, statements...)
	}
}

// ToKey adds a statement to the policy of a key, for AddToPolicy.
func ToKey(key awskms.IKey) func(awsiam.PolicyStatement) *awsiam.AddToResourcePolicyResult {
	return func(statement awsiam.PolicyStatement) *awsiam.AddToResourcePolicyResult {
		return key.AddToResourcePolicy(statement, jsii.Bool(true))
	}
}

// AddToTopic adds to the policy of the topic of a property what lets a service publish, and to that of its key, where that can be seen,
// what lets it encrypt. It tells if one of them cannot be changed here, and returns what must exist before the service can publish.
func AddToTopic(scope constructs.Construct, prop string, topic awssns.ITopic, publish, encrypt awsiam.PolicyStatement) []constructs.IDependable {
	added := topic.AddToResourcePolicy(publish)
	if !*added.StatementAdded {
		Tell(scope, prop, "the topic's policy, and the policy of its key if it is encrypted,", publish, encrypt)
		return nil
	}
	if key := topic.MasterKey(); key != nil {
		AddToPolicy(scope, prop, "the policy of the topic's key", ToKey(key), encrypt)
	}
	return []constructs.IDependable{added.PolicyDependable}
}

// AddToRole gives a role the statements, and tells if it cannot be changed here. A role that the app defines in another stack gets
// them from a policy with the id in the scope: in the role's own stack, statements about resources of this stack would make each
// stack depend on the other. It returns what must exist before the role has the statements.
func AddToRole(scope constructs.Construct, id, prop string, role awsiam.IRole, statements ...awsiam.PolicyStatement) []constructs.IDependable {
	if !IsOfStack(scope, role) {
		if _, isDefined := role.(awsiam.Role); isDefined {
			return []constructs.IDependable{awsiam.NewPolicy(scope, &id, &awsiam.PolicyProps{
				Roles: &[]awsiam.IRole{role}, Statements: &statements,
			})}
		}
		Tell(scope, prop, "the role's policy", statements...)
		return nil
	}
	var policies []constructs.IDependable
	for _, statement := range statements {
		policies = append(policies, role.AddToPrincipalPolicy(statement).PolicyDependable)
	}
	if isImmutable(role) {
		Tell(scope, prop, "the role's policy", statements...)
		return nil
	}
	return policies[:1] // all are the same
}

// IsOfStack tells whether a resource is defined, or imported, in the scope's stack.
func IsOfStack(scope, resource constructs.IConstruct) bool {
	return *awscdk.Stack_Of(scope).Node().Path() == *awscdk.Stack_Of(resource).Node().Path()
}

// isImmutable tells whether a role keeps nothing of what is added to it: an imported role whose policies are not to be changed
// says that it was.
// https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_iam.Role.html#static-fromwbrrolewbrarnscope-id-rolearn-options
func isImmutable(role awsiam.IRole) bool { return len(*role.Node().Children()) == 0 }

// Text is the JSON of statements, with CloudFormation's ${…} for what is known at deployment only.
func Text(scope constructs.Construct, statements ...awsiam.PolicyStatement) string {
	list := []any{}
	for _, statement := range statementsOf(statements) {
		list = append(list, plain(unwrapped(awscdk.Stack_Of(scope).Resolve(statement))))
	}
	return validation.JSON(list)
}

func statementsOf(statements []awsiam.PolicyStatement) []any {
	list := []any{}
	for _, statement := range statements {
		list = append(list, unwrapped(statement.ToStatementJson()))
	}
	return list
}

// unwrapped takes maps out of what they are wrapped in when they pass from the CDK to Go.
func unwrapped(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, unwrapped(item))
		}
		return list
	case map[string]any:
		if inner, isWrapped := value["$jsii.map"]; isWrapped {
			return unwrapped(inner)
		}
		object := map[string]any{}
		for key, item := range value {
			object[key] = unwrapped(item)
		}
		return object
	}
	return value
}

// plain puts texts with ${…} in the place of CloudFormation's functions.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html
func plain(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, plain(item))
		}
		return list
	case map[string]any:
		if text, isFunction := function(value); isFunction {
			return text
		}
		object := map[string]any{}
		for key, item := range value {
			object[key] = plain(item)
		}
		return object
	}
	return value
}

func function(object map[string]any) (text string, isFunction bool) {
	if len(object) != 1 {
		return "", false
	}
	if name, ok := object["Ref"].(string); ok {
		return "${" + name + "}", true
	}
	if text, ok := object["Fn::Sub"].(string); ok {
		return text, true
	}
	if parts, ok := object["Fn::GetAtt"].([]any); ok {
		return fmt.Sprintf("${%v.%v}", parts...), true
	}
	if join, ok := object["Fn::Join"].([]any); ok {
		var texts []string
		for _, part := range join[1].([]any) {
			texts = append(texts, fmt.Sprint(plain(part)))
		}
		return strings.Join(texts, fmt.Sprint(join[0])), true
	}
	return "", false
}
