package faultstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const missing = "(missing)"

func watch(ctx context.Context, t *testing.T, kv store.Store) <-chan *store.KVPair {
	t.Helper()
	pairs, err := kv.Watch(ctx, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// wantNext says what the watch has to deliver now, "" for nothing.
func wantNext(t *testing.T, pairs <-chan *store.KVPair, want string) {
	t.Helper()
	synctest.Wait()
	got := ""
	select {
	case pair, ok := <-pairs:
		switch {
		case !ok:
			got = "(closed)"
		case pair.Value == nil:
			got = missing
		default:
			got = string(pair.Value)
		}
	default:
	}
	if got != want {
		t.Errorf("the watch sent %q, want %q", got, want)
	}
}

// set writes to the shared store, as somebody else.
func set(t *testing.T, shared *memory.Store, value string) {
	t.Helper()
	if err := shared.Put(t.Context(), key, []byte(value), nil); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestWatchForwardsEveryChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		w := watch(t.Context(), t, kv)
		wantNext(t, w, missing)
		for _, value := range []string{"a", "b", "c"} {
			set(t, shared, value)
			wantNext(t, w, value)
			wantNext(t, w, "")
		}
	})
}

func TestSlowWatchStillEndsWithTheLastChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		w := watch(t.Context(), t, kv)
		synctest.Wait()
		for i := range 1000 {
			set(t, shared, strconv.Itoa(i))
		}
		wantNext(t, w, missing) // was on its way
		wantNext(t, w, "999")   // the inner store could skip the rest
		wantNext(t, w, "")
	})
}

func TestWatchRefusesToStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, kv := open(t)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Err: errBroken}, faultstore.OpWatch))
		_, err := kv.Watch(t.Context(), key, nil)
		wantErr(t, err, errBroken)
		wantErr(t, err, faultstore.ErrInjected)
	})
}

func TestWatchWhoseStartIsLostLeavesNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// The bubble ends only when the inner watches have.
		for _, inner := range []store.Store{memory.New(), stubborn{}} {
			kv := faultstore.New(inner, faultstore.WithPlan(faultstore.Always(faultstore.Fault{LoseReply: true})))
			_, err := kv.Watch(context.WithoutCancel(t.Context()), key, nil)
			wantErr(t, err, faultstore.ErrInjected)
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for name, set := range map[string]func(*faultstore.Store){
			"without faults": func(*faultstore.Store) {},
			"partitioned":    (*faultstore.Store).Partition,
			"muted":          func(kv *faultstore.Store) { kv.MuteWatches(true) },
			"lagging":        func(kv *faultstore.Store) { kv.LagWatches(time.Hour) },
		} {
			t.Log(name)
			_, kv := open(t)
			ctx, cancel := context.WithCancel(t.Context())
			w := watch(ctx, t, kv)
			wantNext(t, w, missing)
			set(kv)
			cancel()
			wantNext(t, w, "(closed)")
		}
	})
}

func TestWatchThatIgnoresItsContextGoesOnUntilKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.IgnoreContexts(true)
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, t, kv)
		wantNext(t, w, missing)
		cancel()
		set(t, shared, "a")
		wantNext(t, w, "a")
		kv.KillWatches()
		wantNext(t, w, "(closed)")
	})
}

func TestKilledWatchesEndAndNewOnesStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		a, b := watch(t.Context(), t, kv), watch(t.Context(), t, kv)
		wantNext(t, a, missing)
		kv.KillWatches()
		wantNext(t, a, "(closed)")
		wantNext(t, b, "(closed)")

		c := watch(t.Context(), t, kv)
		wantNext(t, c, missing)
		set(t, shared, "a")
		wantNext(t, c, "a")
	})
}

func TestMutedWatchesStayOpenAndForget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		w := watch(t.Context(), t, kv)
		wantNext(t, w, missing)
		kv.MuteWatches(true)
		set(t, shared, "unheard")
		late := watch(t.Context(), t, kv)
		wantNext(t, w, "")
		wantNext(t, late, "")
		kv.MuteWatches(false)
		wantNext(t, w, "")
		set(t, shared, "heard")
		wantNext(t, w, "heard")
		wantNext(t, late, "heard")
	})
}

func TestWatchMutedByPlanIsSilentForItsLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Mute: true, Life: time.Minute}))
		w := watch(t.Context(), t, kv)
		set(t, shared, "a")
		time.Sleep(time.Minute - 1)
		wantNext(t, w, "")
		time.Sleep(time.Nanosecond)
		wantNext(t, w, "(closed)")
	})
}

func TestPartitionedWatchDeliversWhenHealed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for name, cut := range map[string]func(*faultstore.Store){
			"Partition": (*faultstore.Store).Partition,
			"Refuse":    (*faultstore.Store).Refuse,
		} {
			t.Log(name)
			shared, kv := open(t)
			w := watch(t.Context(), t, kv)
			wantNext(t, w, missing)
			cut(kv)
			set(t, shared, "a")
			time.Sleep(time.Hour)
			wantNext(t, w, "")
			kv.Heal()
			wantNext(t, w, "a")
		}
	})
}

func TestLaggingWatchDeliversLateInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.SetPlan(faultstore.Always(faultstore.Fault{Lag: 2 * time.Second}))
		kv.LagWatches(time.Second)
		w := watch(t.Context(), t, kv)
		synctest.Wait()
		for _, value := range []string{"a", "b"} {
			time.Sleep(time.Second)
			set(t, shared, value)
		}
		for _, want := range []string{missing, "a", "b"} {
			time.Sleep(time.Second - 1)
			wantNext(t, w, "")
			time.Sleep(time.Nanosecond)
			wantNext(t, w, want)
		}
	})
}

func TestWatchEndsWhenTheInnerOneDoesAfterWhatItSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared, kv := open(t)
		kv.LagWatches(time.Second)
		w := watch(t.Context(), t, kv)
		synctest.Wait()
		shared.Close()
		wantNext(t, w, "")
		time.Sleep(time.Second)
		wantNext(t, w, missing)
		wantNext(t, w, "(closed)")
	})
}

func TestWatchThatIsCutOffDoesNotNoticeThatTheInnerOneEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for name, cut := range map[string]func(kv *faultstore.Store, on bool){
			"muted": (*faultstore.Store).MuteWatches,
			"partitioned": func(kv *faultstore.Store, on bool) {
				if on {
					kv.Partition()
				} else {
					kv.Heal()
				}
			},
		} {
			t.Log(name)
			shared, kv := open(t)
			w := watch(t.Context(), t, kv)
			wantNext(t, w, missing)
			cut(kv, true)
			shared.Close()
			wantNext(t, w, "")
			cut(kv, false)
			wantNext(t, w, "(closed)")
		}
	})
}

func TestCloseEndsWatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, kv := open(t)
		kv.IgnoreContexts(true)
		w := watch(t.Context(), t, kv)
		kv.Close()
		synctest.Wait()
		for range w {
		}
	})
}

// stubborn is a store whose watches go on sending until somebody reads, even
// after their contexts have ended: as Consul's adapter does.
type stubborn struct{ store.Store }

func (stubborn) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	pairs := make(chan *store.KVPair)
	go func() {
		defer close(pairs)
		<-ctx.Done()
		for range 3 {
			pairs <- &store.KVPair{Key: key}
		}
	}()
	return pairs, nil
}

func TestInnerWatchIsDrained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		kv := faultstore.New(stubborn{})
		w := watch(t.Context(), t, kv)
		kv.KillWatches()
		wantNext(t, w, "(closed)")
		// The bubble ends only when the inner watch has.
	})
}

func TestHintsBelowHaveTheFaultsOfWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		defer shared.Close()
		kv := faultstore.New(shared)
		hints, err := kv.HintsBelow(t.Context(), "service/")
		if err != nil {
			t.Fatal(err)
		}
		put := func(key string) {
			if err := shared.Put(t.Context(), key, nil, nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		next := func(want string) {
			t.Helper()
			if pair, open := <-hints; !open || pair.Key != want {
				t.Errorf("told %v, %v; want %q", pair, open, want)
			}
		}
		next("")
		put("service/a")
		next("service/a")
		kv.MuteWatches(true)
		put("service/b")
		kv.MuteWatches(false)
		kv.Partition()
		put("service/c")
		kv.Heal()
		next("service/c")
		kv.KillWatches()
		if pair, open := <-hints; open {
			t.Errorf("told %v after the end", pair)
		}
		kv.Refuse()
		if _, err := kv.HintsBelow(t.Context(), "service/"); !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("%v; want ErrInjected", err)
		}
		if n := kv.Calls(faultstore.OpWatch); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		none := faultstore.New(struct{ store.Store }{shared})
		if _, err := none.HintsBelow(t.Context(), "service/"); !errors.Is(err, store.ErrCallNotSupported) {
			t.Errorf("%v; want ErrCallNotSupported", err)
		}
	})
}
