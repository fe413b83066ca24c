package loop

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

func TestStepsAreTakenOneAtATimeAndNoWakeIsLost(t *testing.T) {
	const wakes = 1000
	var given, seen, running atomic.Int64
	var l Loop
	ended := make(chan struct{})
	l.Init(clock.System{}, func() {
		if running.Add(1) > 1 {
			t.Error("two steps at once")
		}
		if seen.Store(given.Load()); seen.Load() == 2*wakes {
			l.Last()
			close(ended)
		}
		running.Add(-1)
	})
	l.Start()
	for range 2 {
		go func() {
			for range wakes {
				given.Add(1)
				l.Wake()
			}
		}()
	}
	<-ended // or the last wake of all is lost
	l.Wake()
	if l.state.Load() != over {
		t.Error("there is a step after the last")
	}
}

func TestStepBeginsInTimeAfterAPauseBeforeItsTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.System{}
		due := c.Now().Mono + time.Second
		var late time.Duration
		var l Loop
		l.Init(c, func() {
			now := c.Now().Mono
			if now >= due {
				late = now - due
				l.Last()
				return
			}
			time.Sleep(100 * time.Millisecond)
			l.Sleep(due)
		})
		l.Start()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if l.state.Load() != over || late != 0 {
			t.Errorf("it began %v late", late)
		}
	})
}
