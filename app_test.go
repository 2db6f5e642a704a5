package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const asTheApp = "TRAILGUARD_TEST_AS_THE_APP"

// TestTheAppSaysWhatIsWrongAndLeavesNoTemplate runs the app as the CDK's command line does, with each kind of what can be wrong.
func TestTheAppSaysWhatIsWrongAndLeavesNoTemplate(t *testing.T) {
	objects := func(length int) string {
		var values []string
		for i := range 250 {
			values = append(values, fmt.Sprintf("arn:aws:s3:::bucket-%03d/%s", i, strings.Repeat("x", length)))
		}
		return text(t, []any{map[string]any{"type": "AWS::S3::Object", "values": values}})
	}
	var addresses []string
	for i := range 120 {
		addresses = append(addresses, fmt.Sprintf("security-%03d@example.com", i))
	}
	tags := map[string]string{}
	for i := range 50 {
		tags[fmt.Sprint(i)] = strings.Repeat("ü", 256)
	}
	var accounts []string
	for i := range 4000 {
		accounts = append(accounts, fmt.Sprintf("9%011d", i))
	}
	const shorter = ": give fewer or shorter values"
	const spared = "\nrepairLogStore: is not false, and takes 8,000 bytes of the template: set it to false if nothing else can be spared"
	for _, test := range []struct{ name, block, want string }{
		{"what the configuration refuses", `{"logBucketName": "a.b..c"}`, `logBucketName: "a.b..c" is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes, ` +
			"begin and end with a letter or digit, put no dot beside a dot or dash, form no IP address, and use no beginning or end that S3 reserves"},
		{"what the props refuse, and what the stack does", `{"region": "eu-central-1", "insightTypes": ["Gut"], "alertTopicArn": "arn:aws:sns:us-east-1:123456789012:t.fifo"}`,
			`insightTypes[0]: "Gut" is not a type of Insights: use ApiCallRateInsight or ApiErrorRateInsight` + "\n" +
				"alertTopicArn: is a FIFO topic, to which EventBridge and CloudWatch cannot publish: give a standard topic\n" +
				"alertTopicArn: is in the Region us-east-1, and the stack is in eu-central-1: " +
				"rules, alarms and the runbook tell topics of their own account and Region: give one of those"},
		{"what only the synthesis shows", `{"dataResources": ` + objects(300) + `}`, "dataResources: makes the runbook up to N bytes long, and Systems Manager takes 65536" + shorter},
		{"too many data resources", `{"dataResources": ` + objects(60) + `}`, "dataResources: makes the template up to N bytes long, and CloudFormation takes 51200" + shorter + spared},
		{"too many addresses", `{"alertEmailAddresses": ` + text(t, addresses) + `}`, "alertEmailAddresses: makes the template up to N bytes long, and CloudFormation takes 51200" + shorter + spared},
		{"too many tags", `{"trailTags": ` + text(t, tags) + `}`, "trailTags: makes the template up to N bytes long, and CloudFormation takes 51200" + shorter + spared},
		{"too many accounts in a filter", ofTheOrganization(`"accountFilter": {"type": "DIFFERENCE", "accounts": ` + text(t, accounts) + `}`),
			"accountFilter: makes the template up to N bytes long, and CloudFormation takes 51200" + shorter},
		{"what an organization's configuration refuses", `{"mode": "organization", "organizationId": "o-a1b2c3d4e5", "region": "eu-central-1", "managementAccount": "1", "organizationalUnitIds": ["x"]}`,
			`managementAccount: "1" is not an account id: use 12 digits`},
		{"what only the CDK finds", `{}, "@aws-cdk/core:enableStackNameDuplicates": true`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			report, err := runApp(test.block, folder)
			if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) || failed.ExitCode() != 1 {
				t.Errorf("the app ends with %v, not with status 1", err)
			}
			report = length.ReplaceAllString(report, "up to N bytes")
			const heading = "trailguard: the configuration in cdk.json or on the command line cannot be used:\n"
			if want := heading + test.want + "\n"; test.want != "" && report != want {
				t.Errorf("the app says\n%s\nnot\n%s", report, want)
			}
			if !strings.HasPrefix(report, heading) || strings.Contains(report, "goroutine ") || strings.Contains(report, "    at ") {
				t.Errorf("the app says\n%s", report)
			}
			for _, name := range []string{"TrailGuard.template.json", "manifest.json"} {
				if _, err := os.Stat(filepath.Join(folder, name)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is there: %v", name, err)
				}
			}
		})
	}
}

func TestTheAppSynthesizes(t *testing.T) {
	folder := t.TempDir()
	if report, err := runApp(`{}`, folder); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	for _, name := range []string{"TrailGuard.template.json", "manifest.json"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestTheAppSynthesizesTheStacksOfAnOrganization(t *testing.T) {
	folder := t.TempDir()
	if report, err := runApp(ofTheOrganization(archive+","+security), folder); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	for _, name := range []string{"LogArchive", "Management", "Rollout", "Prevention", "Central", "OrganizationEvents"} {
		if _, err := os.Stat(filepath.Join(folder, "TrailGuard"+name+".template.json")); err != nil {
			t.Error(err)
		}
	}
}

// length is one that the script of the runbook has a part in.
var length = regexp.MustCompile(`up to [0-9]{5,6} bytes`)

// runApp runs the app with a block trailguard of cdk.json, and returns what it writes to its standard error.
func runApp(block, folder string) (string, error) {
	app := exec.Command(os.Args[0])
	app.Env = append(os.Environ(), asTheApp+"=yes", "CDK_OUTDIR="+folder, `CDK_CONTEXT_JSON={"trailguard": `+block+`}`,
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	var report bytes.Buffer
	app.Stderr = &report
	err := app.Run()
	return report.String(), err
}

func text(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
