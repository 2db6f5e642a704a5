package trailguard_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

const account = "map[Ref:AWS::AccountId]"

// services are the conditions on which a service is let in, by what it does. TRAILS are the ARNs of the trail, and CONTEXTS match the
// encryption contexts of its log files.
var services = map[string]string{
	"cloudtrail.amazonaws.com s3:GetBucketAcl":                    "map[StringEquals:map[aws:SourceArn:TRAILS]]",
	"cloudtrail.amazonaws.com s3:PutObject":                       "map[StringEquals:map[aws:SourceArn:TRAILS s3:x-amz-acl:bucket-owner-full-control]]",
	"cloudtrail.amazonaws.com kms:GenerateDataKey*":               "map[StringEquals:map[aws:SourceArn:TRAILS] StringLike:map[kms:EncryptionContext:aws:cloudtrail:arn:CONTEXTS]]",
	"cloudtrail.amazonaws.com kms:DescribeKey":                    "map[StringEquals:map[aws:SourceArn:TRAILS]]",
	"cloudtrail.amazonaws.com sns:Publish":                        "map[StringEquals:map[aws:SourceArn:TRAILS]]",
	"cloudtrail.amazonaws.com [kms:Decrypt kms:GenerateDataKey*]": "map[StringEqualsIfExists:map[aws:SourceAccount:" + account + "]]",
	// CloudTrail sends neither aws:SourceArn nor aws:SourceAccount when it assumes this role.
	"cloudtrail.amazonaws.com sts:AssumeRole":                     "<nil>",
	"logging.s3.amazonaws.com s3:PutObject":                       "map[ArnLike:map[aws:SourceArn:BUCKET] StringEquals:map[aws:SourceAccount:" + account + "]]",
	"cloudwatch.amazonaws.com sns:Publish":                        "map[StringEquals:map[aws:SourceAccount:" + account + "]]",
	"cloudwatch.amazonaws.com [kms:Decrypt kms:GenerateDataKey*]": "map[StringEqualsIfExists:map[aws:SourceAccount:" + account + "]]",
	"events.amazonaws.com sqs:SendMessage":                        "map[ArnLike:map[aws:SourceArn:map[Fn::Sub:arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*]]]",
	"events.amazonaws.com sts:AssumeRole":                         "map[ArnLike:map[aws:SourceArn:map[Fn::Sub:arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*]]]",
	"ssm.amazonaws.com sts:AssumeRole":                            "map[ArnLike:map[aws:SourceArn:map[Fn::Sub:arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:automation-execution/*]]]",
	"config.amazonaws.com sts:AssumeRole":                         "map[StringEquals:map[aws:SourceAccount:" + account + "]]",
}

// everyCase are the templates of the cases, and of one with a topic whose key the guard completes.
func everyCase(t *testing.T) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{"encrypted topic": synthesize(cases.Case{Props: func(stack awscdk.Stack) *trailguard.TrailGuardProps {
		key := awskms.NewKey(stack, jsii.String("Key"), nil)
		return &trailguard.TrailGuardProps{SnsTopic: awssns.NewTopic(stack, jsii.String("Topic"), &awssns.TopicProps{MasterKey: key})}
	}}.Stack())}
	for _, c := range cases.All() {
		all[c.Name] = templateOf(t, c)
	}
	return all
}

// TestEachServiceIsLetInForItsSource reads the policies of all resources, and of who may assume the guard's roles.
func TestEachServiceIsLetInForItsSource(t *testing.T) {
	seen := map[string]bool{}
	for name, template := range everyCase(t) {
		for _, problem := range openStatements(template, seen) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	for caller := range services {
		if !seen[caller] {
			t.Errorf("nothing lets in %s", caller)
		}
	}
}

// openStatements names each statement that lets somebody in whom it should not, and notes what it has seen of services.
func openStatements(template map[string]any, seen map[string]bool) []string {
	var problems []string
	for id, document := range resourcePolicies(template) {
		for _, statement := range document {
			principal, caller := statement["Principal"], ""
			if service, ok := at(principal, "Service").(string); ok {
				caller = service + " " + fmt.Sprint(statement["Action"])
			}
			condition := fmt.Sprint(single(statement["Condition"]))
			switch {
			case statement["Effect"] == "Deny":
				if condition != "map[Bool:map[aws:SecureTransport:false]]" {
					problems = append(problems, fmt.Sprintf("%s denies if %s", id, condition))
				}
			case caller != "":
				want, known := services[caller]
				seen[caller] = true
				if !known || meaning(template, want) != condition {
					problems = append(problems, fmt.Sprintf("%s lets in %s if %s, not if %s", id, caller, condition, want))
				}
			case fmt.Sprint(statement["Action"]) == "kms:*" && strings.HasSuffix(fmt.Sprint(principal), account+" :root]]]]"):
			default:
				problems = append(problems, fmt.Sprintf("%s lets in %v", id, statement))
			}
		}
	}
	return problems
}

// meaning is the text of a condition in the template.
func meaning(template map[string]any, condition string) string {
	declared := property(template, document, payload+"Name")
	trails := trailARN(declared)
	if other := property(template, document, payload+"TrailArn"); other != "<nil>" {
		trails = other
	}
	contexts := strings.ReplaceAll(trails, "${AWS::Region}", "*")
	if declared == "everything-trail" {
		trails = "[" + trails + " " + trailARN("old-trail") + "]"
		contexts = "[" + contexts + " " + strings.ReplaceAll(trailARN("old-trail"), "${AWS::Region}", "*") + "]"
	}
	return strings.NewReplacer("TRAILS", trails, "CONTEXTS", contexts, "BUCKET", "map[Fn::GetAtt:[LogStoreBucket0AD36629 Arn]]").Replace(condition)
}

// resourcePolicies are the statements of each policy of a resource and each trust policy, but of roles that are not the guard's.
func resourcePolicies(template map[string]any) map[string][]map[string]any {
	found := map[string][]map[string]any{}
	for id, r := range template["Resources"].(map[string]any) {
		if r.(map[string]any)["Type"] == "AWS::IAM::Policy" || strings.HasPrefix(id, "Role") {
			continue
		}
		for _, name := range []string{"PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"} {
			statements, _ := at(r, "Properties", name, "Statement").([]any)
			for _, statement := range statements {
				found[id] = append(found[id], statement.(map[string]any))
			}
		}
	}
	return found
}

func at(value any, path ...string) any {
	for _, key := range path {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// single is a condition with single values in the place of lists of one, which mean the same.
func single(condition any) any {
	operators, ok := condition.(map[string]any)
	if !ok {
		return condition
	}
	copied := map[string]any{}
	for operator, keys := range operators {
		values := map[string]any{}
		for key, value := range keys.(map[string]any) {
			if list, ok := value.([]any); ok && len(list) == 1 {
				value = list[0]
			} else if ok {
				slices.SortFunc(list, func(one, other any) int { return strings.Compare(fmt.Sprint(one), fmt.Sprint(other)) })
			}
			values[key] = value
		}
		copied[operator] = values
	}
	return copied
}

func TestAStatementWithoutItsConditionIsFound(t *testing.T) {
	for id, statements := range resourcePolicies(named(t, "everything")) {
		for i, statement := range statements {
			if statement["Condition"] == nil {
				continue
			}
			for operator := range statement["Condition"].(map[string]any) {
				template := named(t, "everything")
				delete(resourcePolicies(template)[id][i]["Condition"].(map[string]any), operator)
				if len(openStatements(template, map[string]bool{})) == 0 {
					t.Errorf("it is not noticed that %s has lost %s of %v", id, operator, statement)
				}
			}
			template := named(t, "everything")
			resourcePolicies(template)[id][i]["Principal"] = "*"
			if statement["Effect"] == "Allow" && len(openStatements(template, map[string]bool{})) == 0 {
				t.Errorf("it is not noticed that %s lets everybody in", id)
			}
		}
	}
}

// TestWhatTheRolesMayDoIsBound: what each statement of the roles is for, and on which condition.
func TestWhatTheRolesMayDoIsBound(t *testing.T) {
	const (
		linked    = "map[Fn::Sub:arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/"
		cloud     = linked + "cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail]"
		logStream = "map[Fn::Sub:[arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:log-stream:${Owner}"
		ofGroup   = " map[Group:map[Ref:EventsD32975C2] Owner:"
		recorder  = "map[Fn::GetAtt:[ConfigRulesRecorderBucket79A9456B Arn]]"
	)
	want := map[string]string{
		"iam:GetRole":                        "[" + cloud + " " + linked + "organizations.amazonaws.com/AWSServiceRoleForOrganizations]] if <nil>",
		"iam:CreateServiceLinkedRole":        cloud + " if map[StringEquals:map[iam:AWSServiceName:cloudtrail.amazonaws.com]]",
		"iam:PassRole":                       "map[Fn::GetAtt:[CloudWatchLogsRoleA37E13B4 Arn]] if map[StringEquals:map[iam:PassedToService:cloudtrail.amazonaws.com]]",
		"iam:PassRole, EventRulesTargetRole": "[map[Fn::GetAtt:[AutomationRoleC58D7324 Arn]] map[Fn::GetAtt:[StoreRemediationRoleFBD4FF6D Arn]]] if map[StringEquals:map[iam:PassedToService:ssm.amazonaws.com]]",
		"[logs:CreateLogStream logs:PutLogEvents]": "[" + logStream + "_CloudTrail_${AWS::Region}*" + ofGroup + account + "]]] " +
			logStream + "_*" + ofGroup + "o-a1b2c3d4e5]]]] if <nil>",
		"[s3:GetBucketAcl s3:ListBucket]": recorder + " if <nil>",
		"s3:PutObject":                    "map[Fn::Join:[ [" + recorder + " /AWSLogs/ " + account + " /Config/*]]] if <nil>",
	}
	template := named(t, "everything")
	for _, id := range ofType(template, "AWS::IAM::Role") {
		for _, statement := range statements(template, id) {
			action := fmt.Sprint(statement["Action"])
			got := fmt.Sprintf("%v if %v", statement["Resource"], statement["Condition"])
			if _, ok := want[action+", "+strings.TrimSuffix(id, "2F019CD9")]; ok {
				action += ", EventRulesTargetRole"
			}
			if wanted, ok := want[action]; ok && got != wanted {
				t.Errorf("%s may %s on\n%s, not on\n%s", id, action, got, wanted)
			}
			delete(want, action)
			if fmt.Sprint(statement["Resource"]) == "*" && !slices.Contains([]string{"ReadTrailsAndArmConfig"}, fmt.Sprint(statement["Sid"])) {
				t.Errorf("%s may %s on everything", id, action)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("nobody may %v", slices.Sorted(maps.Keys(want)))
	}
}

// TestReadersMayReadLogFilesAndNothingElse reads the grant to a role, and to an account that cannot hold a policy.
func TestReadersMayReadLogFilesAndNothingElse(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	guard := trailguard.NewTrailGuard(stack, jsii.String("Default"), &trailguard.TrailGuardProps{S3KeyPrefix: jsii.String("audit")})
	guard.GrantReadLogs(awsiam.NewRole(stack, jsii.String("Auditors"), &awsiam.RoleProps{AssumedBy: awsiam.NewAccountRootPrincipal()}))
	guard.GrantReadLogs(awsiam.NewAccountPrincipal(jsii.String("999999999999")))
	template := synthesize(stack)

	const bucket = "map[Fn::GetAtt:[LogStoreBucket0AD36629 Arn]]"
	const encryptedByCloudTrail = " if map[Null:map[kms:EncryptionContext:aws:cloudtrail:arn:false]]"
	want := []string{
		"[s3:ListBucket s3:GetBucketLocation] on " + bucket + " if <nil>",
		"[s3:GetObject s3:GetObjectVersion] on map[Fn::Join:[ [" + bucket + " /audit/AWSLogs/*]]] if <nil>",
		"kms:Decrypt on map[Fn::GetAtt:[LogStoreKeyDBAC2C9C Arn]]" + encryptedByCloudTrail,
	}
	text := func(statement map[string]any) string {
		return fmt.Sprintf("%v on %v if %v", statement["Action"], statement["Resource"], statement["Condition"])
	}
	var role, other []string
	for _, statement := range statements(template, "Auditors") {
		role = append(role, text(statement))
	}
	for _, id := range []string{"LogStoreBucketPolicyA9D99A2D", "LogStoreKeyDBAC2C9C"} {
		for _, statement := range resourcePolicies(template)[id] {
			if strings.Contains(fmt.Sprint(statement["Principal"]), "999999999999") {
				other = append(other, text(statement))
			}
		}
	}
	if !slices.Equal(role, want) {
		t.Errorf("the role may\n%s\nnot\n%s", strings.Join(role, "\n"), strings.Join(want, "\n"))
	}
	want[2] = "kms:Decrypt on *" + encryptedByCloudTrail // in a key policy, * is the key
	if !slices.Equal(other, want) {
		t.Errorf("the account may\n%s\nnot\n%s", strings.Join(other, "\n"), strings.Join(want, "\n"))
	}
}

// TestServicesAreLetInToWhatIsTheirs: what each statement for a service is about. In the policy of a key, * is the key itself.
func TestServicesAreLetInToWhatIsTheirs(t *testing.T) {
	const bucket = "map[Fn::GetAtt:[LogStoreBucket0AD36629 Arn]]"
	logs := func(prefix, folder string) string {
		return "map[Fn::Join:[ [" + bucket + " /" + prefix + "AWSLogs/" + folder + "]]]"
	}
	ofAccount := " " + account + " /*"
	for name, want := range map[string]map[string]string{
		"default": {
			"cloudtrail.amazonaws.com s3:GetBucketAcl": bucket,
			"cloudtrail.amazonaws.com s3:PutObject":    logs("", ofAccount),
			"logging.s3.amazonaws.com s3:PutObject":    "map[Fn::Join:[ [map[Fn::GetAtt:[LogStoreServerAccessLogsBucketC4D7B219 Arn]] /*]]]",
			"cloudwatch.amazonaws.com sns:Publish":     "map[Ref:AlertingTopic08189029]",
			"events.amazonaws.com sqs:SendMessage":     "map[Fn::GetAtt:[EventRulesDeadLetterQueue2EC35C94 Arn]]",
		},
		"organization": {"cloudtrail.amazonaws.com s3:PutObject": "[" + logs("", ofAccount) + " " + logs("", "o-a1b2c3d4e5/*") + "]"},
		"everything": {
			"cloudtrail.amazonaws.com s3:PutObject": "[" + logs("audit/trails/", ofAccount) + " " + logs("audit/trails/", "o-a1b2c3d4e5/*") + "]",
			"cloudtrail.amazonaws.com sns:Publish":  "map[Ref:DeliveriesBF2F7293]",
		},
	} {
		seen := map[string]bool{}
		for id, statements := range resourcePolicies(named(t, name)) {
			for _, statement := range statements {
				caller := fmt.Sprint(at(statement["Principal"], "Service"), " ", statement["Action"])
				resource := fmt.Sprint(statement["Resource"])
				if wanted, ok := want[caller]; ok && resource != wanted {
					t.Errorf("%s: %s lets in %s to\n%s, not to\n%s", name, id, caller, resource, wanted)
				}
				seen[caller] = true
			}
		}
		for caller := range want {
			if !seen[caller] {
				t.Errorf("%s: nothing lets in %s", name, caller)
			}
		}
	}
}
