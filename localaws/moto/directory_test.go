package moto

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

func TestADirectoryOfAMotoThatDoesNotAnswerFails(t *testing.T) {
	ended := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer silent.Close()
	defer close(ended)
	directory := NewDirectory(ClientConfig(silent.URL, api.Home(), 20*time.Millisecond))
	if _, err := directory.BucketPolicy(t.Context(), "logs"); err == nil || api.IsRefusal(err) {
		t.Errorf("got %v", err)
	}
}
