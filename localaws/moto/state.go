package moto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/trailguard/trailguard/localaws/api"
)

// StackSetsKeyHeader is the header of forwarded calls that holds the access key of StackSets: see stacksets.py.
const StackSetsKeyHeader = "X-Local-Stack-Sets-Key"

// State is what moto holds of all accounts and no API of AWS shows at once: see state.py.
type State struct {
	url    string
	client http.Client
}

// NewState returns the state of the moto at an endpoint. timeout is how long moto may take to answer.
func NewState(endpoint string, timeout time.Duration) *State {
	return &State{url: endpoint + "/localaws/", client: http.Client{Timeout: timeout, Transport: connections}}
}

// Organization is one organization of AWS Organizations.
type Organization struct {
	ID         string
	Management string // the account
	Root       string
	// Parents are the parents of accounts and organizational units, by their ids. The root has none.
	Parents map[string]string
	// Policies are those that are attached, by the id of the root, the organizational unit or the account.
	Policies map[string][]AttachedPolicy
	// PolicyTypes are the types of all policies, attached or not, by their ids.
	PolicyTypes map[string]string
	// Types are the types of policies that are enabled in the root.
	Types []string
	// Services have trusted access; Administrators are the delegated administrators of each service.
	Services       []string
	Administrators map[string][]string
}

// AttachedPolicy is a policy of an organization where it is attached.
type AttachedPolicy struct {
	Type       string
	AWSManaged bool
	Content    string
}

// NewMember is an account that a new organization has at once.
type NewMember struct {
	ID   string
	Unit string // the path of names to its organizational unit, which is made if there is none; empty for the root
}

// StackEvent is a status of a stack.
type StackEvent struct{ Account, Region, StackID, Status, Reason string }

// Organizations are all organizations.
func (s *State) Organizations(ctx context.Context) ([]Organization, error) {
	var found []Organization
	return found, s.ask(ctx, "organizations", nil, &found)
}

// CreateOrganization makes an organization, with its members and their organizational units.
func (s *State) CreateOrganization(ctx context.Context, management api.Place, id string, members []NewMember) error {
	return s.ask(ctx, "organizations", map[string]any{
		"ID": id, "Management": management.Account, "Region": management.Region, "Members": members,
	}, nil)
}

// BucketOwner is the account that owns a bucket; empty if there is no such bucket.
func (s *State) BucketOwner(ctx context.Context, bucket string) (string, error) {
	var owner string
	return owner, s.ask(ctx, "buckets/"+bucket, nil, &owner)
}

// StackEvents are the statuses that the stacks of all accounts have had, in their order, but for the first ones.
func (s *State) StackEvents(ctx context.Context, after int) ([]StackEvent, error) {
	var events []StackEvent
	return events, s.ask(ctx, fmt.Sprintf("stack-events/%d", after), nil, &events)
}

// ask reads something, or sends something if there is something to send.
func (s *State) ask(ctx context.Context, what string, send, answer any) error {
	method, body := http.MethodGet, []byte(nil)
	if send != nil {
		var err error
		if body, err = json.Marshal(send); err != nil {
			return fmt.Errorf("asking moto for %s: %w", what, err)
		}
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+what, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking moto for %s: %w", what, err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking moto for %s: %w", what, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, content)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(content, answer)
	}
	if err != nil {
		return fmt.Errorf("asking moto for %s: %w", what, err)
	}
	return nil
}
