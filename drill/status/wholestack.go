package status

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// lookAtStack looks at the stack itself, whose template is the measure of all else. reviewed is the template that it should have;
// empty if nobody says.
func lookAtStack(ctx context.Context, v *view, reviewed string, f *Finding) {
	f.seen++
	status := v.stack.described.StackStatus
	if strings.HasSuffix(string(status), "_FAILED") || strings.HasPrefix(string(status), "DELETE_") || status == types.StackStatusRollbackComplete {
		f.wrong("deploy it again: cdk deploy", "it is %s: %s", status, aws.ToString(v.stack.described.StackStatusReason))
	}
	if strings.HasSuffix(string(status), "_IN_PROGRESS") {
		f.warn("ask again when it is done", "it is %s: its parts change", status)
	}
	if !aws.ToBool(v.stack.described.EnableTerminationProtection) && !ofStackSet(v.stack.name) { // StackSets could not take it away
		f.warn("aws cloudformation update-termination-protection --enable-termination-protection --stack-name "+v.stack.name, "nothing protects it from being deleted")
	}
	policy, err := v.CloudFormation.GetStackPolicy(ctx, &cloudformation.GetStackPolicyInput{StackName: &v.stack.name})
	if f.read(err) == seen && strings.Contains(aws.ToString(policy.StackPolicyBody), `"Deny"`) {
		f.wrong(`if nobody meant it: aws cloudformation set-stack-policy --stack-name `+v.stack.name+
			` --stack-policy-body '{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}'`,
			"its stack policy keeps a deployment from mending it: %s", cut(*policy.StackPolicyBody))
	}
	if reviewed != "" {
		lookAtTemplate(v.stack.body, reviewed, f)
	}
	if template := v.among.template(aws.ToString(v.stack.described.StackId)); template != "" && !same(opened(template), opened(v.stack.body)) {
		f.wrong("roll out again: aws cloudformation update-stack-instances, where the StackSet is", "its template is not that of the StackSet which has made it")
	}
}

// lookAtTemplate compares the stack's template with one that was reviewed.
func lookAtTemplate(body, reviewed string, f *Finding) {
	want, err := decode(reviewed)
	have, failed := decode(body)
	if err != nil || failed != nil {
		f.NotSeen = append(f.NotSeen, NotSeen{What: fmt.Sprintf("the templates cannot be compared: %v %v", err, failed)})
		return
	}
	wanted, _ := want.(map[string]any)
	had, _ := have.(map[string]any)
	for _, section := range slices.Sorted(maps.Keys(union(wanted, had))) {
		a, _ := wanted[section].(map[string]any)
		b, _ := had[section].(map[string]any)
		if section != "Resources" {
			if !same(wanted[section], had[section]) {
				f.wrong("cdk deploy", "%s of its template are not those of the template that was given", section)
			}
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(union(a, b))) {
			switch {
			case a[id] == nil:
				f.wrong("cdk deploy", "resource %s is not in the template that was given", id)
			case b[id] == nil:
				f.wrong("cdk deploy", "resource %s is in the template that was given only", id)
			case !same(a[id], b[id]):
				f.wrong("cdk deploy", "resource %s is not as in the template that was given", id)
			}
		}
	}
}
