package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/trailguard/trailguard/localaws/api"
)

// maximumTargets is how many targets a rule may have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maximumTargets = 5

// Target is what a rule starts. At most one of Input, InputPath and Transformer is set; without any, the target gets the
// event.
type Target struct {
	ID            string
	ARN           string
	RoleARN       string
	Input         string
	InputPath     string
	Transformer   *Transformer
	RetryPolicy   *RetryPolicy // nil: DefaultRetryPolicy
	DeadLetterARN string
}

// RetryPolicy bounds the retries of a failed invocation; whichever bound is met first ends them.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
type RetryPolicy struct {
	MaximumEventAgeSeconds int // 60 to 86,400
	MaximumRetryAttempts   int // 0 to 185
}

// DefaultRetryPolicy applies where a target says nothing: 24 hours, 185 times.
var DefaultRetryPolicy = RetryPolicy{MaximumEventAgeSeconds: 86400, MaximumRetryAttempts: 185}

func (p RetryPolicy) age() time.Duration {
	return time.Duration(p.MaximumEventAgeSeconds) * time.Second
}

func (t Target) retryPolicy() RetryPolicy {
	if t.RetryPolicy == nil {
		return DefaultRetryPolicy
	}
	return *t.RetryPolicy
}

// ParseTarget reads a target as it is put or deployed. rule is where its rule is.
func ParseTarget(deployed types.Target, rule api.Place) (Target, error) {
	if deployed.AppSyncParameters != nil || deployed.BatchParameters != nil || deployed.EcsParameters != nil ||
		deployed.HttpParameters != nil || deployed.KinesisParameters != nil || deployed.RedshiftDataParameters != nil ||
		deployed.RunCommandParameters != nil || deployed.SageMakerPipelineParameters != nil || deployed.SqsParameters != nil {
		return Target{}, fmt.Errorf("parameters of a kind of target are %w", ErrNotModelled)
	}
	target := Target{
		ID: aws.ToString(deployed.Id), ARN: aws.ToString(deployed.Arn), RoleARN: aws.ToString(deployed.RoleArn),
		Input: aws.ToString(deployed.Input), InputPath: aws.ToString(deployed.InputPath),
	}
	if transformer := deployed.InputTransformer; transformer != nil {
		target.Transformer = &Transformer{transformer.InputPathsMap, aws.ToString(transformer.InputTemplate)}
	}
	if deployed.DeadLetterConfig != nil {
		target.DeadLetterARN = aws.ToString(deployed.DeadLetterConfig.Arn)
	}
	if given := deployed.RetryPolicy; given != nil {
		policy := DefaultRetryPolicy
		if given.MaximumEventAgeInSeconds != nil {
			policy.MaximumEventAgeSeconds = int(*given.MaximumEventAgeInSeconds)
		}
		if given.MaximumRetryAttempts != nil {
			policy.MaximumRetryAttempts = int(*given.MaximumRetryAttempts)
		}
		target.RetryPolicy = &policy
	}
	return target, target.validate(rule)
}

func (t Target) validate(rule api.Place) error {
	kind, _, err := targetOf(t.ARN, rule)
	if err != nil {
		return err
	}
	if kind == automation && t.RoleARN == "" {
		return errors.New("an automation definition needs a RoleArn")
	}
	if kind == eventBus && t.RoleARN == "" {
		return errors.New("an event bus needs a RoleArn")
	}
	if kind == eventBus && (t.Input != "" || t.InputPath != "" || t.Transformer != nil) {
		return errors.New("an event bus gets the event itself: Input, InputPath and InputTransformer are not available")
	}
	if t.DeadLetterARN != "" {
		if kind, _, err := targetOf(t.DeadLetterARN, rule); err != nil || kind != queue {
			return fmt.Errorf("dead-letter target %s is not a queue", t.DeadLetterARN)
		}
	}
	inputs := 0
	if t.Input != "" {
		inputs++
		if n := len([]rune(t.Input)); n > maximumInput || !json.Valid([]byte(t.Input)) {
			return fmt.Errorf("input of %d characters is longer than %d or not JSON", n, maximumInput)
		}
	}
	if t.InputPath != "" {
		inputs++
		err = checkPath(t.InputPath)
	}
	if t.Transformer != nil {
		inputs++
		err = t.Transformer.Validate()
	}
	if inputs > 1 {
		return errors.New("only one of Input, InputPath and InputTransformer is allowed")
	}
	if policy := t.retryPolicy(); policy.MaximumEventAgeSeconds < 60 || policy.MaximumEventAgeSeconds > 86400 ||
		policy.MaximumRetryAttempts < 0 || policy.MaximumRetryAttempts > 185 {
		return fmt.Errorf("retry policy %+v is outside of 60 to 86400 seconds and 0 to 185 attempts", policy)
	}
	return err
}

type targetKind int

const (
	automation targetKind = iota + 1
	topic
	queue
	eventBus
)

var busARN = regexp.MustCompile(`\Aarn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]+:event-bus/[A-Za-z0-9_./-]+\z`)

var targetARN = regexp.MustCompile(`\Aarn:aws[a-z-]*:(ssm|sns|sqs):([a-z0-9-]+):([0-9]+):(automation-definition/)?([A-Za-z0-9_.-]+(:[A-Za-z0-9$]+)?)\z`)

// targetOf tells the kind of a target and its name: that of a topic or queue, or a document's, with its version if the
// ARN has one. Targets of another account or Region than the rule's, but for event buses, and of another kind, are not modelled.
func targetOf(arn string, rule api.Place) (targetKind, string, error) {
	if busARN.MatchString(arn) {
		return eventBus, arn, nil
	}
	parts := targetARN.FindStringSubmatch(arn)
	if parts == nil || parts[2] != rule.Region || parts[3] != rule.Account {
		return 0, "", fmt.Errorf("target %s is %w", arn, ErrNotModelled)
	}
	kinds := map[string]targetKind{"ssmautomation-definition/": automation, "sns": topic, "sqs": queue}
	kind := kinds[parts[1]+parts[4]]
	if kind == 0 || (kind != automation && parts[6] != "") {
		return 0, "", fmt.Errorf("target %s is %w", arn, ErrNotModelled)
	}
	return kind, parts[5], nil
}
