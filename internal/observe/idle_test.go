package observe

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// counted counts what is asked of a store.
type counted struct {
	*memory.Store
	calls, values atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	c.calls.Add(1)
	c.values.Add(1)
	return c.Store.Get(ctx, key, opts)
}

func (c *counted) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	c.calls.Add(1)
	pairs, err := c.Store.List(ctx, directory, opts)
	c.values.Add(int64(len(pairs)))
	return pairs, err
}

func (c *counted) Page(ctx context.Context, directory, from string, wanted func(string) bool) ([]*store.KVPair, string, error) {
	c.calls.Add(1)
	pairs, next, err := c.Store.Page(ctx, directory, from, wanted)
	for _, pair := range pairs {
		if pair.Value != nil {
			c.values.Add(1)
		}
	}
	return pairs, next, err
}

func (c *counted) Watch(ctx context.Context, key string, opts *store.ReadOptions) (<-chan *store.KVPair, error) {
	c.calls.Add(1)
	return c.Store.Watch(ctx, key, opts)
}

// full makes a store with elections whose leaders do not renew, and old rounds: those with
// an even number are completed.
func full(t *testing.T, elections, rounds int) *counted {
	t.Helper()
	kv := &counted{Store: memory.New()}
	// One of each is made, and copied: it takes no timers to do so, of which the race
	// detector stands only so many in one bubble of virtual time (golang.org/issue/78156).
	write := func(key, from string) {
		t.Helper()
		pair, err := kv.Store.Get(t.Context(), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, err := kv.AtomicPut(t.Context(), key, pair.Value, nil, nil); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	electiontest.Claim(t, kv.Store, "service/0000", "a", 15*time.Second)
	for i := range elections - 1 {
		write(fmt.Sprintf("service/%04d", i+1), "service/0000")
	}
	for i := range rounds {
		name := fmt.Sprintf("2020-%06d", i)
		if i > 1 {
			write("cleaning/"+name, fmt.Sprintf("cleaning/2020-%06d", i%2))
			continue
		}
		r := leadership.NewRound(kv.Store, "cleaning", name, "a")
		if won, err := r.Elect(t.Context()); err != nil || !won {
			t.Fatal(won, err)
		}
		if i == 0 {
			if err := r.Complete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kv
}

// spent is what is asked of the store a second, over half a minute.
func (c *counted) spent() (calls, values float64) {
	synctest.Wait()
	calls, values = float64(c.calls.Load()), float64(c.values.Load())
	time.Sleep(30 * time.Second)
	synctest.Wait()
	return (float64(c.calls.Load()) - calls) / 30, (float64(c.values.Load()) - values) / 30
}

func TestServerThatNobodyLooksAtAsksNothingOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := full(t, 200, 1200)
		o := observer(kv, "")
		if calls, values := kv.spent(); calls != 0 || values != 0 {
			t.Errorf("%g calls and %g values a second before anybody has looked", calls, values)
		}
		scrape := func() int {
			o.ObserveFor(t.Context(), 150*time.Second)
			return len(o.Elections())
		}
		if n := scrape(); n != 200 {
			t.Errorf("the first who asks is told of %d elections", n)
		}
		// 200 elections, each every 15 s.
		if calls, values := kv.spent(); calls > 30 || values > 30 {
			t.Errorf("%g calls and %g values a second for metrics", calls, values)
		}
		time.Sleep(3 * time.Minute)
		if calls, values := kv.spent(); calls != 0 || values != 0 {
			t.Errorf("%g calls and %g values a second after the last has looked", calls, values)
		}
		o.mu.Lock()
		if n := len(o.byKey); n != 0 {
			t.Errorf("%d elections are watched", n)
		}
		o.mu.Unlock()
		if n := scrape(); n != 200 {
			t.Errorf("who asks again is told of %d elections", n)
		}
		o.Close()
	})
}

func TestCostOfLookingDoesNotGrowWithOldRounds(t *testing.T) {
	var calls, values [2]float64
	for i, rounds := range []int{100, 1200} {
		synctest.Test(t, func(t *testing.T) {
			kv := full(t, 50, rounds)
			o := observer(kv, "", "cleaning")
			r, err := o.ReadAll("", nil, "", false)
			if err != nil || len(r.Past()) == 0 {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
			r.Next()
			calls[i], values[i] = kv.spent()
			// What is new is found all the same.
			electiontest.Claim(t, kv.Store, "service/new", "a", 15*time.Second)
			if won, err := leadership.NewRound(kv.Store, "cleaning", "new", "b").Elect(t.Context()); err != nil || !won {
				t.Fatal(won, err)
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			events, _ := r.Next()
			var told strings.Builder
			for _, e := range events {
				told.Write(e.Line)
			}
			for _, want := range []string{`"key":"service/new"`, `"round":"new"`, fmt.Sprintf(`"total":%d`, rounds+1)} {
				if !strings.Contains(told.String(), want) {
					t.Errorf("with %d rounds a reader is not told %s", rounds, want)
				}
			}
			o.Leave(r)
			o.Close()
		})
	}
	if calls[1] > calls[0]+30 || values[1] > values[0]+30 {
		t.Errorf("%g calls and %g values a second with few rounds, %g and %g with many", calls[0], values[0], calls[1], values[1])
	}
}

func TestReaderWhoLooksBeforeTheElectionsAreKnownIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(full(t, 10, 0), faultstore.WithPlan(faultstore.Always(faultstore.Fault{Before: 4 * time.Second}, faultstore.OpList)))
		o := observer(kv, "")
		o.ObserveFor(t.Context(), time.Minute)
		r, err := o.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		if hello := string(r.Past()[0].Line); !strings.Contains(hello, `"listing":true`) {
			t.Errorf("hello is %s", hello)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		events, _ := r.Next()
		told := ""
		for _, e := range events {
			told += string(e.Line)
		}
		if !strings.Contains(told, `{"type":"state"}`) || strings.Count(told, `"type":"leader"`) != 10 {
			t.Errorf("then it is told %s", told)
		}
		o.Leave(r)
		o.Close()
		_ = kv.Close()
	})
}

// What is below the prefix and no election is not told of, whatever it is.
func TestElectionsAloneAreToldOf(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		electiontest.Claim(t, kv, "service/real", "a", time.Hour)
		if won, err := leadership.NewRound(kv, "service", "round", "a").Elect(t.Context()); err != nil || !won {
			t.Fatal(won, err)
		}
		for key, value := range map[string]string{
			"service/text": "precious", "service/json": `{"v":1,"token":7}`, "service/empty": "", "service/null": "null",
			"service/fence": `{"v":1,"kind":"fence","token":7}`, "service/later": `{"v":9,"kind":"election","token":7}`,
		} {
			if _, _, err := kv.AtomicPut(t.Context(), key, []byte(value), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		const turned = "service/turned"
		electiontest.Claim(t, kv, turned, "a", time.Second)
		time.Sleep(5 * time.Second)
		pair, err := kv.Get(t.Context(), turned, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := kv.AtomicPut(t.Context(), turned, []byte("precious"), pair, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if e := one(t, o); e.Key != "service/real" {
			t.Errorf("%+v", e)
		}
		if all, err := NewLists(kv, time.Second).Elections(t.Context(), ""); err != nil || len(all) != 1 || all[0].Key != "service/real" {
			t.Errorf("listed: %v, %v", all, err)
		}
		r, err := o.ReadAll("", nil, "", false)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Past() {
			if e.key != "" && e.key != "service/real" {
				t.Errorf("told: %s", e.Line)
			}
		}
	})
}
