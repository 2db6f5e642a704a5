package trail

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	nameCharacters = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	adjacentMarks  = regexp.MustCompile(`[._-]{2}`)
	ipAddress      = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)
	keyPrefix      = regexp.MustCompile(`^[^{}\x00-\x1f\x7f]{1,200}$`)
	organizationID = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
)

// token marks a string that CDK replaces when it synthesizes: what it will be cannot be judged yet.
// https://docs.aws.amazon.com/cdk/v2/guide/tokens.html
const token = "${Token["

// CheckName refuses what CreateTrail would refuse as the name of a trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
func CheckName(field, name string) error {
	if strings.Contains(name, token) {
		return fmt.Errorf("%s: %s is a token, and the policies need the name itself: give a literal name", field, name)
	}
	if !nameCharacters.MatchString(name) || adjacentMarks.MatchString(name) || ipAddress.MatchString(name) {
		return fmt.Errorf("%s: %q is not a trail name: use 3-128 letters, digits, periods, underscores and dashes, "+
			"begin and end with a letter or digit, put no two marks side by side, and do not form an IP address", field, name)
	}
	return nil
}

// CheckS3KeyPrefix refuses what CreateTrail would refuse as the prefix of the log files, and a prefix that would not
// yield the keys that the bucket policy allows.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func CheckS3KeyPrefix(field, prefix string) error {
	if strings.Contains(prefix, token) {
		return nil
	}
	if !keyPrefix.MatchString(prefix) || strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") || strings.ContainsAny(prefix, "*?$") {
		return fmt.Errorf("%s: %q is not a key prefix: use 1-200 characters, without a slash at either end "+
			"and without * ? $ { }; leave it out for no prefix", field, prefix)
	}
	return nil
}

// CheckOrganizationID refuses what is not the id of an organization.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
func CheckOrganizationID(field, id string) error {
	if strings.Contains(id, token) || organizationID.MatchString(id) {
		return nil
	}
	return fmt.Errorf("%s: %q is not an organization id: use o- and 10-32 lower-case letters or digits, "+
		"as `aws organizations describe-organization` shows it", field, id)
}
