package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/status"
)

// ofLogStore are the kinds of parts that a log store has.
var ofLogStore = []string{"bucket", "bucket policy", "key"}

// passing are the kinds of parts that say what happened, not what is: a drill changes what they say.
var passing = []string{"stack", "trail", "delivery of trail", "other trails", "organization", "runs of runbook", "alert subscriptions"}

// parts are the problems of each part of a log store and a guard, in words, by the kind and the name of the part.
type parts map[string][]string

// readParts looks at each part. What may not be read has no problem that is known.
func readParts(ctx context.Context, config aws.Config, stack string, now time.Time) (parts, error) {
	report, err := status.Inspect(ctx, status.NewClients(config), stack, now, status.Options{})
	if err != nil {
		return nil, fmt.Errorf("looking at the parts of the guard: %w", err)
	}
	found := parts{}
	for _, finding := range report.Findings {
		if slices.Contains(passing, finding.Part) {
			continue
		}
		problems := []string{}
		for _, problem := range finding.Problems {
			problems = append(problems, problem.What)
		}
		found[finding.Part+" "+finding.Name] = problems
	}
	return found, nil
}

// wrongInLogStore is what is not as declared in the log store.
func (p parts) wrongInLogStore() (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if slices.ContainsFunc(ofLogStore, func(kind string) bool { return strings.HasPrefix(name, kind+" ") }) {
			for _, problem := range p[name] {
				wrong = append(wrong, name+": "+problem)
			}
		}
	}
	return wrong
}

// differences are what is wrong in parts and was not before, and what was wrong and is not.
func (p parts) differences(before parts) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if !slices.Equal(p[name], before[name]) {
			all = append(all, fmt.Sprintf("%s: %s; before: %s", name, said(p[name]), said(before[name])))
		}
	}
	return all
}

func said(problems []string) string {
	if len(problems) == 0 {
		return "nothing is wrong"
	}
	return strings.Join(problems, ", ")
}

// besides tells whether attempts tamper with more than the trail.
func besides(attempts []drill.Attempt) bool {
	return slices.ContainsFunc(attempts, func(a drill.Attempt) bool { return a.Scenario.Part() != drill.Trail })
}

// whole are the parts of a guard before attempts. It fails if the log store is to be tampered with and is not as declared.
func whole(ctx context.Context, config aws.Config, stack string, now time.Time, attempts []drill.Attempt) (parts, error) {
	if !besides(attempts) {
		return nil, nil
	}
	found, err := readParts(ctx, config, stack, now)
	if err != nil {
		return nil, err
	}
	store := slices.ContainsFunc(attempts, func(a drill.Attempt) bool { return a.Scenario.Part() == drill.LogStore })
	if wrong := found.wrongInLogStore(); store && len(wrong) > 0 {
		return nil, fmt.Errorf("the log store is not in its declared state before the tampering: %s", strings.Join(wrong, "; "))
	}
	return found, nil
}

// wantAsBefore fails if a part is not as it was before. It looks also if ctx has ended.
func (p parts) wantAsBefore(ctx context.Context, config aws.Config, stack string, now time.Time) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	found, err := readParts(ctx, config, stack, now)
	if err != nil {
		return err
	}
	if different := found.differences(p); len(different) > 0 {
		return fmt.Errorf("after the drill the guard is not as before: %s", strings.Join(different, "; "))
	}
	return nil
}

// needsListener tells whether people must be told of one of the attempts.
func needsListener(lists ...[]drill.Attempt) bool {
	return slices.ContainsFunc(slices.Concat(lists...), func(a drill.Attempt) bool { return a.Scenario.Told != "" })
}

// closed clears away, also if ctx has ended.
func closed(ctx context.Context, clear func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return clear(ctx)
}
