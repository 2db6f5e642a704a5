// Package sts is the part of STS that is modelled: who a caller is, and access keys of roles.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
package sts

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/localaws/api"
)

// Service is STS.
type Service struct {
	// Credentials issues an access key for a principal. Required.
	Credentials func(api.Principal) aws.Credentials
}

// Register has the service answer the calls of its operations.
func (s Service) Register(registry api.Registry) {
	registry.Answer("sts:GetCallerIdentity", api.HandlerFunc(s.getCallerIdentity))
	registry.Answer("sts:AssumeRole", api.HandlerFunc(s.assumeRole))
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

func (s Service) getCallerIdentity(_ context.Context, call api.Call) (any, error) {
	return callerIdentity{Account: call.Account, Arn: call.Principal.SessionARN(), UserID: call.Principal.ID()}, nil
}

type assumedRole struct {
	AssumedRoleUser struct {
		AssumedRoleID string `xml:"AssumedRoleId"`
		Arn           string
	}
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
}

func (s Service) assumeRole(_ context.Context, call api.Call) (any, error) {
	p := api.Principal{Type: api.AssumedRole, ARN: call.Text("RoleArn"), SessionName: call.Text("RoleSessionName")}
	if p.SessionName == "" {
		return nil, api.Errorf("ValidationError", "roleSessionName is required")
	}
	if call.Input["Policy"] != nil || call.Input["PolicyArns"] != nil {
		return nil, api.NotModelled("session policies")
	}
	issued := s.Credentials(p)
	var answer assumedRole
	answer.AssumedRoleUser.Arn, answer.AssumedRoleUser.AssumedRoleID = p.SessionARN(), p.ID()
	answer.Credentials.AccessKeyID, answer.Credentials.SecretAccessKey = issued.AccessKeyID, issued.SecretAccessKey
	answer.Credentials.SessionToken = "token"
	// Clients compare this with their own clock, not with ours.
	answer.Credentials.Expiration = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	return answer, nil
}
