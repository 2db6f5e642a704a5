package status

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"gopkg.in/yaml.v3"

	"github.com/trailguard/trailguard/assets"
	"github.com/trailguard/trailguard/drill/deployed"
)

// lookAtDocument compares the runbook with the template's.
func lookAtDocument(ctx context.Context, v *view, r resource, f *Finding) {
	described, err := v.SSM.DescribeDocument(ctx, &ssm.DescribeDocumentInput{Name: &r.name})
	switch f.read(err, "InvalidDocument") {
	case gone:
		f.wrong(revert, "it is deleted: nothing repairs the trail")
		return
	case seen:
		if document := described.Document; document.Status != types.DocumentStatusActive {
			f.wrong(revert, "it is %s: %s", document.Status, aws.ToString(document.StatusInformation))
		}
		if version := aws.ToString(described.Document.DefaultVersion); version != firstVersion {
			f.wrong("aws ssm update-document-default-version --name "+r.name+" --document-version "+firstVersion, "its default version is %s, want %s", version, firstVersion)
		}
		if latest := aws.ToString(described.Document.LatestVersion); latest != firstVersion {
			f.wrong("aws ssm delete-document --name "+r.name+" --document-version "+latest, "it has a version %s, which no deployment makes", latest)
		}
	}
	content, err := v.SSM.GetDocument(ctx, &ssm.GetDocumentInput{Name: &r.name, DocumentVersion: aws.String(firstVersion)})
	switch f.read(err, "InvalidDocument", "InvalidDocumentVersion") {
	case gone:
		f.wrong(revert, "version %s is deleted, which the rules start", firstVersion)
	case seen:
		compareContent(r.properties["Content"], aws.ToString(content.Content), f)
	}
	shares, err := v.SSM.DescribeDocumentPermission(ctx, &ssm.DescribeDocumentPermissionInput{Name: &r.name, PermissionType: types.DocumentPermissionTypeShare})
	if f.read(err) == seen && len(shares.AccountIds) > 0 {
		with := strings.Join(shares.AccountIds, " ")
		f.wrong("aws ssm modify-document-permission --name "+r.name+" --permission-type Share --account-ids-to-remove "+with, "it is shared with %s", with)
	}
	lookAtRuntime(v, r, f)
}

// compareContent compares two documents, of which the second is a text in YAML or JSON.
func compareContent(want any, text string, f *Finding) {
	var have any
	if err := yaml.Unmarshal([]byte(text), &have); err != nil {
		f.wrong(revert, "its content cannot be read: %v", err)
		return
	}
	if content, isText := want.(string); isText {
		if err := yaml.Unmarshal([]byte(content), &want); err != nil {
			f.NotSeen = append(f.NotSeen, NotSeen{What: "the content in the template cannot be read: " + err.Error()})
			return
		}
	}
	before := len(f.Problems)
	f.compare(revert, "Content", pruned(want), plain(have))
	// The order of steps counts, which compare does not look at.
	if len(f.Problems) == before && firstUnresolved(want) == "" && written(pruned(want), inOrder) != written(plain(have), inOrder) {
		f.wrong(revert, "Content has another order")
	}
}

// exact writes a value in JSON.
func exact(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "?" + err.Error()
	}
	return string(encoded)
}

// lookAtRuntime warns before Automation ends the runtime of the guard's runbook.
func lookAtRuntime(v *view, r resource, f *Finding) {
	if r.name != v.guard.RunbookName {
		return
	}
	if warning := assets.RuntimeWarning(v.guard.Runbook.Runtime(), v.now); warning != "" {
		f.warn("take the newest version of TrailGuard: go get -u, cdk deploy", "%s", warning)
	}
}

// contentOf is the content of a document in the template, as a text.
func contentOf(s *stack) func(name string) (string, error) {
	return func(name string) (string, error) {
		document, made := s.named("AWS::SSM::Document", name)
		if !made {
			return "", deployed.ErrNoGuard
		}
		if text, isText := document.properties["Content"].(string); isText {
			return text, nil
		}
		return exact(document.properties["Content"]), nil
	}
}
