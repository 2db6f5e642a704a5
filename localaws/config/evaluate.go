package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/configservice/types"
)

// Tick lets Config do what is due at the time that the clock shows: it records the trails that changed, evaluates the rules
// that are due, emits an event of changed compliance, and starts the automations that are due. A rule is due when it was
// put or asked for, when its period is over, or when an item changed. Nothing is done between two ticks, and without a
// recorder no rule is evaluated. None of the functions in Options may call Tick.
//
// The error joins what went wrong in the simulation; the rules that it does not concern are evaluated all the same.
func (s *Service) Tick(ctx context.Context) error {
	s.ticking.Lock()
	defer s.ticking.Unlock()
	if err := s.record(); err != nil {
		return fmt.Errorf("recording the trails: %w", err)
	}
	s.mu.Lock()
	rules, _ := s.rulesNamed(nil)
	s.mu.Unlock()
	var failures []error
	for _, r := range rules {
		if err := s.evaluate(ctx, r); err != nil {
			failures = append(failures, fmt.Errorf("evaluating rule %s: %w", r.name, err))
		}
	}
	s.remediate(ctx)
	return errors.Join(failures...)
}

// record takes the trails over into the items, if the recorder records them.
func (s *Service) record() error {
	trails := map[string]Trail{}
	for _, t := range s.options.Trails() {
		if t.HomeRegion == s.options.Place.Region {
			trails[t.ARN] = t
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.recorder.records(trailType) {
		return nil
	}
	now := s.options.Clock.Now()
	for arn, t := range trails {
		content, err := json.Marshal([]any{s.configuration(t), t.Tags})
		if err != nil {
			return err
		}
		known := s.items[arn]
		if known == nil {
			known = &item{}
			s.items[arn] = known
		}
		if known.deleted || !bytes.Equal(known.content, content) {
			*known = item{version: known.version + 1, captured: now, trail: t, content: content}
		}
	}
	for arn, known := range s.items {
		if _, exists := trails[arn]; !exists && !known.deleted {
			known.version, known.captured, known.deleted = known.version+1, now, true
		}
	}
	return nil
}

// configuration is the part of a configuration item that is the trail's own.
// https://github.com/awslabs/aws-config-resource-schema/blob/master/config/properties/resource-types/AWS::CloudTrail::Trail.properties.json
func (s *Service) configuration(t Trail) map[string]any {
	configuration := map[string]any{
		"includeGlobalServiceEvents": t.IncludeGlobalServiceEvents,
		"isMultiRegionTrail":         t.IsMultiRegionTrail,
		"isOrganizationTrail":        t.IsOrganizationTrail,
		"logFileValidationEnabled":   t.LogFileValidationEnabled,
		"hasCustomEventSelectors":    t.HasCustomEventSelectors,
		"hasInsightSelectors":        t.HasInsightSelectors,
	}
	for name, text := range map[string]string{
		"name":                      t.Name,
		"trailARN":                  t.ARN,
		"homeRegion":                t.HomeRegion,
		"s3BucketName":              t.S3BucketName,
		"s3KeyPrefix":               t.S3KeyPrefix,
		"snsTopicARN":               t.SNSTopicARN,
		"snsTopicName":              t.SNSTopicName,
		"cloudWatchLogsLogGroupArn": t.CloudWatchLogsLogGroupARN,
		"cloudWatchLogsRoleArn":     t.CloudWatchLogsRoleARN,
		"kmsKeyId":                  t.KMSKeyID,
	} {
		switch {
		case text != "" || s.options.Unset == UnsetIsEmpty:
			configuration[name] = text
		case s.options.Unset == UnsetIsNull:
			configuration[name] = nil
		}
	}
	return configuration
}

func (s *Service) trailID(t Trail) string {
	if s.options.ResourceID == ResourceIDIsName {
		return t.Name
	}
	return t.ARN
}

// configurationItem returns the item as a policy gets it.
// https://docs.aws.amazon.com/config/latest/developerguide/config-item-table.html
func (s *Service) configurationItem(i item) ([]byte, error) {
	tags := i.trail.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	status := "OK"
	if i.version == 1 {
		status = "ResourceDiscovered"
	}
	return json.Marshal(map[string]any{
		"configurationItemVersion":     "1.3",
		"configurationItemCaptureTime": i.captured.UTC().Format(detailTime),
		"configurationItemStatus":      status,
		"configurationStateId":         strconv.Itoa(i.version),
		"awsAccountId":                 s.options.Place.Account,
		"awsRegion":                    s.options.Place.Region,
		"availabilityZone":             "Not Applicable",
		"ARN":                          i.trail.ARN,
		"resourceType":                 trailType,
		"resourceId":                   s.trailID(i.trail),
		"resourceName":                 i.trail.Name,
		"tags":                         tags,
		"relatedEvents":                []any{},
		"relationships":                []any{},
		"configuration":                s.configuration(i.trail),
		"supplementaryConfiguration":   map[string]any{},
	})
}

// task is what an evaluation of a rule needs, taken while mu was held.
type task struct {
	config     types.ConfigRule
	parameters map[string]string
	items      []item
	seen       map[string]int
}

// evaluate evaluates a rule if it is due.
func (s *Service) evaluate(ctx context.Context, r *rule) error {
	due, ok := s.take(r)
	if !ok {
		return nil
	}
	found, err := s.run(ctx, due)
	events := s.recordResults(r, due, found, err)
	for _, event := range events {
		if emitErr := s.options.Emit(ctx, event); emitErr != nil {
			err = errors.Join(err, fmt.Errorf("emitting a compliance change: %w", emitErr))
		}
	}
	return err
}

// take returns what there is to do for a rule, if anything.
func (s *Service) take(r *rule) (task, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock.Now()
	if s.rules[r.name] != r || s.recorder == nil {
		return task{}, false
	}
	everything := r.pending || r.onDemand
	due := task{config: r.config, parameters: r.parameters, seen: map[string]int{}}
	if !r.isPolicy() {
		if periodic := !now.Before(r.nextPeriodic); !everything && !periodic {
			return task{}, false
		} else if r.pending || periodic {
			r.nextPeriodic = now.Add(r.frequency())
		}
		r.pending, r.onDemand = false, false
		return due, true
	}
	for _, arn := range slices.Sorted(maps.Keys(s.items)) {
		if i := *s.items[arn]; everything || r.seen[arn] != i.version {
			due.items = append(due.items, i)
			due.seen[arn] = i.version
		}
	}
	r.pending, r.onDemand = false, false
	return due, everything || len(due.items) > 0
}

// run evaluates a rule.
func (s *Service) run(ctx context.Context, due task) (map[resource]types.ComplianceType, error) {
	found := map[resource]types.ComplianceType{}
	if due.config.Source.Owner != types.OwnerCustomPolicy {
		compliant := false
		for _, t := range s.options.Trails() {
			if t.HomeRegion == s.options.Place.Region || t.IsMultiRegionTrail {
				compliant = compliant || s.managed(due, t)
			}
		}
		found[resource{accountType, s.options.Place.Account}] = complianceOf(compliant)
		return found, nil
	}
	for _, i := range due.items {
		res := resource{trailType, s.trailID(i.trail)}
		if i.deleted {
			found[res] = types.ComplianceTypeNotApplicable
			continue
		}
		document, err := s.configurationItem(i)
		if err != nil {
			return nil, err
		}
		verdict, err := s.options.EvaluatePolicy(ctx, *due.config.Source.CustomPolicyDetails.PolicyText, document)
		if err != nil {
			return nil, fmt.Errorf("on %s: %w", i.trail.ARN, err)
		}
		found[res] = verdict.compliance()
	}
	return found, nil
}

// managed tells whether one trail satisfies a managed rule.
//
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-enabled.html
//
// https://docs.aws.amazon.com/config/latest/developerguide/cloudtrail-security-trail-enabled.html, which lists the criteria
// and does not say that the trail has to be logging
func (s *Service) managed(due task, t Trail) bool {
	if value(due.config.Source.SourceIdentifier) == cloudTrailSecurityEnabled {
		return t.IncludeGlobalServiceEvents && t.IsMultiRegionTrail && t.LogFileValidationEnabled && t.KMSKeyID != "" && t.LogsAllManagementEvents
	}
	matches := func(parameter, has string) bool {
		wanted, given := due.parameters[parameter]
		return !given || wanted == has
	}
	return t.IsLogging && matches("s3BucketName", t.S3BucketName) && matches("snsTopicArn", t.SNSTopicARN) &&
		matches("cloudWatchLogsLogGroupArn", t.CloudWatchLogsLogGroupARN)
}

func complianceOf(compliant bool) types.ComplianceType {
	if compliant {
		return types.ComplianceTypeCompliant
	}
	return types.ComplianceTypeNonCompliant
}

// recordResults records what an evaluation found, has every NON_COMPLIANT resource remediated, and returns the events of the
// changes.
func (s *Service) recordResults(r *rule, due task, found map[resource]types.ComplianceType, failure error) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock.Now()
	if s.rules[r.name] != r {
		return nil
	}
	if failure != nil {
		r.lastFailure, r.lastError = now, failure.Error()
		return nil
	}
	r.lastSuccess, r.lastError = now, ""
	maps.Copy(r.seen, due.seen)
	var events []map[string]any
	for _, res := range sortedResources(found) {
		before, known := r.results[res]
		after := result{compliance: found[res], recorded: now}
		r.results[res] = after
		p := r.repairOf(res)
		p.wanted = r.remediates(res, after.compliance)
		if !p.wanted {
			p.failures = nil
		}
		if known && before.compliance != after.compliance || !known && after.compliance != types.ComplianceTypeNotApplicable {
			events = append(events, s.complianceChange(r, res, before, after, known))
		}
	}
	return events
}

// The formats of the times in an event: in its envelope and in its detail.
const (
	envelopeTime = "2006-01-02T15:04:05Z"
	detailTime   = "2006-01-02T15:04:05.000Z"
)

// complianceChange returns the event of a change of compliance. The caller holds mu.
// https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
func (s *Service) complianceChange(r *rule, res resource, before, after result, known bool) map[string]any {
	evaluation := func(found result) map[string]any {
		recorded := found.recorded.UTC().Format(detailTime)
		return map[string]any{
			"evaluationResultIdentifier": map[string]any{
				"evaluationResultQualifier": map[string]any{
					"configRuleName": r.name,
					"resourceType":   res.Type,
					"resourceId":     res.ID,
					"evaluationMode": string(types.EvaluationModeDetective),
				},
				"orderingTimestamp": recorded,
			},
			"complianceType":        string(found.compliance),
			"resultRecordedTime":    recorded,
			"configRuleInvokedTime": recorded,
		}
	}
	s.events++
	detail := map[string]any{
		"awsAccountId":             s.options.Place.Account,
		"awsRegion":                s.options.Place.Region,
		"configRuleName":           r.name,
		"configRuleARN":            *r.config.ConfigRuleArn,
		"resourceType":             res.Type,
		"resourceId":               res.ID,
		"newEvaluationResult":      evaluation(after),
		"notificationCreationTime": after.recorded.UTC().Format(detailTime),
		"messageType":              "ComplianceChangeNotification",
		"recordVersion":            "1.0",
	}
	if known {
		detail["oldEvaluationResult"] = evaluation(before)
	}
	return map[string]any{
		"version":     "0",
		"id":          fmt.Sprintf("00000000-0000-4000-8000-%012d", s.events),
		"detail-type": "Config Rules Compliance Change",
		"source":      "aws.config",
		"account":     s.options.Place.Account,
		"time":        after.recorded.UTC().Format(envelopeTime),
		"region":      s.options.Place.Region,
		"resources":   []any{},
		"detail":      detail,
	}
}
