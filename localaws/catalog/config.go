package catalog

// https://docs.aws.amazon.com/config/latest/APIReference/API_Operations.html
var config = Service{
	Name: "config", Rest: NotModelled,
	Operations: map[string]Operation{
		"DeleteConfigRule":                    {By: Simulated},
		"DeleteConfigurationRecorder":         {By: Simulated},
		"DeleteDeliveryChannel":               {By: Simulated},
		"DeleteRemediationConfiguration":      {By: Simulated},
		"DeleteRemediationExceptions":         {By: Simulated},
		"DescribeComplianceByConfigRule":      {By: Simulated},
		"DescribeConfigRuleEvaluationStatus":  {By: Simulated},
		"DescribeConfigRules":                 {By: Simulated},
		"DescribeConfigurationRecorderStatus": {By: Simulated},
		"DescribeConfigurationRecorders":      {By: Simulated},
		"DescribeDeliveryChannels":            {By: Simulated},
		"DescribeRemediationConfigurations":   {By: Simulated},
		"DescribeRemediationExceptions":       {By: Simulated},
		"DescribeRemediationExecutionStatus":  {By: Simulated},
		"GetComplianceDetailsByConfigRule":    {By: Simulated},
		"GetCustomRulePolicy":                 {By: Simulated},
		"PutConfigRule":                       {By: Simulated},
		"PutConfigurationRecorder":            {By: Simulated, Passes: Role{"ConfigurationRecorder.roleARN", "config.amazonaws.com"}},
		"PutDeliveryChannel":                  {By: Simulated},
		"PutRemediationConfigurations": {By: Simulated, Passes: Role{
			"RemediationConfigurations.Parameters.AutomationAssumeRole.StaticValue.Values", "ssm.amazonaws.com",
		}},
		"PutRemediationExceptions":   {By: Simulated},
		"StartConfigRulesEvaluation": {By: Simulated},
		"StartConfigurationRecorder": {By: Simulated},
		"StartRemediationExecution":  {By: Simulated},
		"StopConfigurationRecorder":  {By: Simulated},
	},
}
