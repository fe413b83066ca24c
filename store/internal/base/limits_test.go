package base

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadsBeyondTheirPlacesWaitAndWritesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewLimits(2, 1)
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

func TestListsLeavePlacesForReadsOfOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewLimits(3, 1)
		answer := make(chan struct{})
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				errs <- r.List(t.Context(), func() error { <-answer; return nil })
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Read(ctx, func() error { return nil }); err != nil {
			t.Errorf("a read beside lists: %v", err)
		}
		close(answer)
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Errorf("a list: %v", err)
			}
		}
	})
}
