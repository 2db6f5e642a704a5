package cloudtrail

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

// Logs tells whether a trail of the account or of its organization is logging a call that changes something. Its error is that it is
// not known what the account's organization is.
func (s *Service) Logs(ctx context.Context, call api.Call) (bool, error) {
	trails, err := s.visible(ctx)
	return slices.ContainsFunc(trails, func(t Trail) bool {
		return t.IsLogging && (t.IsMultiRegionTrail || t.HomeRegion == call.Region) &&
			(t.IncludeGlobalServiceEvents || !catalog.Find(call.Service).Global) && selectsWrites(t, eventSource(call.Service))
	}), err
}

// selectsWrites tells whether a trail's selectors select the write management events of a service. An advanced selector
// that looks at anything but the category, readOnly and eventSource is taken to select nothing.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
func selectsWrites(t Trail, source string) bool {
	for _, selector := range t.EventSelectors {
		if aws.ToBool(selector.IncludeManagementEvents) && selector.ReadWriteType != types.ReadWriteTypeReadOnly &&
			!slices.Contains(selector.ExcludeManagementEventSources, source) {
			return true
		}
	}
	for _, selector := range t.AdvancedEventSelectors {
		selects := true
		for _, field := range selector.FieldSelectors {
			actual, known := map[string]string{"eventCategory": "Management", "readOnly": "false", "eventSource": source}[aws.ToString(field.Field)]
			only := len(field.StartsWith)+len(field.EndsWith)+len(field.NotStartsWith)+len(field.NotEndsWith) == 0
			selects = selects && known && only && !slices.Contains(field.NotEquals, actual) &&
				(len(field.Equals) == 0 || slices.Contains(field.Equals, actual))
		}
		if selects {
			return true
		}
	}
	return false
}
