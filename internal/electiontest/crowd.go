package electiontest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
)

// Crowd has one process stand in that many elections at once, with the default
// TTL, until all have been led for a while. It returns how long it took until all
// were led, and how many terms were lost. count, if not nil, is called each
// second meanwhile.
func Crowd(t testing.TB, env Env, elections int, led time.Duration, count func()) (all time.Duration, lost int) {
	t.Helper()
	kv := env.Open(t)
	defer func() { _ = kv.Close() }()
	prefix := "electiontest/" + rand.Text()[:8] + "/"
	keys := make([]string, elections)
	for i := range keys {
		keys[i] = fmt.Sprint(prefix, i)
	}
	group := leadership.NewGroup(kv, "node", 0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var begun, ended atomic.Int64
	done := make(chan error, 1)
	began := time.Now()
	go func() {
		done <- group.Run(ctx, keys, func(ctx context.Context, _ string, _ leadership.Term) error {
			begun.Add(1)
			<-ctx.Done()
			if why := context.Cause(ctx); ended.Add(1) <= 5 && !errors.Is(why, leadership.ErrStopped) {
				t.Logf("a term was lost after %v: %v", time.Since(began).Round(time.Millisecond), why)
			}
			return nil
		})
	}()
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	var until time.Time
	for until.IsZero() || time.Now().Before(until) {
		<-watch.C
		if count != nil {
			count()
		}
		switch {
		case until.IsZero() && len(group.Leading()) == elections:
			all = time.Since(began)
			until = time.Now().Add(led)
		case until.IsZero() && time.Since(began) > time.Minute+patience:
			t.Errorf("%d of %d elections are led after %v", len(group.Leading()), elections, time.Since(began))
			until = time.Now()
		}
	}
	lost = int(ended.Load())
	if n := len(group.Leading()); n != elections {
		t.Errorf("%d of %d elections are led", n, elections)
	}
	group.Stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	return all, lost
}
