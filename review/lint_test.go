//go:build lint

package review

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trailguard/trailguard/internal/cases"
	"github.com/trailguard/trailguard/internal/organizationcases"
)

// TestCfnLintFindsNothingInAnyRegion lints each golden template in each Region that it is for. The one of AWS GovCloud (US) stands
// for all Regions where Config has no remediation.
func TestCfnLintFindsNothingInAnyRegion(t *testing.T) {
	var jobs []lintJob
	remediation, others := regions(t, true), regions(t, false)
	for _, c := range cases.All() {
		job := lintJob{Template: goldenTemplates(t)[c.Name]}
		switch {
		case c.Region == "" && !strings.Contains(read(t, job.Template), "AWS::Config::RemediationConfiguration"):
			// It is for all.
		case c.Region == "":
			job.Regions = remediation
		case remediates(c.Region):
			job.Regions = []string{c.Region}
		default:
			job.Regions = others
		}
		jobs = append(jobs, job)
	}
	for _, c := range organizationcases.All() {
		job := lintJob{Template: goldenTemplatesOf(t, "organization")[c.Name], Regions: []string{c.Region}}
		if !strings.Contains(read(t, job.Template), "AWS::Config::RemediationConfiguration") && c.Region == "us-east-1" {
			job.Regions = nil // its types are to be had in all
		}
		jobs = append(jobs, job)
	}
	if findings := cfnLint(t, jobs...); findings != "" {
		t.Error(findings)
	}
}

// regions are those that cfn-lint knows and where the constructs take it that Config has remediation, or that it has none.
func regions(t *testing.T, remediation bool) []string {
	t.Helper()
	var some []string
	for _, region := range slices.Sorted(maps.Keys(schemas(t))) {
		if remediates(region) == remediation {
			some = append(some, region)
		}
	}
	return some
}
