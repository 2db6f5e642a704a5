package logstore

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// members are the trails of one name in other accounts that may write to the store: in every account of an organization, or in some
// accounts.
type members struct {
	trailName string
	// organizationID is empty where the accounts are given.
	organizationID string
	// sources are the ARNs of the trails, or the pattern of them, and contexts match their encryption contexts.
	sources, contexts []string
}

func newMembers(props *LogStoreProps) *members {
	if props.MemberTrailName == nil {
		return nil
	}
	m := &members{trailName: *props.MemberTrailName}
	accounts := texts(props.MemberAccounts)
	if props.MemberAccounts == nil {
		m.organizationID, accounts = *props.OrganizationId, []string{"*"}
	}
	for _, account := range accounts {
		m.sources = append(m.sources, trailARN(homeRegion, account, m.trailName))
		m.contexts = append(m.contexts, trailARN("*", account, m.trailName))
	}
	return m
}

// bucketStatements let CloudTrail write for the members: for each the log files of its own account, wherever its trail's key prefix
// points to. That CloudTrail sends aws:SourceOrgID with a log file, AWS Control Tower relies on; that it sends aws:SourceAccount, which the
// organization is found by, no page of AWS says. So a statement of its own takes log files without one.
// https://docs.aws.amazon.com/controltower/latest/userguide/logging-s3-audit-bucket.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (m *members) bucketStatements(bucket awss3.IBucket, prefix string) []awsiam.PolicyStatement {
	under := func(folder string) []*string {
		return []*string{bucket.ArnForObjects(jsii.String(prefix + "AWSLogs/" + folder))}
	}
	write := func() map[string]interface{} {
		conditions := m.conditions("StringEquals")
		equals, _ := conditions["StringEquals"].(map[string]interface{})
		equals["s3:x-amz-acl"] = ownerHasFullControl
		return conditions
	}
	untied := write()
	untied["Null"] = map[string]interface{}{"aws:SourceAccount": "true"}
	return []awsiam.PolicyStatement{
		letCloudTrail("MembersAclCheck", "s3:GetBucketAcl", []*string{bucket.BucketArn()}, m.conditions("StringEqualsIfExists")),
		letCloudTrail("MembersWrite", "s3:PutObject", under("${aws:SourceAccount}/*"), write()),
		letCloudTrail("MembersWriteWithoutSourceAccount", "s3:PutObject", under("*"), untied),
	}
}

// keyStatements let CloudTrail encrypt for the members.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
func (m *members) keyStatements() []awsiam.PolicyStatement {
	encrypt := m.conditions("StringEqualsIfExists")
	encrypt["StringLike"] = map[string]interface{}{encryptionContext: oneOrAll(m.contexts)}
	return []awsiam.PolicyStatement{
		letCloudTrail("MembersEncrypt", "kms:GenerateDataKey*", theKey(), encrypt),
		letCloudTrail("MembersDescribeKey", "kms:DescribeKey", theKey(), m.conditions("StringEqualsIfExists")),
	}
}

// conditions are that the trail is a member's. The operator is for the organization: …IfExists where it is not documented that CloudTrail
// sends it. There, the trail of that name of an account without an organization is let in, too: it can have the bucket's ACL, which gives
// nothing to anybody, and have its own log files encrypted, which it can store elsewhere only and cannot read.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceorgid
func (m *members) conditions(operator string) map[string]interface{} {
	if m.organizationID == "" {
		return map[string]interface{}{"StringEquals": map[string]interface{}{"aws:SourceArn": oneOrAll(m.sources)}}
	}
	return map[string]interface{}{
		"ArnLike": map[string]interface{}{"aws:SourceArn": oneOrAll(m.sources)},
		operator:  map[string]interface{}{"aws:SourceOrgID": m.organizationID},
	}
}
