package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

// Job is a run that is to be made.
type Job struct {
	Kind  *stage.Kind
	Fault *Fault
	Seed  uint64
}

// shares reports whether other runs may use the same servers at the same time.
func (j Job) shares() bool { return j.Fault.Scope != Servers && !j.Kind.Alone }

// Seconds is about how long the job takes, without the start of servers.
func (j Job) Seconds(ttl time.Duration) float64 {
	ttl = j.Fault.ttl(ttl)
	total := 2*ttl + 2*time.Second
	for _, p := range j.Fault.schedule(j.Seed, ttl) {
		total += p.gap + p.lasts
	}
	return total.Seconds()
}

// Verdicts on a run.
const (
	Sound     = "sound"                // nothing was found
	Expected  = "overlap by lost data" // as the store has lost what it had acknowledged; the fence held
	Violation = "violation"
	Broken    = "broken" // it could not be made
)

// Outcome is what became of a run.
type Outcome struct {
	Store   string  `json:"store"`
	Fault   string  `json:"fault"`
	Seed    uint64  `json:"seed"`
	TTL     string  `json:"ttl"`
	Seconds float64 `json:"seconds"`
	Verdict string  `json:"verdict"`

	Terms         int     `json:"terms"`
	Yes           int     `json:"yes"`
	Overlaps      int     `json:"overlaps"`
	Accepted      int     `json:"accepted"`
	Refused       int     `json:"refused"`
	Stale         int     `json:"stale"`
	StaleUnfenced int     `json:"stale_unfenced"`
	Empty         float64 `json:"longest_empty_seconds"`
	Calm          float64 `json:"calm_seconds"` // in which the machine was not busy, so that empty seats were looked for

	Violations []string `json:"violations,omitempty"`
	Notes      []string `json:"notes,omitempty"` // what the servers have told of themselves
	Error      string   `json:"error,omitempty"`
	Logs       string   `json:"logs,omitempty"`
	Repeat     string   `json:"repeat"`
}

// allowed are what a store that loses data may make of an election.
var allowed = []string{history.Overlap, history.TokenOrder, history.GivenUpEarly}

// few is how many runs are made at once though the machine is busy: more would only make
// each other slow.
const few = 4

// Sitting makes runs, several at once.
type Sitting struct {
	Options  Options
	Parallel int           // how many, while the machine is not busy
	Until    time.Time     // no run begins after it; zero for no limit
	Done     func(Outcome) // one call at a time
	Begun    func(Job)     // likewise; nil for none

	busy busy
	pool pool
	mu   sync.Mutex
	jobs []Job // not begun yet
}

// Do makes all runs, or those that it can before ctx ends. It returns when all processes
// that it has started have ended, and an error for those of its servers that did not.
func (s *Sitting) Do(ctx context.Context, jobs []Job) error {
	s.jobs = slices.Clone(jobs)
	s.busy.calls = make(chan struct{})
	var (
		working sync.WaitGroup
		errs    []error
	)
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { s.busy.watch(watching) })
	defer watch.Wait()
	defer stop()
	for i := range s.Parallel {
		working.Go(func() {
			for ctx.Err() == nil {
				if i >= few {
					s.busy.await(ctx)
				}
				job, ok := s.next()
				if !ok {
					break
				}
				outcome := s.run(ctx, job)
				s.mu.Lock()
				if ctx.Err() == nil {
					s.Done(outcome)
				}
				s.mu.Unlock()
			}
			if err := s.pool.trim(s.needed); err != nil {
				s.mu.Lock()
				errs = append(errs, err)
				s.mu.Unlock()
			}
		})
	}
	working.Wait()
	return errors.Join(append(errs, s.pool.trim(func(*pooled) bool { return false }))...)
}

func (s *Sitting) next() (Job, bool) {
	_ = s.pool.trim(s.needed) // an error comes again at the end of the run that it matters to
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) == 0 || !s.Until.IsZero() && time.Now().After(s.Until) {
		s.jobs = nil
		return Job{}, false
	}
	job := s.jobs[0]
	s.jobs = s.jobs[1:]
	return job, true
}

// needed reports whether a stage is of use to a job that has not begun.
func (s *Sitting) needed(p *pooled) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.jobs, func(j Job) bool {
		return j.Kind == p.kind && j.Fault.Variant == p.variant && j.shares() == p.shared
	})
}

// run makes one run.
func (s *Sitting) run(ctx context.Context, job Job) Outcome {
	f := job.Fault
	ttl := f.ttl(s.Options.TTL)
	o := Outcome{
		Store: job.Kind.Name, Fault: f.Name, Seed: job.Seed, TTL: ttl.String(),
		Repeat: fmt.Sprintf("go run ./faults/cmd/faults --store %s --fault %s --seed %d --runs 1", job.Kind.Name, f.Name, job.Seed),
	}
	broken := func(err error) Outcome {
		o.Verdict, o.Error = Broken, err.Error()
		return o
	}
	p, err := s.pool.take(job.Kind, f.Variant, job.shares())
	if err != nil {
		_ = s.pool.give(p, true)
		return broken(err)
	}
	name := fmt.Sprintf("%s+%s+%d", job.Kind.Name, f.Name, job.Seed)
	dir, err := newFolder(s.Options.Logs, name)
	if err != nil {
		return broken(errors.Join(err, s.pool.give(p, false)))
	}
	o.Logs = dir
	began := history.Now()
	r := &Run{Fault: f, Stage: p.stage, Seed: job.Seed, TTL: ttl, Dir: dir, options: &s.Options, busy: &s.busy}
	// Its own also where a sitting before had the same servers.
	r.Key = fmt.Sprintf("faults/%s/%d-%d", f.Name, job.Seed, time.Now().UnixNano())
	result, err := r.do(ctx)
	o.Notes = p.stage.Notes()
	err = errors.Join(err, s.pool.give(p, f.Spoils || err != nil && !job.shares()))
	ended := history.Now()
	o.Seconds = ended.Sub(began).Seconds()
	for _, part := range s.busy.calm(began, ended) {
		o.Calm += part.to.Sub(part.from).Seconds()
	}
	if err != nil {
		return broken(err)
	}
	if o.judge(f, result); o.Yes == 0 && o.Verdict == Sound {
		return broken(errors.New("no process said that it leads"))
	}
	if o.Verdict != Violation && !s.Options.Keep {
		o.Logs = ""
		if err := os.RemoveAll(dir); err != nil {
			return broken(err)
		}
	}
	return o
}

// judge takes in what the checker has found.
func (o *Outcome) judge(f *Fault, result *history.Result) {
	o.Terms, o.Accepted, o.Refused = result.Terms, result.Accepted, result.Refused
	o.Stale, o.StaleUnfenced, o.Empty = result.Stale, result.StaleUnfenced, result.LongestEmpty.Seconds()
	for _, n := range result.Yes {
		o.Yes += n
	}
	for _, n := range result.Overlaps {
		o.Overlaps += n
	}
	o.Verdict = Sound
	for _, v := range result.Violations {
		o.Violations = append(o.Violations, v.String())
		switch {
		case f.Lost && o.Stale == 0 && slices.Contains(allowed, v.Kind):
			if o.Verdict == Sound {
				o.Verdict = Expected
			}
		default:
			o.Verdict = Violation
		}
	}
}
