// Package moto runs the part of the local AWS that is moto_server: S3, KMS, IAM, STS, SSM documents, EventBridge rules,
// SNS, SQS, CloudWatch, Organizations, and CloudFormation.
//
// The Python files beside this one start it and replace its CloudFormation engine: resources are deployed through the AWS
// APIs at the gateway, in the order that the template demands, and a resource type, property or function that is not
// modelled fails the deployment. moto's own engine skips what it does not know and reports success.
package moto

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

//go:embed *.py
var plugin embed.FS

const (
	startTimeout = 5 * time.Minute // importing moto takes two seconds of processor time, and machines can be very busy
	stopTimeout  = 5 * time.Second
	announcement = "listening on "
)

// Options say how to start moto.
type Options struct {
	// Python is the path of an interpreter that has the packages of requirements.txt. Required.
	Python string

	// GatewayURL is the endpoint that CloudFormation's resource handlers call, with the credentials of whoever called
	// CloudFormation. Required. A gateway that forwards a call to CloudFormation must be able to answer other calls
	// meanwhile.
	GatewayURL string
}

// Server is a running moto. Its state is empty at first.
type Server struct {
	url    string
	dir    string
	cmd    *exec.Cmd
	stdin  io.Closer
	output *api.Tail
	exited chan struct{} // closed once the process has ended and its output is complete
}

// Start starts moto on a free port of 127.0.0.1 and returns once it answers. The process ends when Stop is called, and at
// the latest when this process does, because its standard input is closed then.
func Start(ctx context.Context, options Options) (_ *Server, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("starting moto: %w", err)
		}
	}()
	if options.Python == "" || options.GatewayURL == "" {
		return nil, errors.New("the options Python and GatewayURL are required")
	}
	if _, err := exec.LookPath(options.Python); err != nil {
		return nil, fmt.Errorf("no Python interpreter (run `make setup`): %w", err)
	}
	dir, err := os.MkdirTemp("", "trailguard-moto-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, output: &api.Tail{Size: 64 << 10}, exited: make(chan struct{})}
	if err := s.start(ctx, options); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, options Options) error {
	if err := os.CopyFS(s.dir, plugin); err != nil {
		return err
	}
	// The process outlives ctx, which bounds only the start.
	s.cmd = exec.Command(options.Python, "-B", filepath.Join(s.dir, "server.py"), "--gateway", options.GatewayURL)
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "MOTO_ACCOUNT_ID=") })
	s.cmd.Stderr = s.output
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.stdin = stdin

	ready := make(chan string, 1)
	go func() {
		defer close(s.exited)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), announcement); ok {
				ready <- url
				break
			}
			fmt.Fprintln(s.output, lines.Text())
		}
		_, _ = io.Copy(s.output, stdout)
		_ = s.cmd.Wait()
	}()

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case s.url = <-ready:
		return nil
	case <-s.exited:
		return s.explain()
	case <-ctx.Done():
		return fmt.Errorf("waiting for it to listen: %w\n%s", ctx.Err(), s.Output())
	}
}

// explain says why the process ended by itself.
func (s *Server) explain() error {
	output := s.Output()
	if strings.Contains(output, "ModuleNotFoundError") || strings.Contains(output, "ImportError") {
		lines := strings.Split(strings.TrimSpace(output), "\n")
		return fmt.Errorf("the Python packages of requirements.txt are not installed in %s, run `make setup`: %s",
			s.cmd.Path, lines[len(lines)-1])
	}
	return fmt.Errorf("%s: %s", s.cmd.ProcessState, output)
}

// URL is the endpoint of moto, such as http://127.0.0.1:38121.
func (s *Server) URL() string { return s.url }

// Output is the end of what moto wrote to its standard output and error, such as the trace of a failed request.
func (s *Server) Output() string { return s.output.String() }

// Reset forgets everything that moto holds. It takes a fraction of a second, so that tests can share one process.
func (s *Server) Reset(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/moto-api/reset", nil)
	if err != nil {
		return fmt.Errorf("resetting moto: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("resetting moto: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("resetting moto: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("resetting moto: %s: %s", response.Status, body)
	}
	return nil
}

// Stop ends moto and removes its temporary files. It may be called more than once.
func (s *Server) Stop() error {
	if s.stdin != nil {
		_ = s.stdin.Close()
		select {
		case <-s.exited:
		case <-time.After(stopTimeout):
			_ = s.cmd.Process.Kill()
			<-s.exited
		}
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("stopping moto: %w", err)
	}
	return nil
}
