package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

func TestCallbacksTellTheWholeStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		story := out.String()
		t.Log("\n" + story)
		at := 0
		for _, part := range []string{
			"anna: elected, token", "fills up", "3 in a row: the disk is full", "anna: demoted: leader unhealthy", "bert: promoted, token",
			"An operator", `bert: demoted: leadership transferred to "anna", as "olga" asked`,
		} {
			i := strings.Index(story[at:], part)
			if i < 0 {
				t.Fatalf("it does not say %q, or not in its place", part)
			}
			at += i
		}
		if n := strings.Count(story, "anna: elected"); n != 2 {
			t.Errorf("anna is elected %d times, want 2", n)
		}
	})
}
