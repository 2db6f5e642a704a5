package cloudformation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
	"github.com/trailguard/trailguard/localaws/cloudformation"
	"github.com/trailguard/trailguard/localaws/internal/world"
)

const (
	own    = "111122223333"
	member = "444455556666"
)

func TestEachStatusOfAStackIsEmittedInItsAccount(t *testing.T) {
	var unread []cloudformation.Status
	var fails error
	var emitted []string
	var failures []error
	service := cloudformation.New(cloudformation.Options{
		Unread: func(context.Context) ([]cloudformation.Status, error) {
			found := unread
			unread = nil
			return found, fails
		},
		Clock: api.NewClock(time.Time{}), IDs: &api.IDs{},
		Emit: func(event map[string]any) {
			emitted = append(emitted, fmt.Sprint(event["account"], event["region"], event["resources"], world.At(event, "detail.status-details.status"),
				world.At(event, "detail.client-request-token")))
		},
		Fail: func(err error) { failures = append(failures, err) },
	})
	call := func(from, operation string, reached bool, want ...string) {
		t.Helper()
		emitted = nil
		request := api.Request{Call: api.Call{
			Service: from, Operation: operation, Place: api.Place{Account: own}, Input: map[string]any{"ClientRequestToken": "token"},
		}}
		if end := service.Begin(request); end != nil {
			end(api.Outcome{Reached: reached})
		}
		if !slices.Equal(emitted, want) {
			t.Errorf("%s: emitted were %v, want %v", operation, emitted, want)
		}
	}
	unread = []cloudformation.Status{{own, "us-east-1", "s1", "CREATE_IN_PROGRESS", ""}, {member, "eu-west-1", "s2", "CREATE_COMPLETE", ""}}
	call("cloudformation", "DescribeStacks", true)
	call("cloudformation", "CreateStack", false)
	call("cloudformation", "CreateStackInstances", true, own+"us-east-1[s1]CREATE_IN_PROGRESStoken", member+"eu-west-1[s2]CREATE_COMPLETE<nil>")
	call("cloudformation", "UpdateStack", true)
	unread = []cloudformation.Status{{member, "us-east-1", "s3", "CREATE_COMPLETE", ""}}
	call("organizations", "MoveAccount", true, member+"us-east-1[s3]CREATE_COMPLETE<nil>")
	if len(failures) > 0 {
		t.Error(failures)
	}
	fails = errors.New("no answer")
	call("cloudformation", "DeleteStack", true)
	if len(failures) != 1 {
		t.Errorf("the failures are %v, want one", failures)
	}
}
