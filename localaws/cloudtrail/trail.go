package cloudtrail

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// Trail is the whole state of one trail. A string that is not set is empty, a time that is not set is zero.
type Trail struct {
	Name       string
	ARN        string
	HomeRegion string

	S3BucketName string
	S3KeyPrefix  string
	// SNSTopicName is the topic as it was given: its name or its ARN.
	SNSTopicName              string
	SNSTopicARN               string
	CloudWatchLogsLogGroupARN string
	CloudWatchLogsRoleARN     string
	// KMSKeyID is the ARN of the key, however the key was given.
	KMSKeyID string

	IncludeGlobalServiceEvents bool
	IsMultiRegionTrail         bool
	IsOrganizationTrail        bool
	LogFileValidationEnabled   bool

	// EventSelectors and AdvancedEventSelectors exclude one another: one of them is empty.
	EventSelectors          []types.EventSelector
	AdvancedEventSelectors  []types.AdvancedEventSelector
	InsightSelectors        []types.InsightSelector
	HasCustomEventSelectors bool
	HasInsightSelectors     bool

	Tags map[string]string

	IsLogging        bool
	StartLoggingTime time.Time
	StopLoggingTime  time.Time

	Log            Delivery
	Digest         Delivery
	Notification   Delivery
	CloudWatchLogs Delivery

	// DigestedUntil is until when the hours have had their digest files, or never will.
	DigestedUntil time.Time

	// Demotions counts the updates that turned the trail from an organization's into an account's: each of them removed it
	// from every member account.
	Demotions int
}

// Delivery is the latest of the attempts to deliver one kind of thing.
type Delivery struct {
	AttemptTime time.Time
	// Time is the time of the latest attempt that succeeded.
	Time time.Time
	// Error is the code of the error that the latest attempt met; empty if it succeeded.
	Error string
}

func (d *Delivery) attempt(now time.Time, refusal *api.Error) {
	d.AttemptTime = now
	if refusal != nil {
		d.Error = refusal.Code
		return
	}
	d.Time, d.Error = now, ""
}

func (t Trail) clone() Trail {
	t.EventSelectors = slices.Clone(t.EventSelectors)
	t.AdvancedEventSelectors = slices.Clone(t.AdvancedEventSelectors)
	t.InsightSelectors = slices.Clone(t.InsightSelectors)
	t.Tags = maps.Clone(t.Tags)
	return t
}

var (
	trailName       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	adjacentMarks   = regexp.MustCompile(`[._-]{2}`)
	trailARNPattern = regexp.MustCompile(`^arn:[a-z0-9-]+:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/(.+)$`)
	logGroupARN     = regexp.MustCompile(`^arn:[a-z0-9-]+:logs:[a-z0-9-]+:[0-9]{12}:log-group:[^:*]{1,512}:\*$`)
	roleARN         = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`)
	bucketName      = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const (
	maxPrefixLength  = 200
	maxTopicLength   = 256
	maxTrails        = 5
	maxTags          = 50
	maxSelectors     = 5
	maxDataResources = 250
	maxValues        = 500
)

// checkName applies the rules for the name of a trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func checkName(name string) error {
	_, notAnAddress := netip.ParseAddr(name)
	switch {
	case !trailName.MatchString(name):
		return api.Errorf("InvalidTrailNameException", "trail name %q must be 3 to 128 of A-Z a-z 0-9 . _ - and start and end with a letter or number", name)
	case adjacentMarks.MatchString(name):
		return api.Errorf("InvalidTrailNameException", "trail name %q must not have adjacent periods, underscores or dashes", name)
	case notAnAddress == nil:
		return api.Errorf("InvalidTrailNameException", "trail name %q must not be in IP address format", name)
	}
	return nil
}

func isName(nameOrARN string) bool { return !strings.HasPrefix(nameOrARN, "arn:") }

// trailARN returns the ARN of the trail that a name, in its home Region, or an ARN stands for.
func trailARN(place api.Place, nameOrARN string) (string, error) {
	if isName(nameOrARN) {
		return place.ARN("cloudtrail", "trail/"+nameOrARN), checkName(nameOrARN)
	}
	parts := trailARNPattern.FindStringSubmatch(nameOrARN)
	if parts == nil || checkName(parts[1]) != nil {
		return "", api.Errorf("CloudTrailARNInvalidException", "%q is not a valid trail ARN", nameOrARN)
	}
	return nameOrARN, nil
}
