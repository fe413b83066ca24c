// Command bench measures this project's library and its peers, side by side, on real servers.
//
//	go run ./bench/cmd/bench --row handover/etcd/100
//	go run ./bench/cmd/bench --record
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/bench/peers"
	"github.com/seed-a1d591d3/leadership/bench/proc"
	"github.com/seed-a1d591d3/leadership/bench/report"
	"github.com/seed-a1d591d3/leadership/bench/rows"
	"github.com/seed-a1d591d3/leadership/bench/work"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// silent is a logger of go-redis, which would tell of each connection that a server ends.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func main() {
	goredis.SetLogger(silent{})
	testing.Init() // package servers starts servers for tests
	if err := flag.CommandLine.Parse(nil); err != nil {
		panic(err)
	}
	var err error
	if len(os.Args) == 3 && os.Args[1] == "child" {
		err = work.Do(os.Args[2], os.Stdin, os.Stdout)
	} else {
		err = run(os.Args[1:], os.Stdout)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0) // what is under way does not matter any more
}

// config is what the flags say.
type config struct {
	rows.Bench

	row                string
	record, page, list bool
	results            string
}

func run(args []string, out io.Writer) error {
	c := config{}
	c.Log = os.Stderr
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&c.row, "row", "", "rows, separated by commas: names, what they begin with, or patterns such as */redis/* (default all)")
	f.BoolVar(&c.list, "list", false, "list the rows, and do nothing else")
	f.BoolVar(&c.record, "record", false, "put what was measured into bench/results.json, and write docs/benchmarks.md and its plots")
	f.BoolVar(&c.page, "page", false, "write docs/benchmarks.md and its plots from bench/results.json, and do nothing else")
	f.BoolVar(&c.Quick, "quick", false, "measure few and for a short time, to see that it works")
	f.IntVar(&c.Turns, "turns", 0, "how often each side is measured (default as many as the row has)")
	f.IntVar(&c.Clients, "clients", 10, "clients that the candidates of one key share at most")
	f.IntVar(&c.Parallel, "parallel", 4, "rows at once, of those that leave the machine idle")
	f.StringVar(&c.results, "results", "", "file of results (default bench/results.json)")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("%q is not a flag", f.Arg(0))
	case c.Turns < 0 || c.Clients < 1 || c.Parallel < 1:
		return errors.New("--turns must not be negative, and --clients and --parallel 1 at least")
	case c.Quick && c.record:
		return errors.New("--record is not for --quick: what that measures is no result")
	}
	all, err := rows.Select(rows.All(c.Quick), c.row)
	if err != nil {
		return err
	}
	if c.list {
		for _, r := range all {
			fmt.Fprintf(out, "%s\t%s\n", r.Name(), strings.Join(r.Sides, ", "))
		}
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the program at once, and its children with it
	return c.sit(ctx, all, out)
}

// sit measures, and tells what was measured.
func (c *config) sit(ctx context.Context, all []*rows.Row, out io.Writer) error {
	module, err := rows.Module(ctx)
	if err != nil {
		return err
	}
	file := cmp.Or(c.results, filepath.Join(module, "results.json"))
	kept, err := report.Read(file)
	if err != nil {
		return err
	}
	if c.page {
		return kept.WritePages(filepath.Dir(module))
	}
	if c.Child, err = rows.Self("child"); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "leadership-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if slices.ContainsFunc(all, func(r *rows.Row) bool { return r.Kind.Name == "http" }) {
		c.Leadership = filepath.Join(folder, "leadership")
		build := exec.CommandContext(ctx, "go", "build", "-o", c.Leadership, "../cmd/leadership")
		build.Dir = module
		if said, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build cmd/leadership: %w: %s", err, said)
		}
	}
	if err := about(kept); err != nil {
		return err
	}
	commit, _ := exec.CommandContext(ctx, "git", "-C", module, "rev-parse", "--short", "HEAD").Output()
	now := new(report.Results)
	var mu sync.Mutex
	err = c.Measure(ctx, all, func(o rows.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		o.Commit, o.Date = strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.DateOnly)
		now.Put(o)
		kept.Put(o)
		if c.record { // what was measured is kept when the rest is not
			if err := kept.Write(file); err != nil {
				fmt.Fprintln(c.Log, "bench:", err)
			}
		}
	})
	for _, k := range rows.Kinds {
		of := slices.DeleteFunc(slices.Clone(all), func(r *rows.Row) bool { return r.Kind != k })
		fmt.Fprint(out, now.Table(of))
	}
	if c.record {
		err = errors.Join(err, kept.Write(file), kept.WritePages(filepath.Dir(module)))
	}
	return errors.Join(err, failed(now))
}

// failed returns an error that names the sides that could not be measured.
func failed(r *report.Results) error {
	var errs []error
	for _, o := range r.Rows {
		for _, side := range o.Sides {
			if strings.HasPrefix(side.Note, "failed") {
				errs = append(errs, fmt.Errorf("%s, %s: %s", o.Row, side.Name, side.Note))
			}
		}
	}
	return errors.Join(errs...)
}

// about fills in what the results were measured on.
func about(r *report.Results) error {
	r.Machine, r.Go = proc.Machine(runtime.NumCPU()), runtime.Version()
	r.Servers, r.Libraries = make(map[string]string), make(map[string]string)
	for _, l := range peers.Libraries {
		if l.Store == peers.Kubernetes {
			continue
		}
		version, err := servers.Version(l.Store)
		if err != nil {
			continue // its rows tell
		}
		r.Servers[l.Store] = version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this program was built without modules")
	}
	for _, dep := range info.Deps {
		if slices.ContainsFunc(peers.Libraries, func(l *peers.Library) bool { return l.Module == dep.Path && l.Name != peers.Ours }) {
			r.Libraries[dep.Path] = dep.Version
		}
	}
	return nil
}
