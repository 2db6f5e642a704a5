package evidence

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trailguard/trailguard/drill"
	"github.com/trailguard/trailguard/drill/deployed"
	"github.com/trailguard/trailguard/internal/golden"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

const message = "REPAIRED: CloudTrail trail org-trail\nIsLogging: found false, declared true\nNothing was logged from 2030-01-01 12:00:00 to 2030-01-01 12:00:06\n"

const toldOfRule = "TAMPERING: DisableRule on the guard of the trail org-trail in account 123456789012, eu-west-1, by root from 192.0.2.1 at 2030-01-01T12:00:00Z."

// fixed is a drill with every outcome.
func fixed() Drill {
	stop := drill.Scenario{ID: "T01", Call: "cloudtrail StopLogging"}
	empty := drill.Scenario{ID: "T15", Call: "cloudtrail PutEventSelectors EventSelectors=[]"}
	others := drill.Scenario{ID: "T50", Call: "cloudtrail PutEventSelectors with other data resources", UnseenByConfig: "an item does not hold the selectors"}
	same := drill.Scenario{ID: "T51", Call: "cloudtrail UpdateTrail IncludeGlobalServiceEvents=true IsMultiRegionTrail=true, which they are", Harmless: true}
	root, user := drill.Caller{Name: "root"}, drill.Caller{Name: "IAM user"}
	healthy := func(at time.Time) drill.Look { return drill.Look{At: at, Logging: true, Unmet: []string{}} }
	run := func(id, by string, start time.Time, writes ...string) deployed.Execution {
		x := deployed.Execution{ID: id, Status: "Success", StartedBy: by, Start: start, End: start.Add(1300 * time.Millisecond), Report: &deployed.RunReport{Writes: writes}}
		if len(writes) > 0 {
			x.Report.Message = message
		}
		return x
	}
	stopped := []string{"IsLogging is false, want true"}
	const notGuarded = "not guarded: the stack does not repair its log store"
	rule := drill.Scenario{ID: "T41", Call: "events DisableRule", Of: drill.Guard, Told: "DisableRule"}
	disabled := []string{"state is DISABLED, want ENABLED"}
	return Drill{
		Guard: deployed.Guard{
			Stack: "TrailGuard", TrailName: "org-trail", TrailARN: "arn:aws:cloudtrail:eu-west-1:123456789012:trail/org-trail", RunbookName: "TrailGuard-Runbook",
			Declared: deployed.Declared{deployed.IsLogging: "true", deployed.S3BucketName: `"logs"`},
		},
		Version: "v1.2.3", Began: time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC), Ended: time.Date(2026, 11, 25, 9, 31, 12, 0, time.UTC),
		Report: drill.Report{
			Simulated: []string{"CloudTrail", "AWS Config", "EventBridge", "SSM Automation", "authorization", "the clock"},
			Left: []drill.Left{
				{Scenario: drill.Scenario{ID: "T11", Call: "cloudtrail UpdateTrail"}, Why: "not applicable: the trail has no SNS topic"},
				{Scenario: drill.Scenario{ID: "T20", Call: "s3 DeleteBucketLifecycle", Of: drill.LogStore}, Why: notGuarded},
				{Scenario: drill.Scenario{ID: "T22", Call: "s3 DeleteBucketPolicy", Of: drill.LogStore}, Why: notGuarded},
				{Scenario: others, Path: "config", Why: "not with Config alone: an item does not hold the selectors"},
			},
			Results: []drill.Result{
				{Attempt: drill.Attempt{Scenario: stop, Caller: root, Form: drill.ByName, Path: "event"}, Repaired: true, CallsToLogging: 1, Calls: 2, Began: noon, Elapsed: 6*time.Second + 140*time.Millisecond,
					Looks:      []drill.Look{{At: noon, Unmet: stopped}, healthy(noon.Add(6*time.Second + 140*time.Millisecond))},
					Executions: []deployed.Execution{run("x1", "event", noon.Add(5*time.Second), "start_logging", "put_insight_selectors"), run("x2", "event", noon.Add(8*time.Second))}},
				{Attempt: drill.Attempt{Scenario: stop, Caller: user, Path: "event", Form: drill.ByARN}, Repaired: true, CallsToLogging: 1, Calls: 1, Began: noon.Add(time.Hour), Elapsed: 26 * time.Second,
					Looks: []drill.Look{
						{At: noon.Add(time.Hour), Unmet: []string{"there is no trail"}},
						{At: noon.Add(time.Hour + 20*time.Second), Logging: true, Unmet: []string{"InsightSelectors is [], want [ApiCallRateInsight]"}},
						healthy(noon.Add(time.Hour + 26*time.Second)),
					},
					Executions: []deployed.Execution{run("x3", "event", noon.Add(time.Hour+19*time.Second), "create_trail", "start_logging")}},
				{Attempt: drill.Attempt{Scenario: empty, Caller: root, Form: drill.ByName, Path: "event"}, Repaired: true, Refused: "InvalidEventSelectorsException", Began: noon,
					Looks: []drill.Look{healthy(noon)}},
				{Attempt: drill.Attempt{Scenario: others, Caller: root, Form: drill.ByName, Path: "event"}, Repaired: true, Calls: 1, Began: noon, Elapsed: 7 * time.Second,
					Looks:      []drill.Look{{At: noon, Logging: true, Unmet: []string{`EventSelectors is ["other"], want ["all"]`}}, healthy(noon.Add(7 * time.Second))},
					Executions: []deployed.Execution{run("x4", "event", noon.Add(5*time.Second), "put_event_selectors")}},
				{Attempt: drill.Attempt{Scenario: same, Caller: root, Form: drill.ByName, Path: "event"}, Repaired: true, Began: noon, Elapsed: 5 * time.Minute, Looks: []drill.Look{healthy(noon)},
					Executions: []deployed.Execution{run("x5", "schedule", noon.Add(time.Minute))}},
				{Attempt: drill.Attempt{Scenario: stop, Caller: root, Form: drill.ByName, Path: "config"}, Repaired: true, CallsToLogging: 1, Calls: 1, Began: noon, Elapsed: 21 * time.Hour,
					Looks:      []drill.Look{{At: noon, Unmet: stopped}, healthy(noon.Add(21 * time.Hour))},
					Executions: []deployed.Execution{run("x6", "Config", noon.Add(21*time.Hour-2*time.Second), "start_logging")}},
				{Attempt: drill.Attempt{Scenario: rule, Caller: root, Path: "event"}, Repaired: true, Began: noon, Elapsed: 3 * time.Second, Told: []string{toldOfRule},
					Looks: []drill.Look{{At: noon, Logging: true, Unmet: disabled}}, PutBack: true, PutBackAt: noon.Add(time.Minute)},
				{Attempt: drill.Attempt{Scenario: empty, Caller: root, Form: drill.ByName, Path: "config"}, Repaired: true, Refused: "InvalidEventSelectorsException", Began: noon,
					Looks: []drill.Look{healthy(noon)}},
			},
		},
	}
}

// broken is the fixed drill, with an attempt that the guard did not repair.
func broken() Drill {
	d := fixed()
	stop := d.Report.Results[0].Attempt.Scenario
	d.Report.Results = append(d.Report.Results, drill.Result{
		Attempt: drill.Attempt{Scenario: stop, Caller: drill.Caller{Name: "IAM user"}, Form: drill.ByName, Path: "config"}, Calls: 1, Began: noon, Elapsed: 25 * time.Hour, PutBack: true,
		PutBackAt: noon.Add(25*time.Hour + time.Second), Unmet: []string{"IsLogging is false, want true"},
		Looks:      []drill.Look{{At: noon, Unmet: []string{"IsLogging is false, want true"}}},
		Executions: []deployed.Execution{{ID: "x7", Status: "Failed", StartedBy: "Config", Start: noon.Add(24 * time.Hour), End: noon.Add(24*time.Hour + 3*time.Second), Failure: "step Reconcile: AccessDeniedException"}},
	})
	return d
}

// inAnAccount is a drill in an AWS account, in which one assumption did not hold.
func inAnAccount() Drill {
	d := fixed()
	d.Report.Simulated, d.Report.Left, d.Report.Results = nil, nil, d.Report.Results[:3]
	for i := range d.Report.Results {
		d.Report.Results[i].Attempt.Path = deployed.AllPaths
	}
	d.Report.Judged = []drill.Judgement{
		{Assumption: drill.Assumption{ID: "A01", Statement: "It is so.", IfWrong: "Nothing is repaired."}, Verdict: drill.Held, Why: "it was seen so"},
		{Assumption: drill.Assumption{ID: "A02", Statement: "It is so, too.", IfWrong: "Repairs take longer."}, Verdict: drill.DidNotHold, Why: "it was not so at noon"},
		{Assumption: drill.Assumption{ID: "A03", Statement: "It is always so.", IfWrong: "Nobody is told."}, Verdict: drill.NotSeen, Why: "nothing showed it"},
	}
	return d
}

func textOf(t *testing.T, d Drill, how Text) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := d.WriteText(&out, how); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func htmlOf(t *testing.T, d Drill) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := d.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatADrillFoundIsAsReviewed(t *testing.T) {
	for file, got := range map[string][]byte{
		"drill.txt":          textOf(t, fixed(), Text{}),
		"drill-verbose.txt":  textOf(t, broken(), Text{Verbose: true}),
		"drill-account.txt":  textOf(t, inAnAccount(), Text{}),
		"drill.html":         htmlOf(t, broken()),
		"drill-account.html": htmlOf(t, inAnAccount()),
	} {
		golden.Check(t, "testdata/"+file, got)
	}
}

func TestTheStoryIsOfAnAttemptThatWasNotRepairedIfThereIsOne(t *testing.T) {
	s, _ := fixed().story()
	if got := strings.Join(s.Guard, " "); got != "After 5 s an event of CloudTrail started the runbook. It called start_logging, put_insight_selectors. "+
		"1 further run found nothing left to do. After 6.1 s all was as declared." || s.Message != strings.TrimSpace(message) {
		t.Errorf("got %q, %q", got, s.Message)
	}
	s, _ = broken().story()
	if got := strings.Join(s.Guard, " "); got != "After 24 h AWS Config started the runbook. It failed: step Reconcile: AccessDeniedException. "+
		"After 25 h not all was as declared: IsLogging is false, want true. The drill put the trail back." || s.Message != "" {
		t.Errorf("got %q, %q", got, s.Message)
	}
	if _, ok := (Drill{}).story(); ok {
		t.Error("a drill without an attempt has a story")
	}
}

func TestACellTellsTheWorstOfItsAttempts(t *testing.T) {
	s := drill.Scenario{ID: "T01"}
	yes, no := drill.Result{Repaired: true, Elapsed: 50 * time.Minute}, drill.Result{Elapsed: time.Hour}
	for _, test := range []struct {
		results []drill.Result
		want    string
	}{
		{[]drill.Result{yes, {Repaired: true, Elapsed: 55 * time.Minute}}, "50-55 min"},
		{[]drill.Result{yes, no, yes}, "NOT: 1 of 3"},
		{[]drill.Result{no, no}, "NOT REPAIRED"},
		{[]drill.Result{{Repaired: true, Refused: "x"}, yes}, "50 min"},
		{[]drill.Result{{Refused: "x"}}, "NOT REPAIRED"},
		{nil, "not run"},
	} {
		c := cell{Trigger: "event", Results: test.results}
		c.Outcome = c.outcome(s)
		if got := c.Text(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.results, got, test.want)
		}
	}
}

func TestTimesAreToldInOneNumber(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", -time.Second: "0 s", 6250 * time.Millisecond: "6.3 s", 26 * time.Second: "26 s", 3606 * time.Second: "60 min", 86411 * time.Second: "24 h", 72 * time.Hour: "3 days",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	if got := between(90*time.Second, 10*time.Minute); got != "90 s-10 min" {
		t.Errorf("got %q", got)
	}
}

// TestATimelineHasEveryMoment in its order: the call, what the drill saw, what the guard did.
func TestATimelineHasEveryMomentInItsOrder(t *testing.T) {
	var got []string
	for _, one := range timelineOf(fixed().Report.Results[1]).Moments {
		got = append(got, short(one.After)+" "+one.Kind+" "+one.What)
	}
	want := []string{
		"0 s attack IAM user calls cloudtrail StopLogging, by ARN",
		"0 s off the drill sees: logging has stopped: there is no trail",
		"19 s guard an event of CloudTrail starts the runbook: execution x3",
		"20 s altered the drill sees: logging is back: InsightSelectors is [], want [ApiCallRateInsight]",
		"20 s guard the runbook ends, Success: called create_trail, start_logging; people were told",
		"26 s whole the drill sees: all is as declared",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i, want := range map[int]string{
		1: "logging stopped +0 s, runbook started +19 s, logging back +20 s, all as declared +26 s", 2: "nothing was taken away",
		6: "altered +0 s, people told +3 s, put back by the drill +60 s", 8: "logging stopped +0 s, runbook started +24 h, put back by the drill +25 h",
	} {
		if got := timelineOf(broken().Report.Results[i]).Caption(); got != want {
			t.Errorf("the caption is %q, want %q", got, want)
		}
	}
	for _, d := range []Drill{fixed(), broken(), inAnAccount()} {
		for _, r := range d.Report.Results {
			for _, one := range append(timelineOf(r).States, timelineOf(r).Runs...) {
				if one.Left < 0 || one.Width < narrowest || one.Left+one.Width > 100.01 {
					t.Errorf("%s: %+v is not on the line", r.Attempt.Call(), one)
				}
			}
		}
	}
}

// hostile is a drill in which every text wants to be more than a text.
func hostile() Drill {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)> </style>' {{.}} ` + "\x1b[2J\r\u009b"
	d := broken()
	d.Failure, d.Version = evil, evil
	d.Guard.Stack, d.Guard.TrailName, d.Guard.TrailARN, d.Guard.RunbookName = evil, evil, "arn:aws:cloudtrail:"+evil+":"+evil+":trail/x", evil
	d.Guard.Declared = deployed.Declared{deployed.Setting(evil): evil}
	d.Report.Simulated, d.Report.Left = []string{evil}, []drill.Left{{Scenario: drill.Scenario{ID: evil, Call: evil}, Why: evil}}
	d.Report.Judged = []drill.Judgement{{Assumption: drill.Assumption{ID: evil, Statement: evil, IfWrong: evil}, Verdict: drill.DidNotHold, Why: evil}}
	for i := range d.Report.Results {
		r := &d.Report.Results[i]
		r.Attempt.Caller.Name, r.Attempt.Scenario.ID, r.Attempt.Scenario.Call = evil, "T"+evil, "cloudtrail "+evil
		r.Unmet = append(slices.Clone(r.Unmet), evil)
		r.Looks = append([]drill.Look{{At: r.Began, Unmet: []string{evil}}}, r.Looks...)
		if r.Refused != "" {
			r.Refused = evil
		}
		r.Executions = append(slices.Clone(r.Executions), deployed.Execution{
			ID: evil, Status: "Failed", ExecutedBy: evil, Start: r.Began, End: r.Began, Failure: evil, Report: &deployed.RunReport{Writes: []string{evil}, Message: evil},
		})
	}
	return d
}

// tags are the elements of a page that XML can read, and their attributes.
func tags(t *testing.T, page []byte) map[string]int {
	t.Helper()
	found := map[string]int{}
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(page, []byte("<!DOCTYPE html>\n"))))
	decoder.Entity = xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		if element, ok := token.(xml.StartElement); ok {
			found[element.Name.Local]++
			for _, attribute := range element.Attr {
				found["@"+attribute.Name.Local]++
			}
		}
	}
}

// TestThePageIsWellFormedAndNeedsNothingElse: no script, and nothing that is fetched from elsewhere.
func TestThePageIsWellFormedAndNeedsNothingElse(t *testing.T) {
	for _, d := range []Drill{fixed(), broken(), inAnAccount(), {}} {
		page := htmlOf(t, d)
		found := tags(t, page)
		for _, none := range []string{"script", "link", "img", "iframe", "object", "@src", "@onerror", "@onclick"} {
			if found[none] > 0 {
				t.Errorf("the page has %s", none)
			}
		}
		if found["html"] != 1 || found["style"] != 1 || found["title"] != 1 {
			t.Errorf("the page has %v", found)
		}
		if fetched := regexp.MustCompile(`url\(|@import|https?://`).Find(bytes.ReplaceAll(page, []byte("https://us-east-1.console"), nil)); fetched != nil {
			t.Errorf("the page fetches by %s", fetched)
		}
		ids := map[string]bool{}
		for _, id := range regexp.MustCompile(`id="([^"]*)"`).FindAllSubmatch(page, -1) {
			if ids[string(id[1])] {
				t.Errorf("id %s is there twice", id[1])
			}
			ids[string(id[1])] = true
		}
		for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllSubmatch(page, -1) {
			if !ids[string(link[1])] {
				t.Errorf("the link to %s leads nowhere", link[1])
			}
		}
	}
}

// TestNamesAreOnlyText: what an intruder can name, as a trail or in the message of a repair, is no more than a text.
func TestNamesAreOnlyText(t *testing.T) {
	page := htmlOf(t, hostile())
	if found := tags(t, page); found["script"]+found["img"]+found["@onerror"] > 0 || found["style"] != 1 {
		t.Errorf("the page has %v", found)
	}
	for _, none := range []string{"<script", "<img", "onerror=alert(1)>", "\x1b", "\r", "\u009b"} {
		if bytes.Contains(page, []byte(none)) {
			t.Errorf("the page has %q", none)
		}
	}
	if !bytes.Contains(page, []byte("&lt;script&gt;alert(1)&lt;/script&gt;")) {
		t.Error("the names are gone")
	}
	for _, how := range []Text{{}, {Verbose: true}} {
		if got := textOf(t, hostile(), how); bytes.ContainsAny(got, "\x1b\r") || bytes.ContainsRune(got, '\u009b') {
			t.Errorf("a terminal would obey:\n%q", got)
		}
	}
}

func TestColoursAreOnlyWhereTheyAreWanted(t *testing.T) {
	if bytes.Contains(textOf(t, broken(), Text{Verbose: true}), []byte("\x1b")) {
		t.Error("the text has colours")
	}
	colored := textOf(t, broken(), Text{Color: true})
	if !bytes.Contains(colored, []byte("\x1b[1;31mNOT: 1 of 2\x1b[0m")) || !bytes.Contains(colored, []byte("\x1b[32m6.1-26 s\x1b[0m")) {
		t.Errorf("the colours are missing:\n%q", colored)
	}
	if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(colored, nil); !bytes.Equal(plain, textOf(t, broken(), Text{})) {
		t.Error("the colours change the text")
	}
}

// TestTheRowsFitATerminal of 80 characters.
func TestTheRowsFitATerminal(t *testing.T) {
	got, _, _ := strings.Cut(string(textOf(t, broken(), Text{})), "repaired, or refused")
	for line := range strings.Lines(got) {
		if utf8.RuneCountInString(line) > width+1 {
			t.Errorf("%d characters: %s", utf8.RuneCountInString(line), line)
		}
	}
}
