package logstore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trail"
)

const (
	secondsPerDay         = 24 * 60 * 60
	defaultTransitionDays = 90
)

// Validate returns an error that names every property that cannot be used, nil where there is none.
func (p *LogStoreProps) Validate() error {
	var problems []error
	if p.TrailName == nil {
		problems = append(problems, errors.New("TrailName: is required"))
	} else {
		problems = append(problems, trail.CheckName("TrailName", *p.TrailName))
		problems = append(problems, p.checkPreviousTrailNames())
	}
	if p.S3KeyPrefix != nil {
		problems = append(problems, trail.CheckS3KeyPrefix("S3KeyPrefix", *p.S3KeyPrefix))
	}
	if p.OrganizationId != nil {
		problems = append(problems, trail.CheckOrganizationID("OrganizationId", *p.OrganizationId))
	}
	if p.Bucket != nil {
		problems = append(problems, p.checkSuppliedBucket()...)
	}
	problems = append(problems, p.checkLifecycle()...)
	switch p.RemovalPolicy {
	case "", awscdk.RemovalPolicy_RETAIN, awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, awscdk.RemovalPolicy_DESTROY:
	default:
		problems = append(problems, fmt.Errorf("RemovalPolicy: %q is not for a bucket: "+
			"use RETAIN, RETAIN_ON_UPDATE_OR_DELETE or DESTROY", p.RemovalPolicy))
	}
	return errors.Join(problems...)
}

func (p *LogStoreProps) checkPreviousTrailNames() error {
	if p.PreviousTrailNames != nil && slices.Contains(*p.PreviousTrailNames, nil) {
		return errors.New("PreviousTrailNames: has an empty place: give the names that the trail had")
	}
	return trail.CheckPreviousNames("PreviousTrailNames", texts(p.PreviousTrailNames), *p.TrailName)
}

// checkSuppliedBucket refuses the properties of a new bucket where a bucket is given, for they would have no effect.
func (p *LogStoreProps) checkSuppliedBucket() []error {
	var problems []error
	for _, prop := range []struct {
		name string
		set  bool
	}{
		{"TransitionAfter", p.TransitionAfter != nil},
		{"ExpireAfter", p.ExpireAfter != nil},
		{"ObjectLockRetention", p.ObjectLockRetention != nil},
		{"ServerAccessLogsBucket", p.ServerAccessLogsBucket != nil},
	} {
		if prop.set {
			problems = append(problems, fmt.Errorf("%s: applies to a new bucket, and a bucket is supplied: "+
				"leave out %[1]s and set it on the supplied bucket, or leave out the bucket", prop.name))
		}
	}
	return problems
}

func (p *LogStoreProps) checkLifecycle() []error {
	transitionDays, transitionProblem := wholeDays("TransitionAfter", p.TransitionAfter)
	expireDays, expireProblem := wholeDays("ExpireAfter", p.ExpireAfter)
	problems := []error{transitionProblem, expireProblem}
	if p.TransitionAfter == nil {
		transitionDays = defaultTransitionDays
	}
	if expireDays > 0 && transitionDays > 0 && expireDays <= transitionDays {
		problems = append(problems, fmt.Errorf("ExpireAfter: %v days is not after the transition at %v days: "+
			"give a later ExpireAfter or an earlier TransitionAfter", expireDays, transitionDays))
	}
	return problems
}

// wholeDays returns 0 for a duration that is not given, or not known yet, or not a positive number of whole days.
func wholeDays(field string, duration awscdk.Duration) (float64, error) {
	if duration == nil || *duration.IsUnresolved() {
		return 0, nil
	}
	seconds := *duration.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	days := seconds / secondsPerDay
	if days < 1 || days != float64(int(days)) {
		return 0, fmt.Errorf("%s: %v is not a number of whole days: use whole days, 1 or more", field, *duration.ToHumanString())
	}
	return days, nil
}
