package watches

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// batchKeys is how many keys a tree reads by one call at most: each store reads that many
	// within milliseconds, and what has changed meanwhile does not wait for long.
	batchKeys = 1000

	// readLimit bounds a call of a tree.
	readLimit = 5 * time.Second

	// firstPause and longestPause are how long a tree waits after a read of one key that has
	// failed: twice as long after each.
	firstPause, longestPause = 50 * time.Millisecond, 5 * time.Second
)

// due is whether a key is to be read.
type due int

const (
	notDue  due = iota
	isDue       // and waits
	isRead      // the read is under way
	isAgain     // it is, and the key has to be read once more
)

// isDue has a key be read. The caller holds mu.
func (t *tree) isDue(s *shared) {
	switch s.due {
	case notDue:
		s.due = isDue
		t.waiting = append(t.waiting, s)
	case isRead:
		s.due = isAgain
	}
	if !t.reading && len(t.waiting) > 0 {
		t.reading = true
		t.reads.Go(t.read)
	}
}

// take returns the keys that are to be read, sorted, for neighbours cost the least. Without
// any, reading ends.
func (t *tree) take() []*shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	round := t.waiting
	t.waiting = nil
	t.reading = len(round) > 0
	slices.SortFunc(round, func(a, b *shared) int { return strings.Compare(a.originKey.(string), b.originKey.(string)) })
	return round
}

// read reads the keys that are due, until none is. Each call is for those that have become due
// during the one before. One key may fail a call for all, if it holds something else. So of
// keys that cannot be read half are read, and so on; a single one that cannot be is left to
// its users, who look now and then anyway.
func (t *tree) read() {
	limit, pause := batchKeys, firstPause
	for {
		round := t.take()
		if len(round) == 0 {
			return
		}
		for len(round) > 0 {
			some := round[:min(limit, len(round))]
			err := t.readSome(some)
			switch {
			case t.ctx.Err() != nil:
				return
			case err == nil:
				limit, pause = min(2*limit, batchKeys), firstPause
			case len(some) > 1:
				limit = len(some) / 2
				continue
			default:
				within(pause, t.ctx.Done())
				pause = min(2*pause, longestPause)
			}
			round = round[len(some):]
		}
	}
}

// readSome reads keys by one call, and tells their users what it has found.
func (t *tree) readSome(some []*shared) error {
	wanted, keys := t.begin(some)
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, readLimit)
	defer cancel()
	pairs, err := t.pool.getMany(ctx, t.kv, keys)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range wanted {
		again := s.due == isAgain
		switch {
		case err != nil && len(some) > 1:
			s.due = isDue // and is still among those that are
			continue
		case err == nil:
			t.show(s, pairs[i])
		}
		s.due = notDue
		if again {
			t.isDue(s)
		}
	}
	return err
}

// begin notes that keys are read now, and returns those that still have users.
func (t *tree) begin(some []*shared) (wanted []*shared, keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range some {
		if s.due = notDue; s.wanted() {
			s.due = isRead
			wanted, keys = append(wanted, s), append(keys, s.originKey.(string))
		}
	}
	return wanted, keys
}

// show tells the users of a key what is there, nil for nothing, unless that is what they were
// told last. The caller holds mu.
func (t *tree) show(s *shared, pair *store.KVPair) {
	now := stateOf(pair)
	if now == s.told {
		return
	}
	s.told = now
	if pair != nil {
		pair.Key = s.key
	}
	s.tell(nil, pair)
}

// forget has the users of a key be told again what they were told last: one of them is new.
func (t *tree) forget(s *shared) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.told = state{}
}

// state is what a key held. The zero value is not that of any.
type state struct {
	seen  bool
	index uint64
	hash  uint64 // of the value: a server that has lost its data uses an index again
}

var seed = maphash.MakeSeed()

func stateOf(pair *store.KVPair) state {
	if pair == nil {
		return state{seen: true}
	}
	return state{true, pair.LastIndex, maphash.Bytes(seed, pair.Value)}
}
