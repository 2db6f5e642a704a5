package status

import (
	"context"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

var noTopic = []string{"NotFound", "NotFoundException"}

// lookAtTopic compares a topic with the template's.
func lookAtTopic(ctx context.Context, v *view, r resource, f *Finding) {
	got, err := v.SNS.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &r.name})
	switch f.read(err, noTopic...) {
	case gone:
		f.wrong(revert+", and have people confirm their subscriptions again", "it is deleted")
	case seen:
		for _, name := range []string{"DeliveryPolicy", "DisplayName", "KmsMasterKeyId"} {
			mend := revert
			if r.properties[name] == nil { // CloudFormation leaves what the template does not declare
				mend = "aws sns set-topic-attributes --topic-arn " + r.name + " --attribute-name " + name + " --attribute-value ''"
			}
			f.compare(mend, name, r.properties[name], orNone(got.Attributes[name]))
		}
	}
}

// lookAtTopicPolicy compares the policy of topics with the template's.
func lookAtTopicPolicy(ctx context.Context, v *view, r resource, f *Finding) {
	for _, topic := range list(r.properties["Topics"]) {
		arn, isARN := topic.(string)
		if !isARN {
			f.compare(revert, "Topics", topic, nil)
			continue
		}
		f.Name = arn
		got, err := v.SNS.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
		switch f.read(err, noTopic...) {
		case gone:
			f.wrong(revert, "the topic is deleted")
		case seen:
			f.comparePolicy(r.properties["PolicyDocument"], got.Attributes["Policy"])
		}
	}
}

// subscriptions are those of a topic.
func subscriptions(ctx context.Context, api SNS, topic string) (all []types.Subscription, err error) {
	pages := sns.NewListSubscriptionsByTopicPaginator(api, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Subscriptions...)
	}
	return all, nil
}

// isConfirmed tells whether a subscription has an ARN, which it gets when it is confirmed.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func isConfirmed(subscription types.Subscription) bool {
	return !slices.Contains([]string{"", "PendingConfirmation", "pending confirmation", "Deleted"}, aws.ToString(subscription.SubscriptionArn))
}

// alertTopic is the topic that people are told by; empty if the stack has none.
func (v *view) alertTopic() string {
	if topics := v.stack.of("AWS::SNS::Topic"); v.guard.AlertTopicARN == "" && len(topics) > 0 {
		return topics[0].name
	}
	return v.guard.AlertTopicARN
}

var busARN = regexp.MustCompile(`^arn:[^:]+:events:[^:]+:[0-9]{12}:event-bus/[^:/]`)

// centralBus is an event bus to which a rule of the stack sends; empty if none does.
func (v *view) centralBus() string {
	for _, rule := range v.stack.of("AWS::Events::Rule") {
		for _, target := range list(rule.properties["Targets"]) {
			if arn, _ := member(target, "Arn").(string); busARN.MatchString(arn) {
				return arn
			}
		}
	}
	return ""
}

// lookAtPeople looks whether anybody gets what the alert topic tells, all of it.
func lookAtPeople(ctx context.Context, v *view, f *Finding) {
	topic := v.alertTopic()
	all, err := subscriptions(ctx, v.SNS, topic)
	switch f.read(err, noTopic...) {
	case unseen:
		return
	case gone:
		mend := revert
		if _, own := v.stack.named("AWS::SNS::Topic", topic); !own {
			mend = "create it again, or deploy with another AlertTopic"
		}
		f.wrong(mend, "the topic is deleted: nobody is told anything")
		return
	}
	confirmed := 0
	for _, subscription := range all {
		if !isConfirmed(subscription) {
			f.warn("confirm it by the message that "+aws.ToString(subscription.Endpoint)+" got; to get another: aws sns subscribe", "%s %s has not confirmed its subscription",
				aws.ToString(subscription.Protocol), aws.ToString(subscription.Endpoint))
			continue
		}
		confirmed++
		lookAtFilter(ctx, v, subscription, f)
	}
	subscribe := "aws sns subscribe --topic-arn " + topic + " --protocol email --notification-endpoint ADDRESS, and confirm it"
	switch bus := v.centralBus(); {
	case confirmed > 0:
	case bus != "":
		f.warn(subscribe, "nobody has a confirmed subscription: of an alarm that rings nobody is told; the rest is told by way of %s", bus)
	default:
		f.wrong(subscribe, "nobody has a confirmed subscription: nobody is told anything")
	}
}

// lookAtFilter looks whether a subscription has a filter, which may keep everything away, that the template does not declare.
func lookAtFilter(ctx context.Context, v *view, subscription types.Subscription, f *Finding) {
	got, err := v.SNS.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: subscription.SubscriptionArn})
	if f.read(err, noTopic...) != seen {
		return
	}
	declared, _ := v.stack.named("AWS::SNS::Subscription", aws.ToString(subscription.SubscriptionArn))
	f.compare("aws sns set-subscription-attributes --attribute-name FilterPolicy --attribute-value '{}' --subscription-arn "+aws.ToString(subscription.SubscriptionArn),
		"FilterPolicy of "+aws.ToString(subscription.Endpoint), declared.properties["FilterPolicy"], pruned(opened(got.Attributes["FilterPolicy"])))
}

// lookAtSubscription looks whether a subscription of the template is there.
func lookAtSubscription(ctx context.Context, v *view, r resource, f *Finding) {
	f.Name = r.text("Protocol") + " " + r.text("Endpoint")
	all, err := subscriptions(ctx, v.SNS, r.text("TopicArn"))
	switch f.read(err, noTopic...) {
	case unseen:
		return
	case gone:
		f.wrong(revert, "the topic is deleted")
		return
	}
	if !slices.ContainsFunc(all, func(one types.Subscription) bool {
		return aws.ToString(one.Endpoint) == r.text("Endpoint") && aws.ToString(one.Protocol) == r.text("Protocol")
	}) {
		f.wrong(revert+", and confirm it again", "it is deleted")
	}
}
