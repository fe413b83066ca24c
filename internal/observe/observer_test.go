package observe

import (
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// observer makes an observer of what is below a prefix.
func observer(kv store.Store, prefix string, systems ...string) *Observer {
	return New(Config{
		Store: kv, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler), Explain: func(error) string { return "the store failed" },
		Observe: true, Prefix: prefix, Valid: func(string) bool { return true }, Systems: systems,
	})
}

// observing runs a test in virtual time against an observer of kv that has a reader.
func observing(t *testing.T, test func(t *testing.T, kv *faultstore.Store, o *Observer)) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		o := observer(kv, "service/")
		r, err := o.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			for {
				select {
				case <-r.Wake():
					r.Next()
				case <-ended:
					return
				}
			}
		}()
		test(t, kv, o)
		close(ended)
		o.Leave(r)
		o.Close()
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

// one returns the one election that is observed.
func one(t *testing.T, o *Observer) Election {
	t.Helper()
	synctest.Wait()
	all := o.Elections()
	if len(all) != 1 {
		t.Fatalf("%d elections are observed: %+v", len(all), all)
	}
	return all[0]
}

func TestObserverCountsTermsRenewalsAndTheTimeWithoutALeader(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		time.Sleep(3 * time.Second)
		const key = "service/a/leader"
		claims := leadership.NewClaims(kv, key)
		electiontest.Claim(t, kv, "other/leader", "x", 10*time.Second) // is not below the prefix
		a := electiontest.Claim(t, kv, key, "a", 10*time.Second)
		time.Sleep(2 * time.Second) // the next look of the observer finds it
		if e := one(t, o); e.Key != key || e.Leader != "a" || e.Token != a.Term.Token || e.Begun != 1 || e.Renewals != 0 || e.Vacant != 0 {
			t.Errorf("a new election: %+v", e)
		}
		for range 3 {
			if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "a", Instance: a.Instance, Token: a.Term.Token}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if e := one(t, o); e.Renewals != 3 || e.Trust <= 8*time.Second || e.Trust > 9*time.Second {
			t.Errorf("renewed: %+v", e)
		}
		if err := claims.Resign(t.Context(), a.Instance, 0, 0); err != nil {
			t.Fatal(err)
		}
		if e := one(t, o); e.Leader != "" || e.Trust != 0 || !maps.Equal(e.Ended, map[string]uint64{"resigned": 1}) {
			t.Errorf("resigned: %+v", e)
		}
		time.Sleep(4 * time.Second)
		electiontest.Claim(t, kv, key, "b", 10*time.Second)
		if e := one(t, o); e.Leader != "b" || e.Begun != 2 || e.Vacant != 4*time.Second {
			t.Errorf("taken: %+v", e)
		}
		time.Sleep(12 * time.Second) // b falls silent after 10
		if e := one(t, o); e.Leader != "" || e.Vacant != 6*time.Second || len(e.Ended) != 1 {
			t.Errorf("silent: %+v", e)
		}
		if _, err := claims.Claim(t.Context(), leadership.Claim{Node: "c"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if got, err := claims.Claim(t.Context(), leadership.Claim{Node: "c"}); err != nil || !got.Won {
			t.Fatal(got, err)
		}
		if e := one(t, o); e.Leader != "c" || !maps.Equal(e.Ended, map[string]uint64{"resigned": 1, "expired": 1}) {
			t.Errorf("replaced: %+v", e)
		}
	})
}

func TestObserverTellsThatTheStoreFailsAndNotThatThereAreNoElections(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		a := electiontest.Claim(t, kv, "service/a/leader", "a", 10*time.Second)
		time.Sleep(2 * time.Second)
		one(t, o)
		kv.Refuse()
		time.Sleep(3 * time.Second)
		if e := one(t, o); e.Leader != "a" || o.state.Error == "" {
			t.Errorf("%+v, %+v", e, o.state)
		}
		kv.Heal()
		time.Sleep(3 * time.Second)
		if e := one(t, o); e.Token != a.Term.Token || e.Leader != "a" || o.state.Error != "" {
			t.Errorf("%+v, %+v", e, o.state)
		}
	})
}

func TestObserverForgetsElectionsThatAreGoneAndTakesNoMoreThanItCan(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		most := 20
		o.mu.Lock()
		o.most = most
		o.mu.Unlock()
		for i := range most + 3 {
			electiontest.Claim(t, kv, fmt.Sprintf("service/%04d", i), "a", time.Hour)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(o.Elections()); n != most || !o.state.More {
			t.Errorf("%d are observed, state %+v", n, o.state)
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
		o.mu.Lock()
		watched := len(o.byKey)
		o.mu.Unlock()
		if n := len(o.Elections()); n != 5 || watched != 5 || o.state.More {
			t.Errorf("%d are observed and %d watched, state %+v", n, watched, o.state)
		}
	})
}

func TestHistoryHasTheLastTerms(t *testing.T) {
	now := time.Now()
	var h history
	see := func(leader string, token uint64, last leadership.Ending) {
		now = now.Add(time.Second)
		s := leadership.Standing{Key: "k", Term: leadership.Term{Leader: leader, Last: last}}
		if leader != "" {
			s.Term.Token, s.Left = token, 10*time.Second
		}
		h.see(s, now, false)
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
	if len(h.past) != len(want) {
		t.Fatalf("%+v", h.past)
	}
	for i, w := range want {
		if p := h.past[i]; p.Leader != w.leader || p.Reason != w.reason || p.Until.IsZero() == w.until {
			t.Errorf("%+v, want %+v", p, w)
		}
	}
	if want := map[string]uint64{"resigned": 1, "unhealthy": 1, "unknown": 1, "expired": 1}; h.begun != 4 || !maps.Equal(h.ended, want) {
		t.Errorf("%d have begun, ended have %v", h.begun, h.ended)
	}
	for i := range uint64(100) {
		see("f", 100+i, leadership.Ending{Leader: "f", Token: 99 + i, Reason: "expired"})
	}
	if len(h.past) != maxPast || h.past[maxPast-1].Token != 199 {
		t.Errorf("%d terms, the last %+v", len(h.past), h.past[len(h.past)-1])
	}
}

func TestReaderOfTwoFeedsThatIsTooSlowIsDroppedOnce(t *testing.T) {
	elections, rounds := newFeed(0), newFeed(0)
	r := newReader(2)
	elections.readers[r], rounds.readers[r] = true, true
	var dropped uint64
	for range 3 {
		dropped += elections.send(Event{Line: []byte("{}")})
		dropped += rounds.send(Event{Line: []byte("{}")})
	}
	if dropped != 1 || len(elections.readers)+len(rounds.readers) != 0 {
		t.Errorf("dropped %d times, readers left: %d and %d", dropped, len(elections.readers), len(rounds.readers))
	}
}

func TestElectionsWithoutReadersGiveWayToOthers(t *testing.T) {
	observing(t, func(t *testing.T, _ *faultstore.Store, o *Observer) {
		key := func(i int) string { return fmt.Sprintf("other/%04d", i) }
		watched := func() int {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.byKey)
		}
		for i := range 3 * maxUnobserved { // readers that leave
			r, err := o.Read(key(i), "")
			if err != nil {
				t.Fatal(err)
			}
			o.Leave(r)
		}
		if n := watched(); n != maxUnobserved {
			t.Errorf("%d elections are watched", n)
		}
		readers := make([]*Reader, maxUnobserved)
		for i := range readers { // readers that stay
			var err error
			if readers[i], err = o.Read(key(i), ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := o.Read("other/one more", ""); err == nil {
			t.Error("there is room for one more")
		}
		r, err := o.Read(key(0), "") // is watched already
		if err != nil {
			t.Fatal(err)
		}
		o.Leave(r)
		o.Leave(readers[7])
		if _, err := o.Read("other/one more", ""); err != nil {
			t.Errorf("a place is free: %v", err)
		}
		if n := watched(); n != maxUnobserved || o.Readers() != maxUnobserved+1 { // one reads of all
			t.Errorf("%d elections are watched for %d readers", n, o.Readers())
		}
	})
}

func TestEventsHoldNoMoreMemoryThanTheyMayThoughPayloadsAreLong(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		const key = "service/a/leader"
		claims := leadership.NewClaims(kv, key)
		term := leadership.Claim{Node: "a", Instance: "an instance of some length", TTL: time.Hour}
		for i, c := range []struct {
			payload string
			omitted bool
		}{{strings.Repeat("<", maxPayload), false}, {strings.Repeat("<", maxPayload+1), true}, {strings.Repeat("\xff", maxPayload+1), true}} {
			term.Payload = []byte(c.payload)
			got, err := claims.Claim(t.Context(), term)
			if err != nil || !got.Won {
				t.Fatal(got, err)
			}
			term.Token = got.Term.Token
			time.Sleep(2 * time.Second)
			o.mu.Lock()
			v := o.byKey[key].history.view
			o.mu.Unlock()
			if told := v.Payload != nil || v.Base64 != nil; v.Omitted != c.omitted || told == c.omitted {
				t.Errorf("payload %d: omitted %t, told %t", i, v.Omitted, told)
			}
		}
		read := func() string { return o.all.latest() }
		before := read()
		for i := range 300 {
			term.Payload = fmt.Appendf(nil, "%s%d", strings.Repeat("<", maxPayload-3), i)
			if _, err := claims.Claim(t.Context(), term); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, f := range []*feed{&o.all, &o.byKey[key].feed} {
			held := 0
			for _, e := range f.past {
				held += len(e.Line)
			}
			if held > f.most || held != f.bytes || held < f.most/2 {
				t.Errorf("%d events hold %d bytes, by its count %d, of %d", len(f.past), held, f.bytes, f.most)
			}
		}
		if _, known := o.all.after(before); known {
			t.Error("what is forgotten is known")
		}
		if missed, known := o.all.after(read()); !known || len(missed) != 0 {
			t.Error("the latest is not known")
		}
	})
}

func TestReaderForWhomTooManyBytesWaitIsDropped(t *testing.T) {
	f, r := newFeed(0), newReader(allBuffer)
	f.readers[r] = true
	if cap(r.waiting) != 0 {
		t.Errorf("room for %d events is taken while none wait", cap(r.waiting))
	}
	line := make([]byte, waitingBytes/4)
	for i := range 4 {
		if f.send(Event{Line: line}) != 0 {
			t.Fatalf("dropped at event %d", i)
		}
	}
	if all, ok := r.Next(); len(all) != 4 || !ok {
		t.Errorf("%d events wait", len(all))
	}
	for range 4 {
		f.send(Event{Line: line})
	}
	if f.send(Event{Line: line}) != 1 {
		t.Error("it is not dropped")
	}
	if all, ok := r.Next(); len(all) != 0 || ok {
		t.Errorf("%d events wait for one who is dropped", len(all))
	}
}

// TestTermsAreToldAfterATokenThatIsGone: one that was written by hand may be higher than
// any to come.
func TestTermsAreToldAfterATokenThatIsGone(t *testing.T) {
	now := time.Now()
	var h history
	see := func(leader string, token uint64) {
		now = now.Add(time.Second)
		s := leadership.Standing{Key: "k", Term: leadership.Term{Leader: leader, Token: token}}
		if leader != "" {
			s.Left = 10 * time.Second
		}
		h.see(s, now, false)
	}
	see("a", 5)
	see("hand", 1<<62-1)
	see("", 0) // it was deleted
	see("b", 6)
	see("c", 7)
	if e := h.election(now); e.Begun != 3 || e.Token != 7 || e.Leader != "c" {
		t.Errorf("%+v", e)
	}
	if p := h.past[len(h.past)-1]; p.Leader != "c" || p.Token != 7 {
		t.Errorf("%+v", h.past)
	}
	// What was put back is the term that it was.
	see("b", 6)
	see("c", 7)
	if e := h.election(now); e.Begun != 3 {
		t.Errorf("%+v", e)
	}
}
