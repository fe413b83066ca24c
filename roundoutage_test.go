package leadership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestAttemptOutlastsAShortOutage(t *testing.T) {
	for _, ttl := range []time.Duration{2 * time.Second, 15 * time.Second, time.Minute} {
		for name, fault := range map[string]faultstore.Fault{"refuses": refusing, "hangs": hanging} {
			for _, length := range []int{5, 20, 35} {
				t.Run(fmt.Sprint(name, " for ", length, "% of ", ttl), func(t *testing.T) {
					inVirtualTime(t, func(t *testing.T, ctx context.Context) {
						lost := 0
						const phases = 40
						for i := range phases {
							link := faultstore.New(memory.New())
							_, _ = NewRound(link, "sys", fmt.Sprint(i), "a", WithAttemptTTL(ttl)).Do(ctx, func(ctx context.Context) error {
								time.Sleep(ttl + ttl/3*time.Duration(i)/phases)
								link.SetPlan(faultstore.Always(fault, faultstore.OpGet, faultstore.OpAtomicPut))
								time.Sleep(ttl * time.Duration(length) / 100)
								link.SetPlan(nil)
								time.Sleep(2 * ttl)
								if ctx.Err() != nil {
									lost++
								}
								return nil
							})
						}
						if lost > 0 {
							t.Errorf("%d of %d attempts lost", lost, phases)
						}
					})
				})
			}
		}
	}
}

// Each asks as a Round of its own, as requests over HTTP do.
func TestRoundsDoNotPileUpOnAStoreThatHangs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := faultstore.New(memory.New())
		kv.IgnoreContexts(true)
		kv.Partition()
		rounds := NewRounds(kv, WithCallTimeout(time.Second))
		var all sync.WaitGroup
		for i := range 3000 {
			all.Go(func() {
				r := rounds.Round("sys", fmt.Sprint(i/3), "a")
				err := []func() error{
					func() error { _, err := r.Elect(ctx); return err },
					func() error { _, err := r.Elected(ctx); return err },
					func() error { _, err := rounds.List(ctx, "sys"); return err },
				}[i%3]()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
		}
		all.Wait()
		if n := kv.Calls(faultstore.OpGet) + kv.Calls(faultstore.OpAtomicPut) + kv.Calls(faultstore.OpList); n != maxRoundCalls {
			t.Errorf("%d calls hang", n)
		}
		kv.Heal()
		_ = kv.Close()
	})
}
