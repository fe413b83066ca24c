package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"syscall"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/stage"
	"github.com/seed-a1d591d3/leadership/faults/worker"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// callLimit bounds what a fault does by the store.
const callLimit = 10 * time.Second

// foreign is what is no record.
var foreign = []byte("somebody else's")

var recordFaults = []*Fault{
	{
		Name: "key-deleted", About: "the record is deleted", Scope: Record, Lasts: [2]float64{0.5, 1.5},
		Begin: func(e *Episode) {
			e.awaitKnown()
			e.deleteKey()
		},
	},
	{
		Name: "key-overwritten", About: "the record is replaced by what is none, and that is deleted later", Scope: Record, Lasts: [2]float64{0, 2},
		Begin: func(e *Episode) {
			e.awaitKnown()
			e.write(foreign)
		},
		End: func(e *Episode) {
			e.change(e.Key, func(ctx context.Context, pair *store.KVPair) (bool, error) {
				if !bytes.Equal(pair.Value, foreign) {
					return true, nil
				}
				ok, err := e.KV.AtomicDelete(ctx, e.Key, pair)
				return ok, err
			})
		},
	},
	{
		Name: "key-put-back", About: "an older value of the record is written", Scope: Record, Lasts: [2]float64{0.5, 1.5},
		Begin: func(e *Episode) {
			e.awaitKnown()
			older, _ := e.state.([]byte)
			if older == nil {
				older = e.read().Value
				e.must(clock.Pause(e.ctx, e.TTL)) // the leader has renewed it
			}
			e.state = e.read().Value
			e.write(older)
		},
	},
	{
		Name: "sessions-deleted", About: "all terms ride on sessions, whose records are deleted", Scope: Record, Lasts: [2]float64{0.5, 1.5},
		Set: func(r *Run, _ *rand.Rand) {
			for _, n := range r.Nodes {
				n.Rides = n.library()
			}
		},
		Begin: func(e *Episode) {
			e.awaitKnown()
			e.deleteSessions()
		},
	},
	{
		Name: "key-lost", About: "the record is deleted while the leader does not reach the store, and a process is started that has never seen it",
		Scope: Record, Lasts: [2]float64{1, 1}, Episodes: 2, TTL: 4 * time.Second, Lost: true,
		Begin: func(e *Episode) { e.lose(func() { e.deleteKey() }) },
		End:   (*Episode).dismiss,
	},
}

// must ends the episode for an error.
func (e *Episode) must(err error) {
	if err != nil {
		stage.Fail(fmt.Errorf("%s: %w", e.Fault.Name, err))
	}
}

func (e *Episode) read() *store.KVPair {
	ctx, cancel := context.WithTimeout(e.ctx, callLimit)
	defer cancel()
	pair, err := e.KV.Get(ctx, e.Key, nil)
	e.must(err)
	return pair
}

// write replaces the record, whatever it is.
func (e *Episode) write(value []byte) {
	e.change(e.Key, func(ctx context.Context, pair *store.KVPair) (bool, error) {
		ok, _, err := e.KV.AtomicPut(ctx, e.Key, value, pair, nil)
		return ok, err
	})
}

func (e *Episode) deleteKey() { e.deleteAt(e.Key) }

func (e *Episode) deleteAt(key string) {
	e.change(key, func(ctx context.Context, pair *store.KVPair) (bool, error) {
		ok, err := e.KV.AtomicDelete(ctx, key, pair)
		return ok, err
	})
}

// deleteSessions deletes the records of all sessions of the run, and of others of its kind.
func (e *Episode) deleteSessions() {
	ctx, cancel := context.WithTimeout(e.ctx, callLimit)
	defer cancel()
	dir := path.Dir(e.Key) + "/sessions/"
	pairs, err := e.KV.List(ctx, dir, nil)
	e.must(err) // there is one at least
	for _, pair := range pairs {
		e.deleteAt(dir + path.Base(pair.Key))
	}
}

// change has do change the record under a key, again until nobody else has been faster.
func (e *Episode) change(key string, do func(ctx context.Context, pair *store.KVPair) (bool, error)) {
	ctx, cancel := context.WithTimeout(e.ctx, callLimit)
	defer cancel()
	for done := false; !done; {
		pair, err := e.KV.Get(ctx, key, nil)
		if errors.Is(err, store.ErrKeyNotFound) {
			return
		}
		if err == nil {
			done, err = do(ctx, pair)
		}
		if !errors.Is(err, store.ErrKeyModified) && !errors.Is(err, store.ErrKeyNotFound) {
			e.must(err)
		}
	}
}

// awaitKnown waits until one term has been on record for a TTL, so that all nodes have seen
// it. A claim that is lost before is protected by nothing, as doc.go says: see lose.
func (e *Episode) awaitKnown() {
	var (
		known uint64
		since time.Time
	)
	for began := time.Now(); known == 0 || time.Since(since) < e.TTL; {
		ctx, cancel := context.WithTimeout(e.ctx, callLimit)
		leader, token, err := e.term(ctx)
		cancel()
		if err != nil || leader == "" {
			token = 0
		}
		if err != nil || token != known {
			known, since = token, time.Now()
		}
		if time.Since(began) > 30*time.Second {
			e.must(errors.Join(errors.New("no term lasts for a TTL within 30s"), err))
		}
		e.must(clock.Pause(e.ctx, 10*time.Millisecond))
	}
}

// lose provokes the overlap that no election over a store that loses data can prevent:
// while the leader does not reach the store, or is halted where no proxy is between, do
// loses its claim, and a process that has never seen it claims the seat. The leader trusts
// its claim until it looks, or that runs out.
func (e *Episode) lose(do func()) {
	ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
	defer cancel()
	leader, err := e.awaitLeader(ctx, 20*time.Second)
	e.must(err)
	if len(leader.Proxies) > 0 {
		leader.setFlow(servers.Flow{Hold: true}, servers.Up, servers.Down)
		e.healed = func() { leader.setFlow(servers.Flow{}, servers.Up, servers.Down) }
	} else {
		leader.process.signal(syscall.SIGSTOP, true)
		defer leader.process.signal(syscall.SIGCONT, true)
	}
	do()
	mode := worker.Run
	if e.Stage.Kind.HTTP {
		mode = Python
	}
	fresh, err := e.addNode(fmt.Sprintf("fresh%d", e.Number+1), mode)
	e.must(err)
	e.must(fresh.Start())
	e.state = fresh
	for began := time.Now(); time.Since(began) < e.TTL; {
		if now, err := e.leader(ctx); err == nil && now == fresh.Name {
			return
		}
		e.must(clock.Pause(ctx, 5*time.Millisecond))
	}
	// Another was faster, or the store not fast enough: there is no overlap.
}

// dismiss heals the leader's network, and ends what lose has started.
func (e *Episode) dismiss() {
	if e.healed != nil {
		e.healed()
	}
	if fresh, ok := e.state.(*Node); ok {
		e.must(fresh.end())
		fresh.process = nil
	}
}
