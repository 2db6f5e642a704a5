// Package cloudtrail is CloudTrail in memory: the trails of one account, their settings, selectors and status, as the API
// shows them. It writes no log file; Deliver shows only whether CloudTrail could have written one.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
package cloudtrail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/sdk"
)

// Environment is what CloudTrail finds in the rest of AWS. A refusal is an *api.Error; any other error is a failure of
// the simulation itself. An Environment may read the service (Trails) but not change it.
type Environment interface {
	// BucketRegion returns the Region of a bucket, or NoSuchBucket.
	BucketRegion(ctx context.Context, bucket string) (string, error)
	// MayDeliver returns nil if CloudTrail may put the trail's log files into its bucket, or the S3 error that it meets:
	// NoSuchBucket, AccessDenied.
	MayDeliver(ctx context.Context, t Trail) error
	// ResolveKey returns the ARN of the key that an id, an alias (alias/NAME), a key's ARN or an alias's ARN stands for,
	// or NotFoundException, or another refusal if it cannot be read.
	ResolveKey(ctx context.Context, id string) (arn string, err error)
	// MayEncrypt returns nil if CloudTrail may encrypt the trail's log files with its key, or the error that it meets:
	// AccessDenied, KMS.DisabledException, KMS.KMSInvalidStateException, KMS.NotFoundException.
	MayEncrypt(ctx context.Context, t Trail) error
	// ResolveTopic returns the ARN of the topic that a name or an ARN stands for, or NotFound.
	ResolveTopic(ctx context.Context, nameOrARN string) (arn string, err error)
	// MayNotify returns nil if CloudTrail may publish to the trail's topic, or the error that it meets.
	MayNotify(ctx context.Context, t Trail) error
	// MayWriteLogs returns nil if the trail's role may be assumed by CloudTrail and may write to the trail's log group, or
	// the error that it meets: ResourceNotFoundException for the log group, AccessDenied for the role.
	MayWriteLogs(ctx context.Context, t Trail) error
}

// Organization is what the account is in AWS Organizations.
type Organization string

// An organization trail is possible only for a ManagementAccount; the others are refused in their own words.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
const (
	NoOrganization    Organization = ""
	ManagementAccount Organization = "management account"
	MemberAccount     Organization = "member account"
	// DelegatedAdministrator is a member account that administers CloudTrail for the organization.
	DelegatedAdministrator Organization = "delegated administrator"
	NoTrustedAccess        Organization = "management account without trusted access for CloudTrail"
	NotAllFeatures         Organization = "management account of an organization with consolidated billing only"
)

// Membership is what the account is in AWS Organizations at the moment.
type Membership struct {
	Organization Organization
	ID           string // of the organization: it is a folder of its trails' log files
	Management   string // the account that owns the organization's trails
	Trusted      bool   // CloudTrail has trusted access
}

// Options are the settings of a Service.
type Options struct {
	Clock *api.Clock
	// Place is the account, and the Region of what is not called in another. Default: - api.Home.
	Place       api.Place
	Environment Environment
	// Organization is what the account is. Default: - no organization is in use.
	Organization Organization
	// Membership is what the account is at the moment, in place of Organization. Default: - Organization, without other accounts.
	Membership func(ctx context.Context) (Membership, error)
	// Account is the CloudTrail of another account of the organization. Default: - there is none.
	Account func(id string) *Service
	// Digests receives the hours at whose ends digest files of a trail were delivered.
	// Default: - nobody is told.
	Digests func(ctx context.Context, t Trail, ends []time.Time) error
	// RateLimited refuses a second call that changes something within one second of the clock (ThrottlingException).
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
	// Default: - any number of calls is accepted.
	RateLimited bool
	// DefaultSelectorsAreCustom makes HasCustomEventSelectors true after selectors that equal the defaults were put. AWS
	// does not say which it is. Default: - HasCustomEventSelectors is true only while they differ from the defaults.
	DefaultSelectorsAreCustom bool
}

// Service is CloudTrail. It is safe for concurrent use.
type Service struct {
	options    Options
	operations map[string]sdk.Operation

	// changing is held by whatever changes a trail, over its calls of the environment; mu is never held over one.
	changing    sync.Mutex
	lastChanged time.Time

	mu     sync.Mutex
	trails map[string]*Trail // by ARN

	history History
}

// History is the event history, which there is without a trail.
func (s *Service) History() *History { return &s.history }

// Trails returns every trail with its whole state, ordered by ARN.
func (s *Service) Trails() []Trail {
	s.mu.Lock()
	defer s.mu.Unlock()
	trails := make([]Trail, 0, len(s.trails))
	for _, t := range s.trails {
		trails = append(trails, t.clone())
	}
	slices.SortFunc(trails, func(a, b Trail) int { return cmp.Compare(a.ARN, b.ARN) })
	return trails
}

// Deliver lets every trail that is logging try a delivery, at the time that the clock shows, and records in its status
// what the environment says about log files, digests, notifications and CloudWatch Logs.
func (s *Service) Deliver(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	now := s.options.Clock.Now()
	for _, t := range s.Trails() {
		if !t.IsLogging {
			continue
		}
		if err := s.deliver(ctx, now, &t); err != nil {
			return fmt.Errorf("delivering the log files of %s: %w", t.ARN, err)
		}
		s.store(t)
	}
	return nil
}

func (s *Service) deliver(ctx context.Context, now time.Time, t *Trail) error {
	env := s.options.Environment
	log, err := asRefusal(env.MayDeliver(ctx, *t))
	if err != nil {
		return err
	}
	if log == nil && t.KMSKeyID != "" {
		if log, err = asRefusal(env.MayEncrypt(ctx, *t)); err != nil {
			return err
		}
	}
	t.Log.attempt(now, log)
	if t.LogFileValidationEnabled {
		t.Digest.attempt(now, log)
	}
	if err := s.deliverDigests(ctx, now, t, log); err != nil {
		return err
	}
	if t.SNSTopicARN != "" && log == nil {
		notification, err := asRefusal(env.MayNotify(ctx, *t))
		if err != nil {
			return err
		}
		t.Notification.attempt(now, notification)
	}
	if t.CloudWatchLogsLogGroupARN != "" {
		logs, err := asRefusal(env.MayWriteLogs(ctx, *t))
		if err != nil {
			return err
		}
		t.CloudWatchLogs.attempt(now, logs)
	}
	return nil
}

// mostDigests bounds what a delivery after a long time makes up for.
const mostDigests = 14 * 24

// deliverDigests delivers the digest file of each hour that has ended, also of one without activity. What could not be delivered at the
// end of an hour is not delivered later. Before a delivery nothing changes but time, so that what holds now has held all the while.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
func (s *Service) deliverDigests(ctx context.Context, now time.Time, t *Trail, refusal *api.Error) error {
	from := t.DigestedUntil
	if from.Before(t.StartLoggingTime) {
		from = t.StartLoggingTime
	}
	t.DigestedUntil = now
	if s.options.Digests == nil || !t.LogFileValidationEnabled || refusal != nil {
		return nil
	}
	var ends []time.Time
	for end := from.Truncate(time.Hour).Add(time.Hour); !end.After(now); end = end.Add(time.Hour) {
		ends = append(ends, end)
	}
	if len(ends) == 0 {
		return nil
	}
	return s.options.Digests(ctx, *t, ends[max(0, len(ends)-mostDigests):])
}

// asRefusal separates a refusal of the environment from a failure of it.
func asRefusal(err error) (*api.Error, error) {
	var refusal *api.Error
	if errors.As(err, &refusal) {
		return refusal, nil
	}
	return nil, err
}

func (s *Service) store(t Trail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := t.clone()
	s.trails[t.ARN] = &stored
}

// find returns the trail that a name or an ARN stands for in a Region: a name only in its home Region, an ARN everywhere.
func (s *Service) find(place api.Place, nameOrARN string) (Trail, error) {
	arn, err := trailARN(place, nameOrARN)
	if err != nil {
		return Trail{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.trails[arn]
	if !ok {
		return Trail{}, api.Errorf("TrailNotFoundException", "unknown trail: %s for the user: %s", nameOrARN, place.Account)
	}
	return t.clone(), nil
}

// findAtHome returns the trail that a call is to change, which is possible only in its home Region.
func (s *Service) findAtHome(place api.Place, nameOrARN string) (Trail, error) {
	t, err := s.find(place, nameOrARN)
	if err != nil && isName(nameOrARN) {
		for _, other := range s.Trails() {
			if other.Name == nameOrARN && other.IsMultiRegionTrail {
				t, err = other, nil
			}
		}
	}
	if err != nil {
		return Trail{}, err
	}
	if t.HomeRegion != place.Region {
		return Trail{}, api.Errorf("InvalidHomeRegionException", "trail %s must be changed in its home Region %s, not in %s",
			t.Name, t.HomeRegion, place.Region)
	}
	return t, nil
}

func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
