//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionIsRightWithoutVersionControl(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "leadership")
	for flags, want := range map[string]string{
		"-X main.builtVersion=v1.2.3 -X main.builtRevision=0123456789abcdef": "leadership v1.2.3 (0123456789ab), go",
		"": "leadership (devel), go",
	} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-s -w "+flags, "-o", program, ".")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if out, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%q: %s, %v; want %s", flags, out, err, want)
		}
	}
	s := serving(t, nil, "--store", "memory://")
	if status, body := s.ask("GET", "/metrics", ""); status != 200 || !strings.Contains(body, `leadership_build_info{goversion="go`) || !strings.Contains(body, `,version="`+versionOf().Version+`"} 1`) {
		t.Errorf("%d: %s", status, body)
	}
}
