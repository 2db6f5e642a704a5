package status

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/trailguard/trailguard/drill/deployed"
)

// ErrNothingSeen is what Inspect's error wraps if the caller could look at nothing but the stack.
var ErrNothingSeen = errors.New("nothing could be seen")

// Options say how a guard is looked at.
type Options struct {
	// Template is the template that the stack should have, as `cdk synth` writes it.
	//
	// Default: - the stack's template is the measure, and nothing is its measure.
	Template string
	// Timeout is how long one part may take.
	//
	// Default: - thirty seconds.
	Timeout time.Duration
	// Progress is told of each part that was looked at.
	//
	// Default: - nobody is told.
	Progress func(done, all int, last Finding)
	// choose leaves parts out.
	//
	// Default: - all parts are looked at.
	choose func(Finding) bool
	// among are the other stacks of the organization. A stack of an organization need not hold a guard.
	//
	// Default: - the stack is looked at alone.
	among *others
}

// Report is what was seen of a stack.
type Report struct {
	// Guard is the guard that the stack holds. Of a stack without one it has the name of the stack alone.
	Guard deployed.Guard
	// Region is where the stack is.
	Region   string
	Findings []Finding
}

// Whole tells whether all of the guard was seen, and nothing is wrong.
func (r Report) Whole() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Whole() })
}

// Wrong is the number of parts of which something is wrong.
func (r Report) Wrong() int {
	return r.count(func(f Finding) bool { return len(f.Problems) > 0 })
}

// NotSeen is the number of parts that could not be looked at, or not at all of them.
func (r Report) NotSeen() int {
	return r.count(func(f Finding) bool { return len(f.NotSeen) > 0 })
}

func (r Report) count(is func(Finding) bool) (n int) {
	for _, finding := range r.Findings {
		if is(finding) {
			n++
		}
	}
	return n
}

// atOnce is how many parts are looked at at the same time: CloudTrail, Systems Manager and Config take a few reads a second.
const atOnce = 6

// Inspect looks at each part of the guard of a stack at a time. It fails if there is no guard, the stack cannot be read, which is the
// measure, or nothing else can be read.
func Inspect(ctx context.Context, clients Clients, name string, now time.Time, options Options) (Report, error) {
	if options.Timeout == 0 {
		options.Timeout = 30 * time.Second
	}
	if options.Progress == nil {
		options.Progress = func(int, int, Finding) {}
	}
	limited, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	read, err := readStack(limited, clients.CloudFormation, name)
	if err != nil {
		return Report{}, err
	}
	guard, err := deployed.GuardOf(name, read.described.Outputs, contentOf(read))
	if options.among != nil && errors.Is(err, deployed.ErrNoGuard) {
		guard, err = deployed.Guard{Stack: name}, nil
	}
	if err != nil {
		return Report{}, err
	}
	v := &view{Clients: clients, stack: read, guard: guard, now: now, among: options.among}
	if bus := v.centralBus(); bus != "" {
		options.among.send(read.account(), bus)
	}
	parts := v.parts(options.Template)
	if options.choose != nil {
		parts = slices.DeleteFunc(parts, func(p part) bool { return !options.choose(p.Finding) })
	}
	v.lookAt(ctx, parts, options)
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	report := Report{Guard: guard, Region: read.resolver.pseudo["AWS::Region"]}
	seen := 0
	for _, p := range parts {
		report.Findings = append(report.Findings, p.Finding)
		if p.Part != "stack" {
			seen += p.seen
		}
	}
	if seen == 0 && len(parts) > 1 {
		return report, ErrNothingSeen
	}
	return report, nil
}

// lookAt looks at parts, some at the same time.
func (v *view) lookAt(ctx context.Context, parts []part, options Options) {
	var (
		looking sync.WaitGroup
		telling sync.Mutex
		done    int
		free    = make(chan struct{}, atOnce)
	)
	for i := range parts {
		looking.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			limited, cancel := context.WithTimeout(ctx, options.Timeout)
			defer cancel()
			parts[i].look(limited, v, &parts[i].Finding)
			telling.Lock()
			defer telling.Unlock()
			done++
			options.Progress(done, len(parts), parts[i].Finding)
		})
	}
	looking.Wait()
}
