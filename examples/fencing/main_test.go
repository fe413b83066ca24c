package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWriteOfThePausedLeaderIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		story := out.String()
		t.Log("\n" + story)
		for _, part := range []string{"anna is elected", "bert is elected", "It is refused: fence: stale fencing token", "The balance is 50."} {
			if !strings.Contains(story, part) {
				t.Errorf("it does not say %q", part)
			}
		}
	})
}
