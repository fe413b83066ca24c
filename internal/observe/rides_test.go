package observe

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// group leads elections, whose terms ride on sessions, until ctx ends.
func group(ctx context.Context, kv store.Store, elections int) (ended <-chan error) {
	var keys []string
	for i := range elections {
		keys = append(keys, fmt.Sprintf("service/%04d", i))
	}
	done := make(chan error, 1)
	go func() {
		done <- leadership.NewGroup(kv, "a", 10*time.Second).Run(ctx, keys, func(ctx context.Context, _ string, _ leadership.Term) error {
			<-ctx.Done()
			return nil
		})
	}()
	return done
}

func TestTermsThatRideAreObservedAndSessionsAreNot(t *testing.T) {
	observing(t, func(t *testing.T, kv *faultstore.Store, o *Observer) {
		const n = 20
		ctx, cancel := context.WithCancel(t.Context())
		link := faultstore.New(kv)
		ended := group(ctx, link, n)
		time.Sleep(time.Minute)
		synctest.Wait()
		all := o.Elections()
		if len(all) != n || !o.Known() {
			t.Fatalf("%d elections are observed: %+v", len(all), all)
		}
		for _, e := range all {
			if e.Leader != "a" || e.Unknown || e.Begun != 1 || e.Renewals < 10 || e.Trust < 5*time.Second || e.Vacant > time.Second {
				t.Errorf("%+v", e)
			}
		}
		link.Partition()
		time.Sleep(20 * time.Second)
		for _, e := range o.Elections() {
			if e.Leader != "" || e.Trust != 0 || e.Vacant < 6*time.Second || e.Vacant > 15*time.Second {
				t.Errorf("of a process that has crashed: %+v", e)
			}
		}
		// One that ends its session is told by all that ride on it.
		c := leadership.NewCandidate(kv, "service/0000", "b", 10*time.Second)
		c.RunForElection(ctx)
		time.Sleep(30 * time.Second)
		if !c.IsLeader() {
			t.Error("the seat is not taken")
		}
		for _, e := range o.Elections() {
			if e.Ended["expired"] != 1 || (e.Leader == "b") != (e.Key == "service/0000") {
				t.Errorf("after the end of the session: %+v", e)
			}
		}
		link.Heal()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// reading counts the reads of sessions, and keeps what else is read apart.
type reading struct {
	*memory.Store
	sessions, others int
}

func (r *reading) note(key string) {
	if strings.Contains(key, "/sessions/") {
		r.sessions++
	} else {
		r.others++
	}
}

func (r *reading) Get(ctx context.Context, key string, opts *store.ReadOptions) (*store.KVPair, error) {
	r.note(key)
	return r.Store.Get(ctx, key, opts)
}

func (r *reading) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	for _, key := range keys {
		r.note(key)
	}
	return r.Store.GetMany(ctx, keys)
}

func TestListReadsASessionOnceForAllThatRideOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2500 // some pages
		inner := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		ended := group(ctx, inner, n)
		time.Sleep(10 * time.Second)
		kv := &reading{Store: inner}
		lists := NewLists(kv, 5*time.Second)
		beats := make(map[uint64]bool)
		for i := range 3 {
			all, err := lists.Elections(ctx, "service/")
			if err != nil || len(all) != n {
				t.Fatalf("%d elections, %v", len(all), err)
			}
			for _, s := range all {
				if s.Term.Leader != "a" || !strings.HasPrefix(s.Session, "service/sessions/") {
					t.Fatalf("%+v", s)
				}
			}
			beats[all[0].Beat] = true
			if kv.sessions != 4*(i+1) || kv.others != 0 {
				t.Errorf("%d reads of sessions, %d of others, in %d lists", kv.sessions, kv.others, i+1)
			}
			time.Sleep(10 * time.Second)
		}
		if len(beats) != 3 {
			t.Error("the sessions' beats are not told")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
