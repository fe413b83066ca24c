package leadership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/standin"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// diary is what callbacks were told.
type diary struct {
	mu    sync.Mutex
	lines []string
	busy  bool
	slow  time.Duration // that each callback takes
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	if d.busy {
		d.lines = append(d.lines, "two at once")
	}
	d.busy = true
	d.mu.Unlock()
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = false
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// seated is read without the vacancies, of which not all are told.
func (d *diary) seated() []string {
	return slices.DeleteFunc(d.read(), func(line string) bool { return strings.HasPrefix(line, `leader ""`) })
}

// callbacks tell terms by their order.
func (d *diary) callbacks() Callbacks {
	terms := make(map[uint64]int)
	nth := func(t Term) int {
		if terms[t.Token] == 0 {
			terms[t.Token] = len(terms) + 1
		}
		return terms[t.Token]
	}
	return Callbacks{
		OnElected:      func(t Term) { d.write("elected %d", nth(t)) },
		OnDemoted:      func(t Term, why error) { d.write("demoted %d: %v", nth(t), why) },
		OnLeaderChange: func(t Term) { d.write("leader %q after %q", t.Leader, t.Last.Reason) },
		OnError:        func(err error) { d.write("error") },
	}
}

func TestCallbacksArePairedAndInOrder(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		var told diary
		a := NewCandidate(link, key, "a", ttl, WithCallbacks(told.callbacks()))
		elected, _ := a.RunForElection(ctx)
		equal(t, "at first", told.read(), []string{"elected 1", `leader "a" after ""`})
		b := NewCandidate(kv, key, "b", ttl)
		b.RunForElection(ctx)
		time.Sleep(ttl)
		a.Resign()
		equal(t, "resigned", told.seated(), []string{"demoted 1: leadership resigned", `leader "b" after "resigned"`})
		b.Stop()
		equal(t, "b stopped", told.seated(), []string{"elected 2", `leader "a" after "resigned"`})
		link.Partition()
		time.Sleep(ttl)
		lines := told.read()
		if len(lines) < 2 || lines[len(lines)-2] != "demoted 2: leadership lost" && lines[0] != "error" {
			t.Errorf("cut off: %q", lines)
		}
		link.Heal()
		time.Sleep(ttl)
		a.Stop()
		closed(t, "a", elected, ttl)
		lines = told.read()
		if last := lines[len(lines)-1]; last != `leader "" after "resigned"` {
			t.Errorf("stopped: %q", lines)
		}
	})
}

func TestSlowCallbackDelaysNothingAndIsSparedWhatIsOver(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		told := diary{slow: time.Minute}
		c := NewCandidate(kv, key, "a", ttl, WithCallbacks(Callbacks{OnElected: told.callbacks().OnElected, OnDemoted: told.callbacks().OnDemoted}))
		elected, _ := c.RunForElection(ctx)
		states := collect(elected)
		for range 10 {
			time.Sleep(ttl)
			c.Resign()
		}
		if got := states(); len(got) != 21 {
			t.Errorf("the election was held up: %v", got)
		}
		c.Stop()
		time.Sleep(10 * time.Minute)
		// The first is told of, and its end; those that came and went meanwhile
		// are not.
		lines := told.read()
		if len(lines) != 2 || lines[0] != "elected 1" || lines[1] != "demoted 1: leadership resigned" {
			t.Errorf("told: %q", lines)
		}
		closed(t, "the channel", elected, 0)
	})
}

func TestCampaignEndsWhenItsCallbacksHaveReturned(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		returned := false
		c := NewCandidate(memory.New(), key, "a", ttl, WithCallbacks(Callbacks{OnDemoted: func(Term, error) { time.Sleep(ttl); returned = true }}))
		elected, _ := c.RunForElection(ctx)
		synctest.Wait()
		c.Stop()
		for range elected {
		}
		if !returned {
			t.Error("the channel was closed before")
		}
	})
}

func TestFollowerCallsBackOnChangesOfTheLeader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var told diary
		f := NewFollower(kv, key, WithCallbacks(told.callbacks()))
		f.FollowElection(ctx)
		synctest.Wait()
		c := NewCandidate(kv, key, "a", ttl, WithRelinquishAfter(10*ttl))
		c.RunForElection(ctx)
		equal(t, "elected", told.read(), []string{`leader "a" after ""`})
		time.Sleep(10 * ttl)
		equal(t, "relinquished", told.read(), []string{`leader "" after "relinquished"`})
		time.Sleep(ttl)
		equal(t, "elected again", told.read(), []string{`leader "a" after "relinquished"`})
		f.Stop()
	})
}

func TestFollowerCallsBackOnEveryChangeOfTheRecord(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		var mu sync.Mutex
		var told []Standing
		f := NewFollower(kv, key, WithCallbacks(Callbacks{OnStanding: func(s Standing) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, s)
		}}))
		leaders, _ := f.FollowElection(ctx)
		collect(leaders)
		claims := NewClaims(kv, key)
		claim := func(by Claim) Claimed {
			t.Helper()
			synctest.Wait()
			got, err := claims.Claim(ctx, by)
			if err != nil || !got.Won {
				t.Fatal(got, err)
			}
			return got
		}
		a := claim(Claim{Node: "a", TTL: ttl})
		claim(Claim{Node: "a", Instance: a.Instance, Token: a.Term.Token})
		synctest.Wait()
		if err := Ask(ctx, kv, key, Request{Action: Pause, Keep: true, By: "olga"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := claims.Resign(ctx, a.Instance, 0, 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 5 {
			t.Fatalf("it is told %+v", told)
		}
		for i, s := range told {
			if led := i > 0 && i < 4; s.Key != key || led != (s.Term.Leader == "a") || led != (s.Left == ttl) {
				t.Errorf("%d: it is told %+v", i, s)
			}
		}
		if told[1].Beat == told[2].Beat || told[2].Beat != told[3].Beat || told[3].Asked.By != "olga" || told[4].Term.Last.Reason != "resigned" {
			t.Errorf("it is told %+v", told)
		}
	})
}

func TestStateOfACandidate(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		link.Partition()
		a, b := NewCandidate(kv, key, "a", ttl), NewCandidate(link, key, "b", ttl)
		want := func(c *Candidate, want State) {
			t.Helper()
			synctest.Wait()
			if got := c.State(); got != want || got.String() != want.String() {
				t.Errorf("%s is %v, want %v", c.node, got, want)
			}
		}
		want(a, StateBootstrap)
		a.RunForElection(ctx)
		b.RunForElection(ctx)
		want(a, StateLeader)
		want(b, StateBootstrap)
		link.Heal()
		time.Sleep(ttl)
		want(b, StateFollower)
		a.Stop()
		want(a, StateStopped)
		want(b, StateLeader)
	})
}

func TestSignalsTellTheDemotionBeforeTheError(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := &standin.Store{Store: memory.New()}
		c := NewCandidate(kv, key, "a", ttl)
		s := c.RunForSignals(ctx)
		term := <-s.Promoted
		if term.Leader != "a" {
			t.Errorf("promoted: %+v", term)
		}
		// Somebody overwrites the record.
		if err := kv.Store.(*memory.Store).Put(ctx, key, []byte("foreign"), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		synctest.Wait()
		select {
		case err := <-s.Errored:
			if !errors.Is(err, ErrForeignRecord) { // of the look that found it: the term was not over yet
				t.Errorf("%v came before the demotion", err)
			}
		default:
		}
		d := <-s.Demoted
		if d.Term.Token != term.Token || !errors.Is(d.Reason, ErrLost) {
			t.Errorf("demoted: %+v", d)
		}
		c.Stop()
		for range s.Errored {
		}
		if _, ok := <-s.Promoted; ok {
			t.Error("promoted after the end")
		}
	})
}

func TestPromotionThatNobodyReadsIsTakenBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		s := c.RunForSignals(ctx)
		for range 5 {
			time.Sleep(ttl)
			c.Resign()
		}
		time.Sleep(ttl)
		synctest.Wait()
		now, _ := c.Term()
		if term := <-s.Promoted; term.Token != now.Token {
			t.Errorf("promoted in term %d, and it leads term %d", term.Token, now.Token)
		}
		c.Resign()
		if d := <-s.Demoted; d.Term.Token != now.Token || !errors.Is(d.Reason, ErrResigned) {
			t.Errorf("demoted: %+v", d)
		}
		c.Stop()
		for range s.Promoted {
		}
	})
}

func TestSignalsEndThoughNobodyReadsThem(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		c := NewCandidate(memory.New(), key, "a", ttl)
		s := c.RunForSignals(ctx)
		<-s.Promoted
		again := c.RunForSignals(ctx)
		if err := <-again.Errored; !errors.Is(err, ErrRunning) {
			t.Errorf("%v, want ErrRunning", err)
		}
		if _, open := <-again.Promoted; open {
			t.Error("the second is promoted")
		}
		c.Stop()
		time.Sleep(ttl + 1)
		synctest.Wait()
		closed(t, "demoted", s.Demoted, 0)
		closed(t, "errored", s.Errored, 0)
		closed(t, "promoted", s.Promoted, 0)
		if err := <-NewCandidate(nil, key, "a", ttl).RunForSignals(ctx).Errored; !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("%v, want ErrInvalidArgument", err)
		}
	})
}

func TestSignalsTellTheDemotionBeforeAForeignRecord(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		s := NewCandidate(kv, key, "a", ttl).RunForSignals(ctx)
		<-s.Promoted
		if err := kv.Put(ctx, key, []byte("no record"), nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.Demoted:
		case err := <-s.Errored:
			t.Errorf("the error comes first: %v", err)
		}
		collect(s.Errored)
		collect(s.Demoted)
	})
}

func TestLeaderThatHasCrashedIsNotToldToLeadDuringTheHoldOfATransfer(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		link := faultstore.New(kv)
		defer link.Close()
		NewCandidate(link, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		var leader atomic.Value
		NewCandidate(kv, key, "b", ttl, WithCallbacks(Callbacks{OnLeaderChange: func(term Term) { leader.Store(term.Leader) }})).RunForElection(ctx)
		synctest.Wait()
		link.Partition()
		written(ctx, t, kv, Request{Action: Transfer, To: "nobody", Hold: time.Hour / 12})
		time.Sleep(2 * ttl)
		synctest.Wait()
		if leader.Load() != "" {
			t.Errorf("%v is told to lead", leader.Load())
		}
	})
}
