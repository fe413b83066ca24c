package leadership

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

func TestTurnsAreTakenOneAtATimeAndNoNudgeIsLost(t *testing.T) {
	const nudges = 1000
	var given, seen, under atomic.Int64
	var ts turns
	ended := make(chan struct{})
	ts.take = func() {
		if under.Add(1) > 1 {
			t.Error("two turns at once")
		}
		if seen.Store(given.Load()); seen.Load() == 2*nudges {
			ts.last()
			close(ended)
		}
		under.Add(-1)
	}
	for range 2 {
		go func() {
			for range nudges {
				given.Add(1)
				ts.nudge()
			}
		}()
	}
	<-ended // or the last nudge of all is lost
	ts.nudge()
	if ts.state.Load() != turnsOver {
		t.Error("there is a turn after the last")
	}
}

func TestTurnBeginsInTimeAfterAPauseBeforeItsTimer(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ context.Context) {
		c := clock.System{}
		s := &seat{opts: &options{clock: c}}
		due := c.Now().Mono + time.Second
		var late time.Duration
		s.take = func() {
			s.received()
			now := c.Now().Mono
			if now >= due {
				late = now - due
				s.last()
				return
			}
			time.Sleep(100 * time.Millisecond)
			s.rest(due)
		}
		s.nudge()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.state.Load() != turnsOver || late != 0 {
			t.Errorf("it began %v late", late)
		}
	})
}
