package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func TestEachStackIsDeployableByItself(t *testing.T) {
	folder := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &folder})
	newStacks(app)
	app.Synth(nil)
	for name, marks := range map[string][]string{
		"TrailGuardLogArchive": {`"trailguard-logs-222222222222-eu-central-1"`, "aws:SourceOrgID"},
		"TrailGuardCentral":    {"AWS::Events::EventBus", "https://pager.example.com/trailguard"},
		"TrailGuardManagement": {"AWS::SSM::Document", "trailguard-logs-222222222222-eu-central-1", "event-bus/trailguard"},
		"TrailGuardRollout":    {"AWS::CloudFormation::StackSet", "ou-ab12-c3d4e5f6", `\"team\"`},
		"TrailGuardPrevention": {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "trail/audit-trail"},
	} {
		text, err := os.ReadFile(filepath.Join(folder, name+".template.json"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, mark := range marks {
			if !strings.Contains(string(text), mark) {
				t.Errorf("%s lacks %s", name, mark)
			}
		}
		for _, link := range []string{"Fn::ImportValue", "Fn::GetStackOutput", "AssetParameters", "BootstrapVersion"} {
			if strings.Contains(string(text), link) {
				t.Errorf("%s has %s", name, link)
			}
		}
		if len(text) > 51_200 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
}
