package httpapi

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// observing runs a test in virtual time against a handler that observes kv.
func observing(t *testing.T, test func(t *testing.T, kv *faultstore.Store, h *Handler)) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		h, err := New(kv, WithObserved("service/"))
		if err != nil {
			t.Fatal(err)
		}
		end := readAll(h)
		test(t, kv, h)
		end()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

// readAll has somebody read of all elections until end is called.
func readAll(h *Handler) (end func()) {
	r := newEventReader(allBuffer)
	h.observer.mu.Lock()
	h.observer.all.readers[r] = true
	h.observer.turn()
	h.observer.mu.Unlock()
	signal(h.observer.wake)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-r.wake:
				r.take()
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		h.observer.mu.Lock()
		defer h.observer.mu.Unlock()
		delete(h.observer.all.readers, r)
		h.observer.turn()
	}
}

// claim has a node claim the seat of key.
func claim(t *testing.T, kv store.Store, key, node string, ttl time.Duration) leadership.Claimed {
	t.Helper()
	got, err := leadership.NewClaims(kv, key).Claim(t.Context(), leadership.Claim{Node: node, TTL: ttl})
	if err != nil || !got.Won {
		t.Fatalf("claim of %s: %+v, %v", node, got, err)
	}
	return got
}

// one returns the one election that is observed.
func one(t *testing.T, h *Handler) observed {
	t.Helper()
	synctest.Wait()
	all := h.observer.snapshot()
	if len(all) != 1 {
		t.Fatalf("%d elections are observed: %+v", len(all), all)
	}
	return all[0]
}

func TestObserverCountsTermsRenewalsAndTheTimeWithoutALeader(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		time.Sleep(3 * time.Second)
		const key = "service/a/leader"
		claims := leadership.NewClaims(kv, key)
		claim(t, kv, "other/leader", "x", 10*time.Second) // is not below the prefix
		a := claim(t, kv, key, "a", 10*time.Second)
		time.Sleep(2 * time.Second) // the next look of the observer finds it
		if o := one(t, h); o.key != key || o.leader != "a" || o.token != a.Term.Token || o.begun != 1 || o.renewals != 0 || o.vacant != 0 {
			t.Errorf("a new election: %+v", o)
		}
		for range 3 {
			if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "a", Instance: a.Instance, Token: a.Term.Token}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if o := one(t, h); o.renewals != 3 || o.trust <= 8*time.Second || o.trust > 9*time.Second {
			t.Errorf("renewed: %+v", o)
		}
		if err := claims.Resign(t.Context(), a.Instance, 0); err != nil {
			t.Fatal(err)
		}
		if o := one(t, h); o.leader != "" || o.trust != 0 || !maps.Equal(o.ended, map[string]uint64{"resigned": 1}) {
			t.Errorf("resigned: %+v", o)
		}
		time.Sleep(4 * time.Second)
		claim(t, kv, key, "b", 10*time.Second)
		if o := one(t, h); o.leader != "b" || o.begun != 2 || o.vacant != 4*time.Second {
			t.Errorf("taken: %+v", o)
		}
		time.Sleep(12 * time.Second) // b falls silent after 10
		if o := one(t, h); o.leader != "" || o.vacant != 6*time.Second || len(o.ended) != 1 {
			t.Errorf("silent: %+v", o)
		}
		if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "c"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if got, err := claims.Claim(t.Context(), leadership.Claim{Node: "c"}); err != nil || !got.Won {
			t.Fatal(got, err)
		}
		if o := one(t, h); o.leader != "c" || !maps.Equal(o.ended, map[string]uint64{"resigned": 1, "expired": 1}) {
			t.Errorf("replaced: %+v", o)
		}
	})
}

func TestObserverTellsThatTheStoreFailsAndNotThatThereAreNoElections(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		a := claim(t, kv, "service/a/leader", "a", 10*time.Second)
		time.Sleep(2 * time.Second)
		one(t, h)
		kv.Refuse()
		time.Sleep(3 * time.Second)
		if o := one(t, h); o.leader != "a" || h.observer.state.Error == "" {
			t.Errorf("%+v, %+v", o, h.observer.state)
		}
		kv.Heal()
		time.Sleep(3 * time.Second)
		if o := one(t, h); o.token != a.Term.Token || o.leader != "a" || h.observer.state.Error != "" {
			t.Errorf("%+v, %+v", o, h.observer.state)
		}
	})
}

func TestObserverForgetsElectionsThatAreGoneAndTakesNoMoreThanItCan(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		most := 20
		h.observer.mu.Lock()
		h.observer.most = most
		h.observer.mu.Unlock()
		for i := range most + 3 {
			claim(t, kv, fmt.Sprintf("service/%04d", i), "a", time.Hour)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(h.observer.snapshot()); n != most || !h.observer.state.More {
			t.Errorf("%d are observed, state %+v", n, h.observer.state)
		}
		pairs, err := kv.List(t.Context(), "service/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range pairs[5:] {
			if _, err := kv.AtomicDelete(t.Context(), pair.Key, pair); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		h.observer.mu.Lock()
		watched := len(h.observer.byKey)
		h.observer.mu.Unlock()
		if n := len(h.observer.snapshot()); n != 5 || watched != 5 || h.observer.state.More {
			t.Errorf("%d are observed and %d watched, state %+v", n, watched, h.observer.state)
		}
	})
}

func TestTallyTellsOfTheLastTerms(t *testing.T) {
	now := time.Now()
	var tally tally
	see := func(leader string, token uint64, last leadership.Ending) {
		now = now.Add(time.Second)
		s := leadership.Standing{Key: "k", Term: leadership.Term{Leader: leader, Last: last}}
		if leader != "" {
			s.Term.Token, s.Left = token, 10*time.Second
		}
		tally.see(s, now, false)
	}
	see("a", 5, leadership.Ending{Leader: "z", Token: 4, Reason: "evicted"})
	see("", 0, leadership.Ending{}) // the record has vanished
	see("a", 5, leadership.Ending{Leader: "z", Token: 4, Reason: "evicted"})
	see("", 0, leadership.Ending{Leader: "a", Token: 5, Reason: "resigned"})
	see("c", 9, leadership.Ending{Leader: "b", Token: 7, Reason: "unhealthy"}) // b has not been seen
	see("e", 20, leadership.Ending{Leader: "d", Token: 19, Reason: "expired"}) // and how c ended has not
	want := []struct {
		leader, reason string
		until          bool
	}{{"z", "evicted", false}, {"a", "resigned", true}, {"b", "unhealthy", false}, {"c", "unknown", true}, {"d", "expired", false}, {"e", "", false}}
	if len(tally.past) != len(want) {
		t.Fatalf("%+v", tally.past)
	}
	for i, w := range want {
		if p := tally.past[i]; p.Leader != w.leader || p.Reason != w.reason || p.Until.IsZero() == w.until {
			t.Errorf("%+v, want %+v", p, w)
		}
	}
	if want := map[string]uint64{"resigned": 1, "unhealthy": 1, "unknown": 1, "expired": 1}; tally.begun != 4 || !maps.Equal(tally.ended, want) {
		t.Errorf("%d have begun, ended have %v", tally.begun, tally.ended)
	}
	for i := range uint64(100) {
		see("f", 100+i, leadership.Ending{Leader: "f", Token: 99 + i, Reason: "expired"})
	}
	if len(tally.past) != maxPast || tally.past[maxPast-1].Token != 199 {
		t.Errorf("%d terms, the last %+v", len(tally.past), tally.past[len(tally.past)-1])
	}
}

func TestReaderOfTwoFeedsThatIsTooSlowIsDroppedOnce(t *testing.T) {
	elections, rounds := newFeed(0), newFeed(0)
	r := newEventReader(2)
	elections.readers[r], rounds.readers[r] = true, true
	var dropped uint64
	for range 3 {
		dropped += elections.tell(event{line: []byte("{}")})
		dropped += rounds.tell(event{line: []byte("{}")})
	}
	if dropped != 1 || len(elections.readers)+len(rounds.readers) != 0 {
		t.Errorf("dropped %d times, readers left: %d and %d", dropped, len(elections.readers), len(rounds.readers))
	}
}

func TestElectionsWatchedForReadersAreBoundedAndThoseWithoutOneGiveWay(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, h *Handler) {
		o := h.observer
		key := func(i int) string { return fmt.Sprintf("other/%04d", i) }
		watchers := func() int {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.byKey)
		}
		for i := range 3 * maxUnlisted { // who open and close
			f, r, _, err := o.join(key(i), "")
			if err != nil {
				t.Fatal(err)
			}
			o.leave(f, r)
		}
		if n := watchers(); n != maxUnlisted {
			t.Errorf("%d elections are watched", n)
		}
		feeds, readers := make([]*feed, maxUnlisted), make([]*eventReader, maxUnlisted)
		for i := range maxUnlisted { // who stay
			var err error
			if feeds[i], readers[i], _, err = o.join(key(i), ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, _, err := o.join("other/one more", ""); err == nil {
			t.Error("there is room for one more")
		}
		f, r, _, err := o.join(key(0), "") // is watched already
		if err != nil {
			t.Fatal(err)
		}
		o.leave(f, r)
		o.leave(feeds[7], readers[7])
		if _, _, _, err := o.join("other/one more", ""); err != nil {
			t.Errorf("a place is free: %v", err)
		}
		if n := watchers(); n != maxUnlisted || o.readers() != maxUnlisted {
			t.Errorf("%d elections are watched for %d readers", n, o.readers())
		}
	})
}

func TestEventsHoldNoMoreMemoryThanTheyMayThoughPayloadsAreLong(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, h *Handler) {
		const key = "service/a/leader"
		claims := leadership.NewClaims(kv, key)
		term := leadership.Claim{Node: "a", Instance: "an instance of some length", TTL: time.Hour}
		for i, c := range []struct {
			payload string
			omitted bool
		}{{strings.Repeat("<", maxTold), false}, {strings.Repeat("<", maxTold+1), true}, {strings.Repeat("\xff", maxTold+1), true}} {
			term.Payload = []byte(c.payload)
			got, err := claims.Claim(t.Context(), term)
			if err != nil || !got.Won {
				t.Fatal(got, err)
			}
			term.Token = got.Term.Token
			time.Sleep(2 * time.Second)
			h.observer.mu.Lock()
			v := h.observer.byKey[key].tally.view
			h.observer.mu.Unlock()
			if told := v.Payload != nil || v.Base64 != nil; v.Omitted != c.omitted || told == c.omitted {
				t.Errorf("payload %d: omitted %t, told %t", i, v.Omitted, told)
			}
		}
		read := func() string { return h.observer.all.latest() }
		before := read()
		for i := range 300 {
			term.Payload = fmt.Appendf(nil, "%s%d", strings.Repeat("<", maxTold-3), i)
			if _, err := claims.Claim(t.Context(), term); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		h.observer.mu.Lock()
		defer h.observer.mu.Unlock()
		for _, f := range []*feed{&h.observer.all, &h.observer.byKey[key].feed} {
			held := 0
			for _, e := range f.past {
				held += len(e.line)
			}
			if held > f.most || held != f.bytes || held < f.most/2 {
				t.Errorf("%d events hold %d bytes, by its count %d, of %d", len(f.past), held, f.bytes, f.most)
			}
		}
		if _, known := h.observer.all.after(before); known {
			t.Error("what is forgotten is known")
		}
		if missed, known := h.observer.all.after(read()); !known || len(missed) != 0 {
			t.Error("the latest is not known")
		}
	})
}

func TestReaderForWhomTooManyBytesWaitIsDropped(t *testing.T) {
	f, r := newFeed(0), newEventReader(allBuffer)
	f.readers[r] = true
	if cap(r.waiting) != 0 {
		t.Errorf("room for %d events is taken while none wait", cap(r.waiting))
	}
	line := make([]byte, waitingBytes/4)
	for i := range 4 {
		if f.tell(event{line: line}) != 0 {
			t.Fatalf("dropped at event %d", i)
		}
	}
	if all, ok := r.take(); len(all) != 4 || !ok {
		t.Errorf("%d events wait", len(all))
	}
	for range 4 {
		f.tell(event{line: line})
	}
	if f.tell(event{line: line}) != 1 {
		t.Error("it is not dropped")
	}
	if all, ok := r.take(); len(all) != 0 || ok {
		t.Errorf("%d events wait for one who is dropped", len(all))
	}
}
