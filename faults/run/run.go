// Package run strikes elections of real processes on real servers with faults, by a
// seeded schedule, and has what they witnessed checked.
package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/resource"
	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/faults/worker"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// Options are common to all runs.
type Options struct {
	Worker     string        // the program of faults/cmd/worker
	Environ    []string      // what its environment has besides
	Leadership string        // the program of cmd/leadership
	Python     string        // examples/python/leader.py
	Logs       string        // the folder in which each run has one
	Keep       bool          // keep the logs of all runs, not only of those that found something
	TTL        time.Duration // of the elections, unless the fault needs a longer one
	Nodes      int           // candidates by the library; one more is `leadership run`
	Every      time.Duration // between two rounds of questions
}

// Run is one run of a cell.
type Run struct {
	Fault *Fault
	Stage *stage.Stage
	Seed  uint64
	Key   string
	TTL   time.Duration
	Dir   string // of its logs
	Nodes []*Node
	KV    store.Store // by no proxy; nil for one of HTTP

	options  *Options
	busy     *busy
	resource string
	log      *history.Writer
	state    any // what a fault remembers from one episode to the next
}

// plan is what the seed decides of an episode.
type plan struct {
	gap, lasts time.Duration
	seed       uint64
}

// schedule returns the episodes of a seed.
func (f *Fault) schedule(seed uint64, ttl time.Duration) []plan {
	dice := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // times of faults
	between := func(low, high float64) time.Duration {
		return time.Duration((low + (high-low)*dice.Float64()) * float64(ttl))
	}
	var plans []plan
	for range f.episodes() {
		plans = append(plans, plan{between(0.4, 1.4), between(f.Lasts[0], f.Lasts[1]), dice.Uint64()})
	}
	return plans
}

// Episode is one fault that is under way.
type Episode struct {
	*Run
	ctx    context.Context // of the run
	Number int             // from 0
	Lasts  time.Duration
	Victim *Node // of a fault that strikes one
	Rand   *rand.Rand
	healed func() // ends what Begin has done to a network; nil for nothing
}

// do makes the run, in its folder, and returns what the processes have witnessed. It blocks
// until all of them have ended.
func (r *Run) do(ctx context.Context) (result *history.Result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("the run took more than 5 minutes"))
	defer cancel()
	if r.log, err = history.Create(filepath.Join(r.Dir, "runner.log"), history.Process{Role: history.Runner, Key: r.Key}); err != nil {
		return nil, err
	}
	written, err := history.Create(filepath.Join(r.Dir, "resource.log"), history.Process{Role: history.Resource, Key: r.Key})
	if err != nil {
		return nil, errors.Join(err, r.log.Close())
	}
	target, err := resource.Start(written)
	if err == nil {
		r.resource = target.Addr
		err = errors.Join(r.strike(ctx), target.Close())
	}
	if err = errors.Join(err, written.Close(), r.log.Close()); err != nil {
		return nil, err
	}
	logs, err := history.ReadDir(r.Dir)
	if err != nil {
		return nil, err
	}
	return history.Check(logs, history.Limits{}), nil
}

// strike has the nodes campaign, and the faults strike.
func (r *Run) strike(ctx context.Context) (err error) {
	if !r.Stage.Kind.HTTP {
		if r.KV, err = openPatiently(ctx, r.Stage.URL(r.Stage.Hosts)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.KV.Close()) }()
	}
	defer func() { err = errors.Join(err, r.endNodes(ctx)) }()
	if err := r.addNodes(); err != nil {
		return err
	}
	if r.Fault.Set != nil {
		r.Fault.Set(r, rand.New(rand.NewPCG(r.Seed, 1))) //nolint:gosec // as above
	}
	for _, n := range r.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range r.Nodes {
		n.awaitLog(10 * time.Second)
	}
	if _, err := r.awaitLeader(ctx, 30*time.Second); err != nil {
		return err
	}
	r.sound(r.Nodes...)
	for i, p := range r.Fault.schedule(r.Seed, r.TTL) {
		if err := clock.Pause(ctx, p.gap); err != nil {
			return err
		}
		e := &Episode{Run: r, ctx: ctx, Number: i, Lasts: p.lasts, Rand: rand.New(rand.NewPCG(p.seed, 2))} //nolint:gosec // as above
		if err := e.happen(); err != nil {
			return fmt.Errorf("episode %d: %w", i+1, err)
		}
	}
	err = clock.Pause(ctx, 2*r.TTL)
	r.unsound(r.Nodes...)
	return err
}

// happen has one fault begin and end.
func (e *Episode) happen() error {
	struck := e.Nodes
	if e.Fault.Scope == One {
		e.Victim = e.pick()
		struck = []*Node{e.Victim}
	}
	e.unsound(struck...)
	began := history.Now()
	err := stage.Try(func() { e.Fault.Begin(e) })
	if err == nil {
		err = clock.Pause(e.ctx, e.Lasts)
	}
	if e.Fault.End != nil {
		err = errors.Join(err, stage.Try(func() { e.Fault.End(e) }))
	}
	if err == nil {
		err = e.startEnded()
	}
	whom := "all"
	if e.Victim != nil {
		whom = e.Victim.Name
	}
	e.log.Add(history.Line{Kind: history.Fault, Before: began, After: history.Now(), What: e.Fault.Name, Answer: whom})
	e.sound(struck...)
	return err
}

// startEnded starts the nodes whose process has ended by itself, as a service manager does. A
// candidate ends under a key that holds something else, and `leadership run` if it is started
// while the store cannot be opened; nothing else may.
func (r *Run) startEnded() error {
	for _, n := range r.Nodes {
		if n.process == nil {
			continue
		}
		select {
		case <-n.process.done:
		default:
			continue
		}
		if code := n.process.cmd.ProcessState.ExitCode(); code != 0 && (n.library() || code != cannotRun) {
			return fmt.Errorf("%s.%d has ended by itself: %w", n.Name, n.incarnation, n.process.err)
		}
		if err := n.Start(); err != nil {
			return err
		}
	}
	return nil
}

// pick returns whom a fault strikes: mostly the leader.
func (e *Episode) pick() *Node {
	var may []*Node
	for _, n := range e.Nodes {
		if n.library() || !e.Fault.Library {
			may = append(may, n)
		}
	}
	victim := may[e.Rand.IntN(len(may))]
	if e.Rand.IntN(4) > 0 {
		leader, err := e.awaitLeader(e.ctx, e.TTL)
		for _, n := range may {
			if err == nil && n == leader {
				victim = n
			}
		}
	}
	return victim
}

// addNodes adds the candidates, half of which use Run and half RunForElection, and one
// `leadership run`. The terms of half of those of either kind ride on sessions.
func (r *Run) addNodes() error {
	for i := range r.options.Nodes + 1 {
		mode := worker.Run
		switch {
		case r.Stage.Kind.HTTP:
			mode = Python
		case i == r.options.Nodes:
			mode = worker.Command
		case i%2 == 1:
			mode = worker.RunForElection
		}
		n, err := r.addNode(fmt.Sprintf("n%d", i+1), mode)
		if err != nil {
			return err
		}
		n.Rides = n.library() && i%4/2 != i%2 // the second and the third of four
	}
	return nil
}

// addNode adds a candidate, which is not started yet, behind proxies of its own.
func (r *Run) addNode(name, mode string) (*Node, error) {
	n := &Node{Name: name, Mode: mode, Rate: 1, run: r}
	r.Nodes = append(r.Nodes, n)
	var err error
	if n.Proxies, n.endProxies, err = r.Stage.Proxies(); err != nil {
		return nil, err
	}
	var hosts []string
	for _, p := range n.Proxies {
		hosts = append(hosts, p.Addr)
	}
	n.store = r.Stage.URL(hosts)
	return n, nil
}

// endNodes ends the nodes in order or, after the end of ctx, at once.
func (r *Run) endNodes(ctx context.Context) error {
	errs := make([]error, len(r.Nodes))
	var ending sync.WaitGroup
	for i, n := range r.Nodes {
		ending.Go(func() {
			if ctx.Err() != nil && n.process != nil {
				n.process.kill(true)
			} else {
				errs[i] = n.end()
			}
			if n.endProxies != nil {
				n.endProxies()
			}
		})
	}
	ending.Wait()
	return errors.Join(errs...)
}

// sound notes that from now on no fault strikes these nodes, and unsound that one does.
func (r *Run) sound(nodes ...*Node) {
	for _, n := range nodes {
		n.sound = history.Now()
	}
}

func (r *Run) unsound(nodes ...*Node) {
	now := history.Now()
	for _, n := range nodes {
		if n.sound == 0 {
			continue
		}
		for _, calm := range r.busy.calm(n.sound, now) {
			r.log.Add(history.Line{Kind: history.Sound, Before: calm.from, After: calm.to, What: n.Name})
		}
		n.sound = 0
	}
}

// awaitLeader waits until the record names one of the nodes as the leader.
func (r *Run) awaitLeader(ctx context.Context, limit time.Duration) (*Node, error) {
	var err error
	for began := time.Now(); time.Since(began) < limit; {
		var leader string
		if leader, err = r.leader(ctx); err == nil {
			for _, n := range r.Nodes {
				if n.Name == leader {
					return n, nil
				}
			}
		}
		if err := clock.Pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("nobody leads within %v: %w", limit, err)
}

func (r *Run) leader(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	leader, _, err := r.term(ctx)
	return leader, err
}

// term returns who leads by the record, or an empty name, and the token.
func (r *Run) term(ctx context.Context) (leader string, token uint64, err error) {
	value, err := r.value(ctx)
	if err != nil {
		return "", 0, err
	}
	var record struct {
		Leader string
		Token  uint64
	}
	err = json.Unmarshal(value, &record)
	return record.Leader, record.Token, err
}

// value returns the record, or what is told of it over HTTP.
func (r *Run) value(ctx context.Context) ([]byte, error) {
	if r.KV == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Stage.URL(r.Stage.Hosts)+"/api/v1/elections/"+url.PathEscape(r.Key), nil)
		if err != nil {
			return nil, err
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		return io.ReadAll(response.Body)
	}
	pair, err := r.KV.Get(ctx, r.Key, nil)
	if err != nil {
		return nil, err
	}
	return pair.Value, nil
}

// openPatiently opens a store, for which a server that is busy may take its time.
func openPatiently(ctx context.Context, url string) (kv store.Store, err error) {
	for range 5 {
		if kv, err = store.Open(ctx, url); err == nil || ctx.Err() != nil {
			break
		}
	}
	return kv, err
}

// newFolder makes the folder of a run.
func newFolder(parent, name string) (string, error) {
	dir := filepath.Join(parent, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}
