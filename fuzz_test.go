package leadership_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fuzzing"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// FuzzForeignValue puts a value under a key, and has each that writes there find it: those
// that elect, those of rounds, and a fence. Two of them do not take it for their own, and
// one that finds it foreign leaves it as it is, and does not show it.
func FuzzForeignValue(f *testing.F) {
	const key = "a/b"
	kinds := map[string][]func(context.Context, *memory.Store) error{
		"election": {
			func(ctx context.Context, kv *memory.Store) error {
				_, err := leadership.NewClaims(kv, key).Claim(ctx, leadership.Claim{Node: "n", TTL: time.Second})
				return err
			},
			func(ctx context.Context, kv *memory.Store) error {
				return leadership.NewClaims(kv, key).Resign(ctx, strings.Repeat("i", 16), 0, 0)
			},
			func(ctx context.Context, kv *memory.Store) error {
				return leadership.Ask(ctx, kv, key, leadership.Request{Action: leadership.Pause, Create: true})
			},
			func(ctx context.Context, kv *memory.Store) error { return leadership.Forget(ctx, kv, key) },
			func(ctx context.Context, kv *memory.Store) error {
				_, errs := leadership.NewCandidate(kv, key, "n", time.Second).RunForElection(ctx)
				var first error
				for err := range errs {
					if first == nil {
						first = err
					}
				}
				return first
			},
		},
		"round": {
			func(ctx context.Context, kv *memory.Store) error {
				_, err := leadership.NewRound(kv, "a", "b", "n").Elect(ctx)
				return err
			},
			func(ctx context.Context, kv *memory.Store) error {
				_, err := leadership.NewRound(kv, "a", "b", "n", leadership.WithAttemptTTL(time.Second)).Elect(ctx)
				return err
			},
			func(ctx context.Context, kv *memory.Store) error {
				return leadership.NewRound(kv, "a", "b", "n").Complete(ctx)
			},
			func(ctx context.Context, kv *memory.Store) error {
				return leadership.NewRound(kv, "a", "b", "n").Fail(ctx, nil)
			},
			func(ctx context.Context, kv *memory.Store) error {
				_, err := leadership.NewRounds(kv).Sweep(ctx, "a", 1)
				return err
			},
		},
		"fence": {
			func(ctx context.Context, kv *memory.Store) error { return fence.NewKV(kv, "a").Check(ctx, "b", 1<<60) },
		},
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		synctest.Test(t, func(t *testing.T) {
			var own []string
			for kind, writers := range kinds {
				foreign := 0
				for i, write := range writers {
					kv := memory.New()
					if err := kv.Put(t.Context(), key, value, nil); err != nil {
						t.Fatal(err)
					}
					before, _ := kv.Get(t.Context(), key, nil)
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					err := write(ctx, kv)
					cancel()
					after, _ := kv.Get(t.Context(), key, nil)
					isForeign := errors.Is(err, leadership.ErrForeignRecord)
					if isForeign {
						foreign++
						if after == nil || after.LastIndex != before.LastIndex {
							t.Errorf("%s %d: %q was overwritten: %v", kind, i, value, err)
						}
					}
					if fuzzing.Shows(err, string(value)) {
						t.Errorf("%s %d: the error shows %q: %v", kind, i, value, err)
					}
					if !isForeign && (after == nil || after.LastIndex != before.LastIndex) {
						own = append(own, kind)
					}
					_ = kv.Close()
				}
			}
			for _, kind := range own {
				if kind != own[0] {
					t.Errorf("%q was written over by %q", value, own)
				}
			}
		})
	})
}
