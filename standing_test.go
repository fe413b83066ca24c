package leadership

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestElectionsAreListed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		if all, err := Elections(ctx, kv, "service/"); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		claimed(ctx, t, NewClaims(kv, "service/z"), claimFor("a"))
		c := NewClaims(kv, "service/b")
		claimed(ctx, t, c, claimFor("b"))
		if err := c.Resign(ctx, instanceB, 0, 0); err != nil {
			t.Fatal(err)
		}
		claimed(ctx, t, NewClaims(kv, "other/z"), claimFor("a"))
		if _, err := NewRound(kv, "service", "round", "a").Elect(ctx); err != nil {
			t.Fatal(err)
		}
		if err := kv.Put(ctx, "service/foreign", []byte("mine"), nil); err != nil {
			t.Fatal(err)
		}
		all, err := Elections(ctx, kv, "service/")
		if err != nil || len(all) != 2 || all[0].Key != "service/b" || all[1].Key != "service/z" {
			t.Fatalf("%+v, %v", all, err)
		}
		if b, z := all[0].Term, all[1].Term; b.Leader != "" || b.Last.Leader != "b" || z.Leader != "a" {
			t.Errorf("%+v", all)
		}
		if _, err := Elections(ctx, nil, ""); !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
	})
}

func TestLookTellsHowTheElectionStands(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		if s, err := c.Look(ctx); err != nil || s.Term.Leader != "" || s.Left != 0 || s.Key != key {
			t.Errorf("%+v, %v", s, err)
		}
		claimed(ctx, t, c, claimFor("a"))
		time.Sleep(ttl / 4)
		written(ctx, t, kv, Request{Action: Pause, Keep: true, By: "olga"})
		s, err := c.Look(ctx)
		if err != nil || s.Term.Leader != "a" || s.Left != ttl || s.Asked != (Request{Action: Pause, Keep: true, By: "olga"}) || s.AskedAt.IsZero() {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestLeaderThatIsSilentDoesNotLeadThoughTheSeatIsHeldForAnother(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, ctx context.Context) {
		kv := memory.New()
		c := NewClaims(kv, key)
		claimed(ctx, t, c, claimFor("a"))
		written(ctx, t, kv, Request{Action: Transfer, To: "b", Hold: time.Minute})
		if s, err := c.Look(ctx); err != nil || s.Left != ttl {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(ttl)
		if s, err := c.Look(ctx); err != nil || s.Left != 0 || s.Term.Leader != "a" {
			t.Errorf("%+v, %v", s, err)
		}
		if got := claimed(ctx, t, c, claimFor("c")); got.Won || got.Wait != time.Minute {
			t.Errorf("c got %+v", got)
		}
	})
}
