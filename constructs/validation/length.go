package validation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Characters is the most characters that a text can have once it is deployed.
func Characters(text string) int { return utf8.RuneCountInString(longest(text)) }

// Bytes is the most bytes that a text can have once it is deployed.
func Bytes(text string) int { return len(longest(text)) }

// Text is what is made of several properties.
type Text struct {
	// Name is what the text is, such as "the runbook".
	Name string
	// Has is its length, and Most the length that Taker, such as "Systems Manager", takes, both in Unit.
	Has, Most   int
	Unit, Taker string
	// Parts are what the properties bring in, by their names.
	Parts map[string]string
}

// Check returns an error if the text is too long. It names the property that brings in the largest part.
func (t Text) Check() error {
	if t.Has <= t.Most {
		return nil
	}
	fields := slices.SortedFunc(maps.Keys(t.Parts), func(one, other string) int {
		return cmp.Or(cmp.Compare(Bytes(t.Parts[other]), Bytes(t.Parts[one])), strings.Compare(one, other))
	})
	return Problem(fields[0], "makes %s up to %d %s long, and %s takes %d: give fewer or shorter values", t.Name, t.Has, t.Unit, t.Taker, t.Most)
}

// JSON is a value as AWS takes it in a text. It panics for what cannot be written as JSON.
func JSON(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Errorf("validation: writing %T as JSON: %w", value, err))
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// token is what the CDK replaces when it synthesizes, or CloudFormation when it deploys.
// https://docs.aws.amazon.com/cdk/v2/guide/tokens.html
var token = regexp.MustCompile(`[$#]\{Token\[([^\]]*)\]\}`)

// pseudo are the most characters of CloudFormation's pseudo parameters, by what the CDK's tokens of them begin with.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
var pseudo = map[string]int{
	"AWS.Partition.": len("aws-us-gov"), "AWS.Region.": len("us-isof-south-1"), "AWS.AccountId.": len("123456789012"),
}

// anyToken is as much as most names and ARNs have that CloudFormation makes: it cuts its names to 128 characters, if not to fewer.
const anyToken = 128

// longest is the text with as many characters in the place of each token as its value may have.
func longest(text string) string {
	return token.ReplaceAllStringFunc(text, func(found string) string {
		name := token.FindStringSubmatch(found)[1]
		for prefix, length := range pseudo {
			if strings.HasPrefix(name, prefix) {
				return strings.Repeat("x", length)
			}
		}
		return strings.Repeat("x", anyToken)
	})
}
