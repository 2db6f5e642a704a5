package cloudtrail

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/sdk"
)

// New returns a CloudTrail without trails.
func New(options Options) *Service {
	options.Place = options.Place.Or(api.Home())
	s := &Service{options: options, trails: map[string]*Trail{}}
	c := sdk.NewCodec(cloudtrail.DescribeTrailsInput{}, cloudtrail.DescribeTrailsOutput{})
	s.operations = map[string]sdk.Operation{
		"CreateTrail":         s.changes(sdk.Bind(c, s.createTrail)),
		"UpdateTrail":         s.changes(sdk.Bind(c, s.updateTrail)),
		"DeleteTrail":         s.changes(sdk.Bind(c, s.deleteTrail)),
		"StartLogging":        s.changes(sdk.Bind(c, s.startLogging)),
		"StopLogging":         s.changes(sdk.Bind(c, s.stopLogging)),
		"PutEventSelectors":   s.changes(enumErrorsAs("InvalidEventSelectorsException", sdk.Bind(c, s.putEventSelectors))),
		"PutInsightSelectors": s.changes(enumErrorsAs("InvalidInsightSelectorsException", sdk.Bind(c, s.putInsightSelectors))),
		"AddTags":             s.changes(sdk.Bind(c, s.addTags)),
		"RemoveTags":          s.changes(sdk.Bind(c, s.removeTags)),
		"GetTrail":            sdk.Bind(c, s.getTrail),
		"DescribeTrails":      sdk.Bind(c, s.describeTrails),
		"ListTrails":          sdk.Bind(c, s.listTrails),
		"GetTrailStatus":      sdk.Bind(c, s.getTrailStatus),
		"GetEventSelectors":   sdk.Bind(c, s.getEventSelectors),
		"GetInsightSelectors": sdk.Bind(c, s.getInsightSelectors),
		"ListTags":            sdk.Bind(c, s.listTags),
		"LookupEvents":        s.history.lookup,
	}
	return s
}

// Register has the service answer the calls of its operations.
func (s *Service) Register(registry api.Registry) {
	for operation := range s.operations {
		registry.Answer("cloudtrail:"+operation, s)
	}
}

// Handle answers one call of the CloudTrail API. An operation or a member that is not simulated is an error.
func (s *Service) Handle(ctx context.Context, call api.Call) (any, error) {
	call.Place = call.Or(s.options.Place)
	there, err := s.answering(ctx, call)
	if err != nil {
		return nil, err
	}
	call.Account = there.options.Place.Account
	return sdk.Dispatch(ctx, there.operations, call)
}

// changes makes an operation wait for the one before it, and applies the rate limit.
func (s *Service) changes(operation sdk.Operation) sdk.Operation {
	return func(ctx context.Context, call api.Call) (any, error) {
		s.changing.Lock()
		defer s.changing.Unlock()
		now := s.options.Clock.Now()
		if s.options.RateLimited && !s.lastChanged.IsZero() && now.Sub(s.lastChanged) < time.Second {
			return nil, api.Errorf("ThrottlingException", "rate exceeded")
		}
		s.lastChanged = now
		return operation(ctx, call)
	}
}

// enumErrorsAs gives a value that an enum lacks the code that the operation has for it.
func enumErrorsAs(code string, operation sdk.Operation) sdk.Operation {
	return func(ctx context.Context, call api.Call) (any, error) {
		output, err := operation(ctx, call)
		var refusal *api.Error
		if errors.As(err, &refusal) && refusal.Code == "ValidationException" {
			return nil, api.Errorf(code, "%s", refusal.Message)
		}
		return output, err
	}
}
