package moto

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/trailguard/trailguard/localaws/repository"
)

// interpreter writes a stand-in for Python, a shell script.
func interpreter(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx    context.Context
		python string
		want   []string
	}{
		"no interpreter is named": {t.Context(), "", []string{"Python and GatewayURL are required"}},
		"the interpreter is missing": {
			t.Context(), filepath.Join(t.TempDir(), "python"), []string{"no Python interpreter", "`make setup`"},
		},
		"moto is missing": {
			t.Context(), interpreter(t, `echo "Traceback (most recent call last):" >&2; echo "ModuleNotFoundError: No module named 'moto'" >&2; exit 1`),
			[]string{"requirements.txt", "`make setup`", "ModuleNotFoundError: No module named 'moto'"},
		},
		"it ends by itself": {t.Context(), interpreter(t, `echo "out of memory" >&2; exit 3`), []string{"exit status 3", "out of memory"}},
		"it never listens":  {ended, interpreter(t, `echo "still importing"; cat`), []string{"waiting for it to listen: context canceled"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Start(test.ctx, Options{Python: test.python, GatewayURL: "http://127.0.0.1:1"})
			if err == nil {
				t.Fatal("it started", s.Stop())
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestStopEndsTheProcessAndRemovesItsFiles(t *testing.T) {
	s, err := Start(t.Context(), Options{Python: repository.Python(), GatewayURL: gateway.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "server.py")); err != nil {
		t.Error(err)
	}
	start := time.Now()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// It ended because its standard input was closed, which is also what happens when this process dies.
	if !s.cmd.ProcessState.Success() || time.Since(start) > stopTimeout {
		t.Errorf("after %s: %s", time.Since(start), s.cmd.ProcessState)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", s.dir, err)
	}
	if response, err := http.Get(s.URL()); err == nil {
		response.Body.Close()
		t.Error("it still answers")
	}
	if err := s.Stop(); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestResetForgetsEverything(t *testing.T) {
	cfg := fresh(t)
	client := s3Client(cfg)
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("log")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("log")}); err != nil {
		t.Fatal(err)
	}
	if err := server.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("log")}); err == nil {
		t.Error("the bucket is still there")
	}
}

// TestAServiceThatIsNotImportedAtTheStartAnswers is about services for which something else stands in while moto is imported: see imports.py.
func TestAServiceThatIsNotImportedAtTheStartAnswers(t *testing.T) {
	fresh(t)
	for service, test := range map[string]struct{ target, body, want string }{
		"ec2": {"", "Action=DescribeRegions&Version=2016-11-15", "<regionName>eu-west-1</regionName>"},
		"ssm": {"AmazonSSM.SendCommand", `{"DocumentName": "AWS-RunShellScript", "Targets": [{"Key": "tag:a", "Values": ["b"]}]}`, `"Status":"Success"`},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL(), strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20300101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if test.target != "" {
			request.Header.Set("X-Amz-Target", test.target)
			request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if answer := strings.ReplaceAll(string(content), ": ", ":"); err != nil || !strings.Contains(answer, test.want) {
			t.Errorf("%s answers %s, %v: %s\n%s", service, response.Status, err, answer, server.Output())
		}
	}
}
