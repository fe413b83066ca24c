package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// TestFailoverToTheSynchronousStandbyIsSafe cuts the standby off, so that the primary
// acknowledges nothing, while candidates and rounds go on. Then it kills the primary, and
// the standby takes over without the writes since the cut. FAILOVER_SEEDS is the number
// of variations, two by default.
func TestFailoverToTheSynchronousStandbyIsSafe(t *testing.T) {
	seeds := 2
	if text := os.Getenv("FAILOVER_SEEDS"); text != "" {
		var err error
		if seeds, err = strconv.Atoi(text); err != nil || seeds < 1 {
			t.Fatalf("FAILOVER_SEEDS is %q and must be a number above 0", text)
		}
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			newFailover(t, uint64(seed)).run()
		})
	}
}

// failover is one run.
type failover struct {
	*testing.T
	dice       *rand.Rand
	pair       *servers.PostgresPair
	all        sync.WaitGroup
	mu         sync.Mutex
	candidates []*leadership.Candidate
	nodes      []string                   // of the candidates
	told       map[string]map[string]bool // who was told to have won a round, or told of as its winner
	asked      int
}

const (
	failoverKey    = "failover/leader"
	failoverTTL    = 3 * time.Second
	failoverRounds = 6
)

func newFailover(t *testing.T, seed uint64) *failover {
	return &failover{T: t, dice: rand.New(rand.NewPCG(seed, 0)), pair: servers.PostgresWithStandby(t), told: make(map[string]map[string]bool)}
}

// upTo waits for up to d.
func (f *failover) upTo(d time.Duration) { time.Sleep(time.Duration(f.dice.Int64N(int64(d)))) }

func (f *failover) run() {
	ctx, cancel := context.WithCancel(f.Context())
	f.all.Go(func() { f.referee(ctx) })
	primary, both := f.pair.Primary.Addr, at(f.pair.Primary.Addr, f.pair.Hosts())

	// A term that the standby knows of has ended, and the next begins when it is
	// cut off, or somewhat before.
	first := f.stand(ctx, primary, "first")
	f.await("the first leads", first.IsLeader)
	look := leadership.NewClaims(f.open(primary), failoverKey)
	first.Stop()
	f.await("the seat is vacant", func() bool {
		standing, err := look.Look(ctx)
		return err == nil && standing.Term.Leader == ""
	})
	early := f.dice.IntN(2) == 0
	if early {
		f.stand(ctx, primary, "early")
		f.upTo(failoverTTL)
	}
	frozen := f.dice.IntN(4) == 0
	if frozen {
		f.pair.Standby.Freeze() // it may have more, when it goes on
	} else {
		f.pair.Cut()
	}
	f.stand(ctx, both, "both")
	f.stand(ctx, primary, "primary")
	f.ask(ctx, primary, "primary")
	f.ask(ctx, both, "both")
	if f.dice.IntN(2) == 0 {
		f.stand(ctx, f.standby(), "waiting") // which sees nothing until the standby takes over
	}
	if early && f.dice.IntN(2) == 0 {
		f.upTo(failoverTTL / 4) // it leads yet, by what the standby has
	} else {
		time.Sleep(failoverTTL / 2)
		f.upTo(failoverTTL)
	}
	var before []string
	for i, token := range f.leading() {
		if token != 0 {
			before = append(before, f.nodes[i])
		}
	}
	died := time.Now()
	f.pair.Primary.Stop()
	f.upTo(failoverTTL / 16)
	f.pair.Standby.Thaw()
	f.pair.Promote()
	promoted := time.Since(died)
	f.stand(ctx, f.standby(), "standby")
	f.ask(ctx, f.standby(), "standby")

	look = leadership.NewClaims(f.open(f.standby()), failoverKey)
	f.await("somebody leads on the new primary", func() bool {
		standing, err := look.Look(ctx)
		return err == nil && standing.Term.Leader != ""
	})
	led := time.Since(died)
	time.Sleep(failoverTTL)
	cancel()
	f.all.Wait()
	f.Logf("the standby was frozen: %v; when the primary died %q led; the standby took over within %v, and was led within %v; rounds were asked for %d times with an answer", frozen, before, promoted, led, f.asked)
	for round, nodes := range f.told {
		if len(nodes) > 1 {
			f.Errorf("round %s was told to have been won by more than one: %v", round, nodes)
		}
	}
}

func (f *failover) standby() string { return f.pair.Standby.Addr }

// open opens a client of servers that need not be up.
func (f *failover) open(addr string) store.Store {
	pool := newPool(f.T, at(addr, "", "target_session_attrs", "read-write", "connect_timeout", "1"))
	return newStore(f.T, pool)
}

// stand runs another candidate until ctx ends.
func (f *failover) stand(ctx context.Context, addr, node string) *leadership.Candidate {
	c := leadership.NewCandidate(f.open(addr), failoverKey, node, failoverTTL)
	elected, errs := c.RunForElection(ctx)
	f.all.Go(func() {
		for range elected {
		}
	})
	f.all.Go(func() {
		for range errs {
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.candidates, f.nodes = append(f.candidates, c), append(f.nodes, node)
	return c
}

// ask asks for all rounds again and again until ctx ends.
func (f *failover) ask(ctx context.Context, addr, node string) {
	kv := f.open(addr)
	for i := range failoverRounds {
		name := fmt.Sprint(i)
		var opts []leadership.RoundOption
		if i%2 == 1 {
			opts = append(opts, leadership.WithAttemptTTL(time.Minute)) // of which one is won within this test
		}
		round := leadership.NewRound(kv, "failover", name, node, append(opts, leadership.WithCallTimeout(300*time.Millisecond))...)
		f.all.Go(func() {
			for ctx.Err() == nil {
				if won, err := round.Elect(ctx); err == nil && won {
					f.tell(name, node)
				}
				if winner, err := round.Elected(ctx); err == nil && winner != "" {
					f.tell(name, winner)
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
}

func (f *failover) tell(round, winner string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[round] == nil {
		f.told[round] = make(map[string]bool)
	}
	f.told[round][winner] = true
	f.asked++
}

// leading returns the token of the term that each candidate leads, or 0.
func (f *failover) leading() []uint64 {
	f.mu.Lock()
	candidates := f.candidates
	f.mu.Unlock()
	tokens := make([]uint64, len(candidates))
	for i, c := range candidates {
		if term, ok := c.Term(); ok {
			tokens[i] = term.Token
		}
	}
	return tokens
}

// referee fails the test when two lead at one instant: who leads in two looks, in
// one term, has led all the time between them.
func (f *failover) referee(ctx context.Context) {
	for ctx.Err() == nil {
		first, second := f.leading(), f.leading()
		var together []int
		for i, token := range first {
			if token != 0 && second[i] == token {
				together = append(together, i)
			}
		}
		if len(together) > 1 {
			f.Errorf("candidates %v lead at one instant, by the tokens %v", together, first)
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func (f *failover) await(what string, ok func() bool) {
	f.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			f.Fatalf("not within 20s: %s", what)
		}
	}
}
