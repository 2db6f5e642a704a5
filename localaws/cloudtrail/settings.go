//lint:file-ignore SA1019 CloudTrail still answers with the deprecated SnsTopicName

package cloudtrail

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
)

func (s *Service) createTrail(ctx context.Context, call api.Call, in *cloudtrail.CreateTrailInput) (*cloudtrail.CreateTrailOutput, error) {
	name := value(in.Name)
	if err := checkName(name); err != nil {
		return nil, err
	}
	arn, _ := trailARN(call.Place, name)
	// A trail of every Region counts in every Region.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
	inRegion := 0
	for _, other := range s.Trails() {
		if other.ARN == arn {
			return nil, api.Errorf("TrailAlreadyExistsException", "trail %s already exists for customer: %s", name, call.Account)
		}
		if other.HomeRegion == call.Region || other.IsMultiRegionTrail {
			inRegion++
		}
	}
	if inRegion >= maxTrails {
		return nil, api.Errorf("MaximumNumberOfTrailsExceededException", "account %s already has %d trails in %s", call.Account, inRegion, call.Region)
	}
	t := Trail{
		Name:                       name,
		ARN:                        arn,
		HomeRegion:                 call.Region,
		IncludeGlobalServiceEvents: true,
		EventSelectors:             defaultSelectors(),
		Tags:                       map[string]string{},
	}
	if in.S3BucketName == nil {
		return nil, api.Errorf("InvalidS3BucketNameException", "a trail needs a bucket")
	}
	if err := addTags(&t, in.TagsList); err != nil {
		return nil, err
	}
	err := s.apply(ctx, &t, cloudtrail.UpdateTrailInput{
		S3BucketName:               in.S3BucketName,
		S3KeyPrefix:                in.S3KeyPrefix,
		SnsTopicName:               in.SnsTopicName,
		CloudWatchLogsLogGroupArn:  in.CloudWatchLogsLogGroupArn,
		CloudWatchLogsRoleArn:      in.CloudWatchLogsRoleArn,
		KmsKeyId:                   in.KmsKeyId,
		IncludeGlobalServiceEvents: in.IncludeGlobalServiceEvents,
		IsMultiRegionTrail:         in.IsMultiRegionTrail,
		EnableLogFileValidation:    in.EnableLogFileValidation,
		IsOrganizationTrail:        in.IsOrganizationTrail,
	})
	if err != nil {
		return nil, err
	}
	s.store(t)
	out := cloudtrail.CreateTrailOutput(outcome(t))
	return &out, nil
}

// updateTrail changes only what it is given; an empty string clears a prefix, a topic, a key or CloudWatch Logs.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
func (s *Service) updateTrail(ctx context.Context, call api.Call, in *cloudtrail.UpdateTrailInput) (*cloudtrail.UpdateTrailOutput, error) {
	t, err := s.findAtHome(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	if err := s.apply(ctx, &t, *in); err != nil {
		return nil, err
	}
	s.store(t)
	out := outcome(t)
	return &out, nil
}

func (s *Service) deleteTrail(_ context.Context, call api.Call, in *cloudtrail.DeleteTrailInput) (*cloudtrail.DeleteTrailOutput, error) {
	t, err := s.findAtHome(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.trails, t.ARN)
	return &cloudtrail.DeleteTrailOutput{}, nil
}

// outcome returns a trail as CreateTrail and UpdateTrail answer with it.
func outcome(t Trail) cloudtrail.UpdateTrailOutput {
	shown := describe(t)
	return cloudtrail.UpdateTrailOutput{
		Name:                       shown.Name,
		TrailARN:                   shown.TrailARN,
		S3BucketName:               shown.S3BucketName,
		S3KeyPrefix:                shown.S3KeyPrefix,
		SnsTopicName:               shown.SnsTopicName,
		SnsTopicARN:                shown.SnsTopicARN,
		CloudWatchLogsLogGroupArn:  shown.CloudWatchLogsLogGroupArn,
		CloudWatchLogsRoleArn:      shown.CloudWatchLogsRoleArn,
		KmsKeyId:                   shown.KmsKeyId,
		IncludeGlobalServiceEvents: shown.IncludeGlobalServiceEvents,
		IsMultiRegionTrail:         shown.IsMultiRegionTrail,
		LogFileValidationEnabled:   shown.LogFileValidationEnabled,
		IsOrganizationTrail:        shown.IsOrganizationTrail,
	}
}

// apply changes a trail, or leaves it half changed and returns an error. What a setting depends on is checked when the
// setting is given, not otherwise: an update of the Regions does not notice that the bucket is gone.
func (s *Service) apply(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	set(&t.IncludeGlobalServiceEvents, given.IncludeGlobalServiceEvents)
	set(&t.IsMultiRegionTrail, given.IsMultiRegionTrail)
	set(&t.LogFileValidationEnabled, given.EnableLogFileValidation)
	if t.IsMultiRegionTrail && !t.IncludeGlobalServiceEvents {
		return api.Errorf("InvalidParameterCombinationException", "multi-Region trail must include global service events")
	}
	if err := s.applyOrganization(ctx, t, given); err != nil {
		return err
	}
	if err := s.applyKey(ctx, t, given); err != nil {
		return err
	}
	if err := s.applyBucket(ctx, t, given); err != nil {
		return err
	}
	if err := s.applyTopic(ctx, t, given); err != nil {
		return err
	}
	return s.applyCloudWatchLogs(ctx, t, given)
}

func (s *Service) applyOrganization(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	if given.IsOrganizationTrail == nil || *given.IsOrganizationTrail == t.IsOrganizationTrail {
		return nil
	}
	m, err := s.membership(ctx)
	if err != nil {
		return err
	}
	switch m.Organization {
	case ManagementAccount:
	case MemberAccount, DelegatedAdministrator:
		return api.Errorf("NotOrganizationMasterAccountException", "account %s is not the management account of its organization", s.options.Place.Account)
	case NoTrustedAccess:
		return api.Errorf("CloudTrailAccessNotEnabledException", "trusted access for cloudtrail.amazonaws.com is not enabled in the organization")
	case NotAllFeatures:
		return api.Errorf("OrganizationNotInAllFeaturesModeException", "the organization has not all features enabled")
	default:
		return api.Errorf("OrganizationsNotInUseException", "account %s is not a member of an organization", s.options.Place.Account)
	}
	if t.IsOrganizationTrail {
		t.Demotions++
	}
	t.IsOrganizationTrail = *given.IsOrganizationTrail
	return nil
}

func (s *Service) applyKey(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	if given.KmsKeyId == nil {
		return nil
	}
	if t.KMSKeyID = *given.KmsKeyId; t.KMSKeyID == "" {
		return nil
	}
	arn, err := s.options.Environment.ResolveKey(ctx, t.KMSKeyID)
	if refusal, err := asRefusal(err); err != nil {
		return err
	} else if refusal != nil && refusal.Code == "NotFoundException" {
		return api.Errorf("KmsKeyNotFoundException", "key %s: %s", t.KMSKeyID, refusal.Message)
	} else if refusal != nil {
		return api.Errorf("InvalidKmsKeyIdException", "key %s: %s", t.KMSKeyID, refusal.Message)
	}
	t.KMSKeyID = arn
	refusal, err := asRefusal(s.options.Environment.MayEncrypt(ctx, *t))
	if err != nil {
		return err
	}
	if refusal == nil {
		return nil
	}
	if refusal.Code == "AccessDenied" {
		return api.Errorf("InsufficientEncryptionPolicyException", "insufficient permissions to access S3 bucket %s or KMS key %s", t.S3BucketName, t.KMSKeyID)
	}
	return api.Errorf("KmsException", "key %s: %s", t.KMSKeyID, refusal.Error())
}

func (s *Service) applyBucket(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	if given.S3BucketName != nil && !bucketName.MatchString(*given.S3BucketName) {
		return api.Errorf("InvalidS3BucketNameException", "bucket name %q is not valid", *given.S3BucketName)
	}
	if given.S3KeyPrefix != nil && len(*given.S3KeyPrefix) > maxPrefixLength {
		return api.Errorf("InvalidS3PrefixException", "prefix of %d characters is longer than %d", len(*given.S3KeyPrefix), maxPrefixLength)
	}
	set(&t.S3BucketName, given.S3BucketName)
	set(&t.S3KeyPrefix, given.S3KeyPrefix)
	env := s.options.Environment
	if given.S3BucketName != nil || given.KmsKeyId != nil {
		region, err := env.BucketRegion(ctx, t.S3BucketName)
		if refusal, err := asRefusal(err); err != nil {
			return err
		} else if refusal != nil {
			return api.Errorf("S3BucketDoesNotExistException", "S3 bucket %s does not exist", t.S3BucketName)
		}
		if keyRegion := arnRegion(t.KMSKeyID); t.KMSKeyID != "" && keyRegion != region {
			return api.Errorf("KmsKeyNotFoundException", "bucket %s is in %s, key %s is not", t.S3BucketName, region, t.KMSKeyID)
		}
	}
	if given.S3BucketName == nil && given.S3KeyPrefix == nil && given.IsOrganizationTrail == nil {
		return nil
	}
	refusal, err := asRefusal(env.MayDeliver(ctx, *t))
	if err != nil {
		return err
	}
	if refusal != nil {
		return api.Errorf("InsufficientS3BucketPolicyException", "incorrect S3 bucket policy is detected for bucket %s: %s", t.S3BucketName, refusal.Error())
	}
	return nil
}

func (s *Service) applyTopic(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	if given.SnsTopicName == nil {
		return nil
	}
	t.SNSTopicName, t.SNSTopicARN = *given.SnsTopicName, ""
	if t.SNSTopicName == "" {
		return nil
	}
	if len(t.SNSTopicName) > maxTopicLength {
		return api.Errorf("InvalidSnsTopicNameException", "topic of %d characters is longer than %d", len(t.SNSTopicName), maxTopicLength)
	}
	arn, err := s.options.Environment.ResolveTopic(ctx, t.SNSTopicName)
	if refusal, err := asRefusal(err); err != nil {
		return err
	} else if refusal != nil {
		return api.Errorf("InvalidSnsTopicNameException", "topic %s: %s", t.SNSTopicName, refusal.Message)
	}
	t.SNSTopicARN = arn
	refusal, err := asRefusal(s.options.Environment.MayNotify(ctx, *t))
	if err != nil {
		return err
	}
	if refusal != nil {
		return api.Errorf("InsufficientSnsTopicPolicyException", "SNS topic does not exist or the topic policy is incorrect: %s: %s", t.SNSTopicARN, refusal.Error())
	}
	return nil
}

func (s *Service) applyCloudWatchLogs(ctx context.Context, t *Trail, given cloudtrail.UpdateTrailInput) error {
	if given.CloudWatchLogsLogGroupArn == nil && given.CloudWatchLogsRoleArn == nil {
		return nil
	}
	set(&t.CloudWatchLogsLogGroupARN, given.CloudWatchLogsLogGroupArn)
	set(&t.CloudWatchLogsRoleARN, given.CloudWatchLogsRoleArn)
	if t.CloudWatchLogsLogGroupARN == "" && t.CloudWatchLogsRoleARN == "" {
		return nil
	}
	if !logGroupARN.MatchString(t.CloudWatchLogsLogGroupARN) {
		return api.Errorf("InvalidCloudWatchLogsLogGroupArnException", "log group ARN %q is not valid: it ends in :* and comes with a role", t.CloudWatchLogsLogGroupARN)
	}
	if !roleARN.MatchString(t.CloudWatchLogsRoleARN) {
		return api.Errorf("InvalidCloudWatchLogsRoleArnException", "role ARN %q is not valid: a log group comes with a role", t.CloudWatchLogsRoleARN)
	}
	refusal, err := asRefusal(s.options.Environment.MayWriteLogs(ctx, *t))
	switch {
	case err != nil:
		return err
	case refusal == nil:
		return nil
	case refusal.Code == "ResourceNotFoundException":
		return api.Errorf("InvalidCloudWatchLogsLogGroupArnException", "log group %s: %s", t.CloudWatchLogsLogGroupARN, refusal.Message)
	}
	return api.Errorf("InvalidCloudWatchLogsRoleArnException", "role %s: %s", t.CloudWatchLogsRoleARN, refusal.Message)
}

func (s *Service) getTrail(_ context.Context, call api.Call, in *cloudtrail.GetTrailInput) (*cloudtrail.GetTrailOutput, error) {
	t, err := s.find(call.Place, value(in.Name))
	if err != nil {
		return nil, err
	}
	shown := describe(t)
	return &cloudtrail.GetTrailOutput{Trail: &shown}, nil
}

// describeTrails lists the trails of the Region and, unless asked not to, the shadows of trails of every Region that have
// their home elsewhere, and in a member account the organization's trails. By name it finds only trails whose home is the Region, by
// ARN all.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func (s *Service) describeTrails(ctx context.Context, call api.Call, in *cloudtrail.DescribeTrailsInput) (*cloudtrail.DescribeTrailsOutput, error) {
	wanted := map[string]bool{}
	for _, nameOrARN := range in.TrailNameList {
		arn, err := trailARN(call.Place, nameOrARN)
		if err != nil {
			return nil, err
		}
		wanted[arn] = true
	}
	trails, err := s.visible(ctx)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.DescribeTrailsOutput{TrailList: []types.Trail{}}
	for _, t := range trails {
		elsewhere := t.HomeRegion != call.Region
		shadow := elsewhere || api.PlaceOf(t.ARN).Account != call.Account
		switch {
		case shadow && in.IncludeShadowTrails != nil && !*in.IncludeShadowTrails,
			len(wanted) > 0 && !wanted[t.ARN],
			len(wanted) == 0 && elsewhere && !t.IsMultiRegionTrail:
			continue
		}
		out.TrailList = append(out.TrailList, describe(t))
	}
	return out, nil
}

func (s *Service) listTrails(ctx context.Context, _ api.Call, in *cloudtrail.ListTrailsInput) (*cloudtrail.ListTrailsOutput, error) {
	if in.NextToken != nil {
		return nil, api.NotModelled("pages of ListTrails")
	}
	trails, err := s.visible(ctx)
	if err != nil {
		return nil, err
	}
	out := &cloudtrail.ListTrailsOutput{Trails: []types.TrailInfo{}}
	for _, t := range trails {
		out.Trails = append(out.Trails, types.TrailInfo{Name: &t.Name, TrailARN: &t.ARN, HomeRegion: &t.HomeRegion})
	}
	return out, nil
}

func (s *Service) addTags(_ context.Context, call api.Call, in *cloudtrail.AddTagsInput) (*cloudtrail.AddTagsOutput, error) {
	t, err := s.findTagged(call.Place, value(in.ResourceId))
	if err != nil {
		return nil, err
	}
	if err := addTags(&t, in.TagsList); err != nil {
		return nil, err
	}
	s.store(t)
	return &cloudtrail.AddTagsOutput{}, nil
}

func (s *Service) removeTags(_ context.Context, call api.Call, in *cloudtrail.RemoveTagsInput) (*cloudtrail.RemoveTagsOutput, error) {
	t, err := s.findTagged(call.Place, value(in.ResourceId))
	if err != nil {
		return nil, err
	}
	for _, tag := range in.TagsList {
		delete(t.Tags, value(tag.Key))
	}
	s.store(t)
	return &cloudtrail.RemoveTagsOutput{}, nil
}

func (s *Service) listTags(_ context.Context, call api.Call, in *cloudtrail.ListTagsInput) (*cloudtrail.ListTagsOutput, error) {
	if in.NextToken != nil {
		return nil, api.NotModelled("pages of ListTags")
	}
	out := &cloudtrail.ListTagsOutput{ResourceTagList: []types.ResourceTag{}}
	for _, id := range in.ResourceIdList {
		t, err := s.findTagged(call.Place, id)
		if err != nil {
			return nil, err
		}
		tags := []types.Tag{}
		for key, text := range t.Tags {
			tags = append(tags, types.Tag{Key: &key, Value: &text})
		}
		slices.SortFunc(tags, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
		out.ResourceTagList = append(out.ResourceTagList, types.ResourceTag{ResourceId: &id, TagsList: tags})
	}
	return out, nil
}

// findTagged returns the trail whose tags are asked for; tags know a trail only by its ARN.
func (s *Service) findTagged(place api.Place, arn string) (Trail, error) {
	if isName(arn) {
		return Trail{}, api.Errorf("CloudTrailARNInvalidException", "%q is not a valid trail ARN", arn)
	}
	t, err := s.find(place, arn)
	if refusal, _ := asRefusal(err); refusal != nil && refusal.Code == "TrailNotFoundException" {
		return Trail{}, api.Errorf("ResourceNotFoundException", "resource not found for ARN: %s", arn)
	}
	return t, err
}

func addTags(t *Trail, tags []types.Tag) error {
	for _, tag := range tags {
		if value(tag.Key) == "" {
			return api.Errorf("InvalidTagParameterException", "a tag needs a key")
		}
		t.Tags[*tag.Key] = value(tag.Value)
	}
	if len(t.Tags) > maxTags {
		return api.Errorf("TagsLimitExceededException", "%d tags are more than %d", len(t.Tags), maxTags)
	}
	return nil
}

// describe returns a trail as the API shows it.
func describe(t Trail) types.Trail {
	return types.Trail{
		Name:                       &t.Name,
		TrailARN:                   &t.ARN,
		HomeRegion:                 &t.HomeRegion,
		S3BucketName:               &t.S3BucketName,
		S3KeyPrefix:                optional(t.S3KeyPrefix),
		SnsTopicName:               optional(t.SNSTopicName),
		SnsTopicARN:                optional(t.SNSTopicARN),
		CloudWatchLogsLogGroupArn:  optional(t.CloudWatchLogsLogGroupARN),
		CloudWatchLogsRoleArn:      optional(t.CloudWatchLogsRoleARN),
		KmsKeyId:                   optional(t.KMSKeyID),
		IncludeGlobalServiceEvents: &t.IncludeGlobalServiceEvents,
		IsMultiRegionTrail:         &t.IsMultiRegionTrail,
		IsOrganizationTrail:        &t.IsOrganizationTrail,
		LogFileValidationEnabled:   &t.LogFileValidationEnabled,
		HasCustomEventSelectors:    &t.HasCustomEventSelectors,
		HasInsightSelectors:        &t.HasInsightSelectors,
	}
}

func arnRegion(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}

func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}
