// Package supplied tells people what the policies of supplied resources must hold, where the CDK cannot write it there. What it
// tells is made from the statements that a resource of the stack's own gets, so that the two cannot differ.
package supplied

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Tell warns at synthesis that the resource of a property cannot be changed here, and shows the statements that it must have:
// in the warning, with CloudFormation's ${…} where a value is known at deployment only, and in the output PROPStatements.
// where says which policy the statements belong to, such as "the bucket's policy".
func Tell(scope constructs.Construct, prop, where string, statements ...awsiam.PolicyStatement) {
	text := Text(scope, statements...)
	awscdk.Annotations_Of(scope).AddWarningV2(jsii.String("trailguard:supplied"+prop+strings.ReplaceAll(where, " ", "")), jsii.String(fmt.Sprintf(
		"%s is supplied, and cannot be changed here: see that %s has these statements (the stack's output %sStatements has them with their values): %s",
		prop, where, prop, text)))
	if scope.Node().TryFindChild(jsii.String(prop+"Statements")) == nil {
		awscdk.NewCfnOutput(scope, jsii.String(prop+"Statements"), &awscdk.CfnOutputProps{
			Description: jsii.String("Statements that " + where + " must have"),
			Value:       awscdk.Fn_Sub(&text, nil),
		})
	}
}

// IsImmutable tells whether a role keeps nothing of what is added to it: an imported role whose policies are not to be changed
// says that it was.
// https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_iam.Role.html#static-fromwbrrolewbrarnscope-id-rolearn-options
func IsImmutable(role awsiam.IRole) bool { return len(*role.Node().Children()) == 0 }

// Text is the JSON of statements, with CloudFormation's ${…} for what is known at deployment only.
func Text(scope constructs.Construct, statements ...awsiam.PolicyStatement) string {
	list := []any{}
	for _, statement := range statements {
		list = append(list, plain(awscdk.Stack_Of(scope).Resolve(statement.ToStatementJson())))
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(list); err != nil {
		panic(fmt.Errorf("supplied: writing statements: %w", err))
	}
	return strings.TrimSpace(text.String())
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
		if inner, isWrapped := value["$jsii.map"]; isWrapped {
			return plain(inner) // what passes from the CDK to Go as a map of its own
		}
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
