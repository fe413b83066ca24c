package fencetest

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/seed-a1d591d3/leadership/fence"
)

// A property that a wrong check fulfils shows nothing.
func TestPropertiesNoticeWrongChecks(t *testing.T) {
	stale := func(resource string, token, highest uint64) error {
		return fmt.Errorf("%w: %d for %q, where %d", fence.ErrStale, token, resource, highest)
	}
	for name, wrong := range map[string]func() Func{
		"lets everything pass": func() Func { return func(string, uint64) error { return nil } },
		"refuses equals": func() Func {
			seen := map[string]uint64{}
			return func(resource string, token uint64) error {
				if token <= seen[resource] {
					return stale(resource, token, seen[resource])
				}
				seen[resource] = token
				return nil
			}
		},
		"lets one below pass": func() Func {
			seen := map[string]uint64{}
			return func(resource string, token uint64) error {
				if token+1 < seen[resource] {
					return stale(resource, token, seen[resource])
				}
				seen[resource] = max(seen[resource], token)
				return nil
			}
		},
		"remembers the latest": func() Func {
			seen := map[string]uint64{}
			return func(resource string, token uint64) error {
				defer func() { seen[resource] = token }()
				return fence.Judge(resource, token, seen[resource])
			}
		},
		"mixes resources up": func() Func {
			var seen uint64
			return func(resource string, token uint64) error {
				if token < seen {
					return stale(resource, token, seen)
				}
				seen = token
				return nil
			}
		},
		"names nothing": func() Func {
			seen := map[string]uint64{}
			return func(resource string, token uint64) error {
				if token < seen[resource] {
					return fence.ErrStale
				}
				seen[resource] = token
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := InTurn(t.Context(), []fence.Checker{wrong()}, Dice(t), 1000); err == nil {
				t.Error("not noticed")
			} else {
				t.Log(err)
			}
		})
	}
	t.Run("asks and acts in two steps", func(t *testing.T) {
		rng := Dice(t)
		for range 100 {
			var seen atomic.Uint64
			wrong := Func(func(resource string, token uint64) error {
				highest := seen.Load()
				runtime.Gosched() // others come between
				if token < highest {
					return stale(resource, token, highest)
				}
				seen.Store(token)
				return nil
			})
			if err := Racing(t.Context(), []fence.Checker{wrong}, rng, 8, 200); err != nil {
				t.Log(err)
				return
			}
		}
		t.Error("not noticed")
	})
}
