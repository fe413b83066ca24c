package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestEveryNodeAnswersThroughTheLeader(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatalf("%v, after:\n%s", err, &out)
	}
	story := out.String()
	t.Log("\n" + story)
	before, after, ok := strings.Cut(story, " crashes.")
	if !ok || !strings.Contains(after, "The end.") {
		t.Fatal("the story is not complete")
	}
	served := regexp.MustCompile(`: (\w+) has got`)
	for part, n := range map[string]int{before: 3, after: 2} {
		by := make(map[string]bool)
		for _, match := range served.FindAllStringSubmatch(part, -1) {
			by[match[1]] = true
			n--
		}
		if len(by) != 1 || n != 0 {
			t.Errorf("served by %v, with %d orders left", by, n)
		}
	}
}
