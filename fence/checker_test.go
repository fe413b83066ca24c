package fence_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fencetest"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// kinds make checks of the same resources, as two processes would.
var kinds = map[string]func(t *testing.T) []fence.Checker{
	"memory": func(*testing.T) []fence.Checker { return []fence.Checker{new(fence.Memory)} },
	"kv": func(*testing.T) []fence.Checker {
		kv := memory.New()
		return []fence.Checker{fence.NewKV(kv, "fences"), fence.NewKV(kv, "fences")}
	},
}

func TestExactlyTheTokensBelowTheHighestAreRefused(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			rng := fencetest.Dice(t)
			for range 20 {
				if err := fencetest.InTurn(t.Context(), open(t), rng, 1000); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestRacingChecksAreInOrder(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			rng := fencetest.Dice(t)
			for range 20 {
				if err := fencetest.Racing(t.Context(), open(t), rng, 8, 100); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestWhatNoCheckAccepts(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				resource string
				token    uint64
			}{
				{"orders", 0},
				{"orders", 1 << 62}, // which no election gives
				{"orders", math.MaxInt64 + 1},
				{"", 1},
				{".", 1},
				{"..", 1},
				{"a\x00b", 1},
				{"\xff", 1},
				{strings.Repeat("a", 256), 1},
			} {
				for _, check := range open(t) {
					if err := check.Check(t.Context(), c.resource, c.token); !errors.Is(err, leadership.ErrInvalidArgument) {
						t.Errorf("resource %.20q, token %d: got %v, want ErrInvalidArgument", c.resource, c.token, err)
					}
				}
			}
			longest := strings.Repeat("a", 255)
			for _, check := range open(t) {
				if err := check.Check(t.Context(), longest, 1<<62-1); err != nil {
					t.Errorf("the longest resource and the highest token: %v", err)
				}
			}
		})
	}
}

func ExampleMemory() {
	var check fence.Memory
	ctx := context.Background()
	fmt.Println(check.Check(ctx, "orders", 7)) // the new leader
	fmt.Println(check.Check(ctx, "orders", 6)) // the old one, which was paused
	// Output:
	// <nil>
	// fence: stale fencing token: 6 for "orders", where 7 has been seen
}
