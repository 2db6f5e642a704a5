package organization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/localaws/repository"
)

// golden is a golden template of constructs/organization, for the shape's Region.
func (h *house) golden(name string) testbed.Template {
	h.t.Helper()
	content, err := os.ReadFile(repository.Path("constructs", "organization", "testdata", name+".template.json"))
	h.must(err)
	var compact bytes.Buffer
	h.must(json.Compact(&compact, content))
	return testbed.ParseTemplate(h.t, strings.ReplaceAll(compact.String(), "us-east-1", h.region))
}

// logStore is what a stack repairs of its log store.
type logStore struct {
	*house
	account string
	by      aws.Config // of whoever may disarm the repair
	key     string
	buckets map[string]string // by what they hold
	rules   map[deployed.Path]string
}

// logStoreOf is that of a stack whose log bucket has a name.
func (h *house) logStoreOf(account, stack, bucket, key string) logStore {
	h.t.Helper()
	s := logStore{h, account, h.as(account), key, map[string]string{"log": bucket}, map[deployed.Path]string{}}
	ids := h.ids(account, stack)
	for _, name := range ids["AWS::S3::Bucket"] {
		if name != bucket {
			s.buckets["access log"] = name
		}
	}
	for _, name := range ids["AWS::Events::Rule"] {
		switch {
		case strings.Contains(name, "StoreRemediationTampering"):
			s.rules[deployed.EventPath] = name
		case strings.Contains(name, "Schedule"):
			s.rules[deployed.SchedulePath] = name
		}
	}
	if len(s.buckets) != 2 || len(s.rules) != 2 {
		h.t.Fatalf("the log store of %s in %s has the buckets %v and the rules %v", stack, account, s.buckets, s.rules)
	}
	return s
}

func (h *house) archiveStore() logStore {
	h.t.Helper()
	return h.logStoreOf(archive, logArchiveStack, h.archiveBucket(), h.key)
}

// only lets some paths start the repair.
func (s logStore) only(paths ...deployed.Path) {
	s.t.Helper()
	client := eventbridge.NewFromConfig(s.by)
	for path, name := range s.rules {
		var err error
		if slices.Contains(paths, path) {
			_, err = client.EnableRule(s.t.Context(), &eventbridge.EnableRuleInput{Name: &name})
		} else {
			_, err = client.DisableRule(s.t.Context(), &eventbridge.DisableRuleInput{Name: &name})
		}
		s.must(err)
	}
}

func (s logStore) state() map[string]string {
	s.t.Helper()
	return testbed.LogStoreState(s.t, s.clients(s.account), s.key, s.buckets)
}

// beyond are the rows of T20-T31 that no repair of a log store is for, with the reason.
var beyond = map[string]string{
	"s3 DeleteBucket":              "S3 deletes no bucket that holds a file, and a bucket that is gone is not made anew",
	"s3 DeleteObject":              "the policies refuse it",
	"s3 DeleteObject of a version": "the policies refuse it",
	"s3 PutObject":                 "the policies refuse it",
	"s3 DeleteBucketReplication":   "there is no replication",
	"s3 PutBucketAcl":              "S3 refuses it as long as the bucket's owner owns its objects",
	"kms CreateGrant":              "the policies refuse it",
	"kms TagResource":              "the policies refuse it",
	"kms UntagResource":            "the policies refuse it",
}

// rows are the calls that take the log store out of its declared state.
func (s logStore) rows() []row {
	all := onStore(s.account, s.buckets["log"], s.key)
	for _, one := range onStore(s.account, s.buckets["access log"], s.key) {
		switch one.what {
		case "s3 PutBucketEncryption", "s3 PutBucketLogging": // it is declared so
		default:
			if strings.HasPrefix(one.what, "s3 ") {
				all = append(all, one)
			}
		}
	}
	return slices.DeleteFunc(all, func(r row) bool { return beyond[r.what] != "" })
}

// eventOf is the name of a row's call in CloudTrail.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
func eventOf(r row) string {
	_, call, _ := strings.Cut(r.what, " ")
	switch call {
	case "PutBucketLifecycleConfiguration":
		return "PutBucketLifecycle"
	case "DeletePublicAccessBlock":
		return "DeleteBucketPublicAccessBlock"
	}
	return call
}

func (h *house) repairedStore(account string) string {
	return fmt.Sprintf("REPAIRED: log store %s in account %s, %s, at ", trailName, account, h.region)
}

// testArchiveIsRestored: intruders in the archive's account take its log store out of its declared state, to which somebody has added a reader by
// the template. It is put back by events alone and by the schedule alone, and told centrally once.
func testArchiveIsRestored(h *house) {
	h.update(logArchiveStack, h.golden("log-archive"))
	h.settle()
	h.wantHeard("a deployment")
	s := h.archiveStore()
	whole := s.state()
	for _, what := range []string{"key policy", "log: policy"} {
		if !strings.Contains(whole[what], `"Auditor"`) {
			h.t.Fatalf("the %s is %s", what, whole[what])
		}
	}
	rows := s.rows()
	s.only(deployed.EventPath)
	for i, row := range rows {
		by := h.attackers(archive)[i%3]
		h.must(row.call(h.t.Context(), h.by(archive, by.who)))
		h.settle()
		s.wantRestored(whole, deployed.EventPath, row.id+": "+row.what, h.tampering(eventOf(row), archive, by))
	}
	// The schedule starts the same runbook, whatever has happened: here several things at once, each to another setting.
	const rounds = 4
	s.only(deployed.SchedulePath)
	for round := range rounds {
		var done []string
		for i := round; i < len(rows); i += rounds {
			h.must(rows[i].call(h.t.Context(), h.as(archive)))
			done = append(done, rows[i].what)
		}
		if changed := testbed.Changed(s.state(), whole); len(changed) != len(done) {
			h.t.Errorf("%q change %q", done, changed)
		}
		h.pass(time.Hour)
		s.wantRestored(whole, deployed.SchedulePath, strings.Join(done, ", "))
		h.pass(time.Hour)
		h.wantHeard("an archive that is whole")
	}
	s.only(deployed.EventPath, deployed.SchedulePath)
}

// wantRestored reports a log store that is not as it was, or that people have been told other things of than these and, once, of the repair by
// the path.
func (s logStore) wantRestored(whole map[string]string, path deployed.Path, what string, told ...string) {
	s.t.Helper()
	testbed.WantLogStoreState(s.t, s.state(), whole)
	messages := s.wantHeard(what, append(told, s.repairedStore(s.account))...)
	if !strings.Contains(strings.Join(messages, "\n"), ", started by "+string(path)+": ") {
		s.t.Errorf("%s: nobody is told that the %s path has started the repair: %q", what, path, messages)
	}
}

// testOwnStore lets a member keep its log in a store of its own: what becomes of that is repaired there, and told centrally once.
func testOwnStore(h *house) {
	stack := h.memberStack(memberOne)
	deploy := func(template testbed.Template) {
		h.t.Helper()
		h.must(h.deployOver(h.as(memberOne), stack, template))
		h.settle()
		h.wantHeard("a deployment that moves the log", h.repaired(memberOne),
			fmt.Sprintf("TAMPERING: UpdateStack on a guard in account %s, %s, by %s from ", memberOne, h.region, h.Account(memberOne).Administrator().ARN))
	}
	deploy(h.golden("member-own"))
	guard := h.guard(memberOne, stack)
	h.wantKept(memberOne, guard)
	s := h.logStoreOf(memberOne, stack, guard.LogBucketName, guard.LogKeyARN)
	whole := s.state()
	for i, row := range s.rows() {
		if row.id != "T22" && row.id != "T28" {
			continue
		}
		by := h.attackers(memberOne)[i%3]
		h.must(row.call(h.t.Context(), h.by(memberOne, by.who)))
		h.settle()
		s.wantRestored(whole, deployed.EventPath, row.what, h.tampering(eventOf(row), memberOne, by))
	}
	deploy(h.memberTemplate())
	h.wantKept(memberOne, h.guard(memberOne, stack))
}

// testArchiveIsRestoredUnderPolicies: what break-glass does to the archive is repaired, as no policy binds the roles of the archive's repair.
func testArchiveIsRestoredUnderPolicies(h *house) {
	s := h.archiveStore()
	s.by = h.inRole(archive, breakGlass)
	whole := s.state()
	s.disableKey()
	h.settle()
	testbed.WantLogStoreState(h.t, s.state(), whole)

	s.only(deployed.SchedulePath)
	for _, row := range s.rows() {
		// A key that is disabled, or to be deleted, takes no more.
		if err := row.call(h.t.Context(), s.by); err != nil && !testbed.HasCode(err, "DisabledException", "KMSInvalidStateException") {
			h.must(fmt.Errorf("%s: %w", row.what, err))
		}
	}
	if changed := testbed.Changed(s.state(), whole); len(changed) < 14 {
		h.t.Errorf("only %q have changed", changed)
	}
	h.pass(time.Hour)
	testbed.WantLogStoreState(h.t, s.state(), whole)
	s.only(deployed.EventPath, deployed.SchedulePath)
}

// disableKey is T28.
func (s logStore) disableKey() {
	s.t.Helper()
	_, err := kms.NewFromConfig(s.by).DisableKey(s.t.Context(), &kms.DisableKeyInput{KeyId: &s.key})
	s.must(err)
}

// partsOfTheArchive are the rows on what repairs the archive. It has neither a topic nor an alarm: the names are those that they would have.
func (h *house) partsOfTheArchive() []row {
	h.t.Helper()
	ids := h.ids(archive, logArchiveStack)
	ids["AWS::CloudWatch::Alarm"] = []string{logArchiveStack + "-Alarm"}
	return onParts(deployed.Guard{
		Stack: logArchiveStack, TrailARN: h.guardARN(archive), TrailName: trailName, RunbookName: ids["AWS::SSM::Document"][0],
		AlertTopicARN:     h.Account(archive).Place().ARN("sns", logArchiveStack+"-Topic"),
		AutomationRoleARN: "arn:aws:iam::" + archive + ":role/trailguard/" + ids["AWS::IAM::Role"][0],
	}, ids)
}
