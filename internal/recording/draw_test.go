package main

import (
	"strings"
	"testing"
	"time"
)

func TestDrawingHasEachLineAtItsTime(t *testing.T) {
	svg := draw([]line{{0, "anna", "$ leadership follow"}, {4 * time.Second, "ben", `"<leads>"`}})
	for _, want := range []string{"$ leadership follow", "&#34;&lt;leads&gt;&#34;", "  4.0s", "animation: 8s", "50.00%, 100% { opacity: 1 }"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
}
