package election

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/indexes"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	rideTTL = 15 * time.Second
	seat    = "seat"
)

// stable is a store of some keys, and the candidates that ride.
type stable struct {
	t     *testing.T
	now   time.Duration
	pairs map[string]*store.KVPair
	index uint64
	log   []string
	stale map[string]*store.KVPair // what looks find of a session, in place of what is there
	left  bool                     // the term was left, on the session of who looks
	waits bool                     // looks wait for others as long as they may
}

type rider struct {
	*Machine
	in      *stable
	node    string
	start   clock.Instant // of the trust in its term
	leads   bool
	issued  Issued
	session string
}

func newStable(t *testing.T) *stable {
	return &stable{t: t, pairs: make(map[string]*store.KVPair), stale: make(map[string]*store.KVPair)}
}

func (s *stable) instant() clock.Instant { return clock.Instant{Mono: s.now, Wall: int64(s.now)} }

func (s *stable) put(key string, rec Record) *store.KVPair {
	s.index++
	s.pairs[key] = &store.KVPair{Key: key, Value: rec.Encode(), LastIndex: s.index}
	return s.pairs[key]
}

// beats has the owner of a session renew it.
func (s *stable) beats(session, node string, beat uint64) {
	s.put(session, Record{
		Header: Sessions, Leader: node, Instance: node, Token: 1, Millis: rideTTL.Milliseconds(), Beat: beat, Since: time.Unix(1, 0).UTC(),
	})
}

func (s *stable) read(key string) (*store.KVPair, Record) {
	pair := s.pairs[key]
	if pair == nil {
		return nil, Record{}
	}
	rec, err := Parse(pair.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	if rec.Session != "" {
		rec.Ride = &Ride{Left: s.left}
		if s.left {
			return pair, rec
		}
		rec.Ride.Pair = s.pairs[rec.Session]
		if old := s.stale[rec.Session]; old != nil {
			rec.Ride.Pair = old
		}
		if rec.Ride.Pair != nil {
			if rec.Ride.Rec, err = ParseSession(rec.Ride.Pair.Value); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return pair, rec
}

func (s *stable) rider(node, session string) *rider {
	r := &rider{in: s, node: node, session: session}
	r.issued.Proof.Judge(&store.KVPair{}, &store.KVPair{}) // the store has shown that it compares and swaps
	cfg := &Config{
		Trust: 2 * 12 * time.Second, Renew: rideTTL / 3, Retry: rideTTL / 3, Limit: time.Second, Rides: true,
		Dice: Dice{Float64: func() float64 { return 0 }, Stride: func() uint32 { return 0 }, Instance: func() string { return node + "'" }},
	}
	r.Machine = NewMachine(cfg, Claimant{Node: node, Instance: node, TTL: rideTTL}, false, &r.issued, s.now)
	r.Health(true, false)
	r.Ride(session)
	return r
}

// goes lets the rider go on until it waits, and returns until when.
func (r *rider) goes() time.Duration {
	s := r.in
	for range 20 {
		now := s.instant()
		r.Tick(now)
		r.events()
		step := r.Step(now)
		switch step.Do {
		case Look:
			if s.waits {
				if left := r.left(now); r.leads && step.Limit > left/2 {
					s.t.Fatalf("of the %v of trust that are left a look may take %v", left, step.Limit)
				}
				s.now += step.Idle
				now = s.instant()
			}
			pair, rec := s.read(seat)
			r.Read(pair, rec, now)
		case Put, End:
			key := seat
			if step.Do == End {
				key = step.Seen.Session
			}
			s.log = append(s.log, strings.Join(strings.Fields(r.node+" "+step.Op+" "+key), " "))
			refused := !indexes.Same(s.pairs[key], step.Previous)
			switch {
			case step.Do == End:
				if !refused {
					s.put(key, step.Record)
				}
				r.SessionEnded(refused, refused, now)
				if refused {
					return now.Mono
				}
			case refused:
				r.PutFailed(true, now)
			default:
				pair := s.put(key, step.Record)
				r.Wrote(pair, pair.Value, now)
			}
		case Finish:
			return clock.Never
		case Wait:
			return step.Until
		}
		r.events()
	}
	s.t.Fatalf("%s does not come to rest: %v", r.node, s.log)
	return 0
}

func (r *rider) events() {
	for _, e := range r.Events() {
		switch e.Kind {
		case Began, Renewed:
			r.leads, r.start = true, e.Start
		case EndLease:
			r.leads = false
			r.Over(Evicted)
		}
	}
}

// pass has time pass, and the riders act when they want to.
func (s *stable) pass(d time.Duration, beats func(), riders ...*rider) {
	for end := s.now + d; s.now < end; s.now += 500 * time.Millisecond {
		if beats != nil {
			beats()
		}
		for _, r := range riders {
			r.goes()
		}
	}
}

func (s *stable) wants(want ...string) {
	s.t.Helper()
	if got := strings.Join(s.log, ", "); got != strings.Join(want, ", ") {
		s.t.Errorf("written: %s; want %s", got, strings.Join(want, ", "))
	}
	s.log = nil
}

func TestTermThatRidesIsNotRenewed(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	beat := uint64(1)
	s.pass(100*time.Second, func() { beat++; s.beats("one", "a", beat) }, a, b)
	s.wants("a claim seat")
	if rec, err := Parse(s.pairs[seat].Value); err != nil || rec.Session != "one" || rec.Header != Riding || rec.TTL() != rideTTL {
		t.Errorf("%+v, %v", rec, err)
	}
	if !a.leads || s.now-a.start.Mono > rideTTL {
		t.Errorf("leads: %v, and has looked %v ago", a.leads, s.now-a.start.Mono)
	}
}

func TestLookThatWaitsForOthersLeavesTimeForAnother(t *testing.T) {
	s := newStable(t)
	s.waits = true
	s.beats("one", "a", 1)
	a := s.rider("a", "one")
	beat := uint64(1)
	s.pass(100*time.Second, func() { beat++; s.beats("one", "a", beat) }, a)
	s.wants("a claim seat")
}

func TestSessionIsEndedBeforeItsTermIsTaken(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	a.goes()
	s.pass(rideTTL, nil, b)
	s.wants("a claim seat")
	s.pass(time.Second, nil, b)
	s.wants("b one", "b claim seat")
	if !b.leads {
		t.Error("b does not lead")
	}
	if rec, err := ParseSession(s.pairs["one"].Value); err != nil || rec.Held() || *rec.Last != (Ending{"a", 1, Expired}) {
		t.Errorf("%+v, %v", rec, err)
	}
	if _, rec := s.read(seat); rec.Session != "two" || *rec.Last != (Ending{"a", rec.Token - 1, Expired}) && rec.Last.Reason != Expired {
		t.Errorf("%+v", rec)
	}
}

func TestSeatOfAnEndedSessionIsTakenAtOnce(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a := s.rider("a", "one")
	a.goes()
	_, rec := s.read(seat)
	s.put("one", rec.EndSession(2))
	b := s.rider("b", "two") // a newcomer
	b.goes()
	s.wants("a claim seat", "b claim seat")
	if !b.leads {
		t.Error("b does not lead")
	}
}

// TestStaleReadOfASessionTakesNothing is why a session is ended: who looks at its beat, and
// takes the seat then, may have been shown what was.
func TestStaleReadOfASessionTakesNothing(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	a.goes()
	s.stale["one"] = s.pairs["one"]
	beat := uint64(1)
	s.pass(3*rideTTL, func() { beat++; s.beats("one", "a", beat) }, a, b)
	for _, line := range s.log {
		if line == "b claim seat" {
			t.Fatalf("written: %v", s.log)
		}
	}
	if !a.leads || b.leads {
		t.Errorf("a leads: %v; b leads: %v", a.leads, b.leads)
	}
}

func TestMissingSessionCountsAsHeldForATTL(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	a.goes()
	s.pass(rideTTL-time.Second, nil, b)
	delete(s.pairs, "one")
	s.pass(2*time.Second, nil, b)
	s.wants("a claim seat") // a TTL after it saw the session, it has just noticed
	noticed := s.now
	for s.log == nil {
		s.pass(time.Second/2, nil, b)
	}
	if d := s.now - noticed; d < rideTTL-7*time.Second || d > rideTTL {
		t.Errorf("taken %v after it could be noticed", d)
	}
	s.wants("b one", "b claim seat")
	if rec, err := ParseSession(s.pairs["one"].Value); err != nil || rec.Held() {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestTermThatVanishedIsWaitedForTwoTTLs(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	a.goes()
	b.goes()
	delete(s.pairs, seat)
	beat := uint64(1)
	began := s.now
	for s.log = nil; s.log == nil; {
		s.pass(time.Second/2, func() { beat++; s.beats("one", "a", beat) }, b)
	}
	if d := s.now - began; d < 2*rideTTL || d > 2*rideTTL+7*time.Second {
		t.Errorf("taken after %v", d)
	}
}

func TestRiderWritesAVanishedTermAgain(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a := s.rider("a", "one")
	a.goes()
	_, was := s.read(seat)
	delete(s.pairs, seat)
	s.pass(rideTTL, nil, a)
	s.wants("a claim seat", "a renew seat")
	if _, rec := s.read(seat); rec.Token != was.Token || rec.Session != "one" || !a.leads {
		t.Errorf("%+v", rec)
	}
}

func TestNoSessionNoClaim(t *testing.T) {
	s := newStable(t)
	a := s.rider("a", "")
	s.pass(rideTTL, nil, a)
	s.wants("")
	s.beats("one", "a", 1)
	a.Ride("one")
	s.pass(6*time.Second, nil, a)
	s.wants("a claim seat")
}

func TestOwnTermOfAnEarlierSessionIsTakenWhenThatHasEnded(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a := s.rider("a", "one")
	a.goes()
	a.Over(Expired)
	a.leads = false
	a.Ride("")
	s.beats("three", "a", 1)
	a.Ride("three")
	s.pass(6*time.Second, nil, a)
	s.wants("a claim seat") // somebody may still hold it for trusted
	_, rec := s.read(seat)
	s.put("one", rec.EndSession(2))
	s.pass(6*time.Second, nil, a)
	s.wants("a claim seat")
	if _, rec := s.read(seat); rec.Session != "three" || !a.leads {
		t.Errorf("%+v", rec)
	}
}

func TestRiderObeysAndResigns(t *testing.T) {
	s := newStable(t)
	s.beats("one", "a", 1)
	a, b := s.rider("a", "one"), s.rider("b", "two")
	a.goes()
	ask := func(r Request) {
		_, rec := s.read(seat)
		rec.Ask = &r
		s.put(seat, rec)
	}
	ask(Request{Do: Transfer, To: "a", Millis: 1})
	s.pass(rideTTL, nil, a)
	s.wants("a claim seat", "a renew seat")
	if _, rec := s.read(seat); rec.Ask != nil || rec.Session != "one" {
		t.Errorf("%+v", rec)
	}
	ask(Request{Do: Resign})
	s.pass(rideTTL, nil, a)
	s.wants("a vacate seat")
	if _, rec := s.read(seat); rec.Header != Format || rec.Session != "" || rec.Last.Reason != Evicted {
		t.Errorf("%+v", rec)
	}
	b.goes()
	s.wants("b claim seat")
}

// TestSessionThatWasNotReadCountsAsAlive: the record itself is not renewed.
func TestSessionThatWasNotReadCountsAsAlive(t *testing.T) {
	var v View[Record]
	rec := Record{Leader: "a", Instance: "i", Token: 1, Millis: 1000, Session: "s"}
	v.See(&store.KVPair{Key: "k", LastIndex: 1}, rec, 0)
	rival := Claimant{Node: "b", Instance: "j", TTL: time.Second}
	if verdict, _ := Decide(&v, &rival, false, 2*MaxTTL); verdict != MustWait {
		t.Errorf("verdict %d after two years", verdict)
	}
	rec.Ride = &Ride{Pair: &store.KVPair{Key: "s", LastIndex: 2}, Rec: Record{Instance: "i", Token: 1, Millis: 1000}}
	v.See(v.Pair, rec, 0)
	if verdict, _ := Decide(&v, &rival, false, time.Second); verdict != MustEnd {
		t.Errorf("verdict %d after the TTL of its session", verdict)
	}
}
