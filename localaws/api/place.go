package api

import (
	"fmt"
	"strings"
)

// The place of a local AWS that is given no other. The account is the one that moto uses.
const (
	Account   = "123456789012"
	Region    = "us-east-1"
	Partition = "aws"
)

// AccountHeader says to moto in which account a request is answered.
const AccountHeader = "X-Moto-Account-Id"

// Place is where something is: a partition, an account and a Region.
type Place struct{ Partition, Account, Region string }

// PlaceOf is the place in an ARN, of which IAM's have no Region and those of S3 no account, either; empty if arn is none.
func PlaceOf(arn string) Place {
	if fields := strings.SplitN(arn, ":", 6); len(fields) == 6 {
		return Place{Partition: fields[1], Region: fields[3], Account: fields[4]}
	}
	return Place{}
}

// Or fills what is empty from another place.
func (p Place) Or(other Place) Place {
	for field, value := range map[*string]string{&p.Partition: other.Partition, &p.Account: other.Account, &p.Region: other.Region} {
		if *field == "" {
			*field = value
		}
	}
	return p
}

// Home is the place of a local AWS that is given no other.
func Home() Place { return Place{Partition: Partition, Account: Account, Region: Region} }

// In is the same account in another Region.
func (p Place) In(region string) Place {
	p.Region = region
	return p
}

// ARN is the ARN of a resource in the place's Region.
func (p Place) ARN(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", p.Partition, service, p.Region, p.Account, resource)
}

// GlobalARN is the ARN of a resource that is in no Region, such as a role of IAM.
func (p Place) GlobalARN(service, resource string) string { return p.In("").ARN(service, resource) }

// BucketARN is the ARN of a bucket or, after a slash, of an object in it: neither holds the account.
func (p Place) BucketARN(bucket string) string { return "arn:" + p.Partition + ":s3:::" + bucket }

// SourceKeys are the condition keys that say for which resource of the account a service does something.
func (p Place) SourceKeys(arn string) map[string][]string {
	return map[string][]string{"aws:SourceArn": {arn}, "aws:SourceAccount": {p.Account}}
}
