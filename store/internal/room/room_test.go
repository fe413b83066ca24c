package room

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestReadsBeyondTheirPlacesWaitAndWritesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(2, 1)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan struct{})
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				errs <- r.Read(ctx, func() error { <-answer; return nil })
			}()
		}
		synctest.Wait()
		if err := r.Write(ctx, func() error { return nil }); err != nil {
			t.Errorf("a write: %v", err)
		}
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("the read without a place: %v", err)
		}
		close(answer)
		for range 2 {
			if err := <-errs; err != nil {
				t.Errorf("a read with a place: %v", err)
			}
		}
	})
}
