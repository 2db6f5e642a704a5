package trailguard_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/trailguard/trailguard/constructs/logstore"
	"github.com/trailguard/trailguard/constructs/remediation"
	"github.com/trailguard/trailguard/constructs/trailguard"
	"github.com/trailguard/trailguard/internal/cases"
)

// declaredStore is the declared state of the log store as its runbook has it, with ${…} for what is known at deployment only: the settings by
// their names, of each id.
func declaredStore(t *testing.T, template map[string]any) map[string]map[string]any {
	t.Helper()
	sub := runbook(template)["mainSteps"].([]any)[0].(map[string]any)["inputs"].(map[string]any)["InputPayload"].(map[string]any)["Declared"].(map[string]any)["Fn::Sub"]
	text, variables := "", map[string]any{}
	switch sub := sub.(type) {
	case string:
		text = sub
	case []any:
		text, variables = sub[0].(string), sub[1].(map[string]any)
	}
	text = regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(text, func(reference string) string {
		if value, ok := variables[reference[2:len(reference)-1]]; ok {
			return subText(value)
		}
		return reference
	})
	// None of the texts here has a quote in it.
	text = strings.NewReplacer("'", `"`, "True", "true", "False", "false").Replace(text)
	var rows [][]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	state := map[string]map[string]any{}
	for _, row := range rows {
		for _, id := range row[1].([]any) {
			if state[id.(string)] == nil {
				state[id.(string)] = map[string]any{}
			}
			for name, value := range row[2].(map[string]any) {
				state[id.(string)][name] = value
			}
		}
	}
	return state
}

// subText is a value of a template with Fn::Sub's ${…} in the place of functions.
func subText(value any) string {
	switch value := value.(type) {
	case map[string]any:
		if name, ok := value["Ref"].(string); ok {
			return "${" + name + "}"
		}
		if text, ok := value["Fn::Sub"].(string); ok {
			return text
		}
		if parts, ok := value["Fn::GetAtt"].([]any); ok {
			return fmt.Sprintf("${%v.%v}", parts...)
		}
		if join, ok := value["Fn::Join"].([]any); ok {
			text := ""
			for _, part := range join[1].([]any) {
				text += subText(part)
			}
			return text
		}
	}
	return fmt.Sprint(value)
}

// subbed is a value of a template with texts in the place of functions.
func subbed(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, subbed(item))
		}
		return list
	case map[string]any:
		if len(value) == 1 && (value["Ref"] != nil || value["Fn::Sub"] != nil || value["Fn::GetAtt"] != nil || value["Fn::Join"] != nil) {
			return subText(value)
		}
		object := map[string]any{}
		for name, item := range value {
			object[name] = subbed(item)
		}
		return object
	}
	return value
}

// storeResources are the resources of the log store that are deployed, by their types, in the order of their ids.
func storeResources(template map[string]any, kind string) []map[string]any {
	var found []map[string]any
	for _, id := range ofType(template, kind) {
		if strings.HasPrefix(id, "LogStore") {
			found = append(found, resource(template, id)["Properties"].(map[string]any))
		}
	}
	return found
}

// TestTheDeclaredStateOfTheLogStoreIsTheTemplates in each case whose log store is new: each policy and each setting is what CloudFormation
// is told.
func TestTheDeclaredStateOfTheLogStoreIsTheTemplates(t *testing.T) {
	compared := 0
	for _, c := range cases.All() {
		if slices.Contains([]string{"supplied", "owned", "without-store"}, c.Name) { // they have no new log store, or do not repair it
			continue
		}
		template := templateOf(t, c)
		keys := storeResources(template, "AWS::KMS::Key")
		declared := declaredStore(t, template)
		want := func(id, setting string, value any) {
			t.Helper()
			compared++
			if got := declared[id][setting]; !reflect.DeepEqual(got, value) {
				t.Errorf("%s: %s of %s is declared as\n%v\nnot\n%v", c.Name, setting, id, got, value)
			}
		}
		want("${LogStoreKeyDBAC2C9C.Arn}", "key_policy", map[string]any{"Policy": subbed(keys[0]["KeyPolicy"])})
		want("${LogStoreKeyDBAC2C9C.Arn}", "get_key_rotation_status enable_key_rotation", map[string]any{"KeyRotationEnabled": true})
		for _, policy := range storeResources(template, "AWS::S3::BucketPolicy") {
			want(subText(policy["Bucket"]), "bucket_policy", map[string]any{"Policy": subbed(policy["PolicyDocument"])})
		}
		for _, id := range ofType(template, "AWS::S3::Bucket") {
			if !strings.HasPrefix(id, "LogStore") {
				continue
			}
			properties := resource(template, id)["Properties"].(map[string]any)
			want("${"+id+"}", "bucket_versioning", map[string]any{"VersioningConfiguration": properties["VersioningConfiguration"]})
			want("${"+id+"}", "public_access_block", map[string]any{"PublicAccessBlockConfiguration": properties["PublicAccessBlockConfiguration"]})
			want("${"+id+"}", "bucket_ownership_controls", map[string]any{"OwnershipControls": properties["OwnershipControls"]})
			if lock, ok := properties["ObjectLockConfiguration"]; ok {
				want("${"+id+"}", "object_lock_configuration", map[string]any{"ObjectLockConfiguration": lock})
			}
		}
	}
	if compared < 60 {
		t.Errorf("only %d settings were compared", compared)
	}
}

// TestWhatIsAddedLaterIsPartOfTheDeclaredState, so that it is never undone.
func TestWhatIsAddedLaterIsPartOfTheDeclaredState(t *testing.T) {
	app := awscdk.NewApp(nil)
	other := awscdk.NewStack(app, jsii.String("Other"), nil)
	reader := awsiam.NewRole(other, jsii.String("Reader"), &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil)})
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	guard := trailguard.NewTrailGuard(stack, jsii.String("Default"), nil)
	allow := func(action string, resource *string) awsiam.PolicyStatement {
		return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Later"), Principals: &[]awsiam.IPrincipal{awsiam.NewArnPrincipal(reader.RoleArn())}, Actions: jsii.Strings(action), Resources: &[]*string{resource},
			Conditions: &map[string]interface{}{"Bool": map[string]interface{}{"aws:MultiFactorAuthPresent": true}, "StringLike": map[string]interface{}{"aws:PrincipalTag/team": "it's {{ \"x\" }} \\ ${aws:username}"}},
		})
	}
	guard.LogBucket().AddToResourcePolicy(allow("s3:GetObject", guard.LogBucket().ArnForObjects(jsii.String("*"))))
	guard.LogKey().AddToResourcePolicy(allow("kms:Decrypt", jsii.String("*")), nil)
	guard.LogBucket().(awss3.Bucket).AddLifecycleRule(&awss3.LifecycleRule{
		Id: jsii.String("Tmp"), Prefix: jsii.String("tmp/"), Expiration: awscdk.Duration_Days(jsii.Number(3)), TagFilters: &map[string]interface{}{"kind": "tmp"},
		NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(9)), ObjectSizeLessThan: jsii.Number(1000),
	})
	template := synthesize(stack)
	text := fmt.Sprint(runbook(template))
	for _, want := range []string{
		`'Action':'s3:GetObject','Condition':{'Bool':{'aws:MultiFactorAuthPresent':'true'},'StringLike':{'aws:PrincipalTag/team':'it\'s {\x7b "x" }} \\ ${!aws:username}'}}`,
		`'Action':'kms:Decrypt'`, `Fn::ImportValue`,
		`{'Expiration':{'Days':3},'Filter':{'And':{'ObjectSizeLessThan':1000,'Prefix':'tmp/','Tags':[{'Key':'kind','Value':'tmp'}]}},'ID':'Tmp','NoncurrentVersionExpiration':{'NoncurrentDays':9},'Status':'Enabled'}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the declared state has no %s:\n%s", want, text)
		}
	}
}

// TestWhatIsImportedIsNotRestored: it belongs to somebody else.
func TestWhatIsImportedIsNotRestored(t *testing.T) {
	key := func(stack awscdk.Stack) awskms.IKey {
		return awskms.Key_FromKeyArn(stack, jsii.String("LogKey"), jsii.String("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"))
	}
	bucket := func(stack awscdk.Stack) awss3.IBucket {
		return awss3.Bucket_FromBucketName(stack, jsii.String("LogBucket"), jsii.String("my-log-bucket"))
	}
	for name, test := range map[string]struct {
		props       func(stack awscdk.Stack) *trailguard.TrailGuardProps
		key, bucket bool // whether they are restored
	}{
		"the key": {func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogKey: key(stack)}
		}, false, true},
		"the bucket": {func(stack awscdk.Stack) *trailguard.TrailGuardProps {
			return &trailguard.TrailGuardProps{LogBucket: bucket(stack)}
		}, true, false},
		"neither": {func(awscdk.Stack) *trailguard.TrailGuardProps { return nil }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			template := synthesize(cases.Case{Props: test.props}.Stack())
			declared := fmt.Sprint(declaredStore(t, template))
			if got := strings.Contains(declared, "key_policy"); got != test.key {
				t.Errorf("that the key is restored is %t", got)
			}
			if got := strings.Contains(declared, "bucket_policy"); got != test.bucket {
				t.Errorf("that the bucket is restored is %t", got)
			}
		})
	}
}

// TestALogStoreIsRestoredWithoutAGuard, as that of a log archive, by a schedule and a role of its own.
func TestALogStoreIsRestoredWithoutAGuard(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Archive"), nil)
	store := logstore.NewLogStore(stack, jsii.String("LogStore"), &logstore.LogStoreProps{MemberTrailName: jsii.String("members"), OrganizationId: jsii.String("o-a1b2c3d4e5")})
	remediation.NewLogStoreRemediation(stack, jsii.String("StoreRemediation"), &remediation.LogStoreRemediationProps{
		LogStore: store, TrailName: jsii.String("members"), AlertTopic: awssns.NewTopic(stack, jsii.String("Alerts"), nil),
	})
	template := synthesize(stack)
	starts := 0
	for _, id := range ofType(template, "AWS::Events::Rule") {
		starts += strings.Count(fmt.Sprint(at(resource(template, id), "Properties")), "automation-definition/${StoreRemediationRunbook")
	}
	if roles := ofType(template, "AWS::IAM::Role"); starts != 2 || len(roles) != 2 {
		t.Errorf("%d targets start the runbook, and the roles are %v", starts, roles)
	}
	if declared := fmt.Sprint(declaredStore(t, template)); !strings.Contains(declared, "MembersWriteWithoutSourceAccount") || !strings.Contains(declared, "${!aws:SourceAccount}/*") {
		t.Errorf("the declared state is %s", declared)
	}
}
