package policy

import "github.com/trailguard/trailguard/localaws/api"

// question is a request with the policies that bear on it and the right answer. The same questions are put to
// Evaluate and to iam-simulate.
type question struct {
	name      string
	principal api.Principal
	action    string
	resource  string
	account   string // of the resource; empty means 123456789012
	context   map[string][]string

	identity, boundary, resourcePolicy, trust string
	organization                              []string

	want bool
	// differs says why iam-simulate answers otherwise; empty means that it must agree.
	differs string
}

const (
	trailARN  = "arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"
	otherARN  = "arn:aws:cloudtrail:us-east-1:123456789012:trail/other"
	bucketARN = "arn:aws:s3:::trail-logs"
	logARN    = "arn:aws:s3:::trail-logs/AWSLogs/123456789012/CloudTrail/us-east-1/a.json.gz"
	keyARN    = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	topicARN  = "arn:aws:sns:us-east-1:123456789012:alerts"
	roleARN   = "arn:aws:iam::123456789012:role/Repair"
	otherRole = "arn:aws:iam::123456789012:role/Other"
)

var (
	root    = api.Principal{Type: api.Root, ARN: "arn:aws:iam::123456789012:root"}
	mallory = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::123456789012:user/mallory"}
	foreign = api.Principal{Type: api.IAMUser, ARN: "arn:aws:iam::999999999999:user/mallory"}
	repair  = api.Principal{Type: api.AssumedRole, ARN: roleARN, SessionName: "Automation-1"}
	other   = api.Principal{Type: api.AssumedRole, ARN: otherRole, SessionName: "x"}
	trail   = api.Principal{Type: api.AWSService, ARN: "cloudtrail.amazonaws.com"}
	ssm     = api.Principal{Type: api.AWSService, ARN: "ssm.amazonaws.com"}
	linked  = api.Principal{
		Type:        api.AssumedRole,
		ARN:         "arn:aws:iam::123456789012:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
		SessionName: "x",
	}
)

const startGuarded = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudtrail:StartLogging","cloudtrail:UpdateTrail"],
	"Resource":"arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"}]}`

const allowAll = FullAWSAccess

const denyTampering = `{"Version":"2012-10-17","Statement":[{"Sid":"KeepTrail","Effect":"Deny",
	"Action":["cloudtrail:StopLogging","cloudtrail:DeleteTrail","cloudtrail:UpdateTrail","cloudtrail:StartLogging"],
	"Resource":"arn:aws:cloudtrail:*:*:trail/guarded",
	"Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/Repair","arn:aws:iam::*:role/stacksets-exec-*"]}}}]}`

const bucketPolicy = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Acl","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::trail-logs",
	 "Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"}}},
	{"Sid":"Write","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::trail-logs/AWSLogs/123456789012/*",
	 "Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded","s3:x-amz-acl":"bucket-owner-full-control"}}},
	{"Sid":"Tls","Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":["arn:aws:s3:::trail-logs","arn:aws:s3:::trail-logs/*"],
	 "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`

const keyPolicy = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Admin","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},
	{"Sid":"Encrypt","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"kms:GenerateDataKey*","Resource":"*",
	 "Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"},
	  "StringLike":{"kms:EncryptionContext:aws:cloudtrail:arn":"arn:aws:cloudtrail:*:123456789012:trail/*"}}},
	{"Sid":"Describe","Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"kms:DescribeKey","Resource":"*",
	 "Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudtrail:us-east-1:123456789012:trail/guarded"}}}]}`

const keyWithoutIAM = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/Repair"},"Action":"kms:EnableKey","Resource":"*"}]}`

const keyDecrypt = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/Repair"},"Action":"kms:Decrypt","Resource":"*",
	"Condition":{"Null":{"kms:EncryptionContext:aws:cloudtrail:arn":"false"}}}]}`

const automationTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole",
	"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},
	"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:123456789012:automation-execution/*"}}}]}`

const passRepair = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/Repair",
	"Condition":{"StringEquals":{"iam:PassedToService":"ssm.amazonaws.com"}}}]}`

func one(values ...string) []string { return values }

// statementOf wraps the text of one statement, without its braces, into a policy.
func statementOf(text string) string { return `{"Version":"2012-10-17","Statement":[{` + text + `}]}` }

// stop asks whether Repair may stop the guarded trail under a condition on an identity policy.
func stop(name, condition string, context map[string][]string, want bool) question {
	return question{name: name, principal: repair, action: "cloudtrail:StopLogging", resource: trailARN, context: context,
		identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:*","Resource":"*","Condition":{` + condition + `}`),
		want:     want}
}

var delivery = map[string][]string{
	"aws:SourceArn": one(trailARN), "s3:x-amz-acl": one("bucket-owner-full-control"), "aws:SecureTransport": one("true"),
}

var encryption = map[string][]string{
	"aws:SourceArn": one(trailARN), "kms:EncryptionContext:aws:cloudtrail:arn": one(trailARN),
}

const ignoresEncryptionContext = "iam-simulate drops keys kms:EncryptionContext:*, as no action declares them"

func questions() []question {
	return append([]question{
		// Identity policies.
		{name: "an identity policy allows an action on its trail", principal: repair, action: "cloudtrail:StartLogging",
			resource: trailARN, identity: startGuarded, want: true},
		{name: "an identity policy does not allow another trail", principal: repair, action: "cloudtrail:StartLogging",
			resource: otherARN, identity: startGuarded},
		{name: "an identity policy does not allow the same trail name in another account", principal: repair,
			action: "cloudtrail:StartLogging", identity: startGuarded,
			resource: "arn:aws:cloudtrail:us-east-1:999999999999:trail/guarded"},
		{name: "an identity policy does not allow another Region", principal: repair, action: "cloudtrail:StartLogging",
			resource: "arn:aws:cloudtrail:eu-west-1:123456789012:trail/guarded", identity: startGuarded},
		{name: "an identity policy does not allow another action", principal: repair, action: "cloudtrail:StopLogging",
			resource: trailARN, identity: startGuarded},
		{name: "nothing allows nothing", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN},
		{name: "actions are compared without case", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"CloudTrail:startlogging","Resource":"*"`), want: true},
		{name: "resources are compared with case", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:StartLogging","Resource":"arn:aws:cloudtrail:us-east-1:123456789012:trail/Guarded"`)},
		{name: "a star in an action", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:*Logging","Resource":"*"`), want: true},
		{name: "a question mark in an action", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:St?pLogging","Resource":"*"`), want: true},
		{name: "a question mark is one character", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:St?Logging","Resource":"*"`)},
		{name: "a star in one field of an ARN", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:cloudtrail:*:123456789012:trail/guard*"`), want: true},
		{name: "a star does not reach over a field of an ARN", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:cloudtrail:us-*:trail/guarded:*:*"`)},
		{name: "NotAction allows the rest", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","NotAction":"cloudtrail:StopLogging","Resource":"*"`), want: true},
		{name: "NotAction does not allow its own", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","NotAction":"cloudtrail:StopLogging","Resource":"*"`)},
		{name: "NotResource allows the rest", principal: repair, action: "cloudtrail:StopLogging", resource: otherARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:*","NotResource":"` + trailARN + `"`), want: true},
		{name: "NotResource does not allow its own", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:*","NotResource":"` + trailARN + `"`)},
		{name: "an explicit deny wins", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
				{"Effect":"Deny","Action":"cloudtrail:StopLogging","Resource":"*"}]}`},
		{name: "an action without a resource", principal: repair, action: "cloudtrail:DescribeTrails", resource: "*",
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:DescribeTrails","Resource":"*"`), want: true},
		{name: "an action without a resource is not allowed on one", principal: repair, action: "cloudtrail:DescribeTrails", resource: "*",
			identity: statementOf(`"Effect":"Allow","Action":"cloudtrail:DescribeTrails","Resource":"` + trailARN + `"`)},
		{name: "a variable in a resource", principal: repair, action: "s3:GetObject", resource: "arn:aws:s3:::trail-logs/123456789012/a",
			identity: statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::trail-logs/${aws:PrincipalAccount}/*"`), want: true},
		{name: "a variable in a resource with another value", principal: repair, action: "s3:GetObject",
			resource: "arn:aws:s3:::trail-logs/999999999999/a",
			identity: statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::trail-logs/${aws:PrincipalAccount}/*"`)},
		{name: "a variable without a value matches nothing", principal: repair, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: statementOf(`"Effect":"Allow","Action":"*","Resource":"arn:aws:cloudtrail:*:*:trail/${aws:username}"`)},
		{name: "the old version knows no variables", principal: repair, action: "s3:GetObject", resource: "arn:aws:s3:::trail-logs/123456789012/a",
			identity: `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::trail-logs/${aws:PrincipalAccount}/*"}]}`,
			differs:  "iam-simulate puts variables in whatever the version"},

		// Passing a role.
		{name: "PassRole to the named service", principal: repair, action: "iam:PassRole", resource: roleARN, identity: passRepair,
			context: map[string][]string{"iam:PassedToService": one("ssm.amazonaws.com")}, want: true},
		{name: "PassRole to another service", principal: repair, action: "iam:PassRole", resource: roleARN, identity: passRepair,
			context: map[string][]string{"iam:PassedToService": one("ec2.amazonaws.com")}},
		{name: "PassRole of another role", principal: repair, action: "iam:PassRole", resource: otherRole, identity: passRepair,
			context: map[string][]string{"iam:PassedToService": one("ssm.amazonaws.com")}},

		// Permissions boundaries.
		{name: "a boundary that allows", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: startGuarded, boundary: allowAll, want: true},
		{name: "a boundary that is silent", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: allowAll, boundary: statementOf(`"Effect":"Allow","Action":"s3:*","Resource":"*"`)},
		{name: "a boundary that denies", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN, identity: allowAll,
			boundary: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}]}`},
		{name: "a boundary grants nothing", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN, boundary: allowAll},
		{name: "a bucket policy for the role is limited by a silent boundary", principal: repair, action: "s3:GetObject", resource: logARN,
			boundary:       startGuarded,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"` + roleARN + `"},"Action":"s3:GetObject","Resource":"*"`)},
		{name: "a bucket policy for the user is not limited by a silent boundary", principal: mallory, action: "s3:GetObject", resource: logARN,
			boundary:       startGuarded,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"` + mallory.ARN + `"},"Action":"s3:GetObject","Resource":"*"`), want: true},

		// Organization policies.
		{name: "an organization policy denies tampering", principal: mallory, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: allowAll, organization: one(FullAWSAccess, denyTampering)},
		{name: "an organization policy exempts the repairing role", principal: repair, action: "cloudtrail:StartLogging", resource: trailARN,
			identity: startGuarded, organization: one(FullAWSAccess, denyTampering), want: true},
		{name: "an organization policy leaves other trails alone", principal: mallory, action: "cloudtrail:StopLogging", resource: otherARN,
			identity: allowAll, organization: one(FullAWSAccess, denyTampering), want: true},
		{name: "an organization policy denies a role whose name only begins alike", action: "cloudtrail:StopLogging", resource: trailARN,
			principal: api.Principal{Type: api.AssumedRole, ARN: roleARN + "2", SessionName: "x"},
			identity:  allowAll, organization: one(FullAWSAccess, denyTampering)},
		{name: "an organization that allows nothing", principal: mallory, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: allowAll, organization: one(denyTampering)},
		{name: "an organization grants nothing", principal: mallory, action: "cloudtrail:StopLogging", resource: trailARN,
			organization: one(FullAWSAccess)},
		{name: "an organization binds the root user", principal: root, action: "cloudtrail:StopLogging", resource: trailARN,
			organization: one(FullAWSAccess, denyTampering)},
		{name: "an organization does not bind a service-linked role", principal: linked, action: "cloudtrail:StopLogging", resource: trailARN,
			identity: allowAll, organization: one(FullAWSAccess, denyTampering), want: true,
			differs: "iam-simulate leaves it to its caller to give service-linked roles no organization policies"},
		{name: "the root user needs no policy", principal: root, action: "cloudtrail:StopLogging", resource: trailARN, want: true,
			differs: "iam-simulate leaves the root user out"},

		// Bucket policies.
		{name: "CloudTrail delivers", principal: trail, action: "s3:PutObject", resource: logARN, context: delivery,
			resourcePolicy: bucketPolicy, want: true},
		{name: "CloudTrail delivers for the guarded trail only", principal: trail, action: "s3:PutObject", resource: logARN,
			context:        map[string][]string{"aws:SourceArn": one(otherARN), "s3:x-amz-acl": one("bucket-owner-full-control")},
			resourcePolicy: bucketPolicy},
		{name: "CloudTrail delivers under the account's folder only", principal: trail, action: "s3:PutObject",
			resource: "arn:aws:s3:::trail-logs/AWSLogs/999999999999/CloudTrail/a", context: delivery, resourcePolicy: bucketPolicy},
		{name: "CloudTrail delivers under the declared prefix only", principal: trail, action: "s3:PutObject",
			resource: "arn:aws:s3:::trail-logs/other/AWSLogs/123456789012/a", context: delivery, resourcePolicy: bucketPolicy},
		{name: "CloudTrail must give the owner full control", principal: trail, action: "s3:PutObject", resource: logARN,
			context: map[string][]string{"aws:SourceArn": one(trailARN)}, resourcePolicy: bucketPolicy},
		{name: "CloudTrail may not read", principal: trail, action: "s3:GetObject", resource: logARN, context: delivery, resourcePolicy: bucketPolicy},
		{name: "CloudTrail reads the ACL", principal: trail, action: "s3:GetBucketAcl", resource: bucketARN, context: delivery,
			resourcePolicy: bucketPolicy, want: true},
		{name: "another service does not deliver", principal: ssm, action: "s3:PutObject", resource: logARN, context: delivery, resourcePolicy: bucketPolicy},
		{name: "a service without a resource policy", principal: trail, action: "s3:PutObject", resource: logARN, context: delivery},
		{name: "a bucket policy that denies CloudTrail", principal: trail, action: "s3:PutObject", resource: logARN, context: delivery,
			resourcePolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"},
				{"Effect":"Deny","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::trail-logs/*"}]}`},
		{name: "a bucket policy refuses plain HTTP", principal: mallory, action: "s3:GetObject", resource: logARN, identity: allowAll,
			context: map[string][]string{"aws:SecureTransport": one("false")}, resourcePolicy: bucketPolicy},
		{name: "a bucket policy is silent and the identity allows", principal: mallory, action: "s3:GetObject", resource: logARN, identity: allowAll,
			context: map[string][]string{"aws:SecureTransport": one("true")}, resourcePolicy: bucketPolicy, want: true},
		{name: "a bucket policy that names the role needs no identity policy", principal: repair, action: "s3:GetObject", resource: logARN,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"` + roleARN + `"},"Action":"s3:GetObject","Resource":"*"`), want: true},
		{name: "a bucket policy that names the session", principal: repair, action: "s3:GetObject", resource: logARN,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Repair/Automation-1"},"Action":"s3:GetObject","Resource":"*"`), want: true},
		{name: "a bucket policy that names another session", principal: repair, action: "s3:GetObject", resource: logARN,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/Repair/Other"},"Action":"s3:GetObject","Resource":"*"`)},
		{name: "a bucket policy that names the account leaves it to the identity policies", principal: repair, action: "s3:GetObject", resource: logARN,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"*"`)},
		{name: "a bucket policy that denies the account denies its roles", principal: repair, action: "s3:GetObject", resource: logARN, identity: allowAll,
			resourcePolicy: statementOf(`"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:GetObject","Resource":"*"`)},
		{name: "a deny by NotPrincipal spares those it lists", principal: mallory, action: "s3:DeleteObject", resource: logARN, identity: allowAll,
			resourcePolicy: statementOf(`"Effect":"Deny","NotPrincipal":{"AWS":["` + mallory.ARN + `","arn:aws:iam::123456789012:root"]},"Action":"s3:DeleteObject","Resource":"*"`), want: true},
		{name: "a deny by NotPrincipal hits all others", principal: repair, action: "s3:DeleteObject", resource: logARN, identity: allowAll,
			resourcePolicy: statementOf(`"Effect":"Deny","NotPrincipal":{"AWS":["` + mallory.ARN + `"]},"Action":"s3:DeleteObject","Resource":"*"`)},
		{name: "another account needs the bucket policy, too", principal: foreign, action: "s3:GetObject", resource: logARN, identity: allowAll},
		{name: "another account needs an identity policy, too", principal: foreign, action: "s3:GetObject", resource: logARN,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"`)},
		{name: "another account with both", principal: foreign, action: "s3:GetObject", resource: logARN, identity: allowAll,
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"s3:GetObject","Resource":"*"`), want: true},

		// Key policies.
		{name: "a key policy leaves it to IAM", principal: repair, action: "kms:EnableKey", resource: keyARN, resourcePolicy: keyPolicy,
			identity: statementOf(`"Effect":"Allow","Action":"kms:EnableKey","Resource":"` + keyARN + `"`), want: true},
		{name: "a key policy leaves it to IAM, which is silent", principal: repair, action: "kms:EnableKey", resource: keyARN, resourcePolicy: keyPolicy},
		{name: "a key policy that does not leave it to IAM", principal: mallory, action: "kms:EnableKey", resource: keyARN,
			resourcePolicy: keyWithoutIAM, identity: allowAll},
		{name: "a key policy that names the role", principal: repair, action: "kms:EnableKey", resource: keyARN, resourcePolicy: keyWithoutIAM, want: true},
		{name: "a key policy that names another role", principal: other, action: "kms:EnableKey", resource: keyARN, resourcePolicy: keyWithoutIAM, identity: allowAll},
		{name: "CloudTrail encrypts", principal: trail, action: "kms:GenerateDataKey", resource: keyARN, context: encryption,
			resourcePolicy: keyPolicy, want: true, differs: ignoresEncryptionContext},
		{name: "CloudTrail encrypts for the guarded trail only", principal: trail, action: "kms:GenerateDataKey", resource: keyARN,
			resourcePolicy: keyPolicy,
			context:        map[string][]string{"aws:SourceArn": one(otherARN), "kms:EncryptionContext:aws:cloudtrail:arn": one(otherARN)}},
		{name: "CloudTrail encrypts in the trail's context only", principal: trail, action: "kms:GenerateDataKey", resource: keyARN,
			resourcePolicy: keyPolicy, context: map[string][]string{"aws:SourceArn": one(trailARN)}},
		{name: "CloudTrail describes the key", principal: trail, action: "kms:DescribeKey", resource: keyARN,
			resourcePolicy: keyPolicy, context: map[string][]string{"aws:SourceArn": one(trailARN)}, want: true},
		{name: "CloudTrail does not decrypt", principal: trail, action: "kms:Decrypt", resource: keyARN, resourcePolicy: keyPolicy, context: encryption},
		{name: "a reader decrypts logs", principal: repair, action: "kms:Decrypt", resource: keyARN, resourcePolicy: keyDecrypt,
			context: encryption, want: true, differs: ignoresEncryptionContext},
		{name: "a reader decrypts nothing but logs", principal: repair, action: "kms:Decrypt", resource: keyARN, resourcePolicy: keyDecrypt},
		{name: "an action of KMS that is on no key", principal: repair, action: "kms:ListKeys", resource: "*",
			identity: statementOf(`"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"`), want: true},

		// Trust policies.
		{name: "Automation assumes the role", principal: ssm, action: "sts:AssumeRole", resource: roleARN, trust: automationTrust, want: true,
			context: map[string][]string{"aws:SourceAccount": one("123456789012"), "aws:SourceArn": one("arn:aws:ssm:us-east-1:123456789012:automation-execution/1")}},
		{name: "Automation of another account does not", principal: ssm, action: "sts:AssumeRole", resource: roleARN, trust: automationTrust,
			context: map[string][]string{"aws:SourceAccount": one("999999999999"), "aws:SourceArn": one("arn:aws:ssm:us-east-1:999999999999:automation-execution/1")}},
		{name: "another part of Systems Manager does not", principal: ssm, action: "sts:AssumeRole", resource: roleARN, trust: automationTrust,
			context: map[string][]string{"aws:SourceAccount": one("123456789012"), "aws:SourceArn": one("arn:aws:ssm:us-east-1:123456789012:document/x")}},
		{name: "Automation without a source does not", principal: ssm, action: "sts:AssumeRole", resource: roleARN, trust: automationTrust},
		{name: "an administrator may not assume a role that does not trust him", principal: mallory, action: "sts:AssumeRole", resource: roleARN,
			trust: automationTrust, identity: allowAll},
		{name: "a role that trusts the account leaves it to IAM", principal: mallory, action: "sts:AssumeRole", resource: roleARN, identity: allowAll,
			trust: statementOf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"`), want: true},
		{name: "a role that trusts the account leaves it to IAM, which is silent", principal: mallory, action: "sts:AssumeRole", resource: roleARN,
			trust: statementOf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"`)},

		// A topic's policy.
		{name: "a service publishes", action: "sns:Publish", resource: topicARN,
			principal:      api.Principal{Type: api.AWSService, ARN: "events.amazonaws.com"},
			resourcePolicy: statementOf(`"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sns:Publish","Resource":"` + topicARN + `"`), want: true},
	}, conditionQuestions()...)
}

func conditionQuestions() []question {
	region := func(values ...string) map[string][]string { return map[string][]string{"aws:RequestedRegion": values} }
	tags := func(values ...string) map[string][]string { return map[string][]string{"aws:CalledVia": values} }
	source := func(value string) map[string][]string { return map[string][]string{"aws:SourceArn": one(value)} }
	age := func(value string) map[string][]string {
		return map[string][]string{"aws:MultiFactorAuthAge": one(value)}
	}
	return []question{
		stop("StringEquals is exact", `"StringEquals":{"aws:RequestedRegion":"us-*"}`, region("us-east-1"), false),
		stop("StringEquals takes any of its values", `"StringEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1"]}`, region("us-east-1"), true),
		stop("condition keys are compared without case", `"StringEquals":{"AWS:requestedregion":"us-east-1"}`, region("us-east-1"), true),
		stop("StringEquals on a missing key", `"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, nil, false),
		stop("StringEqualsIfExists on a missing key", `"StringEqualsIfExists":{"aws:RequestedRegion":"us-east-1"}`, nil, true),
		stop("StringEqualsIfExists on another value", `"StringEqualsIfExists":{"aws:RequestedRegion":"us-east-1"}`, region("eu-west-1"), false),
		stop("StringNotEquals on a missing key", `"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}`, nil, true),
		stop("StringNotEquals is none of its values", `"StringNotEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}`, region("us-east-1"), false),
		stop("StringEqualsIgnoreCase", `"StringEqualsIgnoreCase":{"aws:RequestedRegion":"US-EAST-1"}`, region("us-east-1"), true),
		stop("StringLike", `"StringLike":{"aws:RequestedRegion":"us-*"}`, region("us-east-1"), true),
		stop("StringLike with a literal star", `"StringLike":{"aws:RequestedRegion":"us-${*}"}`, region("us-east-1"), false),
		stop("StringNotLike", `"StringNotLike":{"aws:RequestedRegion":"us-*"}`, region("us-east-1"), false),
		stop("StringLike with a variable", `"StringLike":{"aws:SourceAccount":"${aws:PrincipalAccount}"}`, map[string][]string{"aws:SourceAccount": one("123456789012")}, true),
		stop("ArnLike", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:123456789012:automation-execution/*"}`, source("arn:aws:ssm:us-east-1:123456789012:automation-execution/1"), true),
		stop("ArnLike does not reach over a field", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:automation-execution/*:*:*"}`, source("arn:aws:ssm:us-east-1:123456789012:automation-execution/1"), false),
		stop("ArnEquals takes wildcards", `"ArnEquals":{"aws:SourceArn":"arn:aws:ssm:*:*:*"}`, source("arn:aws:ssm:us-east-1:123456789012:document/1"), true),
		stop("ArnLike on a text that is no ARN", `"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:*:*"}`, source("ssm"), false),
		stop("ArnNotEquals", `"ArnNotEquals":{"aws:SourceArn":"arn:aws:ssm:*:*:*"}`, source("arn:aws:sns:us-east-1:123456789012:t"), true),
		stop("ArnNotLike on a missing key", `"ArnNotLike":{"aws:SourceArn":"arn:aws:ssm:*:*:*"}`, nil, true),
		stop("Bool", `"Bool":{"aws:SecureTransport":true}`, map[string][]string{"aws:SecureTransport": one("true")}, true),
		stop("Bool on the other value", `"Bool":{"aws:SecureTransport":"true"}`, map[string][]string{"aws:SecureTransport": one("false")}, false),
		stop("BoolIfExists on a missing key", `"BoolIfExists":{"aws:SecureTransport":"true"}`, nil, true),
		stop("Null true on a missing key", `"Null":{"aws:SourceArn":"true"}`, nil, true),
		stop("Null true on a present key", `"Null":{"aws:SourceArn":"true"}`, source("arn:aws:sns:us-east-1:123456789012:t"), false),
		stop("Null false on a present key", `"Null":{"aws:SourceArn":false}`, source("arn:aws:sns:us-east-1:123456789012:t"), true),
		stop("NumericLessThan", `"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}`, age("299"), true),
		stop("NumericLessThan on an equal value", `"NumericLessThan":{"aws:MultiFactorAuthAge":300}`, age("300"), false),
		stop("NumericLessThanEquals", `"NumericLessThanEquals":{"aws:MultiFactorAuthAge":"300"}`, age("300"), true),
		stop("NumericGreaterThan", `"NumericGreaterThan":{"aws:MultiFactorAuthAge":"300"}`, age("301"), true),
		stop("NumericGreaterThanEquals", `"NumericGreaterThanEquals":{"aws:MultiFactorAuthAge":"300"}`, age("299"), false),
		stop("NumericNotEquals", `"NumericNotEquals":{"aws:MultiFactorAuthAge":"300"}`, age("301"), true),
		stop("ForAnyValue with one match", `"ForAnyValue:StringEquals":{"aws:CalledVia":["a","b"]}`, tags("x", "b"), true),
		stop("ForAnyValue without a match", `"ForAnyValue:StringEquals":{"aws:CalledVia":["a","b"]}`, tags("x", "y"), false),
		stop("ForAnyValue on a missing key", `"ForAnyValue:StringEquals":{"aws:CalledVia":["a","b"]}`, nil, false),
		stop("ForAllValues with all matches", `"ForAllValues:StringLike":{"aws:CalledVia":["a*","b"]}`, tags("a1", "b"), true),
		stop("ForAllValues without one match", `"ForAllValues:StringLike":{"aws:CalledVia":["a*","b"]}`, tags("a1", "c"), false),
		stop("ForAllValues on a missing key", `"ForAllValues:StringEquals":{"aws:CalledVia":["a","b"]}`, nil, true),
		stop("all operators must hold", `"StringEquals":{"aws:RequestedRegion":"us-east-1"},"Bool":{"aws:SecureTransport":"true"}`, region("us-east-1"), false),
	}
}
