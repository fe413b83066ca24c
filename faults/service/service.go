// Package service has clients elect, claim, complete and follow over HTTP, by three
// processes of `leadership serve` on one store, while those and the store are killed, halted
// and started again; and checks what the clients were answered.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/stage"
)

const (
	// serving is how many processes serve.
	serving = 3

	// claimants is how many clients stand in each election; all others follow it.
	claimants = 3

	// askers is how many clients ask for each round, and paced how many rounds there are in
	// a TTL.
	askers = 10
	paced  = 15
)

// Config is what a run does.
type Config struct {
	Kind      *stage.Kind
	Seed      uint64
	Duration  time.Duration // of the faults
	Clients   int           // a multiple of 50
	Elections int
	TTL       time.Duration
	Program   string    // cmd/leadership, built
	Output    string    // a file for what the servers log
	Log       io.Writer // of the faults
}

// Result is what a run has come to.
type Result struct {
	*history.Result

	Requests, Unanswered, Events uint64
	Faults                       int
	Rounds, Completed            int           // that were answered
	Wrong                        time.Duration // the longest that a follower was, while it could know better
	Sound                        time.Duration // for how long all that ran answered in time
}

// run is a run under way.
type run struct {
	Config
	stage   *stage.Stage
	servers []*server
	http    *http.Client
	began   history.Stamp
	running sync.WaitGroup
	clients []*client
	ledger  ledger
	sound   []history.Line
	slow    []span

	requests, unanswered, events atomic.Uint64
}

// Do makes a run, and blocks until all that it has started has ended.
func Do(ctx context.Context, c Config) (_ *Result, err error) {
	r := &run{Config: c, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 200, IdleConnTimeout: 10 * time.Second, DisableCompression: true,
	}}}
	defer r.http.CloseIdleConnections()
	if r.stage, err = stage.Start(c.Kind, stage.Plain); err != nil {
		return nil, fmt.Errorf("service: start %s: %w", c.Kind.Name, err)
	}
	defer func() { err = errors.Join(err, r.stage.End()) }()
	for range serving {
		s, err := newServer(c.Program, r.stage.URL(r.stage.Hosts), c.Output)
		if err != nil {
			return nil, fmt.Errorf("service: %w", err)
		}
		defer s.kill()
		r.servers = append(r.servers, s)
	}
	for _, s := range r.servers {
		if err := s.start(ctx); err != nil {
			return nil, fmt.Errorf("service: %w", err)
		}
	}
	r.began = history.Now()
	living, end := context.WithCancel(ctx)
	defer r.running.Wait()
	defer end()
	for i := range c.Clients {
		r.clients = append(r.clients, r.newClient(living, i))
	}
	probing := make(chan struct{})
	go func() {
		defer close(probing)
		r.probe(living)
	}()
	faults, err := r.strike(ctx, rand.New(rand.NewPCG(c.Seed, 0)))
	end()
	<-probing
	r.running.Wait()
	if err != nil {
		return nil, err
	}
	return r.check(ctx, faults)
}

// check looks at what the clients have witnessed, and at what there is in the end.
func (r *run) check(ctx context.Context, faults int) (*Result, error) {
	r.sound = without(r.sound, r.slow)
	var logs []*history.Log
	elections := make(map[string]bool)
	for _, c := range r.clients {
		logs = append(logs, c.log, c.rounds)
		if !elections[c.key] {
			elections[c.key] = true
			logs = append(logs, &history.Log{Process: history.Process{Role: history.Runner, Key: c.key}, Lines: r.sound})
		}
	}
	res := &Result{
		Result: history.Check(logs, history.Limits{}), Faults: faults,
		Requests: r.requests.Load(), Unanswered: r.unanswered.Load(), Events: r.events.Load(),
	}
	for _, s := range r.sound {
		res.Sound += s.After.Sub(s.Before)
	}
	var wrong []history.Violation
	res.Wrong, wrong = wrongFollowers(logs, r.sound, r.TTL+time.Second)
	res.Violations = append(res.Violations, wrong...)
	states, err := r.states(ctx)
	if err != nil {
		return nil, err
	}
	res.Rounds, res.Completed = len(states), r.ledger.completed()
	res.Violations = append(res.Violations, r.ledger.check(states)...)
	for i := range res.Violations {
		if v := &res.Violations[i]; v.At > 0 {
			v.At -= r.began // as the faults are told
		}
	}
	return res, nil
}
