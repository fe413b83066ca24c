// Package sabotaged builds workers in which a rule of the election is broken, which runs
// under faults have to find.
package sabotaged

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/run"
	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/internal/sabotage"
)

// change is a sabotage.Change.
type change struct{ Rule, How, File, Old, New string }

// Sabotage is a rule that is broken in workers, and what brings it to light.
type Sabotage struct {
	change
	Store string
	Fault *run.Fault
	ttl   time.Duration
	every time.Duration // between two rounds of questions
	Kind  string        // of violation
}

// The times between two rounds of questions. Where a moment matters, a process has to be
// struck while it asks.
const usual, often = 2 * time.Millisecond, 100 * time.Microsecond

// All are all sabotages, by number.
var All = []Sabotage{
	{change{
		"S1", "trust runs from the reply", "internal/election/answers.go",
		"m.writes.acked = attempt{rec.Beat, c.start}",
		"m.writes.acked = attempt{rec.Beat, c.start}\n\t\tif BROKEN {\n\t\t\tm.writes.acked.start = now\n\t\t}",
	}, "etcd", run.SlowThenHeld, 2 * time.Second, usual, history.Overlap},
	{change{
		"S2", "a rival waits half the TTL", "internal/election/view.go",
		"\t\treturn max(v.Seen+stands, v.guard)\n",
		"\t\tif BROKEN {\n\t\t\tstands /= 2\n\t\t}\n\t\treturn max(v.Seen+stands, v.guard)\n",
	}, "redis", run.FindFault("network-held"), time.Second, usual, history.Overlap},
	{change{
		"S11", "a session is ended before its trust is over", "internal/election/ride.go",
		"\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
		"\t\tif BROKEN {\n\t\t\treturn r.TTL() / 2\n\t\t}\n\t\treturn max(r.TTL(), r.Ride.Rec.TTL())\n",
	}, "redis", run.FindFault("network-held"), time.Second, usual, history.Overlap},
	{change{
		"S3", "IsLeader is a flag", "internal/lease/lease.go",
		"{ return l.Left() > 0 }",
		"{ return BROKEN && !l.Over() || !BROKEN && l.Left() > 0 }",
	}, "redis", run.FindFault("worker-stopped"), time.Second / 2, often, history.Overlap},
	{change{
		"S3", "the context of work is left to a timer", "internal/lease/lease.go",
		"\tl.Left() // ends it, when it has run out\n",
		"\tif !BROKEN {\n\t\tl.Left()\n\t}\n",
	}, "redis", run.FindFault("worker-stopped"), time.Second / 2, often, history.Overlap},
	{change{
		"S5", "an unknown outcome is taken for success", "internal/election/answers.go",
		"\tm.writes.unknown = true\n\tm.calls.fails++\n",
		"\tif rec := c.step.Record; BROKEN && !refused && rec.Held() {\n" +
			"\t\tm.writes.acked = attempt{rec.Beat, c.start}\n" +
			"\t\tm.see(&store.KVPair{Value: rec.Encode()}, rec, now.Mono)\n" +
			"\t\tm.settle(now, c.start)\n\t\treturn\n\t}\n" +
			"\tm.writes.unknown = true\n\tm.calls.fails++\n",
	}, "redis", run.FindFault("network-held"), time.Second, usual, history.Overlap},
	{change{
		"S6", "a stuck call is repeated", "internal/election/step.go",
		"\tcase m.call != nil:\n",
		"\tcase m.call != nil && (!BROKEN || at < m.call.start.Mono+m.call.step.Limit):\n",
	}, "etcd", run.DeafHeld, 300 * time.Millisecond, usual, history.Leak},
	{change{
		"S8", "the seat is given up before the work has returned", "internal/election/machine.go",
		"if !m.hasTerm() || !t.over || t.working {",
		"if !m.hasTerm() || !t.over || t.working && !BROKEN {",
	}, "redis", run.ResignedAtWork, 2 * time.Second, usual, history.GivenUpEarly},
}

// Found is what has become of a sabotage.
type Found struct {
	Rule    string  `json:"rule"`
	How     string  `json:"how"`
	Store   string  `json:"store"`
	Fault   string  `json:"fault"`
	Runs    int     `json:"runs"` // that it took
	Seconds float64 `json:"seconds"`

	// Violation is the proof; empty if it was not found.
	Violation string `json:"violation"`

	// Sound is what was found in workers that are sound, in a run of the same kind; it
	// has to be empty.
	Sound []string `json:"sound,omitempty"`
	Error string   `json:"error,omitempty"` // of the last run that could not be made
}

// OK reports whether the sabotage was found, and nothing in sound workers.
func (f Found) OK() bool { return f.Violation != "" && len(f.Sound) == 0 }

// seeds is after how many runs a sabotage counts as not found.
const seeds = 20

// Find makes runs with the sabotage of that number until one finds it, and one with sound
// workers. It uses the programs in options, whose Worker Build has built, and blocks until
// all processes have ended. An error is of the servers.
func Find(ctx context.Context, number int, options run.Options) (Found, error) {
	s := All[number]
	f := Found{Rule: s.Rule, How: s.How, Store: s.Store, Fault: s.Fault.Name}
	options.TTL, options.Every = s.ttl, s.every
	options.Environ = []string{sabotage.Variable + "=" + strconv.Itoa(number)}
	options.Logs = filepath.Join(options.Logs, strconv.Itoa(number))
	began := time.Now()
	found, stop := context.WithCancel(ctx)
	defer stop()
	err := s.sit(found, options, seeds, func(o run.Outcome) {
		f.Runs++
		f.Seconds = time.Since(began).Seconds()
		f.Error = o.Error
		for _, v := range o.Violations {
			if strings.HasPrefix(v, s.Kind+" of ") {
				f.Violation = v
				stop()
				break
			}
		}
	})
	if f.Violation != "" {
		f.Error = ""
	}
	options.Environ = nil
	err = errors.Join(err, s.sit(ctx, options, 1, func(o run.Outcome) {
		f.Sound = o.Violations
		if o.Error != "" {
			f.Error = "with sound workers: " + o.Error
		}
	}))
	return f, err
}

// sit makes runs one after another.
func (s Sabotage) sit(ctx context.Context, options run.Options, runs int, done func(run.Outcome)) error {
	var jobs []run.Job
	for seed := range runs {
		jobs = append(jobs, run.Job{Kind: stage.Find(s.Store), Fault: s.Fault, Seed: uint64(seed) + 1})
	}
	sitting := run.Sitting{Options: options, Parallel: 1, Done: done}
	return sitting.Do(ctx, jobs)
}

// write writes into dir what the go command needs, and returns the argument of its
// -overlay. root is the folder of the root module.
func write(root, dir string) (string, error) {
	changes := make([]sabotage.Change, len(All))
	for i, s := range All {
		changes[i] = sabotage.Change(s.change)
	}
	return sabotage.Write(root, dir, changes)
}

// Build builds a worker in which each sabotage can be made, and returns the path of the
// program, in dir. root is the folder of the root module.
func Build(ctx context.Context, root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("sabotaged: %w", err)
	}
	overlay, err := write(root, dir)
	if err != nil {
		return "", fmt.Errorf("sabotaged: %w", err)
	}
	to := filepath.Join(dir, "worker")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", to, "./cmd/worker")
	cmd.Dir = filepath.Join(root, "faults")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("sabotaged: %v: %w\n%s", cmd.Args, err, out)
	}
	return to, nil
}
