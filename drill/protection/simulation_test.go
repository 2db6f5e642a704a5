package protection_test

import (
	"slices"
	"testing"
	"time"
)

func TestTampering(t *testing.T) {
	organizations := documents(t)
	var read []parsed
	for _, of := range organizations {
		read = append(read, parse(t, of))
	}
	questions := slices.Concat(serviceControlQuestions(), resourceControlQuestions())
	start := time.Now()
	for _, q := range questions {
		if q.alone {
			continue
		}
		if got := q.evaluate(t, read[q.options]); got != q.want {
			t.Errorf("%s: allowed is %v by ours", q.name, got)
		}
	}
	t.Log(len(questions), time.Since(start))
	start = time.Now()
	questions = slices.DeleteFunc(questions, func(q question) bool { return !q.other })
	t.Log(len(questions))
	for i, a := range simulate(t, organizations, questions) {
		q := questions[i]
		if a.Error != "" || (a.Result == "Allowed") != q.want {
			t.Errorf("%s: iam-simulate says %s%s, want allowed %v (ignored keys %v)", q.name, a.Error, a.Result, q.want, a.Ignored)
		}
	}
	t.Log(time.Since(start))
}
