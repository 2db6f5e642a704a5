package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/constructs/organization"
	"github.com/trailguard/trailguard/constructs/trail"
	"github.com/trailguard/trailguard/constructs/trailguard"
)

const (
	block    = "trailguard"
	override = block + ":"
)

// readConfiguration reads the configuration from the context of the app. The error names every key that is unknown and
// every value of the wrong type.
func readConfiguration(context any) (configuration, error) {
	given, err := contextKeys(context)
	if err != nil {
		return configuration{}, err
	}
	var c configuration
	fields := map[string]any{}
	for _, k := range keys {
		fields[k.key] = c.field(k).Addr().Interface()
	}

	var problems []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		field, known := fields[key]
		if !known {
			problems = append(problems, fmt.Errorf("%s: is not a key of the configuration: use %s",
				key, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
			continue
		}
		if text := shown(given[key]); strings.Contains(text, "${Token[") || strings.Contains(text, "#{Token[") {
			problems = append(problems, fmt.Errorf("%s: %s has a token of the CDK in it, which only code can make: give what it stands for", key, text))
			continue
		}
		if err := decode(given[key], field); err != nil {
			reflect.ValueOf(field).Elem().SetZero() // what was decoded in part would be judged below
			problems = append(problems, fmt.Errorf("%s: %v is not %s", key, shown(given[key]), kind(field)))
		}
	}
	return c, errors.Join(append(problems, c.check())...)
}

// contextKeys returns the keys of the block, overridden by the keys of the command line.
func contextKeys(context any) (map[string]any, error) {
	all, _ := context.(map[string]any)
	given := map[string]any{}
	if value, ok := all[block]; ok {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: %s is not an object: use {\"trailName\": \"my-trail\"}, or -c %strailName=my-trail", block, shown(value), override)
		}
		maps.Copy(given, object)
	}
	for key, value := range all {
		if name, ok := strings.CutPrefix(key, override); ok {
			given[name] = value
		}
	}
	return given, nil
}

// decode puts a value of the context into the field. All values of the command line are strings: for a field that
// is no string, the string is read as JSON.
func decode(value, field any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the value: %w", err)
	}
	err = strictly(text, field)
	if line, ok := value.(string); ok && err != nil {
		err = strictly([]byte(line), field)
	}
	return err
}

// strictly decodes JSON and refuses keys that the field's objects do not have: left out, they would change what is declared.
func strictly(text []byte, field any) error {
	if !json.Valid(text) {
		return errors.New("is no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(field)
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// kind is what a field takes, in the words of JSON.
func kind(field any) string {
	switch field.(type) {
	case **bool:
		return "a boolean: use true or false"
	case **float64:
		return "a number: use digits only"
	case **[]*trailguard.DataResource:
		return `a list of data resources: use [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::my-bucket/"]}]`
	case **[]*trailguard.AdvancedEventSelector:
		return `a list of advanced event selectors: use [{"name": "...", "fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]`
	case **map[string]*string:
		return `an object of strings: use {"key": "value"}`
	case **[]*string:
		return `a list of strings: use ["one", "two"]`
	case **organization.AccountFilter:
		return `an account filter: use {"type": "DIFFERENCE", "accounts": ["123456789012"]}`
	case **[]trailguard.InsightType:
		return `a list of types: use ["ApiCallRateInsight", "ApiErrorRateInsight"]`
	default:
		return "a string: put it in quotes"
	}
}

// forms are what the strings of some keys look like. With other strings the CDK would panic when it imports a resource.
var forms = []struct {
	key, pattern string
	// advice says what a string that does not match is not.
	advice  string
	example string
}{
	{"account", account, anAccount, "123456789012"},
	{"region", `^[a-z]{2,}(-[a-z]+)+-[0-9]$`, "a Region: use a code such as eu-central-1", "eu-central-1"},
	{"trailAccount", `^[0-9]{12}$`, "an account id: use 12 digits", "123456789012"},
	{"snsTopicArn", arn("sns", topic), aTopic, "arn:aws:sns:eu-central-1:123456789012:deliveries"},
	{"cloudWatchLogGroupName", `^[A-Za-z0-9_/.#-]{1,512}$`, "the name of a log group: use 1-512 letters, digits and _ / . # -", "audit/events"},
	{"cloudWatchLogsRoleArn", arn("iam", role), aRole, "arn:aws:iam::123456789012:role/logs"},
	{"logKeyArn", arn("kms", keyID), aKey, "arn:aws:kms:eu-central-1:123456789012:key/1"},
	{"automationRoleArn", arn("iam", role), aRole, "arn:aws:iam::123456789012:role/automation"},
	{"alertTopicArn", arn("sns", topic), aTopic, "arn:aws:sns:eu-central-1:123456789012:alerts"},
	{"centralEventBusArn", arn("events", "event-bus/[A-Za-z0-9._/-]{1,256}"), "the ARN of an event bus: use arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
		"arn:aws:events:eu-central-1:123456789012:event-bus/trailguard"},
	{"mode", `^(account|organization)$`, "a mode: use account or organization", "account"},
	{"managementAccount", account, anAccount, "111122223333"},
	{"delegatedAdministratorAccount", account, anAccount, "222233334444"},
	{"logArchiveAccount", account, anAccount, "333344445555"},
	{"logArchiveKeyArn", arn("kms", keyID), aKey, "arn:aws:kms:eu-central-1:333344445555:key/1"},
	{"securityAccount", account, anAccount, "444455556666"},
	{"members", `^(watch|guard)$`, "what members are: use watch or guard", "watch"},
	{"memberLogs", `^(archive|own)$`, "where members write: use archive or own", "archive"},
	{"objectLockMode", `^(GOVERNANCE|COMPLIANCE)$`, "a mode: use GOVERNANCE or COMPLIANCE", "COMPLIANCE"},
}

const (
	account   = "^[0-9]{12}$"
	anAccount = "an account id: use 12 digits"
	keyID     = "key/[A-Za-z0-9-]+"
	aKey      = "the ARN of a key: use arn:aws:kms:REGION:ACCOUNT:key/ID"
	topic     = `[A-Za-z0-9_-]{1,256}(\.fifo)?`
	aTopic    = "the ARN of a topic: use arn:aws:sns:REGION:ACCOUNT:NAME"
	role      = "role/[!-~]+"
	aRole     = "the ARN of a role: use arn:aws:iam::ACCOUNT:role/NAME"
)

// arn matches the ARNs of a service in every partition.
func arn(service, resource string) string {
	return `^arn:aws[a-z-]*:` + service + `:[a-z0-9-]*:[0-9]{12}:` + resource + `$`
}

// check refuses what only the configuration can get wrong. Everything else is checked by TrailGuardProps.Validate.
func (c configuration) check() error {
	var problems []error
	for _, form := range forms {
		if value := given[string](c, form.key); value != nil && !regexp.MustCompile(form.pattern).MatchString(*value) {
			problems = append(problems, fmt.Errorf("%s: %q is not %s", form.key, *value, form.advice))
		}
	}
	for _, key := range []string{"logBucketName", "serverAccessLogsBucketName"} {
		if name := given[string](c, key); name != nil {
			problems = append(problems, trail.CheckBucketName(key, *name))
		}
	}
	for _, key := range []string{"transitionAfterDays", "expireAfterDays", "objectLockRetentionDays", "retryAttemptSeconds"} {
		if value := given[float64](c, key); value != nil && (*value < 1 || *value != float64(int(*value))) {
			problems = append(problems, fmt.Errorf("%s: %v is out of range: use a whole number from 1", key, *value))
		}
	}
	if minutes := c.CheckEveryMinutes; minutes != nil && *minutes < 0 {
		problems = append(problems, fmt.Errorf("checkEveryMinutes: %v is out of range: use a whole number from 5 to 1440, or 0 for never", *minutes))
	}
	if days := c.ObjectLockRetentionDays; days != nil && *days > mostLockedDays {
		problems = append(problems, fmt.Errorf("objectLockRetentionDays: %v is out of range: use a whole number from 1 to %d", *days, mostLockedDays))
	}
	if c.ObjectLockMode != nil && c.ObjectLockRetentionDays == nil {
		problems = append(problems, errors.New("objectLockMode: has no retention: give objectLockRetentionDays too, or leave out objectLockMode"))
	}
	if c.Mode == nil || *c.Mode == modeAccount || *c.Mode == modeOrganization {
		problems = append(problems, c.checkMode())
	}
	return errors.Join(problems...)
}

// mostLockedDays are 100 years, the longest retention that S3 takes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
const mostLockedDays = 36_500
