package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

func TestQuickstartTellsTheWholeStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		story := out.String()
		t.Log("\n" + story)
		for _, part := range []string{"is elected; its fencing token is", "resigns", "is cut off", "follower: there is no leader", "The end"} {
			if !strings.Contains(story, part) {
				t.Errorf("it does not say %q", part)
			}
		}
		if n := strings.Count(story, "is elected"); n != 3 {
			t.Errorf("%d elections, want 3", n)
		}
	})
}
