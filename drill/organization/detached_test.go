package organization

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/internal/testbed"
)

// otherwise are the rows that AWS or the guard itself refuses in an account that no policy binds, with the reason.
var otherwise = map[string]string{
	"T23": "S3 deletes no bucket that holds a file",
	"T42": "the guard has no log group",
	"T49": "the runbook takes the declared values alone",
}

// testDetached is the negative control of the refusals: while the policies are detached, the same calls of the same administrator succeed.
func testDetached(h *house) {
	h.withoutPolicies("Workloads", func() {
		g := h.guarded(sandboxed)
		target, mallory := h.target(g), h.inRole(sandboxed, administrator)
		client := cloudtrail.NewFromConfig(mallory)
		for _, s := range drill.Scenarios() {
			if s.Harmless || s.NotApplicable(g.Guard) != "" {
				continue
			}
			if err := s.Tamper(h.t.Context(), client, target); !testbed.HasCode(err, s.Refusals...) {
				h.must(err)
				if len(g.Unmet()) == 0 {
					h.t.Errorf("%s has done no harm", s.Call)
				}
			}
			g.Settle()
			g.WantRepaired()
		}

		h.openBucket(mallory, "elsewhere")
		rows := slices.Concat(onConfig(sandboxed, g.ConfigRuleNames), onStore(sandboxed, g.LogBucketName, g.LogKeyARN), onParts(g.Guard, h.ids(sandboxed, g.Stack)))
		done := map[string]bool{}
		for _, r := range rows {
			if r.unmade {
				continue
			}
			err := r.call(h.t.Context(), mallory)
			if done[r.id] = done[r.id] || err == nil; err != nil && strings.Contains(err.Error(), "control policy") {
				h.t.Errorf("%s: %s: %v", r.id, r.what, err)
			}
		}
		for id, succeeded := range done {
			if succeeded == (otherwise[id] != "") {
				h.t.Errorf("%s: a call of it has succeeded: %v", id, succeeded)
			}
		}
	}, serviceControl, resourceControl)
	h.move(sandboxed, "Workloads", "Sandbox") // what is left of its guard is not StackSets' any more
}

// openBucket makes a bucket that CloudTrail may write to.
func (h *house) openBucket(config aws.Config, name string) {
	h.t.Helper()
	client := s3.NewFromConfig(config)
	_, err := client.CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: &name,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(h.region)}})
	h.must(err)
	_, err = client.PutBucketPolicy(h.t.Context(), &s3.PutBucketPolicyInput{Bucket: &name, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:*","Resource":["arn:aws:s3:::` + name + `","arn:aws:s3:::` + name + `/*"]}]}`)})
	h.must(err)
}
