package localaws

import (
	"context"
	"fmt"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/moto"
	"github.com/trailguard/trailguard/localaws/ssm/automation"
)

// checkParameters rejects a remediation whose parameters are not those of its runbook. What values the runbook allows is not looked
// at, and neither is whether it has the version: an execution is refused then.
//
// That Config looks at the names is taken from its message, and from what is said of documents that change.
// https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
// https://github.com/hashicorp/terraform-provider-aws/issues/31428
func checkParameters(ctx context.Context, directory *moto.Directory, rule, name, version string, names []string) error {
	if version == "" {
		version = "$DEFAULT"
	}
	invalid := func(format string, args ...any) error {
		return api.Errorf("InvalidParameterValueException", "There were invalid RemediationParameterValues for configurations for AWS Config Rules: [%s]: %s",
			rule, fmt.Sprintf(format, args...))
	}
	name = api.AfterLast(name, "/")
	found, err := directory.Document(ctx, name, version)
	if api.IsRefusal(err) {
		return nil // there is no such version
	}
	if err != nil {
		return fmt.Errorf("reading document %s: %w", name, err)
	}
	document, err := automation.Parse([]byte(found.Content))
	if err != nil {
		return invalid("the document %s is no runbook: %v", name, err)
	}
	unknown, missing := document.CheckNames(names)
	if len(unknown) > 0 {
		return invalid("the document %s has no parameter %s", name, strings.Join(unknown, ", "))
	}
	if len(missing) > 0 {
		return invalid("the document %s requires the parameter %s", name, strings.Join(missing, ", "))
	}
	return nil
}
