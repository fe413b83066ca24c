// Package fencetest holds checks of fencing tokens against what each of them has to do.
package fencetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-a1d591d3/leadership/fence"
)

// Dice returns random numbers of a seed that is printed if t fails.
func Dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if again := os.Getenv("FENCE_SEED"); again != "" {
		var err error
		if seed, err = strconv.ParseUint(again, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: FENCE_SEED=%d go test -run '%s$'", seed, t.Name())
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// InTurn makes checks one after another, of a few resources, and holds them
// against the model: the highest token that passed.
func InTurn(ctx context.Context, checks []fence.Checker, rng *rand.Rand, n int) error {
	highest := make(map[string]uint64)
	for range n {
		resource := string('a' + rune(rng.IntN(3)))
		token := 1 + uint64(rng.IntN(n))/2
		if rng.IntN(3) == 0 && highest[resource] > 0 {
			token = highest[resource] + uint64(rng.IntN(3)) - 1
		}
		if token == 0 {
			continue
		}
		err := checks[rng.IntN(len(checks))].Check(ctx, resource, token)
		if err := judged(resource, token, highest[resource], err); err != nil {
			return err
		}
		highest[resource] = max(highest[resource], token)
	}
	return nil
}

// judged says what is wrong with err, the verdict on token where highest has
// been seen.
func judged(resource string, token, highest uint64, err error) error {
	switch {
	case token >= highest && err != nil:
		return fmt.Errorf("%s: token %d at %d was refused: %w", resource, token, highest, err)
	case token < highest && !errors.Is(err, fence.ErrStale):
		return fmt.Errorf("%s: token %d at %d: got %w, want ErrStale", resource, token, highest, err)
	case token < highest:
		for _, part := range []any{strconv.Quote(resource), token, highest} {
			if !strings.Contains(err.Error(), fmt.Sprint(part)) {
				return fmt.Errorf("%w: it does not name %v", err, part)
			}
		}
	}
	return nil
}

// event is one check in a race: when it began and ended, by one counter.
type event struct {
	token      uint64
	began      int64
	ended      int64
	passed     bool
	unexpected error
}

// Racing makes checks of one resource at the same time.
func Racing(ctx context.Context, checks []fence.Checker, rng *rand.Rand, workers, each int) error {
	var clock atomic.Int64
	events := make([][]event, workers)
	var all sync.WaitGroup
	for i := range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		check := checks[i%len(checks)]
		all.Go(func() {
			for j := range each {
				// Tokens rise in the course of time, as those of terms do.
				e := event{token: 1 + uint64(j*3+own.IntN(20))}
				e.began = clock.Add(1)
				err := check.Check(ctx, "raced", e.token)
				e.ended = clock.Add(1)
				e.passed = err == nil
				if err != nil && !errors.Is(err, fence.ErrStale) {
					e.unexpected = err
				}
				events[i] = append(events[i], e)
			}
		})
	}
	all.Wait()
	var history []event
	for _, own := range events {
		history = append(history, own...)
	}
	return ordered(history)
}

// ordered reports whether each verdict of a race can be explained: no token passes
// after a higher one has, and none is refused unless a higher one may have
// passed.
func ordered(history []event) error {
	for _, e := range history {
		if e.unexpected != nil {
			return e.unexpected
		}
		explained := e.passed
		for _, other := range history {
			if !other.passed || other.token <= e.token {
				continue
			}
			if e.passed && other.ended < e.began {
				return fmt.Errorf("token %d passed at %d after %d had at %d", e.token, e.began, other.token, other.ended)
			}
			explained = explained || other.began < e.ended
		}
		if !explained {
			return fmt.Errorf("token %d was refused at %d though no higher one had passed", e.token, e.ended)
		}
	}
	return nil
}

// Func is a check made of a function.
type Func func(resource string, token uint64) error

// Check calls f.
func (f Func) Check(_ context.Context, resource string, token uint64) error {
	return f(resource, token)
}
