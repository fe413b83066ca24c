package leadership

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// riding is a process whose candidates lead elections, and share a session.
type riding struct {
	kv      *memory.Store
	link    *faultstore.Store // between the process and kv
	all     []*Candidate
	session string // the key of its session
}

// ride starts a process that leads app/0 and so on, and waits until it does.
func ride(ctx context.Context, t *testing.T, elections int) riding {
	t.Helper()
	kv := memory.New()
	link := faultstore.New(kv)
	p := riding{kv: kv, link: link, all: riders(ctx, link, "a", elections)}
	time.Sleep(ttl / 10)
	if n := leading(p.all); n != elections {
		t.Fatalf("%d lead", n)
	}
	var err error
	if _, rec := get(t, kv, "app/0"); rec.Session == "" {
		t.Fatalf("%+v rides on no session", rec)
	} else if p.session, err = rec.SessionKey("app/0"); err != nil {
		t.Fatal(err)
	}
	return p
}

// get returns the pair under a key, and the election's record that it has.
func get(t *testing.T, kv store.Store, key string) (*store.KVPair, election.Record) {
	t.Helper()
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := election.Parse(pair.Value)
	if err != nil {
		t.Fatal(err)
	}
	return pair, rec
}

// beats returns the record of the session.
func (p riding) beats(t *testing.T) election.Record {
	t.Helper()
	pair, err := p.kv.Get(t.Context(), p.session, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := election.ParseSession(pair.Value)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// endSession has a candidate of another process take the last election of a process that has
// crashed: it ends its session.
func (p riding) endSession(ctx context.Context, t *testing.T) {
	t.Helper()
	p.link.Partition()
	c := NewCandidate(p.kv, "app/"+string(rune('0'+len(p.all)-1)), "b", ttl)
	c.RunForElection(ctx)
	time.Sleep(2 * ttl)
	if !c.IsLeader() || p.beats(t).Held() {
		t.Fatal("the session was not ended")
	}
}

// taken claims a seat again and again, and returns after how long it was won.
func taken(ctx context.Context, t *testing.T, c *Claims, old *Candidate, within time.Duration) time.Duration {
	t.Helper()
	for began := time.Now(); ; time.Sleep(ttl / 50) {
		if claimed(ctx, t, c, claimFor("b")).Won {
			if old.IsLeader() {
				t.Error("two lead")
			}
			return time.Since(began)
		}
		if time.Since(began) > within {
			t.Fatalf("the seat was not taken within %v", within)
		}
	}
}

func TestClaimsTakeACrashedRidersSeatAfterOneTTL(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 2)
		claims := NewClaims(p.kv, "app/0")
		if got := claimed(ctx, t, claims, claimFor("b")); got.Won || got.Term.Leader != "a" || got.Wait <= 0 || got.Wait > ttl {
			t.Errorf("got %+v", got)
		}
		p.link.Partition()
		if took := taken(ctx, t, claims, p.all[0], 2*ttl); took < ttl/2 || took > ttl+ttl/20 {
			t.Errorf("taken after %v", took)
		}
		if p.beats(t).Held() {
			t.Error("the session was not ended")
		}
		if _, rec := get(t, p.kv, "app/0"); rec.Session != "" || rec.Last == nil || rec.Last.Reason != election.Expired || rec.Last.Leader != "a" {
			t.Errorf("the record is %+v", rec)
		}
		// The others of that session are free at once.
		if got := claimed(ctx, t, NewClaims(p.kv, "app/1"), claimFor("b")); !got.Won {
			t.Errorf("got %+v", got)
		}
		p.link.Heal()
		time.Sleep(ttl / 2)
		if leading(p.all) != 0 {
			t.Error("two lead")
		}
	})
}

func TestClaimsNeverTakeASeatWhileItsSessionBeats(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		claims := NewClaims(p.kv, "app/0")
		before, _ := get(t, p.kv, "app/0")
		beat := uint64(0)
		for range 100 {
			if got := claimed(ctx, t, claims, claimFor("b")); got.Won || got.Term.Leader != "a" || got.Wait < ttl/2 {
				t.Fatalf("got %+v", got)
			}
			s, err := claims.Look(ctx)
			if err != nil || s.Term.Leader != "a" || s.Left < ttl/2 || !strings.HasPrefix(s.Session, "app/sessions/") {
				t.Fatalf("%+v, %v", s, err)
			}
			if s.Beat < beat {
				t.Errorf("the beat went from %d to %d", beat, s.Beat)
			}
			beat = s.Beat
			time.Sleep(ttl / 10)
		}
		if after, _ := get(t, p.kv, "app/0"); after.LastIndex != before.LastIndex || !p.all[0].IsLeader() {
			t.Error("the record has changed")
		}
		if _, rec := get(t, p.kv, "app/0"); beat == rec.Beat {
			t.Error("the beats of the session are not told")
		}
	})
}

func TestClaimsThatSeeASessionLateDoNotEndIt(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		late := &standin.Store{Store: p.kv}
		claims := NewClaims(late, "app/0")
		claimed(ctx, t, claims, claimFor("b"))
		p.link.Partition()
		time.Sleep(ttl / 3)
		claimed(ctx, t, claims, claimFor("b"))
		time.Sleep(ttl)
		ends := 0
		late.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			if key == p.session {
				ends++
				// Meanwhile it has beaten.
				pair, _ := p.kv.Get(ctx, p.session, nil)
				rec, _ := election.ParseSession(pair.Value)
				if ok, _, err := p.kv.AtomicPut(ctx, p.session, rec.Renewed(rec.Beat+1).Encode(), pair, nil); !ok {
					t.Error(err)
				}
			}
			return p.kv.AtomicPut(ctx, key, value, previous, nil)
		}
		got := claimed(ctx, t, claims, claimFor("b"))
		if got.Won || got.Wait != ttl || got.Term.Leader != "a" || ends != 1 {
			t.Errorf("got %+v after %d tries", got, ends)
		}
		if !p.beats(t).Held() {
			t.Error("it was ended")
		}
	})
}

func TestMissingSessionIsWaitedForAndThenEnded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		p.link.Partition()
		if err := p.kv.Delete(ctx, p.session); err != nil {
			t.Fatal(err)
		}
		if took := taken(ctx, t, NewClaims(p.kv, "app/0"), p.all[0], 2*ttl); took < ttl || took > ttl+ttl/20 {
			t.Errorf("taken after %v", took)
		}
		if p.beats(t).Held() {
			t.Error("it was not ended")
		}
	})
}

func TestClaimThatEndsASessionIsGoodAfterALostReply(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		lost := &standin.Store{Store: p.kv}
		claims := NewClaims(lost, "app/0")
		claimed(ctx, t, claims, claimFor("b"))
		p.link.Partition()
		time.Sleep(ttl / 3)
		claimed(ctx, t, claims, claimFor("b"))
		time.Sleep(ttl)
		lost.OnPut = func(ctx context.Context, key string, value []byte, previous *store.KVPair) (bool, *store.KVPair, error) {
			ok, pair, err := p.kv.AtomicPut(ctx, key, value, previous, nil)
			if key == p.session {
				return false, nil, errors.New("the reply was lost")
			}
			return ok, pair, err
		}
		if got := claimed(ctx, t, claims, claimFor("b")); !got.Won {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRenewalOfAClaimCostsOneCallBesidesRiders(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		counts := faultstore.New(p.kv)
		claims := NewClaims(counts, "app/0")
		p.link.Partition()
		taken(ctx, t, claims, p.all[0], 2*ttl)
		calls := func() int { return counts.Calls(faultstore.OpGet) + counts.Calls(faultstore.OpAtomicPut) }
		for range 10 {
			before := calls()
			time.Sleep(ttl / 3)
			if got := claimed(ctx, t, claims, claimFor("b")); !got.Won || calls() != before+1 {
				t.Errorf("%+v after %d calls", got, calls()-before)
			}
		}
	})
}

// TestClaimOfARidersInstanceRenewsNothing: it could be trusted for a TTL, and is not renewed
// itself.
func TestClaimOfARidersInstanceRenewsNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		before, rec := get(t, p.kv, "app/0")
		claims := NewClaims(p.kv, "app/0")
		for range 20 {
			if got := claimed(ctx, t, claims, Claim{Node: "a", Instance: rec.Instance, TTL: ttl}); got.Won {
				t.Fatalf("got %+v", got)
			}
			refusedWith(ctx, t, claims, Claim{Node: "a", Instance: rec.Instance, Token: rec.Token, TTL: ttl}, ErrLost)
			if err := claims.Resign(ctx, rec.Instance, rec.Token, 0); err != nil {
				t.Error(err)
			}
			time.Sleep(ttl / 10)
		}
		if after, _ := get(t, p.kv, "app/0"); after.LastIndex != before.LastIndex || !p.all[0].IsLeader() {
			t.Error("the record was written")
		}
	})
}

func TestLookAtARiderCostsOneCallOnceItsSessionIsKnown(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		p := ride(ctx, t, 1)
		counts := faultstore.New(p.kv)
		claims := NewClaims(counts, "app/0")
		for i, want := range []int{2, 1, 1, 1} {
			before := counts.Calls(faultstore.OpGet)
			if got := claimed(ctx, t, claims, claimFor("b")); got.Won || counts.Calls(faultstore.OpGet) != before+want {
				t.Errorf("claim %d: %+v after %d reads, want %d", i, got, counts.Calls(faultstore.OpGet)-before, want)
			}
			time.Sleep(ttl / 2)
		}
		session := p.session
		p.all[0].Stop()
		time.Sleep(ttl / 10)
		riders(ctx, p.link, "c", 1)
		time.Sleep(ttl / 10)
		s, err := claims.Look(ctx)
		if err != nil || s.Term.Leader != "c" || s.Session == session || s.Session == "" {
			t.Errorf("of another session: %+v, %v", s, err)
		}
	})
}
