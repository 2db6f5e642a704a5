package catalog

var cloudFormation = Service{
	Name: "cloudformation", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"CreateStack":                     {Passes: Role{"RoleARN", "cloudformation.amazonaws.com"}},
		"UpdateStack":                     {Passes: Role{"RoleARN", "cloudformation.amazonaws.com"}},
		"DeleteStack":                     {Passes: Role{"RoleARN", "cloudformation.amazonaws.com"}},
		"CreateChangeSet":                 {Passes: Role{"RoleARN", "cloudformation.amazonaws.com"}},
		"ExecuteChangeSet":                {Passes: Role{"RoleARN", "cloudformation.amazonaws.com"}},
		"BatchDescribeTypeConfigurations": {Kind: Read},
		"DetectStackDrift":                {Kind: Read},
		"DetectStackResourceDrift":        {Kind: Read},
		"DetectStackSetDrift":             {Kind: Read},
		"TestType":                        {Kind: Write},
	},
	Resources: map[string][]string{
		"stack":    {"StackName"},
		"stackset": {"StackSetName"},
	},
}

var events = Service{
	Name: "events", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"PutEvents":        {Kind: Data, By: Simulated, Keys: map[string]string{"events:source": "Entries.Source", "events:detail-type": "Entries.DetailType"}},
		"PutRule":          {By: CheckedMoto, Passes: Role{"RoleArn", "events.amazonaws.com"}},
		"PutTargets":       {By: CheckedMoto, Passes: Role{"Targets.RoleArn", "events.amazonaws.com"}},
		"TestEventPattern": {By: Simulated},
	},
}

var iam = Service{
	Name: "iam", Rest: Moto, Policies: true, Global: true,
	Operations: map[string]Operation{
		"AttachRolePolicy":                   {Keys: map[string]string{"iam:PolicyARN": "PolicyArn"}},
		"DetachRolePolicy":                   {Keys: map[string]string{"iam:PolicyARN": "PolicyArn"}},
		"CreateServiceLinkedRole":            {Keys: map[string]string{"iam:AWSServiceName": "AWSServiceName"}},
		"GenerateCredentialReport":           {Kind: Read},
		"GenerateOrganizationsAccessReport":  {Kind: Read},
		"GenerateServiceLastAccessedDetails": {Kind: Read},
	},
	Resources: map[string][]string{"instance-profile": {"InstanceProfileName"}},
}

// kms marks the use of a key as read-only in its events.
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
var kms = Service{
	Name: "kms", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"CreateKey":                       {By: CheckedMoto},
		"PutKeyPolicy":                    {By: CheckedMoto},
		"Decrypt":                         {Kind: Read},
		"Encrypt":                         {Kind: Read},
		"GenerateDataKey":                 {Kind: Read},
		"GenerateDataKeyWithoutPlaintext": {Kind: Read},
		"GenerateRandom":                  {Kind: Read},
	},
	Shared: []string{"KeyId"},
}

var logs = Service{
	Name: "logs", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"PutLogEvents":          {Kind: Data},
		"PutSubscriptionFilter": {Passes: Role{"roleArn", "logs.amazonaws.com"}},
		"StartLiveTail":         {Kind: Read},
		"StartQuery":            {Kind: Read},
		"StopQuery":             {Kind: Read},
	},
}

var monitoring = Service{
	Name: "monitoring", Prefix: "cloudwatch", Rest: Moto,
	Operations: map[string]Operation{
		"PutMetricData": {Kind: Data},
	},
	Resources: map[string][]string{"alarm": {"AlarmName", "AlarmNames", "ResourceARN"}},
}

var organizations = Service{
	Name: "organizations", Rest: Moto, Global: true,
	Operations: map[string]Operation{
		"CreatePolicy":          {Keys: map[string]string{"organizations:PolicyType": "Type"}},
		"DisablePolicyType":     {Keys: map[string]string{"organizations:PolicyType": "PolicyType"}},
		"EnablePolicyType":      {Keys: map[string]string{"organizations:PolicyType": "PolicyType"}},
		"ListPolicies":          {Keys: map[string]string{"organizations:PolicyType": "Filter"}},
		"ListPoliciesForTarget": {Keys: map[string]string{"organizations:PolicyType": "Filter"}},
	},
}

// https://docs.aws.amazon.com/sns/latest/dg/sns-batch-api-actions.html
var sns = Service{
	Name: "sns", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"Publish":                      {Kind: Data, By: CheckedMoto},
		"PublishBatch":                 {Kind: Data, By: CheckedMoto, Action: "Publish"},
		"CheckIfPhoneNumberIsOptedOut": {Kind: Read},
	},
	Resources: map[string][]string{"topic": {"TopicArn", "ResourceArn", "Name"}},
	Shared:    []string{"TopicArn", "ResourceArn"},
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
var sqs = Service{
	Name: "sqs", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"SendMessage": {Kind: Data}, "SendMessageBatch": {Kind: Data, Action: "SendMessage"},
		"ReceiveMessage": {Kind: Data},
		"DeleteMessage":  {Kind: Data}, "DeleteMessageBatch": {Kind: Data, Action: "DeleteMessage"},
	},
	Shared: []string{"QueueUrl"},
}

// ssm has documents, of which moto keeps the versions, and their executions, which moto does not have.
var ssm = Service{
	Name: "ssm", Rest: Moto, Policies: true,
	Operations: map[string]Operation{
		"CreateDocument": {By: CheckedMoto}, "UpdateDocument": {By: CheckedMoto},
		"StartAutomationExecution":         {By: Simulated},
		"GetAutomationExecution":           {By: Simulated},
		"DescribeAutomationExecutions":     {By: Simulated},
		"StopAutomationExecution":          {By: Simulated},
		"DescribeAutomationStepExecutions": {By: NotModelled},
		"SendAutomationSignal":             {By: NotModelled},
		"StartChangeRequestExecution":      {By: NotModelled},
		"GetExecutionPreview":              {By: NotModelled},
		"StartExecutionPreview":            {By: NotModelled},
	},
	Resources: map[string][]string{"automation-execution": {"AutomationExecutionId"}},
}

// sts marks AssumeRole as read-only in its events.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
var sts = Service{
	Name: "sts", Rest: NotModelled, Global: true,
	Operations: map[string]Operation{
		"AssumeRole":        {Kind: Read, By: Simulated},
		"GetCallerIdentity": {By: Simulated, Free: true},
	},
	Resources: map[string][]string{"role": {"RoleArn"}},
}
