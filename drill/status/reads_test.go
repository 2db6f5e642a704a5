package status

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// services are the clients' names as the SDK writes the services.
var services = map[string]string{"Config": "Config Service", "Events": "EventBridge", "Logs": "CloudWatch Logs"}

// permissions are what a caller needs for all reads, in order.
func permissions() (all []string) {
	clients := reflect.TypeFor[Clients]()
	for i := range clients.NumField() {
		field := clients.Field(i)
		service := field.Name
		if named, differs := services[service]; differs {
			service = named
		}
		for j := range field.Type.NumMethod() {
			all = append(all, permission(service, field.Type.Method(j).Name))
		}
	}
	slices.Sort(all)
	return all
}

// TestOnlyReadsAreCalled walks the interfaces through which the package calls AWS.
func TestOnlyReadsAreCalled(t *testing.T) {
	reads := regexp.MustCompile(`^(Get|Describe|List)[A-Z]`)
	clients := reflect.TypeFor[Clients]()
	apis := []reflect.Type{reflect.TypeFor[Directory]()}
	for i := range clients.NumField() {
		apis = append(apis, clients.Field(i).Type)
	}
	for _, api := range apis {
		if api.Kind() != reflect.Interface {
			t.Fatalf("%s is no interface: with it anything can be called", api)
		}
		for j := range api.NumMethod() {
			if name := api.Method(j).Name; !reads.MatchString(name) {
				t.Errorf("%s can call %s, which does not read", api, name)
			}
		}
	}
}

// TestNothingThatCanTamperIsImported looks at what the package needs: neither the drill, which tampers, nor the local AWS, nor the
// constructs.
func TestNothingThatCanTamperIsImported(t *testing.T) {
	const module = "github.com/trailguard/trailguard"
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
	listed, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	needs := strings.Fields(string(listed))
	for _, path := range needs {
		if path == module+"/drill" || strings.HasPrefix(path, module+"/localaws") || strings.HasPrefix(path, module+"/constructs") {
			t.Errorf("%s is imported", path)
		}
	}
	if !slices.Contains(needs, module+"/drill/deployed") {
		t.Error("the imports do not show what the package needs")
	}
}

// TestTheRoleOfTheExampleReadsAndNoMore: the role in each account has the permissions of the reads, and that of the caller besides those to
// reach the others.
func TestTheRoleOfTheExampleReadsAndNoMore(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "examples", "status-role.json"))
	if err != nil {
		t.Fatal(err)
	}
	actions := regexp.MustCompile(`"([a-z0-9]+:[A-Z][A-Za-z0-9]+)"`).FindAllStringSubmatch(string(content), -1)
	var listed []string
	for _, action := range actions {
		if !strings.HasPrefix(action[1], "aws:") { // a condition key
			listed = append(listed, action[1])
		}
	}
	slices.Sort(listed)
	want := append(permissions(), "organizations:ListAccounts", "sts:AssumeRole", "sts:AssumeRole") // in its trust policy, too
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("the role has %q, want %q", listed, want)
	}
}

// TestTheREADMEListsThePermissions: no more and no fewer than the reads need.
func TestTheREADMEListsThePermissions(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "\n| service | actions |\n")
	section, _, _ = strings.Cut(section, "\n\n")
	var listed []string
	for line := range strings.Lines(section) {
		names := regexp.MustCompile("`([A-Za-z0-9]+)`").FindAllStringSubmatch(line, -1)
		for i, name := range names {
			if i > 0 {
				listed = append(listed, names[0][1]+":"+name[1])
			}
		}
	}
	slices.Sort(listed)
	if want := permissions(); !slices.Equal(listed, want) {
		t.Errorf("the README lists %q, want %q", listed, want)
	}
}
