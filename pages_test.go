package leadership

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// perPair is a store that takes its time for each pair that it lists.
type perPair struct{ *memory.Store }

const pairTime = 3 * time.Millisecond

func (s perPair) List(ctx context.Context, directory string, opts *store.ReadOptions) ([]*store.KVPair, error) {
	pairs, err := s.Store.List(ctx, directory, opts)
	return pairs, slow(ctx, len(pairs), err)
}

func (s perPair) Page(ctx context.Context, directory, from string, wanted func(string) bool) ([]*store.KVPair, string, error) {
	pairs, next, err := s.Store.Page(ctx, directory, from, wanted)
	return pairs, next, slow(ctx, len(pairs), err)
}

func slow(ctx context.Context, pairs int, err error) error {
	select {
	case <-time.After(time.Duration(pairs) * pairTime):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestListsThatAreLongAreReadPageByPage(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := perPair{memory.New()}
		const n = 3000 // of which one call would take nine seconds
		rounds := NewRounds(kv)
		for i := range n {
			elected(t, rounds.Round("sys", fmt.Sprint(i), "a"), true)
			if _, err := NewClaims(kv, fmt.Sprint("service/", i)).Claim(ctx, Claim{Node: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := Elections(ctx, kv, "service/"); len(all) != n || err != nil {
			t.Errorf("%d elections, %v", len(all), err)
		}
		if all, err := rounds.List(ctx, "sys"); len(all) != n || err != nil {
			t.Errorf("%d rounds, %v", len(all), err)
		}
		time.Sleep(2 * time.Hour)
		if deleted, err := rounds.Sweep(ctx, "sys", time.Hour); deleted != n || err != nil {
			t.Errorf("%d deleted, %v", deleted, err)
		}
		if all, err := rounds.List(ctx, "sys"); len(all) != 0 || err != nil {
			t.Errorf("%d rounds are left, %v", len(all), err)
		}
	})
}
