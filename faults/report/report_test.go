package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

func TestPageTellsTheResults(t *testing.T) {
	r, err := Read("results.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != r.Page() {
		t.Error("docs/faults.md is not what faults/report has: `go run ./faults/cmd/faults --page` writes it")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if summed, err := r.withSummary(string(readme)); err != nil || summed != string(readme) {
		t.Errorf("README.md does not sum it up: `go run ./faults/cmd/faults --page` does; %v", err)
	}
}

func TestRunsAddUpOverSittings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	outcomes := []run.Outcome{
		{Store: "redis", Fault: "flushall", Seed: 1, Verdict: run.Sound, Terms: 2, Yes: 1000, Refused: 1, Empty: 1.5, Seconds: 10, Calm: 5},
		{Store: "redis", Fault: "flushall", Seed: 3, Verdict: run.Sound, Terms: 1, Yes: 234, Empty: 0.5},
		{Store: "redis", Fault: "flushall", Seed: 2, Verdict: run.Sound},
		{Store: "redis", Fault: "flushall", Seed: 9, Verdict: run.Broken},
		{Store: "redis", Fault: "flushall-lost", Seed: 1, Verdict: run.Expected, Overlaps: 7, Violations: []string{"overlap"}},
		{Store: "etcd", Fault: "worker-killed", Seed: 5, Seconds: 10, Verdict: run.Violation, Violations: []string{"empty seat\n\tby whom"}},
	}
	for _, o := range outcomes {
		r, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		r.Add(o)
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Cell("redis", "flushall")
	if c.Runs != 3 || c.Seeds != "1-3" || c.Terms != 3 || c.Yes != 1234 || c.Empty != 1.5 || c.Broken != 1 {
		t.Errorf("the cell is %+v", c)
	}
	page := r.Page()
	for _, want := range []string{
		"| flushall | none | 3 | 1-3 |", "| 1,234 |", "| 1.50 s (in 50 %) |", "| not looked for |",
		"| flushall-lost | expected: overlap by lost data, in 1; fence held | 1 | 1 |",
		"| worker-killed | **VIOLATION** | 1 | 5 |", "- worker-killed, seed 5: empty seat\n",
		"Overlaps: 0, but for", "Other violations: 1.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
}

// Wherever the runs end, all cells have about as many.
func TestCellsWithTheFewestSeedsComeFirst(t *testing.T) {
	etcd, redis := stage.Find("etcd"), stage.Find("redis")
	killed, deleted := run.FindFault("worker-killed"), run.FindFault("key-deleted")
	var jobs []run.Job
	for _, k := range []*stage.Kind{etcd, redis} {
		for _, f := range []*run.Fault{killed, deleted} {
			for seed := range uint64(3) {
				jobs = append(jobs, run.Job{Kind: k, Fault: f, Seed: seed + 1})
			}
		}
	}
	r := new(Results)
	for _, o := range []run.Outcome{
		{Store: "etcd", Fault: "worker-killed", Seed: 2, TTL: "1s"},
		{Store: "etcd", Fault: "worker-killed", Seed: 2, TTL: "500ms"},
		{Store: "redis", Fault: "key-deleted", Seed: 1, TTL: "1s"},
		{Store: "redis", Fault: "key-deleted", Seed: 3, TTL: "1s"},
		{Store: "redis", Fault: "worker-killed", Seed: 1, Verdict: run.Broken},
	} {
		r.Add(o)
	}
	want := []run.Job{
		{Kind: redis, Fault: killed, Seed: 1},
		{Kind: etcd, Fault: deleted, Seed: 1},
		{Kind: etcd, Fault: killed, Seed: 1},
		{Kind: redis, Fault: killed, Seed: 2},
		{Kind: etcd, Fault: deleted, Seed: 2},
		{Kind: etcd, Fault: killed, Seed: 3},
		{Kind: redis, Fault: killed, Seed: 3},
		{Kind: etcd, Fault: deleted, Seed: 3},
		{Kind: redis, Fault: deleted, Seed: 2},
	}
	if got := r.Missing(jobs); !slices.Equal(got, want) {
		t.Errorf("the jobs are %v, want %v", got, want)
	}
	if ttl := r.Cell("etcd", "worker-killed").TTL; ttl != "1s, 500ms" {
		t.Errorf("the TTLs are told as %q", ttl)
	}
}

func TestSeedsAreToldAsRanges(t *testing.T) {
	text := ""
	for _, seed := range []uint64{7, 1, 2, 3, 9, 2, 8} {
		text = addSeed(text, seed)
	}
	if text != "1-3,7-9" {
		t.Errorf("the seeds are told as %q", text)
	}
}
