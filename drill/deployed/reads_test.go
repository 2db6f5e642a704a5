package deployed

import (
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOnlyReadsAreCalled walks the interfaces through which the package calls AWS.
func TestOnlyReadsAreCalled(t *testing.T) {
	reads := regexp.MustCompile(`^(Get|Describe|List)[A-Z]`)
	clients := reflect.TypeFor[Clients]()
	for i := range clients.NumField() {
		field := clients.Field(i)
		if field.Type.Kind() != reflect.Interface {
			t.Fatalf("Clients.%s is a %s, with which anything can be called", field.Name, field.Type)
		}
		for j := range field.Type.NumMethod() {
			if name := field.Type.Method(j).Name; !reads.MatchString(name) {
				t.Errorf("%s can call %s, which does not read", field.Name, name)
			}
		}
	}
}

// imports are all packages that a package needs.
func imports(t *testing.T, path string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", path)
	listed, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Fields(string(listed))
}

// TestNothingThatCanTamperIsImported looks at what the package needs: neither the drill, which tampers, nor the local AWS, nor the
// services that only a drill needs.
func TestNothingThatCanTamperIsImported(t *testing.T) {
	const module, services = "github.com/trailguard/trailguard", "github.com/aws/aws-sdk-go-v2/service/"
	needs := imports(t, ".")
	for _, path := range needs {
		if path == module+"/drill" || strings.HasPrefix(path, module+"/localaws") {
			t.Errorf("%s is imported", path)
		}
		if service, ok := strings.CutPrefix(path, services); ok && slices.Contains([]string{"kms", "s3", "sqs", "sts", "iam"}, service) {
			t.Errorf("the client of %s is imported", service)
		}
	}
	if drill := imports(t, ".."); !slices.Contains(drill, module+"/drill/deployed") || !slices.Contains(drill, services+"kms") {
		t.Error("the imports of the drill do not show what it needs")
	}
}
