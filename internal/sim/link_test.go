package sim

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// link is what lies between one contender and the store: a faultstore whose
// plan and switches follow the virtual time, and what only shows from outside:
// writes that land after their call was given up, machines that are suspended,
// the number of calls that are under way.
type link struct {
	store.Store // the faultstore
	w           *world
	name        string
	machine     *machine
	dice        dice
	linkPlan

	faults  *faultstore.Store
	crashed atomic.Bool

	runs           func() int32        // how many campaigns it had
	beats          looksAtSession      // is told what a session was found to be, if not nil
	own            sync.Map            // the keys of sessions that it has watched: campaigns, too
	owns           atomic.Int32        // how many
	seen           saw                 // is told what was read, if not nil
	shown          func(*store.KVPair) // is told what a watch showed, if not nil
	sends          sends               // is told what is written, if not nil
	calls, watches atomic.Int32
}

// saw takes note of what a call has read that was made at v.
type saw func(ctx context.Context, pair *store.KVPair, v time.Duration)

// looksAtSession takes note of what a call has read of a session, nil if it is missing.
type looksAtSession func(ctx context.Context, key string, pair *store.KVPair)

// sends takes note of a write that is under way, and waited for as long as the other context
// goes on, until the function returned is called.
type sends func(ctx, waits context.Context, key string, value []byte, previous *store.KVPair) (returned func())

// linkPlan is what is known of a link from the start. Rates are probabilities
// for each call during the faults.
type linkPlan struct {
	slow    float64       // a request or reply is delayed
	slowest time.Duration // by this at most
	fail    float64       // the call fails and has no effect
	lose    float64       // the call has an effect and fails
	ignore  float64       // the call ignores its context
	wire    float64       // the call returns with its context, and has its effect later
	deaf    float64       // a watch is dead or dies
	retries bool          // a lost reply looks like a lost race: the client tried again by itself
	weather []spell
	shards  []shard
}

// shard is a time in which the sessions cannot be reached, or all but those.
type shard struct {
	span
	sessions bool
}

// spell is a time of bad weather.
type spell struct {
	span
	kind weather
}

type weather int

const (
	partitioned weather = iota
	refusing
	muted
	lagging
	killing
	weathers // how many there are
)

var weatherNames = [...]string{"partitioned", "refused", "watches muted", "watches lag", "watches killed"}

func newLink(w *world, name string, m *machine, inner store.Store, plan linkPlan, d dice, runs func() int32) *link {
	l := &link{w: w, name: name, machine: m, dice: d, linkPlan: plan, runs: runs}
	l.faults = faultstore.New(inner, faultstore.WithPlan(l.fault))
	l.Store = l.faults
	w.background.Go(l.forecast)
	return l
}

// forecast makes the weather, until it is calm for good.
func (l *link) forecast() {
	c := l.dice.child("forecast").rolls()
	for _, s := range l.weather {
		now := l.w.now()
		if now >= s.to {
			continue
		}
		l.w.sleepUntil(s.from)
		if l.w.over() || l.crashed.Load() {
			return
		}
		l.w.note(l.name, "link: %s", weatherNames[s.kind])
		switch s.kind {
		case partitioned:
			l.faults.Partition()
		case refusing:
			l.faults.Refuse()
		case muted:
			l.faults.MuteWatches(true)
		case lagging:
			l.faults.LagWatches(c.spread(time.Millisecond, s.to-s.from))
		case killing:
			l.faults.KillWatches()
		}
		l.w.sleepUntil(s.to)
		if l.crashed.Load() {
			return
		}
		l.faults.Heal()
		l.faults.MuteWatches(false)
		l.faults.LagWatches(0)
		l.w.note(l.name, "link: healed")
	}
}

// crash cuts the link for ever: the process at its end is as good as dead.
func (l *link) crash() {
	l.crashed.Store(true)
	l.faults.Partition()
}

// fault is the plan of the faultstore.
func (l *link) fault(call faultstore.Call) faultstore.Fault {
	v := l.w.now()
	c := l.dice.at(v, uint64(dice(0).child(string(call.Op)+lane(call.Key))))
	if l.w.calm(v) {
		return faultstore.Fault{
			Before: c.spread(50, l.w.plan.latency), After: c.spread(50, l.w.plan.latency), Lag: c.spread(50, l.w.plan.latency),
		}
	}
	f := faultstore.Fault{
		Before: l.delay(c, v), Lag: l.delay(c, v),
		LoseReply:     c.p(l.lose),
		IgnoreContext: c.p(l.ignore) && call.Op != faultstore.OpWatch,
	}
	f.After = l.delay(c, v+f.Before)
	if !f.LoseReply && c.p(l.fail) || f.LoseReply {
		f.Err = pick(c, faultstore.ErrInjected, store.ErrNotReachable, context.DeadlineExceeded, context.Canceled, io.EOF)
	}
	if f.LoseReply && l.retries && call.Op == faultstore.OpAtomicPut {
		f.Err = store.ErrKeyModified
	}
	for _, s := range l.shards {
		if s.holds(v) && s.sessions == isSession(call.Key) {
			f.LoseReply, f.Err = false, store.ErrNotReachable
		}
	}
	if c.p(l.deaf) {
		f.Mute = c.p(0.5)
		f.Life = c.spread(l.w.plan.ttl/100, 4*l.w.plan.ttl)
	}
	return f
}

// delay is how long a request or a reply that sets out at v takes. It arrives
// by the time that the faults are over.
func (l *link) delay(c *chance, v time.Duration) time.Duration {
	d := c.spread(50, l.w.plan.latency)
	if c.p(l.slow) {
		d = c.spread(l.w.plan.latency, l.slowest)
	}
	return l.w.untilHealed(c, v, d)
}

// Get implements store.Store.
func (l *link) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	v := l.w.now()
	_, pair, err := l.call(ctx, "get", key, func(ctx context.Context) (bool, *store.KVPair, error) {
		pair, err := l.faults.Get(ctx, key, opts)
		return err == nil, pair, err
	})
	l.found(ctx, key, pair, err, v)
	return pair, err
}

// found tells what a read, made at v, has found under a key.
func (l *link) found(ctx context.Context, key string, pair *store.KVPair, err error, v time.Duration) {
	switch session := isSession(key); {
	case session && l.beats != nil && (err == nil || errors.Is(err, store.ErrKeyNotFound)):
		l.beats(ctx, key, pair)
	case !session && err == nil && l.seen != nil:
		l.seen(ctx, pair, v)
	}
}

// GetMany implements store.ManyGetter.
func (l *link) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	v := l.w.now()
	var pairs atomic.Pointer[[]*store.KVPair]
	_, _, err := l.call(ctx, "get", keys[0], func(ctx context.Context) (bool, *store.KVPair, error) {
		got, err := l.faults.GetMany(ctx, keys)
		pairs.Store(&got)
		return err == nil, nil, err
	})
	if err != nil {
		return nil, err
	}
	got := *pairs.Load()
	for i, key := range keys {
		if got[i] != nil || isSession(key) {
			l.found(ctx, key, got[i], nil, v)
		}
	}
	return got, nil
}

// AtomicPut implements store.Store.
func (l *link) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	waits := ctx
	return l.call(ctx, "put", key, func(ctx context.Context) (bool, *store.KVPair, error) {
		if l.sends != nil {
			defer l.sends(ctx, waits, key, value, previous)()
		}
		return l.faults.AtomicPut(ctx, key, value, previous, opts)
	})
}

// Watch implements store.Store.
func (l *link) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	l.machine.stayAwake()
	if _, known := l.own.LoadOrStore(key, true); isSession(key) && !known {
		l.owns.Add(1)
	}
	l.limit("watches", l.watches.Add(1))
	pairs, err := l.faults.Watch(ctx, key, opts)
	if err != nil {
		l.watches.Add(-1)
		return nil, err
	}
	out := make(chan *store.KVPair)
	go func() {
		defer l.watches.Add(-1)
		defer close(out)
		for pair := range pairs {
			l.machine.stayAwake()
			if l.shown != nil {
				l.shown(pair)
			}
			select {
			case out <- pair:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// limit holds what is under way at once against S6: one call and one watch for
// each campaign. A campaign that ends leaves behind what is stuck.
func (l *link) limit(what string, n int32) {
	runs := l.runs()
	if l.beats != nil {
		runs += l.owns.Load() + 1 // the first call of a session may come before its watch
	}
	if n > runs {
		l.w.violate("S6", "%s has %d %s under way", l.name, n, what)
	}
}

// reply is what a call returned.
type reply struct {
	ok   bool
	pair *store.KVPair
	err  error
}

// call makes a call, and sees to what becomes of it when its context ends.
func (l *link) call(ctx context.Context, op, key string, do func(context.Context) (bool, *store.KVPair, error)) (bool, *store.KVPair, error) {
	l.machine.stayAwake()
	l.limit("calls", l.calls.Add(1))
	defer l.calls.Add(-1)
	v := l.w.now()
	came, _ := ctx.Value(asked{}).(time.Duration)
	var acked func()
	ctx = context.WithValue(ctx, departed{}, departure{v, l.machine.resumed.Load() < int64(v), came, &acked})

	var r reply
	if c := l.dice.at(v, uint64(dice('w').child(lane(key)))); !l.w.calm(v) && c.p(l.wire) {
		r = l.onTheWire(ctx, do)
	} else {
		r.ok, r.pair, r.err = do(ctx)
	}
	if r.err == nil && acked != nil {
		acked()
	}
	l.machine.stayAwake()
	// A link that heals lets all calls go at one instant.
	time.Sleep(l.dice.at(v, uint64(dice(0).child(op+lane(key)))).between(1, 50))
	if r.err == nil && op == "get" && tracing {
		l.w.note(l.name, "get %s since %v ok", key, v)
	}
	if r.err != nil && !expected(r.err) {
		l.w.note(l.name, "%s since %v failed: %v", op, v, r.err)
	}
	return r.ok, r.pair, r.err
}

// onTheWire makes a call that has left the machine: that its context ends makes
// it return, and does not stop it.
func (l *link) onTheWire(ctx context.Context, do func(context.Context) (bool, *store.KVPair, error)) reply {
	done := make(chan reply, 1)
	l.w.background.Go(func() {
		ok, pair, err := do(context.WithoutCancel(ctx))
		done <- reply{ok, pair, err}
	})
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return reply{err: ctx.Err()}
	}
}

// expected reports whether an error is part of every election.
func expected(err error) bool {
	return !errors.Is(err, faultstore.ErrInjected) &&
		(errors.Is(err, store.ErrKeyNotFound) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyModified))
}
