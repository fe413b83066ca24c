package base

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// hintsOf returns the hints that are there for a slow reader.
func hintsOf(c *Changes) (hints []string) {
	for pair := c.take(); pair != nil; pair = c.take() {
		hints = append(hints, fmt.Sprintf("%s=%s", pair.Key, pair.Value))
	}
	return hints
}

func TestSlowReaderIsToldEachChangedKeyOnce(t *testing.T) {
	c := NewChanges("a/")
	tell := func(key, value string) { c.Tell(&store.KVPair{Key: key, Value: []byte(value)}) }
	tell("a/1", "old")
	c.All()
	tell("a/2", "x")
	tell("a/1", "y")
	tell("a/2", "z")
	for _, other := range []string{"a/", "a", "b/1", ""} {
		tell(other, "no")
	}
	if hints := fmt.Sprint(hintsOf(c)); hints != "[= a/2=z a/1=y]" {
		t.Errorf("hints: %s", hints)
	}
	if hints := hintsOf(c); hints != nil {
		t.Errorf("hints again: %s", hints)
	}
}

func TestReaderFarBehindIsToldThatAnyMayHaveChanged(t *testing.T) {
	c := NewChanges("")
	c.All()
	hintsOf(c)
	for i := range mostChanged + 2 {
		c.Tell(&store.KVPair{Key: fmt.Sprint(i)})
	}
	if hints := fmt.Sprint(hintsOf(c)); hints != fmt.Sprintf("[= %d=]", mostChanged+1) {
		t.Errorf("hints: %.100s", hints)
	}
}

func TestHintsBelowReturnWhenTheyStandOrCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Store{Name: "test"}
		defer s.Close()
		stands := make(chan struct{})
		began := time.Now()
		time.AfterFunc(time.Second, func() { close(stands) })
		ctx, cancel := context.WithCancel(t.Context())
		hints, err := s.HintsBelow(ctx, "a/", func(ctx context.Context, changes *Changes) error {
			<-stands
			changes.All()
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || time.Since(began) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if pair := <-hints; pair.Key != "" {
			t.Errorf("the first hint is %v", pair)
		}
		cancel()
		if pair, open := <-hints; open {
			t.Errorf("there is %v after the end", pair)
		}
		_, err = s.HintsBelow(t.Context(), "a/", func(context.Context, *Changes) error { return store.ErrCallNotSupported })
		if !errors.Is(err, store.ErrCallNotSupported) {
			t.Errorf("%v; want why it cannot", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.HintsBelow(ctx, "a/", func(ctx context.Context, _ *Changes) error { <-ctx.Done(); return ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want that the time is over", err)
		}
	})
}

func TestFirstHintIsAboutAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, hints := NewChanges("d/"), make(chan *store.KVPair)
		go c.Deliver(t.Context(), hints)
		c.Tell(&store.KVPair{Key: "d/a"}) // between joining and standing
		synctest.Wait()
		c.All()
		if pair := <-hints; pair.Key != "" {
			t.Errorf("the first hint is about %q", pair.Key)
		}
	})
}
