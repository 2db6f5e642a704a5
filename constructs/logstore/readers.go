package logstore

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// readers are accounts whose principals may read the log files: each also needs a policy of its own account.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-walkthroughs-managing-access-example2.html
type readers struct {
	accounts []string
	// organizationID is empty where the organization is not known.
	organizationID string
}

func (r readers) bucketStatements(bucket awss3.IBucket, keys string) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		r.statement("ReadersList", map[string]interface{}{}, bucket.BucketArn(), listActions...),
		r.statement("ReadersGet", map[string]interface{}{}, bucket.ArnForObjects(&keys), getActions...),
	}
}

func (r readers) keyStatements() []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{r.statement("ReadersDecrypt", encryptedByCloudTrail(), jsii.String("*"), "kms:Decrypt")}
}

func (r readers) statement(sid string, conditions map[string]interface{}, resource *string, actions ...string) awsiam.PolicyStatement {
	var principals []awsiam.IPrincipal
	for _, account := range r.accounts {
		principals = append(principals, awsiam.NewAccountPrincipal(account))
	}
	if r.organizationID != "" {
		maps.Copy(conditions, map[string]interface{}{"StringEquals": map[string]interface{}{"aws:PrincipalOrgID": r.organizationID}})
	}
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: &sid, Principals: &principals, Actions: jsii.Strings(actions...), Resources: &[]*string{resource}, Conditions: &conditions,
	})
}
