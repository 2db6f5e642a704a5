package automation

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

//go:embed worker.py
var workerScript string

// scriptKey is the access key with which scripts sign. It opens nothing: see Engine.AccessKeyID.
const scriptKey = "ASIASCRIPTOFAUTOMATION"

const (
	defaultComputeLimit = time.Minute
	defaultStopTimeout  = 5 * time.Second
)

// WorkerOptions are the settings of a Worker.
type WorkerOptions struct {
	// Region is that of the scripts' clients.
	//
	// Default: - that of api.Home.
	Region string
	// Python is the path of an interpreter that has boto3. Required.
	Python string
	// ComputeLimit is how long a script may compute between two calls, on a real clock.
	//
	// Default: - a minute.
	ComputeLimit time.Duration
}

// Worker runs the scripts of any number of executions in one Python process. The process is started for the first
// script, and ends with Close, and at the latest with this process.
type Worker struct {
	options     WorkerOptions
	stopTimeout time.Duration // of a script, or the process, that is told to end

	mu      sync.Mutex
	process *process
	closed  bool
	last    int64 // id of a run
}

// NewWorker returns a worker.
func NewWorker(options WorkerOptions) *Worker {
	if options.ComputeLimit == 0 {
		options.ComputeLimit = defaultComputeLimit
	}
	if options.Region == "" {
		options.Region = api.Region
	}
	return &Worker{options: options, stopTimeout: defaultStopTimeout}
}

// Close ends the process, and every script with it. It may be called more than once.
func (w *Worker) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.process == nil {
		return nil
	}
	_ = w.process.stdin.Close()
	select {
	case <-w.process.ended:
	case <-time.After(w.stopTimeout):
		w.process.kill()
	}
	return nil
}

// job is a script to run, as worker.py takes it.
type job struct {
	Script      string `json:"script"`
	Handler     string `json:"handler"`
	Events      any    `json:"events"`
	Seed        string `json:"seed"`
	Credentials bool   `json:"credentials"`
}

// question is what a script waits for, or that it waits for nothing any more.
type question struct {
	ID      int64    `json:"id"`
	Request *request `json:"request"`
	Sleep   *float64 `json:"sleep"` // seconds
	End     *end     `json:"end"`
}

type request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

type end struct {
	Payload string `json:"payload"` // JSON
	Failure string `json:"failure"`
}

// message is what a script waited for: its start, a response, or with neither the end of a sleep.
type message struct {
	ID       int64     `json:"id"`
	Now      int64     `json:"now"` // nanoseconds
	Run      *job      `json:"run,omitempty"`
	Response *response `json:"response,omitempty"`
	Stop     bool      `json:"stop,omitempty"`
}

type response struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

// process is one Python process.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output api.Tail
	ended  chan struct{}

	mu   sync.Mutex // of writing, and of runs
	runs map[int64]*run
}

// run is one run of one script. It is not safe for concurrent use.
type run struct {
	id        int64
	worker    *Worker
	process   *process
	questions chan question
	over      bool
}

// errComputes is the error of a script that does not ask for anything.
var errComputes = errors.New("the script computes without end")

// start starts a script.
func (w *Worker) start(now time.Time, j job) (*run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errors.New("the worker is closed")
	}
	if w.process == nil || w.process.isEnded() {
		p, err := startProcess(w.options.Python, w.options.Region)
		if err != nil {
			return nil, fmt.Errorf("starting python: %w", err)
		}
		w.process = p
	}
	w.last++
	// A run asks for one thing at a time; the second place is for the end of one that is stopped while it asks.
	r := &run{id: w.last, worker: w, process: w.process, questions: make(chan question, 2)}
	w.process.mu.Lock()
	w.process.runs[r.id] = r
	w.process.mu.Unlock()
	return r, r.send(message{Now: now.UnixNano(), Run: &j})
}

func startProcess(python, region string) (*process, error) {
	if _, err := exec.LookPath(python); err != nil {
		return nil, fmt.Errorf("no interpreter (run `make setup`): %w", err)
	}
	p := &process{cmd: exec.Command(python, "-B", "-c", workerScript), output: api.Tail{Size: 16 << 10}, ended: make(chan struct{}), runs: map[int64]*run{}}
	// The settings of whoever runs this must not matter: only what an interpreter may need to find its packages is kept.
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH"} {
		if value, ok := os.LookupEnv(name); ok {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	p.cmd.Env = append(p.cmd.Env,
		"AWS_ACCESS_KEY_ID="+scriptKey, "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		// The address is never dialled. That it is an IP address makes S3 put the bucket into the path.
		"AWS_ENDPOINT_URL=http://127.0.0.1",
		"AWS_REQUEST_CHECKSUM_CALCULATION=when_required", "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required",
		// Sets have the same order in each run.
		"PYTHONHASHSEED=0",
	)
	p.cmd.Stderr = &p.output
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

// read hands the questions to their runs until the process ends.
func (p *process) read(stdout io.Reader) {
	defer close(p.ended)
	for decoder := json.NewDecoder(stdout); ; {
		var q question
		if err := decoder.Decode(&q); err != nil {
			// Whatever else it writes is of no use, and it must not wait for a reader.
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
			return
		}
		p.mu.Lock()
		r := p.runs[q.ID]
		if q.End != nil {
			delete(p.runs, q.ID)
		}
		p.mu.Unlock()
		if r != nil {
			r.questions <- q
		}
	}
}

func (p *process) isEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// send gives the script what it waits for.
func (r *run) send(m message) error {
	m.ID = r.id
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("answering the script: %w", err)
	}
	r.process.mu.Lock()
	defer r.process.mu.Unlock()
	if _, err := r.process.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("answering the script: %w: %s", err, r.process.output.String())
	}
	return nil
}

// next is the script's next question.
func (r *run) next(ctx context.Context) (question, error) {
	limit := time.NewTimer(r.worker.options.ComputeLimit)
	defer limit.Stop()
	select {
	case q := <-r.questions:
		r.over = q.End != nil
		return q, nil
	case <-r.process.ended:
		r.over = true
		return question{}, fmt.Errorf("python has ended: %s", r.process.output.String())
	case <-limit.C:
		return question{}, errComputes
	case <-ctx.Done():
		return question{}, fmt.Errorf("waiting for the script: %w", ctx.Err())
	}
}

// stop ends the script. One that cannot be ended takes the process, and so all others, with it.
func (r *run) stop() {
	if r.over {
		return
	}
	r.over = true
	if r.send(message{Stop: true}) == nil {
		for timeout := time.After(r.worker.stopTimeout); ; {
			select {
			case q := <-r.questions:
				if q.End != nil {
					return
				}
				continue
			case <-r.process.ended:
				return
			case <-timeout:
			}
			break
		}
	}
	r.process.kill()
}
