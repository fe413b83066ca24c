package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestReadmeTellsTheNumberOfObligations(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m, err := newModel(name, read(name))
		if err != nil {
			t.Fatal(err)
		}
		if row := fmt.Sprintf("\n| %s | %d |", name, len(m.obligations())); !strings.Contains(string(readme), row) {
			t.Errorf("README.md has no row that begins with %q", row[1:])
		}
	}
}
