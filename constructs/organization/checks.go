package organization

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/trailguard/trailguard/constructs/validation"
)

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html
var organizationalUnitID = regexp.MustCompile(`^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$`)

// checkOrganizationalUnits refuses what is neither an organizational unit nor a root.
func checkOrganizationalUnits(prop string, ids *[]*string) []error {
	return checkEach(prop, ids, func(prop, id string) error {
		if organizationalUnitID.MatchString(id) {
			return nil
		}
		return validation.Problem(prop, "%q is not an organizational unit or a root: use an id such as ou-ab12-c3d4e5f6 or r-ab12, "+
			"as `aws organizations list-roots` and `list-organizational-units-for-parent` show it", id)
	})
}

// checkEach checks each text of a list that is known at synthesis, and refuses one that is given twice.
func checkEach(prop string, list *[]*string, check func(prop, text string) error) []error {
	var problems []error
	var before []string
	for i, text := range listed(list) {
		place := fmt.Sprintf("%s[%d]", prop, i)
		switch {
		case text == nil:
			problems = append(problems, validation.Problem(place, "is empty: give a value, or leave it out"))
		case *awscdk.Token_IsUnresolved(text):
		case slices.Contains(before, *text):
			problems = append(problems, validation.Problem(place, "%q is given twice: leave it out", *text))
		default:
			problems = append(problems, check(place, *text))
			before = append(before, *text)
		}
	}
	return problems
}

// checkPercentage refuses what is no whole percentage from least.
func checkPercentage(prop string, value *float64, least float64) error {
	if value == nil || *awscdk.Token_IsUnresolved(value) || *value >= least && *value <= 100 && *value == float64(int(*value)) {
		return nil
	}
	return validation.Problem(prop, "%v is out of range: use a whole number from %v to 100", *value, least)
}

// listed is what a list of the CDK's edge holds, empty for none.
func listed(list *[]*string) []*string {
	if list == nil {
		return nil
	}
	return *list
}

// texts are the texts of a list.
func texts(list *[]*string) []string {
	var texts []string
	for _, text := range listed(list) {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	return texts
}

// textOr is the text, or the default if none is given.
func textOr(text *string, fallback string) *string {
	if text == nil {
		return &fallback
	}
	return text
}

// text is what a string holds, empty for none.
func text(given *string) string {
	if given == nil {
		return ""
	}
	return *given
}
