package servicereference_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/localaws/iam/servicereference"
	"github.com/trailguard/trailguard/localaws/repository"
)

func open(t *testing.T) *servicereference.Reference {
	t.Helper()
	reference, err := servicereference.Open(repository.NodeModules())
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

func action(t *testing.T, name string) servicereference.Action {
	t.Helper()
	found, known, err := open(t).Action(name)
	if err != nil || !known {
		t.Fatalf("action %s: known is %v, %v", name, known, err)
	}
	return found
}

func TestAnActionHasTheResourceTypesThatAWSLists(t *testing.T) {
	for name, want := range map[string]string{
		"ssm:StartAutomationExecution": "ssm:StartAutomationExecution automation-definition automation-execution! document!",
		"SSM:startautomationexecution": "ssm:StartAutomationExecution automation-definition automation-execution! document!",
		"kms:CreateAlias":              "kms:CreateAlias alias! key!",
		"kms:CreateKey":                "kms:CreateKey",
		"config:PutConfigRule":         "config:PutConfigRule ConfigRule!",
	} {
		found := action(t, name)
		got := []string{found.Name}
		for _, r := range found.ResourceTypes {
			if r.Required {
				r.Name += "!"
			}
			got = append(got, r.Name)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, want := action(t, "ssm:GetDocument").ResourceTypes[0].ARN, "arn:${Partition}:ssm:${Region}:${Account}:document/${DocumentName}"; got != want {
		t.Errorf("the ARN of a document is %s, want %s", got, want)
	}
}

func TestWhatAWSDoesNotHaveIsNotKnown(t *testing.T) {
	for _, name := range []string{"ssm:StartAutomation", "sns:PublishBatch", "nothing:Get", "", "../x:y"} {
		if _, known, err := open(t).Action(name); known || err != nil {
			t.Errorf("action %q: known is %v, %v", name, known, err)
		}
	}
}

func TestAnActionHasTheConditionKeysThatAWSLists(t *testing.T) {
	for _, test := range []struct {
		action, key string
		want        bool
	}{
		{"iam:PassRole", "iam:PassedToService", true},
		{"iam:PassRole", "IAM:passedtoservice", true},
		{"iam:CreateRole", "iam:PassedToService", false},
		{"iam:PassRole", "aws:SourceArn", true},
		{"s3:PutObject", "s3:x-amz-acl", true},
		{"s3:GetObject", "s3:x-amz-acl", false},
		{"kms:GenerateDataKey", "kms:EncryptionContext:aws:cloudtrail:arn", true},
		{"kms:DescribeKey", "kms:EncryptionContext:aws:cloudtrail:arn", false},
		{"s3:PutObject", "s3:RequestObjectTag/team", true},
		{"s3:PutObject", "s3:RequestObjectTag/", false},
		{"ssm:CreateDocument", "aws:RequestTag/team", true},
		{"sns:Publish", "aws:RequestTag/team", false},
		{"sns:Publish", "aws:TagKeys", false},
		{"sns:Publish", "aws:ResourceTag/team", true}, // of the resource type
		{"sqs:ListQueues", "aws:ResourceTag/team", false},
	} {
		if got := action(t, test.action).HasKey(test.key); got != test.want {
			t.Errorf("%s has %s: got %v, want %v", test.action, test.key, got, test.want)
		}
	}
}

func TestAMissingReferenceSaysHowToGetIt(t *testing.T) {
	_, err := servicereference.Open(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkAction(b *testing.B) {
	reference, err := servicereference.Open(repository.NodeModules())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, known, err := reference.Action("kms:GenerateDataKey"); !known || err != nil {
			b.Fatal(fmt.Sprint(known, err))
		}
	}
}
