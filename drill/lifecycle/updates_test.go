package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudformationtypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/configservice"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/drill/internal/testbed"
	"github.com/trailguard/trailguard/internal/updates"
	"github.com/trailguard/trailguard/localaws"
)

// apart are the updates that have a test of their own, for what they leave behind cannot be changed back by an update.
var apart = []string{"TrailName, another", "OrganizationId, set", "PreviousTrailNames, with the new name", "PreviousTrailNames, dropped", "ObjectLockRetention, set"}

// batch are updates that change different places of the default template: they are deployed at once.
type batch []updates.Update

func (b batch) String() string {
	var names []string
	for _, u := range b {
		names = append(names, u.String())
	}
	return strings.Join(names, " and ")
}

// template is the default one with all changes of the batch.
func (b batch) template(def testbed.Template) testbed.Template {
	var changes []updates.Change
	for _, u := range b {
		changes = append(changes, u.After...)
	}
	return updates.Apply(def, changes)
}

// touches tells whether an update changes a place that one of the batch changes, or what is in it, or what it is in. The repair of the log
// store has the log store's settings in its runbook: it would undo what another update of the batch changes in the log store alone.
func (b batch) touches(u updates.Update) bool {
	const repair = "RepairLogStore"
	if len(b) > 0 && (u.Prop == repair || b[0].Prop == repair) {
		return true
	}
	within := func(one, other []string) bool { return len(one) <= len(other) && slices.Equal(one, other[:len(one)]) }
	for _, mine := range b {
		for _, change := range mine.After {
			for _, other := range u.After {
				if within(change.Path, other.Path) || within(other.Path, change.Path) {
					return true
				}
			}
		}
	}
	return false
}

// batches puts each update of the default template into the first batch that it fits.
func batches(all []updates.Update) []batch {
	var found []batch
	for _, u := range all {
		if len(u.Before) > 0 || slices.Contains(apart, u.String()) {
			continue
		}
		i := slices.IndexFunc(found, func(b batch) bool { return !b.touches(u) })
		if i < 0 {
			found, i = append(found, nil), len(found)
		}
		found[i] = append(found[i], u)
	}
	return found
}

// TestAStackIsUpdatedPropByProp updates one stack from each value of a property to the next. After each update what is retained is
// the same as before, people are still subscribed, and the end of the deployment has put the trail into its new declared state.
func TestAStackIsUpdatedPropByProp(t *testing.T) {
	all, def := readUpdates(t)
	s := deploy(t, def)
	s.wantDeclared()
	s.keep()
	find := func(name string) updates.Update {
		i := slices.IndexFunc(all, func(u updates.Update) bool { return u.String() == name })
		if i < 0 {
			t.Fatalf("there is no update %s", name)
		}
		return all[i]
	}
	done := len(apart)
	for _, b := range batches(all) {
		t.Run(b.String(), func(t *testing.T) {
			s.t = t
			s.change(b.template(def))
		})
		done += len(b)
	}
	for _, u := range all {
		if len(u.Before) == 0 || slices.Contains(apart, u.String()) {
			continue
		}
		t.Run(u.String(), func(t *testing.T) {
			s.t = t
			before := updates.Apply(def, u.Before)
			s.change(before)
			s.change(updates.Apply(def, u.After))
			s.change(before)
		})
		done++
	}
	if done != len(all) {
		t.Errorf("%d of %d updates were made", done, len(all))
	}

	// The old trail of a guard whose trail is renamed is nobody's resource. It may write to the log as long as it is named.
	t.Run("the trail is renamed", func(t *testing.T) {
		s.t = t
		s.change(def)
		old := s.guard.TrailARN
		for _, step := range []struct {
			update   string
			delivers bool
		}{
			{"PreviousTrailNames, with the new name", true},
			{"PreviousTrailNames, dropped", false},
		} {
			s.change(updates.Apply(def, find(step.update).After))
			if s.guard.TrailARN == old {
				t.Fatal("the trail was not renamed")
			}
			if problems := deliver(t, old); (problems == "") != step.delivers {
				t.Errorf("%s: that the old trail delivers should be %t, and it meets %q", step.update, step.delivers, problems)
			}
		}
		s.change(def)
		s.change(updates.Apply(def, find("TrailName, another").After))
		if problems := deliver(t, old); problems == "" {
			t.Error("the old trail, which is not named, delivers")
		}
	})

	// Object Lock cannot be disabled, whatever CloudFormation tries.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
	t.Run("log files are locked", func(t *testing.T) {
		s.t = t
		locked := updates.Apply(def, find("ObjectLockRetention, set").After)
		s.change(locked)
		s.update(def, cloudformationtypes.StackStatusUpdateRollbackComplete)
		s.read(locked)
		s.wantDeclared()
		s.wantKept()
	})
}

// TestAnOrganizationTrailIsMadeItsAccountsBeforeItsOrganizationIsTakenAway: a guard never makes an organization's trail an account's, and
// the log bucket's policy names the organization.
func TestAnOrganizationTrailIsMadeItsAccountsBeforeItsOrganizationIsTakenAway(t *testing.T) {
	all, def := readUpdates(t)
	i := slices.IndexFunc(all, func(u updates.Update) bool { return u.Prop == "OrganizationId" })
	organization := updates.Apply(def, all[i].After)
	s := deploy(t, def)
	s.keep()
	s.change(organization)
	isOrganizations := func() bool {
		got, err := local.Clients.CloudTrail.GetTrail(t.Context(), &cloudtrail.GetTrailInput{Name: &s.guard.TrailARN})
		testbed.Must(t, err)
		return *got.Trail.IsOrganizationTrail
	}
	if !isOrganizations() {
		t.Fatal("the trail is not the organization's")
	}
	s.update(def, cloudformationtypes.StackStatusUpdateComplete)
	s.read(def)
	if problems := deliver(t, s.guard.TrailARN); !isOrganizations() || !strings.Contains(problems, "AccessDenied") {
		t.Errorf("that the trail is the organization's is %t, and it meets %q", isOrganizations(), problems)
	}
	s.change(organization)
	_, err := local.Clients.CloudTrail.UpdateTrail(t.Context(), &cloudtrail.UpdateTrailInput{Name: &s.guard.TrailARN, IsOrganizationTrail: aws.Bool(false)})
	testbed.Must(t, err)
	s.change(def) // before what UpdateTrail starts
	if isOrganizations() {
		t.Error("the trail is the organization's")
	}
	testbed.Must(t, local.Advance(t.Context(), time.Hour))
	s.wantDeclared()
}

// change updates the stack, and reports what is lost, or not as declared then.
func (s *stack) change(tpl testbed.Template) {
	s.t.Helper()
	had, ids := s.physical, retained(s.tpl)
	ownsRecorder := func(tpl testbed.Template) bool { return len(tpl.Resources("AWS::Config::ConfigurationRecorder")) > 0 }
	if ownsRecorder(tpl) && !ownsRecorder(s.tpl) {
		deleteRecorder(s.t)
	}
	s.update(tpl, cloudformationtypes.StackStatusUpdateComplete)
	if ownsRecorder(s.tpl) && !ownsRecorder(tpl) {
		testbed.Must(s.t, localaws.PutRecorder(s.t.Context(), local.Admin))
	}
	s.read(tpl)
	for _, id := range ids {
		if now, stays := s.physical[id]; stays && now != had[id] {
			s.t.Errorf("%s was %s and is %s", id, had[id], now)
		}
	}
	if got, want := s.subscribers(), s.declaredSubscribers(); !slices.Equal(got, want) {
		s.t.Errorf("%v are subscribed, want %v", got, want)
	}
	s.wantDeclared()
	s.wantKept()
	s.keep()
}

// deleteRecorder deletes the account's own configuration recorder, of which an account has one in a Region, and its bucket.
func deleteRecorder(t *testing.T) {
	t.Helper()
	name := aws.String("default")
	_, err := local.Clients.Config.StopConfigurationRecorder(t.Context(), &configservice.StopConfigurationRecorderInput{ConfigurationRecorderName: name})
	testbed.Must(t, err)
	channels, err := local.Clients.Config.DescribeDeliveryChannels(t.Context(), &configservice.DescribeDeliveryChannelsInput{})
	testbed.Must(t, err)
	_, err = local.Clients.Config.DeleteDeliveryChannel(t.Context(), &configservice.DeleteDeliveryChannelInput{DeliveryChannelName: name})
	testbed.Must(t, err)
	_, err = local.Clients.Config.DeleteConfigurationRecorder(t.Context(), &configservice.DeleteConfigurationRecorderInput{ConfigurationRecorderName: name})
	testbed.Must(t, err)
	_, err = local.Clients.S3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: channels.DeliveryChannels[0].S3BucketName})
	testbed.Must(t, err)
}

// TestASubscriptionThatIsNamedByItsPlaceIsLost is the negative control of the subscriptions, which are named by their addresses: the
// local AWS loses them as CloudFormation does.
func TestASubscriptionThatIsNamedByItsPlaceIsLost(t *testing.T) {
	_, def := readUpdates(t)
	byPlace := func(addresses ...string) testbed.Template {
		tpl := testbed.Template(updates.Apply(def, nil))
		for i, address := range addresses {
			tpl["Resources"].(map[string]any)[fmt.Sprintf("Email%d", i)] = map[string]any{"Type": "AWS::SNS::Subscription", "Properties": map[string]any{
				"TopicArn": map[string]any{"Ref": "AlertingTopic08189029"}, "Protocol": "email", "Endpoint": address,
			}}
		}
		return tpl
	}
	s := deploy(t, byPlace("a@example.com", "b@example.com", "c@example.com"))
	if got := s.subscribers(); len(got) != 3 {
		t.Fatalf("%v are subscribed", got)
	}
	after := byPlace("b@example.com", "c@example.com")
	s.update(after, cloudformationtypes.StackStatusUpdateComplete)
	s.read(after)
	if got := s.subscribers(); len(got) != 0 {
		t.Errorf("%v are subscribed", got)
	}
}
