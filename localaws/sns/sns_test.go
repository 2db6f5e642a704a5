package sns_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/trailguard/trailguard/localaws/internal/world"
	localsns "github.com/trailguard/trailguard/localaws/sns"
)

func checkedWorld(t *testing.T) *world.World {
	t.Helper()
	w := world.New(t)
	w.Serve(localsns.Service{CheckKey: w.CheckTopicKey})
	return w
}

func TestMessagesThatSNSRefusesAreNotPublished(t *testing.T) {
	long := strings.Repeat("x", 100)
	subject := func(s string) func(*sns.PublishInput) { return func(in *sns.PublishInput) { in.Subject = &s } }
	message := func(s string) func(*sns.PublishInput) { return func(in *sns.PublishInput) { in.Message = &s } }
	for what, test := range map[string]struct {
		change func(*sns.PublishInput)
		want   string
	}{
		"no subject":             {func(*sns.PublishInput) {}, ""},
		"a subject":              {subject("Trail org-trail: repaired (100%)"), ""},
		"100 characters":         {subject(long), ""},
		"101 characters":         {subject(long + "x"), "InvalidParameter"},
		"a line break":           {subject("a\nb"), "InvalidParameter"},
		"a tab":                  {subject("a\tb"), "InvalidParameter"},
		"a dash beyond ASCII":    {subject("a – b"), "InvalidParameter"},
		"a space at the start":   {subject(" a"), "InvalidParameter"},
		"an empty subject":       {subject(""), "InvalidParameter"},
		"an empty message":       {message(""), "InvalidParameter"},
		"256 KB":                 {message(strings.Repeat("x", 262144)), ""},
		"256 KB and a byte":      {message(strings.Repeat("x", 262145)), "InvalidParameter"},
		"256 KB in bytes":        {message(strings.Repeat("ü", 131072)), ""},
		"more than 256 KB bytes": {message(strings.Repeat("ü", 131073)), "InvalidParameter"},
	} {
		w := checkedWorld(t)
		input := &sns.PublishInput{TopicArn: aws.String(world.TopicARN), Message: aws.String("what happened")}
		test.change(input)
		_, err := sns.NewFromConfig(w.As(world.Mallory)).Publish(t.Context(), input)
		if got := world.Code(err); got != test.want {
			t.Errorf("%s: got %q (%.200v), want %q", what, got, err, test.want)
		}
		call := w.Calls()[0]
		if call.ErrorCode != test.want || call.Text("Message") != *input.Message || call.Text("Subject") != aws.ToString(input.Subject) {
			t.Errorf("%s: the call is recorded with the subject %q and the code %q", what, call.Text("Subject"), call.ErrorCode)
		}
	}
	w := checkedWorld(t)
	_, err := sns.NewFromConfig(w.As(world.Mallory)).PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: aws.String(world.TopicARN),
		PublishBatchRequestEntries: []snstypes.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("m"), Subject: aws.String("a\nb")}}})
	world.WantCode(t, err, "InvalidParameter")
}
