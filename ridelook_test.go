package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestRiderWhoseSessionBeatsIsNotForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		before, _ := get(t, p.kv, "app/0")
		for range 20 {
			if err := Forget(ctx, p.kv, "app/0"); !errors.Is(err, ErrHeld) {
				t.Fatalf("%v, want ErrHeld", err)
			}
			time.Sleep(ttl / 2)
		}
		if after, _ := get(t, p.kv, "app/0"); after.LastIndex != before.LastIndex || !p.all[0].IsLeader() {
			t.Error("the record has changed")
		}
	})
}

func TestCrashedRiderIsForgottenOnceItsSessionIsEnded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		p.link.Partition()
		time.Sleep(ttl / 2)
		began := time.Now()
		deleted := &standin.Store{Store: p.kv}
		ended := false
		deleted.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if key != p.session {
				t.Errorf("it writes %q", key)
			}
			ended = true
			return p.kv.AtomicPut(ctx, key, value, previous, nil)
		}
		if err := Forget(ctx, deleted, "app/0"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < ttl || took > ttl+ttl/10 {
			t.Errorf("took %v", took)
		}
		if _, err := p.kv.Get(ctx, "app/0", nil); !errors.Is(err, store.ErrKeyNotFound) || !ended || p.beats(t).Held() {
			t.Errorf("the record: %v; the session: %+v", err, p.beats(t))
		}
		// The others of that session are forgotten at once.
		began = time.Now()
		if err := Forget(ctx, p.kv, "app/1"); err != nil || time.Since(began) > ttl/20 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		p.link.Heal()
		time.Sleep(ttl / 2)
		if leading(p.all) != 0 {
			t.Error("a term is led that was forgotten")
		}
	})
}

func TestSessionThatBeatsJustBeforeItIsEndedIsHeld(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		p.link.Partition()
		beats := &standin.Store{Store: p.kv}
		beats.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			pair, _ := p.kv.Get(ctx, p.session, nil)
			rec := p.beats(t)
			if ok, _, err := p.kv.AtomicPut(ctx, p.session, rec.Renewed(rec.Beat+1).Encode(), pair, nil); !ok {
				t.Error(err)
			}
			return p.kv.AtomicPut(ctx, key, value, previous, nil)
		}
		if err := Forget(ctx, beats, "app/0"); !errors.Is(err, ErrHeld) || !p.beats(t).Held() {
			t.Errorf("%v, want ErrHeld; the session is %+v", err, p.beats(t))
		}
		get(t, p.kv, "app/0")
	})
}

func TestRiderThatIsAskedToResignObeys(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		time.Sleep(10 * ttl)
		began := time.Now()
		if err := Ask(ctx, p.kv, "app/0", Request{Action: Resign}); err != nil || time.Since(began) > ttl/2 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if !p.beats(t).Held() || !p.all[1].IsLeader() {
			t.Error("another term is over, too")
		}
		if err := Ask(ctx, p.kv, "app/1", Request{Action: Transfer, To: "a"}); err != nil {
			t.Errorf("to stay: %v", err)
		}
		if err := Ask(ctx, p.kv, "app/1", Request{Action: Pause}); err != nil || p.all[1].IsLeader() {
			t.Errorf("to pause: %v", err)
		}
	})
}

func TestRequestToACrashedRiderIsObeyedByTheEndOfItsSession(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		short, cancel := context.WithTimeout(ctx, ttl/2)
		defer cancel()
		p.link.Partition()
		if err := Ask(short, p.kv, "app/0", Request{Action: Resign}); !errors.Is(err, ErrNotObeyed) || !strings.Contains(err.Error(), `"a" leads`) {
			t.Errorf("%v, want ErrNotObeyed", err)
		}
		began := time.Now()
		if err := Ask(ctx, p.kv, "app/0", Request{Action: Resign}); err != nil || time.Since(began) < ttl || time.Since(began) > ttl+2*askPoll {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if !p.beats(t).Held() {
			t.Error("it has ended a session")
		}
		p.endSession(ctx, t)
		began = time.Now()
		if err := Ask(ctx, p.kv, "app/0", Request{Action: Resign}); !errors.Is(err, ErrNoLeader) {
			t.Errorf("after the end of the session: %v, want ErrNoLeader", err)
		}
		if err := Ask(ctx, p.kv, "app/0", Request{Action: Pause}); err != nil || time.Since(began) > 0 {
			t.Errorf("a pause after the end of the session: %v after %v", err, time.Since(began))
		}
	})
}

func TestFollowerBelievesInARiderWhileItsSessionBeats(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		reads := faultstore.New(p.kv)
		f := NewFollower(reads, "app/0")
		leader, _ := f.FollowElection(ctx)
		got := collect(leader)
		equal(t, "stream", got(), []string{"a"})
		before := reads.Calls(faultstore.OpGet)
		const ttls = 20
		for range 20 * ttls {
			time.Sleep(ttl / 20)
			if f.Leader() != "a" {
				t.Fatal("it does not follow a")
			}
		}
		if n := reads.Calls(faultstore.OpGet) - before; n > 8*ttls {
			t.Errorf("%d reads in %d TTLs", n, ttls)
		}
		p.link.Partition()
		time.Sleep(ttl)
		if p.all[0].IsLeader() {
			t.Error("it leads on")
		}
		time.Sleep(ttl * 3 / 5) // it may have seen the last beat a third of the TTL late
		equal(t, "stream", got(), []string{"a", ""})
		if term, ok := f.Term(); ok {
			t.Errorf("follows %+v", term)
		}
	})
}

func TestFollowerBelievesInNobodyOnceTheSessionHasEnded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		p.endSession(ctx, t)
		f := NewFollower(p.kv, "app/0")
		leader, _ := f.FollowElection(ctx)
		got := collect(leader)
		equal(t, "stream", got(), nil)
		if term, _ := f.Term(); term.Leader != "" {
			t.Errorf("follows %+v", term)
		}
		NewCandidate(p.kv, "app/0", "b", ttl).RunForElection(ctx)
		time.Sleep(ttl / 10)
		equal(t, "stream", got(), []string{"b"})
	})
}

// TestFollowerReadsTheSessionOfItsOwnProcessToo: it may be given the options of a candidate.
func TestFollowerReadsTheSessionOfItsOwnProcessToo(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		link := faultstore.New(memory.New())
		opts := []Option{WithSession(NewSession(link, "app/", "a", ttl))}
		c, f := NewCandidate(link, "app/0", "a", ttl, opts...), NewFollower(link, "app/0", opts...)
		c.RunForElection(ctx)
		f.FollowElection(ctx)
		for range 100 {
			time.Sleep(ttl / 10)
			if f.Leader() != "a" {
				t.Fatalf("follows %q", f.Leader())
			}
		}
		link.Partition()
		time.Sleep(2 * ttl)
		if f.Leader() != "" {
			t.Errorf("follows %q, of whom it does not hear", f.Leader())
		}
	})
}

func TestFollowersOfManyRidersShareReads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		const n, ttls = 200, 20
		shared := memory.New()
		riders(ctx, shared, "a", n)
		kv := &countedMany{Store: shared}
		time.Sleep(ttl / 10)
		var all []*Follower
		for i := range n {
			f := NewFollower(kv, fmt.Sprint("app/", i))
			f.FollowElection(ctx)
			all = append(all, f)
		}
		time.Sleep(2 * ttl)
		gets, manys := kv.gets.Load(), kv.manys.Load()
		time.Sleep(ttls * ttl)
		gets, manys = kv.gets.Load()-gets, kv.manys.Load()-manys
		t.Logf("%d gets, %d of many in %d TTLs", gets, manys, ttls)
		if gets+manys > 40*ttls {
			t.Errorf("%d gets, %d of many in %d TTLs", gets, manys, ttls)
		}
		for _, f := range all {
			if f.Leader() != "a" {
				t.Fatalf("follows %q", f.Leader())
			}
		}
	})
}

func TestStandingsTellWhoseTermsRide(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 3)
		counts := &countedMany{Store: p.kv}
		list := func() []Standing {
			t.Helper()
			all, err := Elections(ctx, counts, "app/")
			if err != nil || len(all) != 3 {
				t.Fatalf("%+v, %v", all, err)
			}
			return all
		}
		before := list()
		if n := counts.gets.Load() + counts.manys.Load(); n != 1 {
			t.Errorf("%d reads of sessions", n)
		}
		time.Sleep(ttl)
		for i, s := range list() {
			if s.Session != p.session || s.Term.Leader != "a" || s.Beat == before[i].Beat {
				t.Errorf("%+v, and it was %+v", s, before[i])
			}
		}
		p.endSession(ctx, t)
		for i, s := range list()[:2] {
			if s.Term.Leader != "" || s.Session != "" || s.Term.Last != (Ending{"a", before[i].Term.Token, "expired"}) {
				t.Errorf("%+v, and it was %+v", s, before[i])
			}
			if look, err := NewClaims(p.kv, s.Key).Look(ctx); err != nil || look.Term.Leader != "" || look.Left != 0 || look.Beat != s.Beat {
				t.Errorf("%+v, %v; want %+v", look, err, s)
			}
		}
	})
}

// everybodyRefuses fails the test unless all who look at a term whose session they cannot read
// say so, and leave it alone.
func everybodyRefuses(ctx context.Context, t *testing.T, kv store.Store, key, why string) {
	t.Helper()
	before, _ := get(t, kv, key)
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", what, err)
		}
	}
	claims := NewClaims(kv, key)
	f := NewFollower(kv, key)
	_, errs := f.FollowElection(ctx)
	check("follower", <-errs)
	rival := NewCandidate(kv, key, "b", ttl)
	_, errs = rival.RunForElection(ctx)
	check("rival", <-errs)
	for range 30 {
		_, err := claims.Claim(ctx, claimFor("c"))
		check("claim", err)
		_, err = claims.Look(ctx)
		check("look", err)
		check("forget", Forget(ctx, kv, key))
		time.Sleep(ttl / 10)
	}
	if all, err := Elections(ctx, kv, ""); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if term, ok := f.Term(); ok || rival.IsLeader() {
		t.Errorf("follows %+v", term)
	}
	check("ask", Ask(ctx, kv, key, Request{Action: Resign}))
	if after, _ := get(t, kv, key); after.LastIndex != before.LastIndex {
		t.Error("it was written")
	}
}

func TestSessionsAreFoundThroughAViewOfTheStore(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		view := store.WithPrefix(p.kv, "app/")
		claims := NewClaims(view, "0")
		f := NewFollower(view, "1")
		f.FollowElection(ctx)
		for range 30 {
			if got := claimed(ctx, t, claims, claimFor("b")); got.Won {
				t.Fatal("it has won")
			}
			time.Sleep(ttl / 10)
		}
		if all, err := Elections(ctx, view, ""); err != nil || len(all) != 2 || "app/"+all[0].Session != p.session || f.Leader() != "a" {
			t.Errorf("%+v, %v; it follows %q", all, err, f.Leader())
		}
		p.link.Partition()
		if took := taken(ctx, t, claims, p.all[0], 2*ttl); took > ttl+ttl/20 || p.beats(t).Held() {
			t.Errorf("after %v", took)
		}
		if err := Forget(ctx, view, "1"); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionThatAViewHidesIsNeverTakenForOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, "app/deep/x", "a", ttl, WithSession(NewSession(kv, "app/", "a", ttl)))
		c.RunForElection(ctx)
		time.Sleep(ttl / 10)
		everybodyRefuses(ctx, t, store.WithPrefix(kv, "app/deep/"), "x", "above the prefix that this store is seen through")
		if !c.IsLeader() {
			t.Error("it does not lead any more")
		}
	})
}

func TestWhatIsNoSessionIsNeverEnded(t *testing.T) {
	for _, value := range []string{"junk", `{"v":1,"kind":"round"}`} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			p := ride(ctx, t, 1)
			p.link.Partition()
			if err := p.kv.Put(ctx, p.session, []byte(value), nil); err != nil {
				t.Fatal(err)
			}
			everybodyRefuses(ctx, t, p.kv, "app/0", "sessions/")
			pair, err := p.kv.Get(ctx, p.session, nil)
			if err != nil || string(pair.Value) != value {
				t.Errorf("the session is now %v, %v", pair, err)
			}
		})
	}
}

func TestWhatIsAskedOfASessionsKeyNamesIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		for what, do := range map[string]func() error{
			"forget": func() error { return Forget(ctx, p.kv, p.session) },
			"ask":    func() error { return Ask(ctx, p.kv, p.session, Request{Action: Resign}) },
			"claim":  func() error { _, err := NewClaims(p.kv, p.session).Claim(ctx, claimFor("b")); return err },
		} {
			if err := do(); !errors.Is(err, ErrForeignRecord) || !strings.Contains(err.Error(), `kind "session"`) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if rec := p.beats(t); rec.Leader != "a" || rec.Ask != (*election.Request)(nil) {
			t.Errorf("the session is %+v", rec)
		}
	})
}
