package localaws

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// s3Operation is one operation of the REST API of S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
type s3Operation struct {
	name string
	// action is the IAM action without s3:. Empty means the operation's name.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
	action string
	// event is the eventName in CloudTrail. Empty means the operation's name.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
	event string
}

// bucketOperations are the operations on a bucket, by method and subresource.
var bucketOperations = map[string]s3Operation{
	"PUT ":                     {name: "CreateBucket"},
	"DELETE ":                  {name: "DeleteBucket"},
	"HEAD ":                    {name: "HeadBucket", action: "ListBucket"},
	"GET ":                     {name: "ListObjects", action: "ListBucket"},
	"GET list-type":            {name: "ListObjectsV2", action: "ListBucket"},
	"GET versions":             {name: "ListObjectVersions", action: "ListBucketVersions"},
	"GET uploads":              {name: "ListMultipartUploads", action: "ListBucketMultipartUploads"},
	"POST delete":              {name: "DeleteObjects", action: "DeleteObject"},
	"GET location":             {name: "GetBucketLocation"},
	"GET policy":               {name: "GetBucketPolicy"},
	"PUT policy":               {name: "PutBucketPolicy"},
	"DELETE policy":            {name: "DeleteBucketPolicy"},
	"GET policyStatus":         {name: "GetBucketPolicyStatus"},
	"GET lifecycle":            {name: "GetBucketLifecycleConfiguration", action: "GetLifecycleConfiguration", event: "GetBucketLifecycle"},
	"PUT lifecycle":            {name: "PutBucketLifecycleConfiguration", action: "PutLifecycleConfiguration", event: "PutBucketLifecycle"},
	"DELETE lifecycle":         {name: "DeleteBucketLifecycle", action: "PutLifecycleConfiguration"},
	"GET versioning":           {name: "GetBucketVersioning"},
	"PUT versioning":           {name: "PutBucketVersioning"},
	"GET encryption":           {name: "GetBucketEncryption", action: "GetEncryptionConfiguration"},
	"PUT encryption":           {name: "PutBucketEncryption", action: "PutEncryptionConfiguration"},
	"DELETE encryption":        {name: "DeleteBucketEncryption", action: "PutEncryptionConfiguration"},
	"GET publicAccessBlock":    {name: "GetPublicAccessBlock", action: "GetBucketPublicAccessBlock", event: "GetBucketPublicAccessBlock"},
	"PUT publicAccessBlock":    {name: "PutPublicAccessBlock", action: "PutBucketPublicAccessBlock", event: "PutBucketPublicAccessBlock"},
	"DELETE publicAccessBlock": {name: "DeletePublicAccessBlock", action: "PutBucketPublicAccessBlock", event: "DeleteBucketPublicAccessBlock"},
	"GET ownershipControls":    {name: "GetBucketOwnershipControls"},
	"PUT ownershipControls":    {name: "PutBucketOwnershipControls"},
	"DELETE ownershipControls": {name: "DeleteBucketOwnershipControls", action: "PutBucketOwnershipControls"},
	"GET acl":                  {name: "GetBucketAcl"},
	"PUT acl":                  {name: "PutBucketAcl"},
	"GET logging":              {name: "GetBucketLogging"},
	"PUT logging":              {name: "PutBucketLogging"},
	"GET replication":          {name: "GetBucketReplication", action: "GetReplicationConfiguration"},
	"PUT replication":          {name: "PutBucketReplication", action: "PutReplicationConfiguration"},
	"DELETE replication":       {name: "DeleteBucketReplication", action: "PutReplicationConfiguration"},
	"GET object-lock":          {name: "GetObjectLockConfiguration", action: "GetBucketObjectLockConfiguration", event: "GetBucketObjectLockConfiguration"},
	"PUT object-lock":          {name: "PutObjectLockConfiguration", action: "PutBucketObjectLockConfiguration", event: "PutBucketObjectLockConfiguration"},
	"GET tagging":              {name: "GetBucketTagging"},
	"PUT tagging":              {name: "PutBucketTagging"},
	"DELETE tagging":           {name: "DeleteBucketTagging", action: "PutBucketTagging"},
	"GET notification":         {name: "GetBucketNotificationConfiguration", action: "GetBucketNotification", event: "GetBucketNotification"},
	"PUT notification":         {name: "PutBucketNotificationConfiguration", action: "PutBucketNotification", event: "PutBucketNotification"},
	"GET requestPayment":       {name: "GetBucketRequestPayment"},
	"PUT requestPayment":       {name: "PutBucketRequestPayment"},
}

// objectOperations are the operations on an object. They are data events: CloudTrail logs them only where asked, and
// EventBridge gets none of them from a trail of management events.
var objectOperations = map[string]s3Operation{
	"GET ":          {name: "GetObject"},
	"HEAD ":         {name: "HeadObject", action: "GetObject"},
	"PUT ":          {name: "PutObject"},
	"DELETE ":       {name: "DeleteObject"},
	"GET acl":       {name: "GetObjectAcl"},
	"PUT acl":       {name: "PutObjectAcl"},
	"GET tagging":   {name: "GetObjectTagging"},
	"PUT tagging":   {name: "PutObjectTagging"},
	"GET retention": {name: "GetObjectRetention"},
	"PUT retention": {name: "PutObjectRetention"},
}

var listBuckets = s3Operation{name: "ListBuckets", action: "ListAllMyBuckets"}

// s3ByName finds an operation by its name.
func s3ByName(name string) (operation s3Operation, onObject bool) {
	for _, o := range objectOperations {
		if o.name == name {
			return o, true
		}
	}
	for _, o := range bucketOperations {
		if o.name == name {
			return o, name == "DeleteObjects"
		}
	}
	return listBuckets, false
}

// s3Parameters are the query parameters that choose no operation.
var s3Parameters = map[string]bool{
	"prefix": true, "delimiter": true, "max-keys": true, "marker": true, "versionId": true, "x-id": true,
	"continuation-token": true, "start-after": true, "encoding-type": true, "key-marker": true, "version-id-marker": true,
	"fetch-owner": true, "max-buckets": true, "bucket-region": true, "partNumber": true,
}

// parseS3 finds the operation of a request with the bucket in its path. The input holds Bucket, Key and VersionId, the
// document of PutBucketPolicy as Policy, and any other document under the name of its root element.
func parseS3(r *http.Request, body []byte) (string, map[string]any, error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	bucket, rawKey, _ := strings.Cut(path, "/")
	key, err := url.PathUnescape(rawKey)
	if err != nil {
		return "", nil, api.Errorf("InvalidURI", "%v", err)
	}
	query := r.URL.Query()
	subresource := ""
	for name := range query {
		if s3Parameters[name] || strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "response-") {
			continue
		}
		if subresource != "" {
			return "", nil, notModelled("s3 %s with both %s and %s", r.Method, subresource, name)
		}
		subresource = name
	}
	input := map[string]any{}
	if bucket == "" {
		if r.Method != http.MethodGet || subresource != "" {
			return "", nil, notModelled("s3 %s %s", r.Method, r.URL)
		}
		return listBuckets.name, input, nil
	}
	input["Bucket"] = bucket
	operations := bucketOperations
	if key != "" {
		operations = objectOperations
		input["Key"] = key
		if version := query.Get("versionId"); version != "" {
			input["VersionId"] = version
		}
	}
	operation, ok := operations[r.Method+" "+subresource]
	if !ok || r.Header.Get("X-Amz-Copy-Source") != "" {
		return "", nil, notModelled("s3 %s with subresource %q on %q", r.Method, subresource, path)
	}
	switch {
	case operation.name == "PutBucketPolicy":
		input["Policy"] = string(body)
	case len(body) > 0 && (key == "" || subresource != ""):
		name, document, err := parseXML(body)
		if err != nil {
			return "", nil, api.Errorf("MalformedXML", "%v", err)
		}
		input[name] = document
	}
	return operation.name, input, nil
}

func notModelled(format string, args ...any) *api.Error {
	return &api.Error{Code: "NotModelled", Message: "the local AWS does not model " + fmt.Sprintf(format, args...), Status: 501}
}
