//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

func TestStatusListsAllThoseWithoutALeaderFirst(t *testing.T) {
	url := sqliteURL(t)
	if code, out, errs := inProcess(t, "status", "--store", url); code != 0 || out != "" || !strings.Contains(errs, "no election is recorded") {
		t.Errorf("of none: exit code %d: %q, %q", code, out, errs)
	}
	if code, out, errs := inProcess(t, "status", "--store", url, "--json"); code != 0 || out+errs != "" {
		t.Errorf("of none, in JSON: exit code %d: %q, %q", code, out, errs)
	}
	claims := func(key string) *leadership.Claims { return leadership.NewClaims(open(t, url), key) }
	for _, key := range []string{"d", "b/x", "a", "c"} {
		got, err := claims(key).Claim(t.Context(), leadership.Claim{Node: "n"})
		if err != nil || !got.Won {
			t.Fatal(got, err)
		}
		if key == "d" || key == "b/x" {
			if err := claims(key).Resign(t.Context(), got.Instance, got.Term.Token, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, remote, _ := withServer(t, url)
	_, local, _ := inProcess(t, "status", "--store", url, "--json")
	_, byServer, _ := remote("status", "--json")
	for _, out := range []string{local, byServer} {
		var order []string
		for line := range strings.Lines(out) {
			var e view.Election
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			order = append(order, e.Key+":"+e.Leader)
		}
		if got := strings.Join(order, " "); got != "b/x: d: a:n c:n" {
			t.Errorf("got %s", got)
		}
	}
	if code, out, _ := inProcess(t, "status", "--store", url); code != 0 || strings.Count(out, "\n") != 5 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
