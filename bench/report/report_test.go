package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/bench/rows"
	"github.com/seed-a1d591d3/leadership/bench/stat"
)

func TestPageAndPlotsTellTheResults(t *testing.T) {
	r, err := Read("../results.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.Files()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what bench/results.json has: `go run ./bench/cmd/bench --page` writes it", path)
		}
	}
}

func TestBetterSideIsBoldAndPeersThatWinAreNamed(t *testing.T) {
	figure := func(median, p99 float64, n int) stat.Figure { return stat.Figure{Median: median, P99: p99, N: n} }
	path := filepath.Join(t.TempDir(), "results.json")
	for _, o := range []rows.Outcome{
		{Row: "handover/etcd/2", Load: 0.25, Sides: []rows.Side{
			{Name: "etcd/leadership", Figures: map[string]stat.Figure{"ms": figure(1, 1, 1)}},
		}},
		{Row: "rounds/redis", Load: 0.25, Sides: []rows.Side{
			{Name: "redis/leadership", Figures: map[string]stat.Figure{"rate": figure(38100, 40000, 3), "ms": figure(2, 3, 9), "bytes": figure(366, 366, 1)}},
			{Name: "redis/SET-NX", Figures: map[string]stat.Figure{"rate": figure(73000, 73000, 3), "ms": figure(2.001, 2.5, 9), "bytes": figure(128, 128, 1)}},
		}},
		{Row: "handover/etcd/2", Load: 1.75, Sides: []rows.Side{
			{Name: "etcd/leadership", Figures: map[string]stat.Figure{"ms": figure(3.4, 9, 50), "requests": figure(4, 5, 50), "writes": figure(2, 2, 50)}},
			{Name: "etcd/concurrency", Figures: map[string]stat.Figure{"ms": figure(1.7, 4, 50), "requests": figure(5, 5, 50), "writes": figure(2, 2, 50)}},
		}},
		{Row: "handover/redis/2", Sides: []rows.Side{
			{Name: "redis/leadership", Note: "failed: no route"},
			{Name: "redis/redsync", Figures: map[string]stat.Figure{"ms": figure(98, 100, 5)}},
		}},
	} {
		r, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		r.Put(o)
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	page := r.Page()
	for _, want := range []string{
		"| `handover/etcd/2` | etcd/leadership | 3.40 (9.00) | **4** | **2** | – | 1.8 |\n|  | etcd/concurrency | **1.70** (4.00) | 5 | **2** | – |  |\n",
		"- `handover/etcd/2`: etcd/concurrency (2.0 times)\n",
		"| `rounds/redis` | redis/leadership | 38,100 | **2.00** (3.00) | 366 | 0.2 |\n|  | redis/SET-NX | **73,000** | **2.00** (2.50) | **128** |  |\n",
		"- `rounds/redis`: redis/SET-NX (1.9 times)\n",
		"| `handover/redis/2` | redis/leadership | – | – | – | – | 0.0 |\n|  | redis/redsync | 98.00 (100.00) | – | – | – |  |\n",
		"- `handover/redis/2`, redis/leadership: failed: no route\n",
		"| `idle/etcd/10000` | not measured yet |",
		"Rows that are not measured yet: ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "1.00") {
		t.Error("a row that was measured again tells its former figures, too")
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestNumbersHaveThousandsApart(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{0, 0, "0"}, {999.6, 0, "1,000"}, {1234567.891, 2, "1,234,567.89"}, {0.004, 2, "0.00"}, {12, 1, "12.0"}} {
		if got := number(c.v, c.digits); got != c.want {
			t.Errorf("%v is told as %s, want %s", c.v, got, c.want)
		}
	}
}
