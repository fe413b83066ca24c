package observe

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// Linger is for how long elections are watched after the last reader has left, so
	// that a reader who was cut off misses nothing.
	Linger = 15 * time.Second

	// observeMost is how long ObserveFor waits, at most.
	observeMost = 2 * time.Second
)

// Config says what to observe.
type Config struct {
	Store   store.Store            // stays open until Close has returned
	Timeout time.Duration          // of each page of a list
	Log     *slog.Logger           // where failures of lists are logged
	Explain func(err error) string // describes a failure to readers

	// Observe is set to observe the elections below Prefix whose keys are Valid, and
	// rounds: of Systems, and of those that Asked names.
	Observe bool
	Prefix  string
	About   About
	Valid   func(key string) bool
	Systems []string
}

// About tells readers of all elections what they are reading from.
type About struct {
	Store   string `json:"store,omitempty"`   // where the elections are, without secrets
	URL     string `json:"url,omitempty"`     // of the store, if it has one: for commands
	Version string `json:"version,omitempty"` // of the program
}

// Observer watches elections and rounds: those of its configuration while it is used, by
// readers of all elections or for metrics, and other elections while they have readers of
// their own. Make it with New. It is safe for concurrent use.
type Observer struct {
	Config
	lists   *Lists
	surplus settled // elections that are too many

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	most    int // elections that are observed
	byKey   map[string]*election
	all     feed // of the elections that are observed
	rounds  rounds
	readers int
	dropped uint64 // readers that were too slow
	state   state
	listed  bool          // it is known which elections there are
	until   time.Time     // they are observed until then, also without readers
	turned  chan struct{} // closed when readers come or go

	wake       chan struct{} // the observer is used
	wakeRounds chan struct{} // look at rounds now
}

// New starts an observer. It makes no call of the store until it is used.
func New(c Config) *Observer {
	o := &Observer{
		Config: c, lists: NewLists(c.Store, c.Timeout), most: maxObserved,
		byKey: make(map[string]*election), all: newFeed(allBytes),
		rounds: rounds{feed: newFeed(0), shown: c.Systems, asked: lru.New[string, struct{}](maxAsked), named: make(map[string]int), last: make(map[string][]byte)},
		wake:   make(chan struct{}, 1), wakeRounds: make(chan struct{}, 1), turned: make(chan struct{}),
	}
	o.lists.spare = true
	o.ctx, o.cancel = context.WithCancel(context.Background())
	if c.Observe {
		o.running.Go(func() { o.listElections(o.ctx) })
		o.running.Go(func() { o.lookAtRounds(o.ctx) })
	}
	return o
}

// Close ends all watching, and blocks until that has ended. Readers get no more events.
func (o *Observer) Close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.cancel()
	o.running.Wait()
}

// Asked notes that this server was asked for a round of a system.
func (o *Observer) Asked(system string) {
	if !slices.Contains(o.Systems, system) {
		o.rounds.asked.Put(system, struct{}{})
	}
}

// Known reports whether it is known which elections there are.
func (o *Observer) Known() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.listed && o.state.Error == ""
}

// Readers returns how many readers there are.
func (o *Observer) Readers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.readers
}

// Dropped returns how many readers were dropped because they were too slow.
func (o *Observer) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}

// Elections returns the elections that are observed, sorted by key.
func (o *Observer) Elections() []Election {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	var all []Election
	for _, e := range o.byKey {
		if e.observed && e.history.known {
			e.history.pass(now)
			all = append(all, e.history.election(now))
		}
	}
	slices.SortFunc(all, func(a, b Election) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// Terms returns the terms of an election that are remembered, the latest last, and when they
// were true. It reports false for one that is not observed.
func (o *Observer) Terms(key string) (terms []Past, at time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.byKey[key]
	if e == nil || !e.observed || !e.history.known {
		return nil, time.Time{}, false
	}
	at = time.Now()
	e.history.pass(at)
	return slices.Clone(e.history.past), at, true
}

// ObserveFor observes the elections for that long from now on, also without readers. It
// blocks until their states are known, for 2 s at most, or until ctx ends.
func (o *Observer) ObserveFor(ctx context.Context, d time.Duration) {
	if !o.Observe {
		return
	}
	o.mu.Lock()
	o.keep(d)
	o.mu.Unlock()
	signal(o.wake)
	for began := time.Now(); !o.caughtUp() && time.Since(began) < observeMost; {
		select {
		case <-ctx.Done():
			return
		case <-o.ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// keep observes the elections for that long from now on. It is called with mu held.
func (o *Observer) keep(d time.Duration) {
	if until := time.Now().Add(d); until.After(o.until) {
		o.until = until
	}
}

// caughtUp reports whether the states of all elections are known, or the store does not
// answer.
func (o *Observer) caughtUp() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.listed {
		return o.state.Error != ""
	}
	for _, e := range o.byKey {
		if e.observed && !e.history.known && !e.history.failed {
			return false
		}
	}
	return true
}

// signal puts a token into a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
