package httpapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadThatPanicsIsNoAnswerToThoseWhoShareIt: a caller must not take it for an empty
// list, or for a round without a winner.
func TestReadThatPanicsIsNoAnswerToThoseWhoShareIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := newTogether[string](1, time.Minute)
		busy := make(chan struct{})
		go func() {
			_, _ = reads.do(t.Context(), "other", func(context.Context) (string, error) { <-busy; return "", nil })
		}()
		synctest.Wait()
		go func() {
			defer func() { _ = recover() }()
			_, _ = reads.do(t.Context(), "key", func(context.Context) (string, error) { panic("a bug") })
		}()
		synctest.Wait()
		failed := make(chan error)
		go func() {
			_, err := reads.do(t.Context(), "key", nil)
			failed <- err
		}()
		synctest.Wait()
		close(busy)
		if err := <-failed; err == nil {
			t.Error("it was answered with nothing, as if that were so")
		}
	})
}
