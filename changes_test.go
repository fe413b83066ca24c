package leadership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestTermSaysWhoseItIs(t *testing.T) {
	term := Term{Leader: "a\u202e", Token: 7, Since: time.Unix(0, 0).UTC(), Payload: []byte("secret")}
	if got, want := fmt.Sprint(term), `"a\u202e", token 7, since 1970-01-01T00:00:00Z`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(Term{Last: Ending{Leader: "a"}}), "no term"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCandidateKnowsWhoLeads(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		a, b := NewCandidate(link, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		wants := func(c *Candidate, want string) {
			t.Helper()
			synctest.Wait()
			if got := c.Leader(); got != want {
				t.Errorf("%s takes %q for the leader, want %q", c.node, got, want)
			}
		}
		wants(b, "")
		a.RunForElection(ctx)
		wants(a, "a")
		b.RunForElection(ctx)
		wants(b, "a")
		link.Partition()
		time.Sleep(2 * ttl)
		wants(a, "")
		wants(b, "b")
		link.Heal()
		time.Sleep(ttl)
		wants(a, "b")
		b.Stop()
		wants(b, "")
		wants(a, "a")
		a.Stop()
		wants(a, "")
	})
}

func TestWaitForLeaderReturnsOnceThereIsOne(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if err := Ask(ctx, kv, key, Request{Action: Pause}); err == nil {
			t.Fatal("paused before there was an election")
		}
		a, b, f := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl), NewFollower(kv, key)
		found := make(chan string, 3)
		for _, wait := range []func(context.Context) (string, error){a.WaitForLeader, b.WaitForLeader, f.WaitForLeader} {
			go func() {
				name, err := wait(ctx)
				if err != nil {
					t.Error(err)
				}
				found <- name
			}()
		}
		f.FollowElection(ctx)
		time.Sleep(ttl)
		if len(found) != 0 {
			t.Error("found, though nobody stands")
		}
		a.RunForElection(ctx)
		synctest.Wait()
		b.RunForElection(ctx)
		for range 3 {
			if name := <-found; name != "a" {
				t.Errorf("found %q", name)
			}
		}
	})
}

func TestWaitForLeaderSaysWhyItEnds(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
	defer cancel()
	kv := memory.New()
	for name, wait := range map[string]func(context.Context) (string, error){
		"candidate": NewCandidate(kv, key, "a", ttl).WaitForLeader, "follower": NewFollower(kv, key).WaitForLeader,
	} {
		if _, err := wait(ctx); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "enough") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wait := range map[string]func(context.Context) (string, error){
		"candidate": NewCandidate(kv, "", "a", ttl).WaitForLeader, "follower": NewFollower(kv, "").WaitForLeader,
	} {
		if _, err := wait(t.Context()); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%s without a key: %v", name, err)
		}
	}
}

func TestPayloadThatIsSetIsToldInTheSameTerm(t *testing.T) {
	for name, opts := range map[string][]Option{"alone": nil, "on a session": {}} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				if opts != nil {
					opts = append(opts, WithSession(NewSession(kv, "service/", "a", ttl)))
				}
				a := NewCandidate(kv, key, "a", ttl, append(opts, WithPayload([]byte("one")))...)
				f := NewFollower(kv, key)
				f.FollowElection(ctx)
				tells := func(want string) (token uint64) {
					t.Helper()
					synctest.Wait()
					mine, leads := a.Term()
					theirs, known := f.Term()
					if !leads || !known || string(mine.Payload) != want || string(theirs.Payload) != want || mine.Token != theirs.Token {
						t.Errorf("%v %q (%v), and followed as %v %q (%v); want %q", mine, mine.Payload, leads, theirs, theirs.Payload, known, want)
					}
					return mine.Token
				}
				set := func(p string) {
					t.Helper()
					if err := a.SetPayload([]byte(p)); err != nil {
						t.Error(err)
					}
				}
				a.RunForElection(ctx)
				first := tells("one")
				set("two")
				if second := tells("two"); second != first {
					t.Errorf("token %d after %d", second, first)
				}
				beat := stored(t, kv).Beat
				set("two")
				synctest.Wait()
				if stored(t, kv).Beat != beat {
					t.Error("the same payload is written again")
				}
				time.Sleep(3 * ttl)
				tells("two")
				a.Resign()
				synctest.Wait()
				set("")
				time.Sleep(ttl)
				if third := tells(""); third <= first {
					t.Errorf("token %d after %d", third, first)
				}
				if err := a.SetPayload(make([]byte, MaxPayload+1)); !errors.Is(err, ErrInvalidArgument) {
					t.Errorf("a payload too long: %v", err)
				}
				tells("")
			})
		})
	}
}

func TestLoopOverChangesEndsTheCampaignWhenItIsLeft(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewCandidate(kv, key, "a", ttl)
		var seen []bool
		for leads, err := range c.Changes(ctx) {
			if err != nil {
				t.Error(err)
			}
			if seen = append(seen, leads); leads && len(seen) == 2 {
				c.Resign()
			}
			if len(seen) == 4 {
				break
			}
		}
		if want := []bool{false, true, false, true}; !slices.Equal(seen, want) || c.State() != StateStopped || stored(t, kv).Held() {
			t.Errorf("seen %v, want %v; the candidate is %v, the record %v", seen, want, c.State(), stored(t, kv))
		}
	})
}

func TestLoopOverChangesTellsErrors(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		var invalid error
		for leads, err := range NewCandidate(memory.New(), "", "a", ttl).Changes(ctx) {
			if invalid = errors.Join(invalid, err); leads {
				t.Error("leads without a key")
			}
		}
		for _, err := range NewCandidate(memory.New(), key, "a", ttl).Changes(nil) { //nolint:staticcheck // it is the mistake
			invalid = errors.Join(invalid, err)
		}
		if !errors.Is(invalid, ErrInvalidArgument) {
			t.Errorf("without a key: %v", invalid)
		}
		kv := faultstore.New(memory.New())
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		last, failed := false, 0
		for leads, err := range NewCandidate(kv, key, "a", ttl).Changes(ctx) {
			switch {
			case err != nil && leads != last:
				t.Errorf("with %v there comes %v after %v", err, leads, last)
			case err != nil:
				if failed++; failed == 3 {
					cancel()
				}
			case leads:
				kv.Partition()
			}
			last = leads
		}
		if failed < 3 {
			t.Errorf("%d errors were told", failed)
		}
	})
}

func TestLoopOverChangesOfLeadersEndsWithItsContext(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a := NewCandidate(kv, key, "a", ttl)
		a.RunForElection(ctx)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var seen []string
		for leader, err := range NewFollower(kv, key).Changes(ctx) {
			if err != nil {
				t.Error(err)
			}
			switch seen = append(seen, leader); len(seen) {
			case 1:
				a.Stop()
			case 2:
				cancel()
			}
		}
		if want := []string{"a", ""}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})
}
