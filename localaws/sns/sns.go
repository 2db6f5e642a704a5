// Package sns refuses what SNS refuses and moto, which keeps topics and messages, does not.
package sns

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/trailguard/trailguard/localaws/api"
)

// Service checks messages.
type Service struct {
	// CheckKey refuses to publish to a topic whose key cannot be used. Required.
	CheckKey api.Check
}

// Register has the service check what is published.
func (s Service) Register(registry api.Registry) {
	for _, action := range []string{"sns:Publish", "sns:PublishBatch"} {
		registry.Check(action, checkMessages)
		registry.Check(action, s.CheckKey)
	}
}

// The longest subject of a message, in characters, and the longest message of a topic that has no limit of its own, in
// bytes.
const (
	maximumSubject = 100
	maximumMessage = 256 << 10
)

// checkMessages refuses messages that SNS does not take. A subject in UTF-8 is refused, although SNS takes it by now:
// what passes here passes everywhere.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func checkMessages(_ context.Context, call api.Call) error {
	subjects := append(call.Texts("Subject"), call.Texts("PublishBatchRequestEntries.Subject")...)
	for _, subject := range subjects {
		printable := strings.IndexFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }) < 0
		if !printable || subject == "" || subject[0] == ' ' || utf8.RuneCountInString(subject) > maximumSubject {
			return api.Errorf("InvalidParameter", "Invalid parameter: Subject")
		}
	}
	size := 0
	for _, message := range append(call.Texts("Message"), call.Texts("PublishBatchRequestEntries.Message")...) {
		if message == "" {
			return api.Errorf("InvalidParameter", "Invalid parameter: Empty message")
		}
		size += len(message)
	}
	if size > maximumMessage {
		return api.Errorf("InvalidParameter", "Invalid parameter: Message too long")
	}
	return nil
}
