package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/trailguard/trailguard/localaws/api"
	localiam "github.com/trailguard/trailguard/localaws/iam"
	"github.com/trailguard/trailguard/localaws/internal/world"
	localsns "github.com/trailguard/trailguard/localaws/sns"
)

// letsPublish is the policy of a topic that lets EventBridge and the role.
const letsPublish = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com","AWS":"` + world.RoleARN + `"},
	"Action":"sns:Publish","Resource":"` + world.TopicARN + `"}]}`

func TestAnEncryptedTopicAsksForItsKey(t *testing.T) {
	keyFor := func(principal, actions, condition string) localiam.Key {
		return localiam.Key{ARN: world.KeyARN, State: "Enabled", Policy: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{%s},"Action":[%s],"Resource":"*","Condition":{%s}}]}`, principal, actions, condition)}
	}
	const (
		nobody  = `"AWS":"arn:aws:iam::999999999999:root"`
		service = `"Service":"events.amazonaws.com"`
		role    = `"AWS":"` + world.RoleARN + `"`
		both    = `"kms:GenerateDataKey*","kms:Decrypt"`
		account = `"StringEquals":{"aws:SourceAccount":"123456789012"}`
	)
	mayUseKeys := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:GenerateDataKey*","kms:Decrypt"],"Resource":"` + world.KeyARN + `"}]}`
	in := func(key localiam.Key, state string) localiam.Key { key.State = state; return key }
	events := api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"}
	for _, test := range []struct {
		what              string
		keyID             string // of the topic
		key               localiam.Key
		identity          string // the role's policy
		service, assigned string // the codes that EventBridge and the role get
	}{
		{"no key", "", localiam.Key{}, world.Passing, "", ""},
		{"a key for nobody", world.KeyARN, keyFor(nobody, both, ""), world.Passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a key for EventBridge", world.KeyARN, keyFor(service, both, ""), world.Passing, "", "KMSAccessDenied"},
		{"a key that wants an account, which EventBridge does not tell", world.KeyARN, keyFor(service, both, account), world.Passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a key that takes an account where it is told", world.KeyARN, keyFor(service, both, strings.ReplaceAll(account, "Equals", "EqualsIfExists")), world.Passing,
			"", "KMSAccessDenied"},
		{"a key for the role", world.KeyARN, keyFor(role, both, ""), world.Passing, "KMSAccessDenied", ""},
		{"a key for the role by way of SNS", world.KeyARN, keyFor(role, both, `"StringEquals":{"kms:ViaService":"sns.us-east-1.amazonaws.com"}`), world.Passing,
			"KMSAccessDenied", ""},
		{"a key for the role and the topic", world.KeyARN, keyFor(role, both, `"StringEquals":{"kms:EncryptionContext:aws:sns:topicArn":"`+world.TopicARN+`"}`), world.Passing,
			"KMSAccessDenied", ""},
		{"a key for the role and another topic", world.KeyARN, keyFor(role, both, `"StringEquals":{"kms:EncryptionContext:aws:sns:topicArn":"`+world.TopicARN+`2"}`), world.Passing,
			"KMSAccessDenied", "KMSAccessDenied"},
		{"a role for the key", world.KeyARN, keyFor(nobody, both, ""), mayUseKeys, "KMSAccessDenied", ""},
		{"no Decrypt", world.KeyARN, keyFor(service+","+role, `"kms:GenerateDataKey*"`, ""), world.Passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"no GenerateDataKey", world.KeyARN, keyFor(service+","+role, `"kms:Decrypt"`, ""), world.Passing, "KMSAccessDenied", "KMSAccessDenied"},
		{"a disabled key", world.KeyARN, in(keyFor(service+","+role, both, ""), "Disabled"), world.Passing, "KMSDisabled", "KMSDisabled"},
		{"a key that will be deleted", world.KeyARN, in(keyFor(service+","+role, both, ""), "PendingDeletion"), world.Passing, "KMSInvalidState", "KMSInvalidState"},
		{"a key that is gone", "gone", localiam.Key{}, world.Passing, "KMSNotFound", "KMSNotFound"},
		{"the key that AWS manages", localiam.SNSKey, localiam.Key{}, world.Passing, "KMSAccessDenied", ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			w := world.New(t)
			w.Serve(localsns.Service{CheckKey: w.CheckTopicKey})
			w.Directory.Topics[world.TopicARN] = letsPublish
			w.Directory.TopicKeys = map[string]string{world.TopicARN: test.keyID}
			w.Directory.Keys = map[string]localiam.Key{world.KeyARN: test.key}
			w.Directory.Roles["Repair"] = localiam.Role{ARN: world.RoleARN, Trust: world.TrustsAutomation, Identity: []string{test.identity}}
			publish := func(credentials aws.Credentials) error {
				_, err := sns.NewFromConfig(w.Config(credentials)).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(world.TopicARN), Message: aws.String("m")})
				return err
			}
			rule := "arn:aws:events:us-east-1:123456789012:rule/r"
			world.WantCode(t, publish(w.ServiceCredentials(events, events.ARN, api.Home().SourceKeys(rule))), test.service)
			world.WantCode(t, publish(w.Credentials(world.Repairer)), test.assigned)
			world.WantCode(t, w.AuthorizePublish(t.Context(), events, world.TopicARN, api.Home().SourceKeys(rule)), test.service)
			// The topic's own policy comes first.
			w.Directory.Topics[world.TopicARN] = strings.ReplaceAll(letsPublish, "sns:Publish", "sns:Subscribe")
			w.Reset()
			world.WantCode(t, publish(w.Credentials(world.Repairer)), "AccessDenied")
			if err := w.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}
