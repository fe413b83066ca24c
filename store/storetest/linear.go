package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

var linearChecks = []check{
	{name: "Calls", test: linearCalls},
	{name: "CallsOnConnectionsThatAreCut", needs: cuts, test: linearCut},
	{name: "CallsWhileTheServerRestarts", needs: server, test: linearRestart},
}

// The maximum size of a history, so that it can be checked in milliseconds, and the
// minimum, so that a check is worth it.
const (
	fewest         = 20 // reads, and writes
	callsPerKey    = 150
	unknownsPerKey = 10
	decideWithin   = 10 * time.Second
)

func linearCalls(tr *trial) {
	tr.wantLinearizable(150, 800*time.Millisecond, func(*rand.Rand, time.Duration) {})
}

func linearCut(tr *trial) {
	tr.wantLinearizable(250, 2*time.Second, func(rng *rand.Rand, d time.Duration) {
		for limit := time.Now().Add(d); time.Now().Before(limit); {
			time.Sleep(time.Duration(rng.Int64N(int64(d / 4))))
			tr.can.Cut()
		}
	})
}

func linearRestart(tr *trial) {
	tr.wantLinearizable(250, 1500*time.Millisecond, func(rng *rand.Rand, d time.Duration) {
		time.Sleep(d/4 + time.Duration(rng.Int64N(int64(d/2))))
		tr.stop()
		tr.start()
	})
}

// wantLinearizable lets many clients make so many calls each during d, or fewer on a slow
// store, if they are enough, while trouble runs. It wants the history of each key to be
// linearizable.
func (tr *trial) wantLinearizable(each int, d time.Duration, trouble func(rng *rand.Rand, d time.Duration)) {
	tr.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("STORETEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			tr.Fatalf("STORETEST_SEED: %v", err)
		}
	}
	tr.Logf("STORETEST_SEED=%d", seed)

	clients := tr.clients(writers) // which may take long
	rec := &recording{tr: tr, began: time.Now(), slots: make([]slot, 3)}
	troubled := make(chan struct{})
	go func() {
		defer close(troubled)
		trouble(rand.New(rand.NewPCG(seed, 1<<63)), d)
	}()
	atOnce(clients, func(i int, kv *client) {
		r := &rider{rec, i, kv, rand.New(rand.NewPCG(seed, uint64(i))), make(map[string]*memo)}
		for n := 0; n < each && (time.Since(rec.began) < d || !rec.enough()); n++ {
			r.call()
			if r.rng.IntN(4) == 0 { // otherwise they come in bursts
				r.sleep(8 * d / time.Duration(each))
			}
		}
	})
	<-troubled

	tr.Logf("%d calls: %d writes, %d refused, %d reads that found something, %d calls without an answer",
		len(rec.ops), rec.writes, rec.count(operation.refused), rec.reads, rec.count(operation.unknown))
	if rec.writes < fewest || rec.reads < fewest {
		last := rec.ops[len(rec.ops)-1]
		tr.Errorf("of %d calls only %d writes and %d reads did something: that proves little; the last one: %v", len(rec.ops), rec.writes, rec.reads, last.err)
	}
	for key, history := range rec.byKey() {
		if err := linearizable(history, tr.can.IndexRestarts, decideWithin); err != nil {
			tr.Errorf("%q is not linearizable: %v\n%s", key, err, text(history))
		}
	}
}

// recording is what happened.
type recording struct {
	tr    *trial
	began time.Time

	mu     sync.Mutex
	ops    []operation
	slots  []slot
	values int
	writes int // that succeeded
	reads  int // that found something
}

// slot is a key in use. Another key replaces it before its history becomes too long to be
// checked.
type slot struct{ generation, calls, unknowns int }

// pick returns the key of one slot, and a new value.
func (rec *recording) pick(rng *rand.Rand) (i int, key, value string) {
	i = rng.IntN(len(rec.slots))
	rec.mu.Lock()
	defer rec.mu.Unlock()
	s := &rec.slots[i]
	if s.calls >= callsPerKey || s.unknowns >= unknownsPerKey {
		*s = slot{generation: s.generation + 1}
	}
	s.calls++
	rec.values++
	return i, fmt.Sprintf("%s/%d/%d", rec.tr.base, i, s.generation), fmt.Sprintf("v%d", rec.values)
}

func (rec *recording) add(slot int, op operation) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.ops = append(rec.ops, op)
	switch {
	case op.unknown() && op.kind != opGet:
		rec.slots[slot].unknowns++
	case op.err == nil && op.kind == opGet:
		rec.reads++
	case op.err == nil:
		rec.writes++
	}
}

// enough reports whether the history is long enough, or it is useless to go on.
func (rec *recording) enough() bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.writes >= 2*fewest && rec.reads >= 2*fewest || time.Since(rec.began) > rec.tr.patience
}

func (rec *recording) count(is func(operation) bool) int {
	n := 0
	for _, op := range rec.ops {
		if is(op) {
			n++
		}
	}
	return n
}

func (rec *recording) byKey() map[string][]operation {
	keys := make(map[string][]operation)
	for _, op := range rec.ops {
		keys[op.key] = append(keys[op.key], op)
	}
	return keys
}

// text returns a history for people.
func text(history []operation) string {
	history = slices.Clone(history)
	slices.SortFunc(history, func(a, b operation) int { return int(a.began - b.began) })
	lines := make([]string, len(history))
	for i, op := range history {
		lines[i] = op.String()
	}
	return strings.Join(lines, "\n")
}

// rider is one client of a recording.
type rider struct {
	*recording
	id    int
	kv    *client
	rng   *rand.Rand
	known map[string]*memo // by key
}

// memo is what a client knows of a key. pair is nil where it is missing.
type memo struct {
	pair, older *store.KVPair
	fresh       bool // pair may still be the state of the key
}

func (m *memo) learn(pair *store.KVPair) { m.older, m.pair, m.fresh = m.pair, pair, true }

func (r *rider) call() {
	slot, key, value := r.pick(r.rng)
	m := r.known[key]
	if m == nil {
		m = &memo{}
		r.known[key] = m
	}
	op := operation{client: r.id, key: key, kind: opGet}
	switch dice := r.rng.IntN(100); {
	case dice < 5 && m.older != nil:
		op.kind, op.value, op.previous = opPut, value, m.older
	case dice < 60 && (m.fresh || dice < 10):
		op.kind, op.value, op.previous = opPut, value, m.pair
	case dice < 75 && m.pair != nil && (m.fresh || dice < 65):
		op.kind, op.previous = opDelete, m.pair
	}
	limit := 2 * time.Second
	if r.rng.IntN(12) == 0 {
		limit = time.Duration(r.rng.Int64N(int64(3 * time.Millisecond)))
	}
	r.perform(&op, limit)
	r.add(slot, op)

	switch {
	case op.unknown():
		m.fresh = m.fresh && r.rng.IntN(2) == 0 // it may be tried once more
		r.sleep(30 * time.Millisecond)
	case op.missing() || op.kind == opDelete && op.err == nil:
		m.learn(nil)
	case op.err == nil:
		m.learn(op.pair)
	default:
		m.fresh = false
	}
}

// get reads a key by Get or by GetMany.
func (r *rider) get(ctx context.Context, key string) (*store.KVPair, error) {
	if r.rng.IntN(3) > 0 {
		return r.kv.Get(ctx, key, nil)
	}
	pairs, err := r.kv.GetMany(ctx, []string{r.tr.base + "/none", key})
	switch {
	case err != nil:
		return nil, err
	case pairs[1] == nil:
		return nil, store.ErrKeyNotFound
	}
	return pairs[1], nil
}

// sleep sleeps for less than limit.
func (r *rider) sleep(limit time.Duration) { time.Sleep(time.Duration(r.rng.Int64N(int64(limit)))) }

// perform makes the call, and records the result.
func (r *rider) perform(op *operation, limit time.Duration) {
	ctx, cancel := context.WithTimeout(r.tr.Context(), limit)
	defer cancel()
	op.began = time.Since(r.began)
	var ok bool
	switch op.kind {
	case opGet:
		op.pair, op.err = r.get(ctx, op.key)
		ok = true
	case opPut:
		ok, op.pair, op.err = r.kv.AtomicPut(ctx, op.key, []byte(op.value), op.previous, nil)
	default:
		ok, op.err = r.kv.AtomicDelete(ctx, op.key, op.previous)
	}
	op.took = time.Since(r.began) - op.began
	if op.err == nil && (!ok || op.pair == nil && op.kind != opDelete) {
		r.tr.Errorf("%s = %v, %v and no error", op.kind, ok, op.pair)
		op.err = errNoAnswer
	}
}
