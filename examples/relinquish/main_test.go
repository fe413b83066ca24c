package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNodesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(&out, "@every 1s", 4*time.Second+time.Second/2); err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + out.String())
		var leaders []string
		for line := range strings.Lines(out.String()) {
			// One may resign in the end before the other is told that it has ended.
			if fields := strings.Fields(line); fields[2] == "leads" && fields[0] != "00:00:04.500" {
				leaders = append(leaders, fields[1])
			}
		}
		if len(leaders) != 5 {
			t.Errorf("there were %d terms, want 5", len(leaders))
		}
		for i := range leaders[1:] {
			if leaders[i] == leaders[i+1] {
				t.Errorf("%s follows itself", leaders[i])
			}
		}
	})
}

func TestBadScheduleIsRefused(t *testing.T) {
	if err := run(&bytes.Buffer{}, "now and then", time.Minute); err == nil || !strings.Contains(err.Error(), `"now and then"`) {
		t.Errorf("%v", err)
	}
}
