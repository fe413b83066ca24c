package leadership

import (
	"container/list"
	"math"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

// win is an attempt that a Round has won.
type win struct {
	number uint64
	start  clock.Instant // before it was asked for (S1)
	trust  time.Duration // from start on; 0: for ever
}

// left is for how long the attempt may still be trusted.
func (a win) left() time.Duration {
	if a.trust == 0 {
		return math.MaxInt64
	}
	return max(0, a.trust-clock.System{}.Now().Since(a.start)) // S3, S4
}

// Attempt returns the number of the attempt that this Round has won last, from
// 1 on, and for how long from now its win may be trusted, for at most which the
// winner may work: 0 when that time is over. Without WithAttemptTTL it is the longest
// time that there is. The number is 0 if this Round has won nothing. It waits for nothing.
func (r *Round) Attempt() (number uint64, left time.Duration) {
	held := r.held.Load()
	if held == nil {
		return 0, 0
	}
	return held.number, held.left()
}

// roundView is what there is of a round, as somebody sees it.
type roundView struct {
	pair *store.KVPair // nil: there is no record
	rec  roundRecord   // zero without one
	was  roundRecord   // of a later attempt that has vanished, while it is remembered
	free time.Duration // when an attempt may be superseded, on the monotonic clock
}

// latest is the record of the latest attempt that was seen.
func (v roundView) latest() roundRecord {
	if v.pair == nil || v.was.leased() {
		return v.was
	}
	return v.rec
}

// roundShared is what the rounds of one process share: what they know of the
// store, and what they have seen of rounds. It is bounded: what has not been
// looked at for the longest time is forgotten, and whoever waits for an attempt to
// end then begins to wait anew.
type roundShared struct {
	proof register.Proof // of the store (S10)
	reads register.Reads

	mu   sync.Mutex
	most int
	last list.List // of keys, from the one looked at last
	seen map[string]*roundSight
}

// roundSight is what was seen of one round. Only of an attempt that may be superseded is the
// record kept.
type roundSight struct {
	roundView
	at *list.Element
}

func newRoundShared(most int) *roundShared {
	return &roundShared{most: most, seen: make(map[string]*roundSight)}
}

// knows says whether the round under key has been seen to have a record.
func (s *roundShared) knows(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[key] != nil
}

// see takes note of what was found under key, nil for no record. now was read
// after the reply (S2). add says whether to remember a round that was not known.
func (s *roundShared) see(key string, pair *store.KVPair, rec roundRecord, now time.Duration, add bool) roundView {
	s.mu.Lock()
	defer s.mu.Unlock()
	sight := s.seen[key]
	view := roundView{pair: pair, rec: rec}
	if sight == nil && (pair == nil || !add) {
		return view
	}
	if sight == nil {
		sight = s.add(key)
	}
	s.last.MoveToFront(sight.at)
	before := sight.roundView
	switch {
	case pair != nil && !rec.open():
		sight.roundView = roundView{}
	case pair != nil && indexes.Same(before.pair, pair):
		view = before
	case pair != nil:
		view.free = now + rec.ttl()
		if gone := before.latest(); gone.attempt() > rec.attempt() {
			// An older one was put back. The winner of the latest may be at work.
			view.was, view.free = gone, max(view.free, now+gone.ttl())
		}
		sight.roundView = view
	case before.was.leased():
		view = before // it has vanished before
	case before.pair != nil:
		// It has vanished. Its winner may have asked again, unseen, just now.
		view.was = before.latest()
		view.free = max(before.free, now+view.was.ttl())
		sight.roundView = view
	default:
		s.last.Remove(sight.at)
		delete(s.seen, key)
	}
	return view
}

// add makes room for a key.
func (s *roundShared) add(key string) *roundSight {
	for len(s.seen) >= s.most {
		oldest := s.last.Back()
		s.last.Remove(oldest)
		delete(s.seen, oldest.Value.(string))
	}
	sight := &roundSight{at: s.last.PushFront(key)}
	s.seen[key] = sight
	return sight
}
