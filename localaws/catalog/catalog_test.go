package catalog_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/catalog"
	"github.com/trailguard/trailguard/localaws/repository"
	"github.com/trailguard/trailguard/localaws/wire"
)

// actions are those of a service in the Service Authorization Reference, with their access levels.
func actions(t *testing.T, service catalog.Service) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository.NodeModules(), "@cloud-copilot", "iam-data", "data", "actions",
		cmp.Or(service.Prefix, service.Name)+".json"))
	if err != nil {
		t.Fatalf("%v: run `make setup`", err)
	}
	var entries map[string]struct{ Name, AccessLevel string }
	if err := json.Unmarshal(content, &entries); err != nil {
		t.Fatal(err)
	}
	levels := map[string]string{}
	for _, e := range entries {
		levels[e.Name] = e.AccessLevel
	}
	return levels
}

// noOperation are actions that no operation of these APIs has: they are for consoles, or for what a service does itself.
var noOperation = []string{
	"cloudwatch:GenerateQuery", "cloudwatch:GenerateQueryResultsSummary", "cloudwatch:SearchPrincipals", "logs:StopLiveTail", "logs:Unmask",
	"s3:AllowVendedLogDeliveryForResource", "ssm:ExecuteAPI", "ssm:PutConfigurePackageResult",
}

// otherwise are operations of which CloudTrail says another thing than the Service Authorization Reference does: see the rows.
var otherwise = []string{
	"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateRandom", "sts:AssumeRole",
}

func TestWhatChangesSomethingIsWhatAWSSays(t *testing.T) {
	for _, service := range catalog.Services() {
		for name, level := range actions(t, service) {
			operation := service.Operation(name)
			action := service.Prefixed(name)
			if operation.By == catalog.NotModelled || operation.Kind == catalog.Data || slices.Contains(noOperation, action) {
				continue
			}
			reads := level == "Read" || level == "List"
			if differs := (operation.Kind == catalog.Read) != reads; differs != slices.Contains(otherwise, action) {
				t.Errorf("%s is of kind %d, and AWS calls its access level %s", action, operation.Kind, level)
			}
		}
	}
}

func TestEachRowIsOfAnActionThatAWSHas(t *testing.T) {
	for _, service := range catalog.Services() {
		known := actions(t, service)
		for name, row := range service.Operations {
			if row.Action == "" {
				row.Action = name
			} else if _, isAction := known[name]; isAction && service.Name != "s3" {
				t.Errorf("%s:%s is said to be the action %s, and is an action itself", service.Name, name, row.Action)
			}
			if _, isAction := known[row.Action]; !isAction {
				t.Errorf("%s:%s: AWS has no action %s", service.Name, name, service.Prefixed(row.Action))
			}
		}
	}
}

func TestEachOperationOfS3HasARow(t *testing.T) {
	for _, name := range wire.S3Operations() {
		if _, ok := catalog.Find("s3").Operations[name]; !ok {
			t.Errorf("%s has no row", name)
		}
	}
	if rows, read := len(catalog.Find("s3").Operations), len(wire.S3Operations()); rows != read {
		t.Errorf("there are %d rows, and %d operations are read", rows, read)
	}
}

func TestWhatARowLeavesOpenIsFilledIn(t *testing.T) {
	for _, test := range []struct {
		service, operation string
		want               catalog.Operation
	}{
		{"s3", "PutBucketLifecycleConfiguration", catalog.Operation{Kind: catalog.Write, By: catalog.Moto,
			Action: "s3:PutLifecycleConfiguration", Event: "PutBucketLifecycle"}},
		{"s3", "PutObject", catalog.Operation{Kind: catalog.Data, By: catalog.Moto, Action: "s3:PutObject", Event: "PutObject"}},
		{"s3", "GetBucketCors", catalog.Operation{Kind: catalog.Read, By: catalog.NotModelled, Action: "s3:GetBucketCors", Event: "GetBucketCors"}},
		{"monitoring", "DeleteAlarms", catalog.Operation{Kind: catalog.Write, By: catalog.Moto, Action: "cloudwatch:DeleteAlarms", Event: "DeleteAlarms"}},
		{"ec2", "DescribeRegions", catalog.Operation{Kind: catalog.Read, By: catalog.Moto, Action: "ec2:DescribeRegions", Event: "DescribeRegions"}},
	} {
		got := catalog.Of(test.service, test.operation)
		if got.Kind != test.want.Kind || got.By != test.want.By || got.Action != test.want.Action || got.Event != test.want.Event {
			t.Errorf("%s:%s: got %+v, want %+v", test.service, test.operation, got, test.want)
		}
	}
}

func TestTheServicesStandInOrder(t *testing.T) {
	if !slices.IsSortedFunc(catalog.Services(), func(a, b catalog.Service) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("they do not")
	}
}

func TestTheEventsOfGlobalServicesArriveInOneRegion(t *testing.T) {
	for _, test := range []struct{ service, partition, called, want string }{
		{"cloudtrail", "aws", "eu-central-1", "eu-central-1"},
		{"iam", "aws", "eu-central-1", "us-east-1"},
		{"organizations", "aws", "eu-central-1", "us-east-1"},
		{"iam", "aws-us-gov", "us-gov-east-1", "us-gov-west-1"},
		{"iam", "aws-cn", "cn-northwest-1", "cn-north-1"},
		{"organizations", "aws-cn", "cn-north-1", "cn-northwest-1"},
	} {
		if got := catalog.Find(test.service).EventRegion(test.partition, test.called); got != test.want {
			t.Errorf("%s in %s: got %s, want %s", test.service, test.called, got, test.want)
		}
	}
}
