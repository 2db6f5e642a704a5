package trail

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/trailguard/trailguard/constructs/validation"
)

var (
	nameCharacters = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	adjacentMarks  = regexp.MustCompile(`[._-]{2}`)
	ipAddress      = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)
	keyPrefix      = regexp.MustCompile(`^[^{}*?$]{1,200}$`)
	organizationID = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
)

// isToken tells whether CDK replaces a string, or a part of it, when it synthesizes: what it will be cannot be judged yet.
// https://docs.aws.amazon.com/cdk/v2/guide/tokens.html
func isToken(text string) bool {
	return strings.Contains(text, "${Token[") || strings.Contains(text, "#{Token[")
}

// CheckName refuses what CreateTrail would refuse as the name of a trail.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
func CheckName(field, name string) error {
	if isToken(name) {
		return validation.Problem(field, "%s is a token, and the policies need the name itself: give a literal name", name)
	}
	if !nameCharacters.MatchString(name) || adjacentMarks.MatchString(name) || ipAddress.MatchString(name) {
		return validation.Problem(field, "%q is not a trail name: use 3-128 letters, digits, periods, underscores and dashes, "+
			"begin and end with a letter or digit, put no two marks side by side, and do not form an IP address", name)
	}
	return nil
}

// CheckS3KeyPrefix refuses what CreateTrail would refuse as the prefix of the log files, and a prefix that would not
// yield the keys that the bucket policy allows.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func CheckS3KeyPrefix(field, prefix string) error {
	if isToken(prefix) {
		return nil
	}
	if !keyPrefix.MatchString(prefix) || strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") || !IsPlain(prefix) {
		return validation.Problem(field, "%q is not a key prefix: use 1-200 characters, without a slash at either end "+
			"and without * ? $ { } \" \\ and what cannot be printed; leave it out for no prefix", prefix)
	}
	return nil
}

// IsPlain tells whether a text stands in a Guard policy, and in JSON, as it is: Guard reads a backslash, and what follows it, as two
// characters.
// https://docs.aws.amazon.com/cfn-guard/latest/ug/writing-rules.html
func IsPlain(text string) bool { return strconv.Quote(text) == `"`+text+`"` }

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	// reservedBucketName matches the beginnings and ends of names that S3 keeps for itself, or for what is no general purpose bucket.
	reservedBucketName = regexp.MustCompile(`^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$`)
	adjacentDots       = regexp.MustCompile(`\.[.-]|-\.`)
)

// CheckBucketName refuses what is not the name of a general purpose bucket that CloudTrail can write to. The CDK, too, has no dash
// beside a dot.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func CheckBucketName(field, name string) error {
	if isToken(name) || bucketName.MatchString(name) && !adjacentDots.MatchString(name) && !ipAddress.MatchString(name) && !reservedBucketName.MatchString(name) {
		return nil
	}
	return validation.Problem(field, "%q is not the name of a bucket: use 3-63 lower-case letters, digits, dots and dashes, begin and end with a letter "+
		"or digit, put no dot beside a dot or dash, form no IP address, and use no beginning or end that S3 reserves", name)
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// CheckAccountID refuses what is not the id of an account.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
func CheckAccountID(field, id string) error {
	if isToken(id) || accountID.MatchString(id) {
		return nil
	}
	return validation.Problem(field, "%q is not an account id: use 12 digits", id)
}

// CheckOrganizationID refuses what is not the id of an organization.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
func CheckOrganizationID(field, id string) error {
	if isToken(id) || organizationID.MatchString(id) {
		return nil
	}
	return validation.Problem(field, "%q is not an organization id: use o- and 10-32 lower-case letters or digits, "+
		"as `aws organizations describe-organization` shows it", id)
}

const longestValue = 2048

var fieldName = regexp.MustCompile(`^[A-Za-z0-9._]{1,1000}$`)

func tooLong(value string) bool { return utf8.RuneCountInString(value) > longestValue }

// CheckAdvancedEventSelectors refuses what PutEventSelectors would refuse, what Automation would take for a variable, and a
// selector of some management events only: a guarded trail logs all of them.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func CheckAdvancedEventSelectors(field string, selectors []AdvancedEventSelector) error {
	const mostValues, longestName = 500, 1000
	var problems []error
	problem := func(field, format string, args ...any) {
		problems = append(problems, validation.Problem(field, format, args...))
	}
	values := 0
	for i, selector := range selectors {
		field := fmt.Sprintf("%s[%d]", field, i)
		if n := utf8.RuneCountInString(selector.Name); n > longestName || strings.Contains(selector.Name, "{{") {
			problem(field+".Name", "%q cannot be used: use at most %d characters, without {{", selector.Name, longestName)
		}
		needed := map[string]string{"Data": "resources.type", "NetworkActivity": "eventSource"}[selector.category()]
		switch {
		case selector.category() == management && len(selector.FieldSelectors) > 1:
			problem(field, "selects some management events only, and a guarded trail logs all of them: leave the selector out")
		case selector.category() == "" || selector.category() != management && needed == "":
			problem(field, "has the category %q: give the field eventCategory with Equals Data, NetworkActivity or Management", selector.category())
		case needed != "" && selector.value(needed) == "":
			problem(field, "has no %s: give the field %[1]s with one value of Equals", needed)
		}
		for j, condition := range selector.FieldSelectors {
			field := fmt.Sprintf("%s.FieldSelectors[%d]", field, j)
			given := 0
			operators := condition.operators()
			for _, operator := range slices.Sorted(maps.Keys(operators)) {
				list := operators[operator]
				given += len(list)
				problems = append(problems, CheckValues(field+"."+operator, list))
				if i := slices.IndexFunc(list, tooLong); i >= 0 {
					problem(field+"."+operator, "value %d has %d characters: use at most %d", i, utf8.RuneCountInString(list[i]), longestValue)
				}
			}
			if condition.Field == "" || given == 0 {
				problem(field, "is no condition: give Field, and at least one value of Equals, StartsWith, EndsWith, NotEquals, NotStartsWith or NotEndsWith")
			}
			if condition.Field != "" && !fieldName.MatchString(condition.Field) && !isToken(condition.Field) {
				problem(field+".Field", "%q is not the name of a field: use 1-1000 letters, digits, dots and underscores", condition.Field)
			}
			values += given
		}
	}
	if values > mostValues {
		problem(field, "%d values are too many: give at most %d over all selectors", values, mostValues)
	}
	return errors.Join(problems...)
}

// CheckValues refuses values that select nothing, what Automation would take for a variable, and what JSON cannot hold.
func CheckValues(field string, values []string) error {
	if slices.ContainsFunc(values, func(value string) bool {
		return value == "" || strings.Contains(value, "{{") || !utf8.ValidString(value)
	}) {
		return validation.Problem(field, "%q has a value that cannot be used: give no empty value, and none with {{ in it or that is not UTF-8", values)
	}
	return nil
}

// services are the services of the resources whose data events a basic event selector selects, by type.
var services = map[string]string{"AWS::S3::Object": "s3", "AWS::Lambda::Function": "lambda", "AWS::DynamoDB::Table": "dynamodb"}

// CheckDataResource refuses what a basic event selector would refuse, and what would select no event.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DataResource.html
func CheckDataResource(field string, resource DataResource) error {
	types := slices.Sorted(maps.Keys(services))
	var problems []error
	service, known := services[resource.Type]
	if !known {
		problems = append(problems, validation.Problem(field+".Type", "%q is not a type of data resource: use %s", resource.Type, strings.Join(types, ", ")))
	}
	if len(resource.Values) == 0 {
		problems = append(problems, validation.Problem(field+".Values", "is empty: give at least one ARN, or leave the data resource out"))
	}
	if err := CheckValues(field+".Values", resource.Values); err != nil || !known {
		return errors.Join(append(problems, err)...)
	}
	arn := regexp.MustCompile(`^arn:aws[a-z-]*:` + service + `(:|$)`)
	for i, value := range resource.Values {
		if !isToken(value) && !arn.MatchString(value) {
			problems = append(problems, validation.Problem(fmt.Sprintf("%s.Values[%d]", field, i), "%q is not the ARN, or the beginning of the ARN, of %s: begin with arn:aws:%s, "+
				"with the stack's partition in the place of aws", value, resource.Type, service))
		}
	}
	return errors.Join(problems...)
}

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// CheckTags refuses what AddTags would refuse.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Tag.html
func CheckTags(field string, tags map[string]string) error {
	const most, longestKey, longestValue = 50, 128, 256
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		n := utf8.RuneCountInString(key)
		if n < 1 || n > longestKey || !tagText.MatchString(key) || strings.HasPrefix(strings.ToLower(key), "aws:") {
			problems = append(problems, validation.Problem(field, "%q is not the key of a tag: use 1-%d letters, digits, spaces and _ . : / = + - @, "+
				"and no aws: at the beginning", key, longestKey))
		}
		value := tags[key]
		if isToken(value) {
			continue
		}
		if utf8.RuneCountInString(value) > longestValue || !tagText.MatchString(value) {
			problems = append(problems, validation.Problem(fmt.Sprintf("%s[%s]", field, key), "%q is not the value of a tag: use at most %d letters, digits, spaces and _ . : / = + - @", value, longestValue))
		}
	}
	if len(tags) > most {
		problems = append(problems, validation.Problem(field, "%d tags are too many: give at most %d", len(tags), most))
	}
	return errors.Join(problems...)
}

// CheckPreviousNames refuses what cannot have been the name of the trail, and more names than the policies of a bucket and a key
// have room for beside the statements of others.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
func CheckPreviousNames(field string, names []string, name string) error {
	const most = 20
	var problems []error
	if len(names) > most {
		problems = append(problems, validation.Problem(field, "%d names are too many: give at most %d", len(names), most))
	}
	for i, previous := range names {
		field := fmt.Sprintf("%s[%d]", field, i)
		problems = append(problems, CheckName(field, previous))
		if previous == name || slices.Contains(names[:i], previous) {
			problems = append(problems, validation.Problem(field, "%q is given twice, or is the trail's name of now: leave it out", previous))
		}
	}
	return errors.Join(problems...)
}
