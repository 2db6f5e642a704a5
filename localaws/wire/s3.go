package wire

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// bucketOperations are the operations of S3 on a bucket, by method and subresource.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var bucketOperations = map[string]string{
	"PUT ":                     "CreateBucket",
	"DELETE ":                  "DeleteBucket",
	"HEAD ":                    "HeadBucket",
	"GET ":                     "ListObjects",
	"GET list-type":            "ListObjectsV2",
	"GET versions":             "ListObjectVersions",
	"GET uploads":              "ListMultipartUploads",
	"POST delete":              "DeleteObjects",
	"GET location":             "GetBucketLocation",
	"GET policy":               "GetBucketPolicy",
	"PUT policy":               "PutBucketPolicy",
	"DELETE policy":            "DeleteBucketPolicy",
	"GET policyStatus":         "GetBucketPolicyStatus",
	"GET lifecycle":            "GetBucketLifecycleConfiguration",
	"PUT lifecycle":            "PutBucketLifecycleConfiguration",
	"DELETE lifecycle":         "DeleteBucketLifecycle",
	"GET versioning":           "GetBucketVersioning",
	"PUT versioning":           "PutBucketVersioning",
	"GET encryption":           "GetBucketEncryption",
	"PUT encryption":           "PutBucketEncryption",
	"DELETE encryption":        "DeleteBucketEncryption",
	"GET publicAccessBlock":    "GetPublicAccessBlock",
	"PUT publicAccessBlock":    "PutPublicAccessBlock",
	"DELETE publicAccessBlock": "DeletePublicAccessBlock",
	"GET ownershipControls":    "GetBucketOwnershipControls",
	"PUT ownershipControls":    "PutBucketOwnershipControls",
	"DELETE ownershipControls": "DeleteBucketOwnershipControls",
	"GET acl":                  "GetBucketAcl",
	"PUT acl":                  "PutBucketAcl",
	"GET logging":              "GetBucketLogging",
	"PUT logging":              "PutBucketLogging",
	"GET replication":          "GetBucketReplication",
	"PUT replication":          "PutBucketReplication",
	"DELETE replication":       "DeleteBucketReplication",
	"GET object-lock":          "GetObjectLockConfiguration",
	"PUT object-lock":          "PutObjectLockConfiguration",
	"GET tagging":              "GetBucketTagging",
	"PUT tagging":              "PutBucketTagging",
	"DELETE tagging":           "DeleteBucketTagging",
	"GET notification":         "GetBucketNotificationConfiguration",
	"PUT notification":         "PutBucketNotificationConfiguration",
	"GET requestPayment":       "GetBucketRequestPayment",
	"PUT requestPayment":       "PutBucketRequestPayment",
}

// objectOperations are the operations of S3 on an object.
var objectOperations = map[string]string{
	"GET ":          "GetObject",
	"HEAD ":         "HeadObject",
	"PUT ":          "PutObject",
	"DELETE ":       "DeleteObject",
	"GET acl":       "GetObjectAcl",
	"PUT acl":       "PutObjectAcl",
	"GET tagging":   "GetObjectTagging",
	"PUT tagging":   "PutObjectTagging",
	"GET retention": "GetObjectRetention",
	"PUT retention": "PutObjectRetention",
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
			return "", nil, api.NotModelled("s3 %s with both %s and %s", r.Method, subresource, name)
		}
		subresource = name
	}
	input := map[string]any{}
	if bucket == "" {
		if r.Method != http.MethodGet || subresource != "" {
			return "", nil, api.NotModelled("s3 %s %s", r.Method, r.URL)
		}
		return "ListBuckets", input, nil
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
		return "", nil, api.NotModelled("s3 %s with subresource %q on %q", r.Method, subresource, path)
	}
	switch {
	case operation == "PutBucketPolicy":
		input["Policy"] = string(body)
	case len(body) > 0 && (key == "" || subresource != ""):
		name, document, err := parseXML(body)
		if err != nil {
			return "", nil, api.Errorf("MalformedXML", "%v", err)
		}
		input[name] = document
	}
	return operation, input, nil
}

// S3Operations are the names of the operations of S3 that are read.
func S3Operations() []string {
	names := []string{"ListBuckets"}
	for _, operations := range []map[string]string{bucketOperations, objectOperations} {
		names = append(names, slices.Collect(maps.Values(operations))...)
	}
	slices.Sort(names)
	return names
}
