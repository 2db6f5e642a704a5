package protection

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trailguard/trailguard/constructs/validation/problem"
)

// Options are what the policies protect, and from whom they do not. Defaults has what most organizations give.
type Options struct {
	// Partition is that of the organization: aws, aws-cn, aws-us-gov.
	Partition string
	// OrganizationID is the organization's: o-a1b2c3d4e5.
	OrganizationID string
	// TrailNames are the names of the guarded trails, in every account and Region.
	TrailNames []string
	// NamePrefixes are what the names of the guard's stacks begin with. CloudFormation begins the names of what a stack makes with the
	// stack's name, and of its buckets in lower case; the stacks of a StackSet are named StackSet-NAME-ID. All that is so named is
	// protected as the guard's, whoever made it. Of a prefix the first 24 characters count, because CloudFormation shortens the names of
	// stacks in the names that it makes.
	NamePrefixes []string
	// EventBusNames are the names of the guard's own event buses.
	EventBusNames []string
	// BucketNames are log buckets whose names do not begin with one of NamePrefixes in lower case.
	BucketNames []string
	// KeyARNs are the ARNs of log keys of other stacks. Keys that the guard's stacks made are known by their tag: see
	// KeyTag.
	KeyARNs []string
	// BreakGlassRoleARNs are roles that nothing here binds: arn:aws:iam::*:role/BreakGlass. The account may be *, which is the role of
	// that name in each account. A role of IAM Identity Center ends with _*, as its name has an ending of its own in each account:
	// arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BreakGlass_*. That also names the roles of permission sets
	// whose names begin with BreakGlass_.
	BreakGlassRoleARNs []string
	// ExemptCDK exempts the roles that the CDK's bootstrap makes for CloudFormation, cdk-*-cfn-exec-role-*.
	//
	// It costs protection: whoever may give such a role to CloudFormation in a bootstrapped account can change the guard with a stack.
	// Without it, bootstrapping needs no exempt role, and stacks of the guard that are not of a StackSet are deployed by a break-glass
	// role.
	ExemptCDK bool
	// DenyCreateTrail denies CreateTrail of any name, because an account has five trails a Region at most, and five others lock the
	// guard's out.
	//
	// It costs others: no account can have trails besides, unless an exempt role makes them.
	DenyCreateTrail bool
	// DenyPolicyChanges denies the changes of service and resource control policies to the delegated administrators of AWS
	// Organizations. The guard's own policies have ids, which are not known before they exist.
	//
	// It costs others: delegated administrators change and detach no policy of these two types. Members to which nothing is delegated
	// lose nothing.
	DenyPolicyChanges bool
	// DenyConfigChanges denies changes of AWS Config: the recorder and the delivery channel are the account's, and rules and
	// remediations have ids instead of names.
	//
	// It costs others: no account can make, change or delete rules, remediations, recorder and channel, unless an exempt or a
	// service-linked role does it (Security Hub's and conformance packs' do).
	DenyConfigChanges bool
	// DenyStopAutomation denies StopAutomationExecution and SendAutomationSignal, because an execution has an id.
	//
	// It costs others: nobody stops, approves or resumes a runbook of Systems Manager.
	DenyStopAutomation bool
}

// Defaults are the options that need not be given: what the stacks of an organization are named, and the choices that cost others
// little.
func Defaults() Options {
	return Options{
		Partition:     "aws",
		TrailNames:    []string{"trailguard"},
		NamePrefixes:  []string{"StackSet-TrailGuard-", "TrailGuard"},
		EventBusNames: []string{"trailguard"},
		ExemptCDK:     true, DenyCreateTrail: true, DenyPolicyChanges: true,
	}
}

// form is what the values of an option look like.
type form struct {
	pattern *regexp.Regexp
	say     string // what is allowed
}

var (
	partitionForm    = form{regexp.MustCompile(`^aws(-[a-z]+)*$`), "is no partition: give aws, aws-cn or aws-us-gov, for example"}
	organizationForm = form{regexp.MustCompile(`^o-[a-z0-9]{10,32}$`), "is no id of an organization, such as o-a1b2c3d4e5"}
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
	trailForm  = form{regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`), "is no name of a trail: 3 to 128 letters, digits and . _ -, with no wildcard"}
	prefixForm = form{regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{2,127}$`), "begins no name of a stack: 3 to 128 letters, digits and -"}
	busForm    = form{regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`), "is no name of an event bus: up to 256 letters, digits and . _ -"}
	bucketForm = form{regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`), "is no name of a bucket: 3 to 63 lower-case letters, digits and . -, with no wildcard"}
	keyForm    = form{regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`), "is no ARN of a key, such as arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
	roleForm   = form{regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}|\*):role/([\w+=,.@-]+/)*([\w+=,.@-]{1,64})$`),
		"is no ARN of a role: arn:aws:iam::111122223333:role/NAME, with * for the account alone, or at the end of a role of IAM Identity Center"}
	identityCenterForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}|\*):role/aws-reserved/sso\.amazonaws\.com/([a-z0-9-]+/)?AWSReservedSSO_[\w+=,.@-]{1,32}_\*$`)
)

// takenPrefixes begin the names of roles that are not the guard's, or all stacks of StackSets.
var takenPrefixes = []string{"StackSet-", "stacksets-exec-", "cdk-", "AWSReservedSSO_", "AWSServiceRoleFor", "AWSCloudFormation"}

// Validate returns all that is wrong with the options, nil if nothing is.
func (o Options) Validate() error {
	problems := []error{
		partitionForm.check("Partition", o.Partition), organizationForm.check("OrganizationID", o.OrganizationID),
		checkList("TrailNames", trailForm, o.TrailNames, true), checkList("NamePrefixes", prefixForm, o.NamePrefixes, true),
		checkList("EventBusNames", busForm, o.EventBusNames, false), checkList("BucketNames", bucketForm, o.BucketNames, false),
		checkList("KeyARNs", keyForm, o.KeyARNs, false),
	}
	for i, prefix := range o.NamePrefixes {
		for _, taken := range takenPrefixes {
			if strings.HasPrefix(taken, prefix) {
				problems = append(problems, problem.New(item("NamePrefixes", i), "%q begins names that are not the guard's, such as %s...: give more of the guard's own", prefix, taken))
			}
		}
	}
	for i, arn := range o.BreakGlassRoleARNs {
		if !identityCenterForm.MatchString(arn) {
			problems = append(problems, roleForm.check(item("BreakGlassRoleARNs", i), arn))
		}
	}
	problems = append(problems, distinct("BreakGlassRoleARNs", o.BreakGlassRoleARNs), o.checkBreakGlassNames())
	problems = append(problems, o.checkPartitions("KeyARNs", o.KeyARNs), o.checkPartitions("BreakGlassRoleARNs", o.BreakGlassRoleARNs))
	if !o.ExemptCDK && len(o.BreakGlassRoleARNs) == 0 {
		problems = append(problems, problem.New("BreakGlassRoleARNs", "is required if %s is false: nobody could deploy the stacks of the log archive and of the security account", problem.Prop("ExemptCDK")))
	}
	return errors.Join(problems...)
}

func (f form) check(prop, value string) error {
	if f.pattern.MatchString(value) {
		return nil
	}
	if value == "" {
		return problem.New(prop, "is required")
	}
	return problem.New(prop, "%q %s", value, f.say)
}

// checkList checks each value of a list.
func checkList(prop string, f form, values []string, required bool) error {
	if required && len(values) == 0 {
		return problem.New(prop, "is required")
	}
	problems := []error{distinct(prop, values)}
	for i, value := range values {
		problems = append(problems, f.check(item(prop, i), value))
	}
	return errors.Join(problems...)
}

// checkBreakGlassNames checks that no break-glass role is named like the guard's own, which services alone assume.
func (o Options) checkBreakGlassNames() error {
	var problems []error
	for i, arn := range o.BreakGlassRoleARNs {
		_, name, _ := strings.Cut(arn, ":role/")
		for _, prefix := range append([]string{guardPath}, o.prefixed("", "")...) {
			if strings.HasPrefix(name, prefix) {
				problems = append(problems, problem.New(item("BreakGlassRoleARNs", i), "%q is named as the guard's own roles are, which begin with %s and which nobody but services may assume: give a role of another name", arn, prefix))
			}
		}
	}
	return errors.Join(problems...)
}

// checkPartitions checks that ARNs are of the partition.
func (o Options) checkPartitions(prop string, arns []string) error {
	var problems []error
	for i, arn := range arns {
		if strings.HasPrefix(arn, "arn:") && !strings.HasPrefix(arn, "arn:"+o.Partition+":") {
			problems = append(problems, problem.New(item(prop, i), "%q is of another partition than %q of %s", arn, o.Partition, problem.Prop("Partition")))
		}
	}
	return errors.Join(problems...)
}

func distinct(prop string, values []string) error {
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			return problem.New(item(prop, i), "%q is in the list twice: leave one out", value)
		}
	}
	return nil
}

func item(prop string, index int) string { return prop + "[" + strconv.Itoa(index) + "]" }

// guardPath is the IAM path of the guard's roles, without its first slash.
const guardPath = "trailguard/"

// surely is how much of a stack's name is taken to be in the names that CloudFormation makes. Those that would be longer than the
// service takes, such as 64 characters of a role, it shortens by a rule that is not documented; those seen have at least so much.
const surely = 24

// prefixed are the prefixes of the guard's names, as far as they are sure, with something before and after each.
func (o Options) prefixed(before, after string) []string {
	var names []string
	for _, prefix := range o.NamePrefixes {
		names = append(names, before+prefix[:min(len(prefix), surely)]+after)
	}
	return names
}
