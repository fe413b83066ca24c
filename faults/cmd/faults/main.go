// Command faults strikes elections of real processes on real servers with faults, has
// what they witnessed checked, and tells it on docs/faults.md.
//
//	go run ./faults/cmd/faults --store redis,etcd --fault worker-stopped --seed 1 --runs 20
//
// It exits with 1 if a run has found a violation, 3 if a run could not be made, and 2 for
// wrong usage, 130 if it was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/faults/report"
	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

// The exit codes.
const (
	exitViolation = 1
	exitUsage     = 2
	exitBroken    = 3

	exitInterrupted = 130
)

// config is the command line.
type config struct {
	stores, faults    string
	seed              uint64
	runs, parallel    int
	short, list, json bool
	record, fresh     bool
	missing           bool
	pageOnly          bool
	sabotaged         bool
	limit             time.Duration
	options           run.Options
	results           string
	root              string
}

// silent keeps the client of Redis from telling what the faults do to it.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func main() {
	goredis.SetLogger(silent{})
	testing.Init() // package servers starts servers for tests
	if err := flag.CommandLine.Parse(nil); err != nil {
		panic(err)
	}
	os.Exit(execute(os.Args[1:]))
}

func parse(args []string) (*config, error) {
	c := new(config)
	f := flag.NewFlagSet("faults", flag.ContinueOnError)
	f.StringVar(&c.stores, "store", "", "stores, separated by commas (default all)")
	f.StringVar(&c.faults, "fault", "", "faults, separated by commas (default all that apply)")
	f.Uint64Var(&c.seed, "seed", 1, "the first seed")
	f.IntVar(&c.runs, "runs", 1, "seeds for each cell")
	f.IntVar(&c.parallel, "parallel", 4, "runs at a time")
	f.BoolVar(&c.short, "short", false, "all faults of servers, and a third of the others for each store")
	f.BoolVar(&c.list, "list", false, "list the cells, with about how long each takes, and what has been found so far")
	f.BoolVar(&c.json, "json", false, "print one JSON object for each run")
	f.BoolVar(&c.record, "record", false, "add to faults/report/results.json, and write docs/faults.md")
	f.BoolVar(&c.pageOnly, "page", false, "write docs/faults.md, and the summary in README.md, from faults/report/results.json, and do nothing else")
	f.BoolVar(&c.sabotaged, "sabotaged", false, "break rules of the library in the workers, one at a time, and fail unless runs find each of them")
	f.BoolVar(&c.fresh, "fresh", false, "with -record: forget what was found before for the cells that are run")
	f.BoolVar(&c.missing, "missing", false, "leave out the seeds that are on record, and begin with the cells that have the fewest")
	f.DurationVar(&c.limit, "limit", 0, "begin no run later than this (default no limit)")
	f.DurationVar(&c.options.TTL, "ttl", time.Second, "TTL of the elections")
	f.IntVar(&c.options.Nodes, "nodes", 4, "candidates by the library, beside one `leadership run`")
	f.DurationVar(&c.options.Every, "every", 2*time.Millisecond, "time between two rounds of questions")
	f.StringVar(&c.options.Logs, "logs", "", "folder for the logs of runs (default a temporary one)")
	f.BoolVar(&c.options.Keep, "keep", false, "keep the logs of all runs, not only of those that found something")
	f.StringVar(&c.options.Worker, "worker", "", "program to use for the workers (default faults/cmd/worker, built now)")
	f.StringVar(&c.options.Leadership, "leadership", "", "program for `leadership run` (default cmd/leadership, built now)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q is not a flag", f.Arg(0))
	case c.runs < 1, c.parallel < 1, c.options.Nodes < 2:
		return nil, errors.New("-runs and -parallel must be 1 at least, and -nodes 2")
	case c.options.TTL < 200*time.Millisecond:
		return nil, fmt.Errorf("-ttl is %v: must be 200ms at least", c.options.TTL)
	}
	return c, nil
}

func execute(args []string) int {
	c, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "faults:", err)
		return exitUsage
	}
	jobs, err := c.jobs()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the program at once, and its children with it
	code, err := c.sit(ctx, jobs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = max(code, exitBroken)
	}
	return code
}

// jobs returns the runs that the command line asks for: store by store, so that servers
// are shared and ended early.
func (c *config) jobs() ([]run.Job, error) {
	var jobs []run.Job
	stores, err := choose(c.stores, stage.Kinds, func(k *stage.Kind) string { return k.Name })
	if err != nil {
		return nil, err
	}
	faults, err := choose(c.faults, run.Faults, func(f *run.Fault) string { return f.Name })
	if err != nil {
		return nil, err
	}
	for i, k := range stores {
		for j, f := range faults {
			if !f.Strikes(k) || c.short && f.Scope != run.Servers && (i+j)%3 != 0 {
				continue
			}
			for n := range c.runs {
				jobs = append(jobs, run.Job{Kind: k, Fault: f, Seed: c.seed + uint64(n)})
			}
		}
	}
	if len(jobs) == 0 {
		return nil, errors.New("no such fault strikes such a store; -list has those that do")
	}
	return jobs, nil
}

// choose returns those of all that are named, or all.
func choose[T any](names string, all []T, name func(T) string) ([]T, error) {
	if names == "" {
		return all, nil
	}
	var chosen []T
	for want := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == want })
		if i < 0 {
			var there []string
			for _, t := range all {
				there = append(there, name(t))
			}
			return nil, fmt.Errorf("there is no %q: there are %s", want, strings.Join(there, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// sit makes the runs, or lists them, and returns the exit code.
func (c *config) sit(ctx context.Context, jobs []run.Job) (code int, err error) {
	if c.root, err = output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed-a1d591d3/leadership"); err != nil {
		return 0, err
	}
	c.results = filepath.Join(c.root, "faults/report/results.json")
	results, err := report.Read(c.results)
	if err != nil {
		return 0, err
	}
	if c.missing && !c.fresh {
		if jobs = results.Missing(jobs); len(jobs) == 0 {
			fmt.Println("All of these seeds are on record.")
			return 0, nil
		}
	}
	switch {
	case c.list:
		return 0, c.listJobs(jobs, results)
	case c.pageOnly:
		return 0, results.WritePages(c.root)
	}
	programs, err := os.MkdirTemp("", "leadership-faults-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(programs)) }()
	if c.sabotaged {
		return c.findSabotages(ctx, programs, results)
	}
	if err := c.build(ctx, programs); err != nil {
		return 0, err
	}
	temporary := c.options.Logs == ""
	if temporary {
		if c.options.Logs, err = os.MkdirTemp("", "leadership-faults-logs-"); err != nil {
			return 0, err
		}
	}
	p := newProgress(c, jobs)
	if c.record && c.fresh {
		for _, job := range jobs {
			results.Forget(job.Kind.Name, job.Fault.Name)
		}
	}
	sitting := run.Sitting{Options: c.options, Parallel: c.parallel, Done: func(o run.Outcome) {
		p.done(o)
		if c.record {
			results.Add(o)
			err = errors.Join(err, results.Write(c.results))
		}
	}}
	if c.limit > 0 {
		sitting.Until = time.Now().Add(c.limit)
	}
	err = errors.Join(err, sitting.Do(ctx, jobs))
	if c.record {
		err = errors.Join(err, c.versions(jobs, results), results.Write(c.results), results.WritePages(c.root))
	}
	p.end()
	if temporary && !c.options.Keep {
		err = errors.Join(err, removeEmpty(c.options.Logs))
	}
	if ctx.Err() != nil {
		return exitInterrupted, err
	}
	return p.code(), err
}

// removeEmpty removes a folder unless it has something in it.
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return err
	}
	return os.Remove(dir)
}

// build builds the programs that runs need.
func (c *config) build(ctx context.Context, dir string) error {
	for _, program := range []struct {
		path *string
		pkg  string
	}{{&c.options.Worker, "faults/cmd/worker"}, {&c.options.Leadership, "cmd/leadership"}} {
		if *program.path != "" {
			continue
		}
		*program.path = filepath.Join(dir, filepath.Base(program.pkg))
		if _, err := output(ctx, c.root, "go", "build", "-o", *program.path, "./"+program.pkg); err != nil {
			return err
		}
	}
	c.options.Python = filepath.Join(c.root, "examples/python/leader.py")
	stage.Leadership = c.options.Leadership
	return nil
}

// versions notes the versions of the servers that were run.
func (c *config) versions(jobs []run.Job, results *report.Results) error {
	noted := make(map[string]bool)
	for _, job := range jobs {
		for _, program := range job.Kind.Programs {
			if noted[program] {
				continue
			}
			noted[program] = true
			version, err := servers.Version(program)
			if err != nil {
				return err
			}
			results.Versions[program] = version
		}
	}
	return nil
}

// output runs a command, and returns what it prints to stdout.
func output(ctx context.Context, dir string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
}
