// Package wire reads requests and writes answers in the four protocols of AWS that are in use: JSON, query, S3's XML, and CBOR.
// It knows no service but S3, whose operations have no names on the wire. What it reads of other processes is bounded.
package wire

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/trailguard/trailguard/localaws/api"
)

// Protocol is how a request is written, which decides how its answer and its errors are.
type Protocol string

// The protocols in use. https://smithy.io/2.0/aws/protocols/index.html
const (
	JSON  Protocol = "awsJson"  // 1.0 and 1.1: X-Amz-Target names the operation
	Query Protocol = "awsQuery" // a form, of which Action names the operation
	REST  Protocol = "restXml"  // S3
	CBOR  Protocol = "rpcv2Cbor"
)

// credentialForm is the part of SigV4 that says who calls which service where.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
var credentialForm = regexp.MustCompile(`^([^/]+)/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request$`)

// Scope is who calls which service where.
type Scope struct{ AccessKeyID, Region, Service string }

// ParseScope reads the credential scope of the Authorization header or of a presigned URL. The signature is not verified.
func ParseScope(r *http.Request) (Scope, error) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if header, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "); ok {
		for field := range strings.SplitSeq(header, ",") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(field), "Credential="); ok {
				credential = value
			}
		}
	}
	if credential == "" {
		return Scope{}, &api.Error{Code: "MissingAuthenticationToken", Message: "the request is not signed with SigV4", Status: 403}
	}
	match := credentialForm.FindStringSubmatch(credential)
	if match == nil {
		return Scope{}, &api.Error{Code: "IncompleteSignature", Message: fmt.Sprintf("credential %q is no credential scope", credential), Status: 403}
	}
	return Scope{AccessKeyID: match[1], Region: match[2], Service: match[3]}, nil
}
