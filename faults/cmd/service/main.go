// Command service has 500 clients elect, claim and follow over HTTP, while the servers of
// `leadership serve` and their store are killed, halted and started again.
//
//	go run ./faults/cmd/service -store etcd,redis -seed 1 -duration 150s
//
// It exits with 1 if an answer was wrong, and 2 if a run could not be made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/service"
	"github.com/seed-a1d591d3/leadership/faults/stage"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func main() {
	testing.Init() // package servers starts servers for tests
	if err := flag.CommandLine.Parse(nil); err != nil {
		panic(err)
	}
	os.Exit(execute())
}

func execute() int {
	c := service.Config{Log: os.Stderr}
	f := flag.NewFlagSet("service", flag.ContinueOnError)
	names := f.String("store", "etcd,redis", "stores, separated by commas")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of the faults")
	f.DurationVar(&c.Duration, "duration", 150*time.Second, "how long there are faults, on each store")
	f.IntVar(&c.Clients, "clients", 500, "clients")
	f.IntVar(&c.Elections, "elections", 50, "elections")
	f.DurationVar(&c.TTL, "ttl", 10*time.Second, "TTL of the elections")
	f.StringVar(&c.Program, "leadership", "", "program of the servers (default cmd/leadership, built now)")
	if err := f.Parse(os.Args[1:]); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := runs(ctx, c, strings.Split(*names, ","))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return code
}

func runs(ctx context.Context, c service.Config, names []string) (code int, err error) {
	dir, err := os.MkdirTemp("", "leadership-service-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err == nil && code == 0 {
			err = os.RemoveAll(dir)
		}
	}()
	if c.Output = filepath.Join(dir, "servers.log"); c.Program == "" {
		c.Program = filepath.Join(dir, "leadership")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", c.Program, "github.com/seed-a1d591d3/leadership/cmd/leadership")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("build cmd/leadership: %w", err)
		}
	}
	for _, name := range names {
		if c.Kind = stage.Find(name); c.Kind == nil || len(c.Kind.Programs) == 0 {
			return 0, fmt.Errorf("there is no store %q with servers", name)
		}
		r, err := service.Do(ctx, c)
		if err != nil {
			return 0, errors.Join(err, fmt.Errorf("the servers have logged to %s", c.Output))
		}
		fmt.Printf("%s, seed %d, %d clients, %d faults: %d requests, %d of them unanswered; %d terms, %d answers 'I lead', %d overlaps; "+
			"%d rounds, %d completed; %d events; sound for %v, and in that a follower wrong for %v at most, a seat empty for %v at most; %d violations\n",
			name, c.Seed, c.Clients, r.Faults, r.Requests, r.Unanswered, r.Terms, r.Yes[history.Term], r.Overlaps[history.Term],
			r.Rounds, r.Completed, r.Events, r.Sound.Round(time.Second), r.Wrong.Round(time.Millisecond), r.LongestEmpty.Round(time.Millisecond), len(r.Violations))
		kinds := make(map[string]int)
		for _, v := range r.Violations {
			if kinds[v.Kind]++; kinds[v.Kind] <= 5 {
				fmt.Println(v)
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			fmt.Printf("%s: %d\n", kind, kinds[kind])
		}
		if len(r.Violations) > 0 {
			code = 1
		}
	}
	return code, nil
}
