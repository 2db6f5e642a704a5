package cloudtrail

import (
	"context"
	"fmt"
	"slices"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/catalog"
)

func (s *Service) membership(ctx context.Context) (Membership, error) {
	if s.options.Membership == nil {
		return Membership{Organization: s.options.Organization, Management: s.options.Place.Account}, nil
	}
	m, err := s.options.Membership(ctx)
	if err != nil {
		return m, fmt.Errorf("asking what account %s is in its organization: %w", s.options.Place.Account, err)
	}
	return m, nil
}

// management is the CloudTrail of the account that owns the organization's trails; nil if that is this account, or if the organization's
// trails are not in this account.
func (s *Service) management(ctx context.Context) (*Service, Membership, error) {
	m, err := s.membership(ctx)
	if err != nil || s.options.Account == nil || !m.Trusted || m.Management == s.options.Place.Account {
		return nil, m, err
	}
	return s.options.Account(m.Management), m, nil
}

// organizationTrails are the organization's trails in a member account, ordered by ARN.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
func (s *Service) organizationTrails(ctx context.Context) ([]Trail, error) {
	management, _, err := s.management(ctx)
	if err != nil || management == nil {
		return nil, err
	}
	return slices.DeleteFunc(management.Trails(), func(t Trail) bool { return !t.IsOrganizationTrail }), nil
}

// visible are all trails that the account sees.
func (s *Service) visible(ctx context.Context) ([]Trail, error) {
	shadows, err := s.organizationTrails(ctx)
	return append(s.Trails(), shadows...), err
}

// answering is the CloudTrail that answers a call: that of the management account, if the call is about an organization trail. Members
// may read such a trail, by its ARN; a delegated administrator may also make and change one, but not turn it into an account's.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-delegated-administrator.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
// https://github.com/hashicorp/terraform-provider-aws/issues/28440
func (s *Service) answering(ctx context.Context, call api.Call) (*Service, error) {
	management, m, err := s.management(ctx)
	if err != nil || management == nil {
		return s, err
	}
	if organization, _ := call.Input["IsOrganizationTrail"].(bool); call.Operation == "CreateTrail" {
		if organization && m.Organization == DelegatedAdministrator {
			return management, nil
		}
		return s, nil
	}
	for _, arn := range call.First("Name", "TrailName", "ResourceId", "ResourceIdList") {
		isShadow := slices.ContainsFunc(management.Trails(), func(t Trail) bool { return t.ARN == arn && t.IsOrganizationTrail })
		if !isShadow {
			continue
		}
		if catalog.Writes("cloudtrail", call.Operation) && m.Organization != DelegatedAdministrator {
			return nil, api.Errorf("NotOrganizationMasterAccountException", "account %s is neither the management account of its organization nor a delegated administrator",
				s.options.Place.Account)
		}
		if organization, given := call.Input["IsOrganizationTrail"].(bool); given && !organization && call.Operation == "UpdateTrail" {
			return nil, api.Errorf("NotOrganizationMasterAccountException", "account %s is not the management account of its organization", s.options.Place.Account)
		}
		return management, nil
	}
	return s, nil
}
