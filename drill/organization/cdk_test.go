package organization

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/synthesis"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws"
	"github.com/trailguard/trailguard/localaws/repository"
)

// project is a folder with a cdk.json whose app is the repository's.
type project struct {
	*house
	folder string
}

// write writes the project's cdk.json.
func (p project) write(block map[string]any) {
	p.t.Helper()
	path, err := app()
	p.must(err)
	content, err := os.ReadFile(repository.Path("cdk.json"))
	p.must(err)
	settings := testbed.ParseTemplate(p.t, string(content))
	settings["app"] = path
	settings["context"].(map[string]any)["trailguard"] = block
	p.must(os.WriteFile(filepath.Join(p.folder, "cdk.json"), []byte(settings.JSON()), 0o600))
}

// cdk runs the CDK's command line with the credentials of an account's administrator, who can reach nothing but the local AWS.
func (p project) cdk(account string, arguments ...string) string {
	p.t.Helper()
	keys := p.Account(account).Credentials(p.Account(account).Administrator())
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(repository.NodeModules(), ".bin", "cdk"), append(arguments, "--ci", "--no-notices", "--no-color")...)
	command.Dir = p.folder
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "AWS_") && !strings.HasPrefix(entry, "CDK_") {
			command.Env = append(command.Env, entry)
		}
	}
	command.Env = append(command.Env,
		"AWS_ENDPOINT_URL="+p.URL(), "AWS_REGION="+p.region, "AWS_DEFAULT_REGION="+p.region, "AWS_MAX_ATTEMPTS=1",
		"AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"CDK_HOME="+p.folder, // it remembers there which account an access key is of, and each organization has the same access keys
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "CDK_VALIDATION=false", "CDK_DISABLE_CLI_TELEMETRY=true",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", synthesis.Path(),
	)
	output, err := command.CombinedOutput()
	if err != nil {
		p.t.Fatalf("cdk %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

// deploy deploys a stack of an assembly.
func (p project) deploy(stack, assembly string) string {
	p.t.Helper()
	return p.cdk(p.accountOf(stack), "deploy", stack, "--app", assembly, "--method=direct", "--require-approval=never", "--progress=events", "--exclusively")
}

// TestTheCommandLineDeploysEachStackInTheAccountWhereItBelongs follows the guide: what is told first, then the archive, whose output is copied
// into cdk.json, then what needs it, and the policies last.
func TestTheCommandLineDeploysEachStackInTheAccountWhereItBelongs(t *testing.T) {
	t.Parallel()
	s := &shape{region: "us-east-1", account: standing, keys: map[string]any{"members": "guard", "configRules": false}}
	h := begin(t, s)
	h.must(localaws.PutRecorder(t.Context(), h.as(management)))
	block := s.configuration(map[string]any{"organizationalUnitIds": []string{h.unit("Core"), h.unit("Workloads")}})
	p := project{h, t.TempDir()}

	p.write(block)
	first := p.synthesize("first")
	if stacks := stacksOf(t, first); slices.Contains(stacks, managementStack) || slices.Contains(stacks, rolloutStack) {
		t.Errorf("without the key's ARN there are the stacks %v", stacks)
	}
	p.deploy(centralStack, first)
	p.deploy(logArchiveStack, first)
	h.key = h.output(logArchiveStack, "LogKeyArn")
	if command := h.descriptionOf(logArchiveStack, "LogKeyArn"); !strings.Contains(command, "aws cloudformation describe-stacks --stack-name "+logArchiveStack) {
		t.Errorf("the output does not say how it is read: %s", command)
	}

	block["logArchiveKeyArn"] = h.key
	p.write(block)
	second := p.synthesize("second")
	want := []string{managementStack, rolloutStack, preventionStack}
	if got := stacksOf(t, second); len(got) != len(want)+2 {
		t.Errorf("with the key's ARN there are the stacks %v", got)
	}
	for _, stack := range want {
		p.deploy(stack, second)
	}

	h.settle()
	h.listen()
	guards := h.guards()
	if got, want := sorted(guards), []string{management, archive, security, memberOne, memberTwo, delegate}; !slices.Equal(got, want) {
		t.Errorf("there are guards in %v, want %v", got, want)
	}
	for account, guard := range guards {
		h.wantKept(account, guard)
	}
	h.wantDelivered(guards)
	by := h.attackers(management)[0]
	h.tamper(h.scenario("T01"), management, by, guards[management], trailName)
	h.settle()
	h.wantKept(management, guards[management])
	h.wantHeard("tampering in the management account, which no policy binds", h.tampering("StopLogging", management, by), h.repaired(management))
	h.wantDenied(memberOne, guards[memberOne])
}

// wantDenied reports an attacker of a member whom the policies of prevention do not stop.
func (h *house) wantDenied(account string, guard deployed.Guard) {
	h.t.Helper()
	for _, by := range h.attackers(account) {
		if err := h.scenario("T01").Tamper(h.t.Context(), h.trailsOf(account, by), target(guard)); !testbed.HasCode(err, "AccessDenied", "AccessDeniedException") {
			h.t.Errorf("%s by %s: %v", account, by.kind, err)
		}
	}
}

// synthesize runs the app by the command line, into a folder.
func (p project) synthesize(folder string) string {
	p.t.Helper()
	synthesizing.Lock()
	defer synthesizing.Unlock()
	path := filepath.Join(p.folder, folder)
	p.cdk(management, "synth", "--quiet", "--output", path)
	return path
}

// stacksOf are the stacks of an assembly.
func stacksOf(t *testing.T, assembly string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(assembly, "manifest.json"))
	testbed.Must(t, err)
	var manifest struct {
		Artifacts map[string]struct{ Type string }
	}
	testbed.Must(t, json.Unmarshal(content, &manifest))
	var stacks []string
	for id, artifact := range manifest.Artifacts {
		if artifact.Type == "aws:cloudformation:stack" {
			stacks = append(stacks, id)
		}
	}
	slices.Sort(stacks)
	return stacks
}

// descriptionOf is the description of an output of a stack.
func (h *house) descriptionOf(stack, output string) string {
	h.t.Helper()
	described, err := cloudformation.NewFromConfig(h.configOf(stack)).DescribeStacks(h.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	h.must(err)
	for _, one := range described.Stacks[0].Outputs {
		if *one.OutputKey == output {
			return aws.ToString(one.Description)
		}
	}
	return fmt.Sprintf("stack %s has no output %s", stack, output)
}
