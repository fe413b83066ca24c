package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// TestLatestOfTwoRequestsIsObeyed asks twice before the leader, a, hears of
// anything, in all pairs.
func TestLatestOfTwoRequestsIsObeyed(t *testing.T) {
	requests := []Request{
		{Action: Resign},
		{Action: Transfer, To: "a"},
		{Action: Transfer, To: "b"},
		{Action: Transfer, To: "c"},
		{Action: Pause},
		{Action: Pause, Keep: true},
		{Action: Resume},
	}
	for _, first := range requests {
		for _, second := range requests {
			t.Run(fmt.Sprintf("%s%s%v,%s%s%v", first.Action, first.To, first.Keep, second.Action, second.To, second.Keep), func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, ctx context.Context) { latestIsObeyed(ctx, t, first, second) })
			})
		}
	}
}

func latestIsObeyed(ctx context.Context, t *testing.T, first, second Request) {
	kv := memory.New()
	link := faultstore.New(kv)
	defer link.Close()
	all := map[string]*Candidate{"a": NewCandidate(link, key, "a", ttl), "b": NewCandidate(kv, key, "b", ttl), "c": NewCandidate(kv, key, "c", ttl)}
	for _, node := range []string{"a", "b", "c"} {
		all[node].RunForElection(ctx)
		synctest.Wait()
	}
	time.Sleep(ttl)
	before, _ := all["a"].Term()
	link.Partition()
	ask := func(r Request) error {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := Ask(ctx, kv, key, r); !errors.Is(err, ErrNotObeyed) {
			return err
		}
		return nil
	}
	if err := ask(first); err != nil {
		t.Fatal(err)
	}
	wins := second
	switch err := ask(second); {
	case first.Action == Pause && (second.Action == Resign || second.Action == Transfer):
		if wins = first; !errors.Is(err, ErrPaused) {
			t.Errorf("%v, want ErrPaused", err)
		}
	case err != nil:
		t.Fatal(err)
	}
	link.Heal()
	time.Sleep(3 * ttl)
	leader, asks := sole(all), stored(t, kv).Ask
	if (asks != nil) != (wins.Action == Pause) {
		t.Errorf("the record asks %+v", asks)
	}
	want := map[Action]string{Transfer: wins.To, Resume: "a"}[wins.Action]
	switch {
	case wins.Action == Resign && leader != "b" && leader != "c":
		t.Errorf("%q leads", leader)
	case wins.Keep:
		want = "a"
	}
	if wins.Action != Resign && leader != want {
		t.Errorf("%q leads, and %q was to", leader, want)
	}
	if term, _ := all["a"].Term(); want == "a" && term.Token != before.Token {
		t.Errorf("a left, for no request that stands: term %d, before %d", term.Token, before.Token)
	}
}

// TestLatestRequestOfAVacantSeatCounts: a seat is vacant, and left to b, when it is
// asked for something else.
func TestLatestRequestOfAVacantSeatCounts(t *testing.T) {
	for _, second := range []Request{
		{Action: Resign}, {Action: Transfer, To: "b"}, {Action: Transfer, To: "c"}, {Action: Pause}, {Action: Pause, Keep: true}, {Action: Resume},
	} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			vacant := election.Record{Token: 7, Beat: 3, Ask: &election.Request{Do: election.Transfer, To: "nobody", Millis: MaxHold.Milliseconds()}}
			if _, _, err := kv.AtomicPut(ctx, key, vacant.Encode(), nil, nil); err != nil {
				t.Fatal(err)
			}
			all := electorate(ctx, kv)
			err := Ask(ctx, kv, key, second)
			time.Sleep(ttl)
			leader := sole(all)
			switch second.Action {
			case Resign:
				if !errors.Is(err, ErrNoLeader) || leader != "" {
					t.Errorf("resign: %v, want ErrNoLeader; %q leads", err, leader)
				}
				return
			case Transfer:
				if leader != second.To {
					t.Errorf("%q leads, and %q was to", leader, second.To)
				}
			case Pause:
				if leader != "" {
					t.Errorf("%q leads during the pause", leader)
				}
			case Resume:
				if leader == "" {
					t.Error("nobody leads, though the transfer was withdrawn")
				}
			}
			if err != nil {
				t.Errorf("%s: %v", second.Action, err)
			}
		})
	}
}

func TestTransferSucceedsOnlyWhereTheNodeLeads(t *testing.T) {
	for _, c := range []struct {
		name string
		to   string
		cut  string // who is cut off before
		want error
		says string
	}{
		{"waits", "b", "", nil, ""},
		{"leads", "a", "", nil, ""},
		{"nobody of that name", "x", "", ErrNotTransferred, `leads, term`},
		{"leads by a record alone", "a", "a", ErrNotTransferred, `leads, term`},
		{"the leader has crashed", "b", "a", nil, ""},
		{"has crashed itself", "b", "b", ErrNotTransferred, `"c" leads, term`},
	} {
		t.Run(c.name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, ctx context.Context) {
				kv := memory.New()
				all := make(map[string]*Candidate)
				for _, node := range []string{"a", "b", "c"} {
					link := faultstore.New(kv)
					defer link.Close()
					all[node] = NewCandidate(link, key, node, ttl)
					all[node].RunForElection(ctx)
					synctest.Wait()
					if node == c.cut {
						defer link.Heal()
						time.AfterFunc(2*ttl, link.Partition)
					}
				}
				time.Sleep(2*ttl + 1)
				began := time.Now()
				err := Ask(ctx, kv, key, Request{Action: Transfer, To: c.to, Hold: 3 * ttl})
				if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if err == nil && sole(all) != c.to {
					t.Errorf("done, and %q leads", sole(all))
				}
				if took := time.Since(began); took > 5*ttl {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestTransferWithoutCandidatesEndsAfterTheHold(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		began := time.Now()
		err := Ask(ctx, kv, key, Request{Action: Transfer, To: "b", Hold: time.Minute, Create: true})
		if !errors.Is(err, ErrNotTransferred) || !strings.Contains(err.Error(), "nobody leads") {
			t.Errorf("%v, want ErrNotTransferred and that nobody leads", err)
		}
		if took := time.Since(began); took < time.Minute || took > time.Minute+maxTakeover {
			t.Errorf("took %v", took)
		}
	})
}

func TestTransferThatIsHalfDoneSaysWhatIsMissing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		NewCandidate(kv, key, "a", ttl).RunForElection(ctx)
		synctest.Wait()
		asking, cancel := context.WithTimeout(ctx, ttl)
		defer cancel()
		err := Ask(asking, kv, key, Request{Action: Transfer, To: "b"})
		if !errors.Is(err, ErrNotObeyed) || !strings.Contains(err.Error(), `nobody leads, and "b" has not taken the seat`) {
			t.Error(err)
		}
	})
}

func TestRequestThatIsReplacedSaysSo(t *testing.T) {
	for _, first := range []Request{{Action: Resign}, {Action: Transfer, To: "b"}, {Action: Pause}} {
		inVirtualTime(t, func(t *testing.T, ctx context.Context) {
			kv := memory.New()
			c := NewClaims(kv, key) // which obeys nothing by itself
			claimed(ctx, t, c, claimFor("a"))
			asked := make(chan error, 1)
			go func() { asked <- Ask(ctx, kv, key, first) }()
			time.Sleep(ttl / 10)
			if err := Ask(ctx, kv, key, Request{Action: Resume}); err != nil {
				t.Fatal(err)
			}
			if err := <-asked; !errors.Is(err, ErrReplaced) {
				t.Errorf("%s: %v, want ErrReplaced", first.Action, err)
			}
		})
	}
}
