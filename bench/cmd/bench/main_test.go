package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/report"
	"github.com/seed-a1d591d3/leadership/bench/rows"
	"github.com/seed-a1d591d3/leadership/bench/work"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// The test binary is also what its children run.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		if err := work.Do(os.Args[2], os.Stdin, os.Stdout); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.Main(m))
}

// Rows of each kind, on a real server, with small numbers.
func TestQuickRowsAreMeasuredOnRedis(t *testing.T) {
	servers.Shared(t, "redis") // or the test is skipped, or fails, as others are
	file := filepath.Join(t.TempDir(), "results.json")
	const list = "handover/redis,failover/redis,idle/redis,follow/redis,rounds/redis,http,size"
	var out bytes.Buffer
	if err := run([]string{"--quick", "--row", list, "--results", file}, &out); err != nil {
		t.Fatal(err)
	}
	table := out.String()
	for _, row := range []string{"handover/redis/2", "failover/redis/2", "idle/redis/10", "follow/redis/10", "rounds/redis", "http/elect", "http/renew", "size/redis"} {
		if !strings.Contains(table, "`"+row+"`") {
			t.Errorf("row %s is missing", row)
		}
	}
	if strings.Contains(table, "not measured yet") {
		t.Error("a row is not measured")
	}
	t.Log(table)
}

func TestUnknownRowIsNamed(t *testing.T) {
	for args, want := range map[string]string{
		"--row handover/nats":      `no row is called "handover/nats"`,
		"--row idle/redis --turns": "flag needs an argument",
		"--quick --record":         "--record is not for --quick",
		"handover":                 `"handover" is not a flag`,
		"--clients 0":              "--clients and --parallel 1 at least",
	} {
		err := run(strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestListHasARowOfEveryKind(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"--list"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, k := range rows.Kinds {
		if !strings.Contains("\n"+out.String(), "\n"+k.Name) {
			t.Errorf("there is no row of %s", k.Name)
		}
	}
}

func TestVersionsAreToldOfAllLibraries(t *testing.T) {
	r := new(report.Results)
	if err := about(r); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), "machine") {
		t.Errorf("the results are %s, %v", text, err)
	}
	for _, l := range peers.Libraries {
		if r.Libraries[l.Module] == "" && l.Name != peers.Ours {
			t.Errorf("%s has no version", l.Module)
		}
	}
	if slices.Contains([]string{r.Machine, r.Go}, "") {
		t.Errorf("measured on %q by %q", r.Machine, r.Go)
	}
}
