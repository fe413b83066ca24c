package leadership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const ttl = time.Second

func TestFirstCandidateLeadsAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		start := time.Now()
		c := NewCandidate(memory.New(), key, "a", ttl, WithPayload([]byte("10.0.0.1:80")))
		elected, errs := c.RunForElection(ctx)
		if <-elected {
			t.Fatal("the stream begins with true")
		}
		if !<-elected || !c.IsLeader() || time.Since(start) != 0 {
			t.Fatal("does not lead at once")
		}
		term, ok := c.Term()
		if !ok || term.Leader != "a" || term.Token != uint64(start.UnixMilli()) || term.TTL != ttl ||
			!term.Since.Equal(start.Truncate(time.Millisecond)) || string(term.Payload) != "10.0.0.1:80" {
			t.Errorf("leads %+v, %v", term, ok)
		}
		time.Sleep(time.Minute)
		if now, _ := c.Term(); now.Token != term.Token {
			t.Errorf("the term changed from %d to %d", term.Token, now.Token)
		}
		c.Stop()
		if <-elected {
			t.Error("true after Stop")
		}
		closed(t, "elected", elected, 0)
		closed(t, "errors", errs, 0)
	})
}

func TestRivalLeadsOneTTLAfterTheLastRenewalOfALeaderThatIsCutOff(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		shared := memory.New()
		cut := faultstore.New(shared)
		a := NewCandidate(cut, key, "a", ttl)
		b := NewCandidate(shared, key, "b", ttl)
		aElected, _ := a.RunForElection(ctx)
		<-aElected
		<-aElected
		bElected, _ := b.RunForElection(ctx)
		<-bElected
		time.Sleep(ttl/3 + ttl/6) // half-way between two renewals
		cut.Partition()
		partitioned := time.Now()
		if <-aElected {
			t.Fatal("true again")
		}
		// The last renewal was attempted a sixth of the TTL before.
		if lost, want := time.Since(partitioned), ttl*4/5-ttl/6; lost.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("stepped down %v after being cut off, want %v", lost, want)
		}
		if !<-bElected {
			t.Fatal("b is told false")
		}
		if took, want := time.Since(partitioned), ttl-ttl/6; took.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("b leads %v after that, want %v", took, want)
		}
		if last := stored(t, shared).Last; *last != (election.Ending{Leader: "a", Token: last.Token, Reason: election.Expired}) || last.Token == 0 {
			t.Errorf("the record tells of the last term %+v", last)
		}
		cut.Heal()
		time.Sleep(10 * ttl)
		if a.IsLeader() || !b.IsLeader() {
			t.Error("the healed candidate interferes")
		}
	})
}

func TestResignedSeatGoesToARivalAtOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		aElected, _ := a.RunForElection(ctx)
		<-aElected
		<-aElected
		bElected, _ := b.RunForElection(ctx)
		<-bElected
		synctest.Wait()
		before, _ := a.Term()
		start := time.Now()
		a.Resign()
		if a.IsLeader() {
			t.Error("leads after Resign has returned")
		}
		if <-aElected || !<-bElected || time.Since(start) != 0 {
			t.Errorf("b does not lead at once")
		}
		if after, _ := b.Term(); after.Token <= before.Token {
			t.Errorf("token %d follows %d", after.Token, before.Token)
		}
		if last := stored(t, kv).Last; *last != (election.Ending{Leader: "a", Token: before.Token, Reason: election.Resigned}) {
			t.Errorf("the record tells of the last term %+v", last)
		}
		time.Sleep(10 * ttl)
		if a.IsLeader() || !b.IsLeader() {
			t.Error("the seat went back")
		}
	})
}

func TestLoneCandidateLeadsAgainOneRetryIntervalAfterItResigned(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		elected, _ := c.RunForElection(ctx)
		<-elected
		<-elected
		start := time.Now()
		c.Resign()
		<-elected
		if !<-elected {
			t.Fatal("false twice")
		}
		if took := time.Since(start); took < ttl/3*4/5 || took > ttl/3 {
			t.Errorf("leads again after %v, want a retry interval", took)
		}
	})
}

// A leader that resigns as soon as it is elected hands the seat back at once,
// though the other has never seen its record.
func TestResignedSeatGoesBackAndForth(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(kv, key, "b", ttl)
		for _, c := range []*Candidate{a, b} {
			elected, _ := c.RunForElection(ctx)
			go func() {
				for range elected {
				}
			}()
			synctest.Wait()
		}
		start := time.Now()
		leader, other := a, b
		for range 50 {
			leader.Resign()
			for !leader.IsLeader() && !other.IsLeader() {
				time.Sleep(time.Microsecond)
			}
			if !other.IsLeader() {
				t.Fatal("the seat went back to the one that had resigned")
			}
			leader, other = other, leader
		}
		if took := time.Since(start); took > ttl/10 {
			t.Errorf("took %v", took)
		}
	})
}

func TestBadArguments(t *testing.T) {
	kv := memory.New()
	var none *memory.Store
	for name, bad := range map[string]struct {
		c    *Candidate
		says []string
	}{
		"nil store":             {NewCandidate(nil, key, "a", ttl), []string{"store", "nil"}},
		"nil pointer as store":  {NewCandidate(none, key, "a", ttl), []string{"store", "nil", "memory.Store"}},
		"empty key":             {NewCandidate(kv, "", "a", ttl), []string{"key", `""`, "must not be empty"}},
		"empty node":            {NewCandidate(kv, key, "", ttl), []string{"node", `""`, "must not be empty"}},
		"node that is no UTF-8": {NewCandidate(kv, key, "\xff", ttl), []string{"node", `"\xff"`, "UTF-8"}},
		"short ttl":             {NewCandidate(kv, key, "a", 49*time.Millisecond), []string{"ttl", "49ms", "50ms"}},
		"negative ttl":          {NewCandidate(kv, key, "a", -1), []string{"ttl", "must be"}},
		"endless ttl":           {NewCandidate(kv, key, "a", math.MaxInt64), []string{"ttl", "8760h"}},
		"slow renewal":          {NewCandidate(kv, key, "a", ttl, WithRenewInterval(ttl)), []string{"renewal interval", "1s", "below the TTL of 1s"}},
		"ttl of a nanosecond":   {NewCandidate(kv, key, "a", 1), []string{"ttl", "1ns"}},
		"renewal without pause": {NewCandidate(kv, key, "a", ttl, WithRenewInterval(1)), []string{"renewal interval", "1ns", "1ms"}},
		"retry without pause":   {NewCandidate(kv, key, "a", ttl, WithRetryInterval(1)), []string{"retry interval", "1ns", "1ms"}},
		"renewal in the margin": {NewCandidate(kv, key, "a", ttl, WithRenewInterval(800*time.Millisecond)), []string{"renewal interval", "800ms", "margin of 200ms"}},
		"zero renewal":          {NewCandidate(kv, key, "a", ttl, WithRenewInterval(0)), []string{"renewal interval", "0s"}},
		"slow retry":            {NewCandidate(kv, key, "a", ttl, WithRetryInterval(2*ttl)), []string{"retry interval", "2s"}},
		"zero retry":            {NewCandidate(kv, key, "a", ttl, WithRetryInterval(0)), []string{"retry interval", "0s"}},
		"no margin":             {NewCandidate(kv, key, "a", ttl, WithMargin(0)), []string{"margin", "0s"}},
		"wide margin":           {NewCandidate(kv, key, "a", ttl, WithMargin(ttl-1)), []string{"margin", "below the TTL of 1s"}},
		"huge payload":          {NewCandidate(kv, key, "a", ttl, WithPayload(make([]byte, MaxPayload+1))), []string{"payload", "65537 bytes", "65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			elected, errs := bad.c.RunForElection(t.Context())
			err := <-errs
			if !errors.Is(err, ErrInvalidArgument) {
				t.Fatalf("got %v", err)
			}
			for _, part := range bad.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if <-elected {
				t.Error("elected")
			}
			closed(t, "elected", elected, time.Minute)
			closed(t, "errors", errs, time.Minute)
			if err := bad.c.Run(t.Context(), func(context.Context, Term) error { return nil }); !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("Run returns %v", err)
			}
			bad.c.Stop()
			bad.c.Resign()
			if bad.c.IsLeader() {
				t.Error("leads")
			}
		})
	}
	//nolint:staticcheck // A nil context is the mistake that is tested.
	if _, errs := NewCandidate(kv, key, "a", ttl).RunForElection(nil); !errors.Is(<-errs, ErrInvalidArgument) {
		t.Error("a nil context is taken")
	}
	if _, errs := NewCandidate(kv, key, "a", 0, nil, WithLogger(nil)).RunForElection(canceled()); <-errs != nil {
		t.Error("a TTL of 0, a nil option or a nil logger is refused")
	}
}

func TestManyCandidatesElectOneAfterAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		candidates := make([]*Candidate, 20)
		for i := range candidates {
			candidates[i] = NewCandidate(kv, key, fmt.Sprint("node-", i), ttl)
			elected, _ := candidates[i].RunForElection(ctx)
			collect(elected)
		}
		var token uint64
		for range 30 {
			time.Sleep(ttl / 10)
			var leaders []*Candidate
			for _, c := range candidates {
				if c.IsLeader() {
					leaders = append(leaders, c)
				}
			}
			if len(leaders) != 1 {
				t.Fatalf("%d leaders", len(leaders))
			}
			if term, _ := leaders[0].Term(); term.Token <= token {
				t.Fatalf("token %d follows %d", term.Token, token)
			} else {
				token = term.Token
			}
			leaders[0].Resign()
		}
	})
}
