package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

func TestEachInstantIsRunByOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		story := out.String()
		t.Log("\n" + story)
		together, alone, ok := strings.Cut(story, "anna ends.")
		if !ok || !strings.Contains(alone, "The end") {
			t.Fatal("the story is not complete")
		}
		if strings.Contains(alone, "anna runs") {
			t.Error("anna ran it after its end")
		}
		for second := range 3 {
			at := "\n " + string('1'+rune(second)) + ".000s  "
			if runs := strings.Count(together, at+"anna runs") + strings.Count(together, at+"bert runs"); runs != 1 {
				t.Errorf("second %d was run %d times", second+1, runs)
			}
		}
	})
}
