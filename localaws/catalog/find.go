package catalog

// Services are all services with rows, in the order of their names.
func Services() []Service {
	return []Service{
		cloudFormation, cloudTrail, config, events, iam, kms, logs, monitoring, organizations, s3, sns, sqs, ssm, sts,
	}
}

// byName is how services are found.
var byName = func() map[string]Service {
	all := map[string]Service{}
	for _, s := range Services() {
		all[s.Name] = s
	}
	return all
}()

// Find returns a service by its signing name. Of a service without rows moto answers everything.
func Find(name string) Service {
	if s, ok := byName[name]; ok {
		return s
	}
	return Service{Name: name, Rest: Moto}
}

// Of returns what is known of an operation of a service, by its signing name.
func Of(service, operation string) Operation { return Find(service).Operation(operation) }

// Writes tells whether an operation changes a resource.
func Writes(service, operation string) bool { return Of(service, operation).Kind == Write }
