package run

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// A machine is busy if a process that has something to do gets less than a tenth of a
// processor. Seats that are empty meanwhile say nothing about the elections.
const (
	probeEvery = 500 * time.Millisecond
	probeTime  = 10 * time.Millisecond // of a processor
	busyFactor = 10
)

// busy finds out when the machine is.
type busy struct {
	mu    sync.Mutex
	spans []span // in order
	from  history.Stamp
	calls chan struct{} // one for each look at which it was not; see await
}

type span struct{ from, to history.Stamp }

// watch looks until ctx ends.
func (b *busy) watch(ctx context.Context) {
	for last := history.Now(); clock.Pause(ctx, probeEvery) == nil; {
		began := history.Now()
		burn()
		now := history.Now()
		starved := now.Sub(began) > busyFactor*probeTime
		b.mu.Lock()
		switch {
		case starved && b.from == 0:
			b.from = last
		case !starved && b.from != 0:
			b.spans = append(b.spans, span{b.from, now})
			b.from = 0
		}
		b.mu.Unlock()
		last = now
		if now.Sub(began) < busyFactor*probeTime/2 {
			select {
			case b.calls <- struct{}{}:
			default:
			}
		}
	}
}

// await waits until the machine is not busy, or ctx ends. At each look it lets one go, which
// has begun to work by the next one.
func (b *busy) await(ctx context.Context) {
	select {
	case <-b.calls:
	case <-ctx.Done():
	}
}

// burn uses that much of a processor.
func burn() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for began := processorTime(); processorTime()-began < probeTime; {
	}
}

// processorTime returns what this thread has used.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // every kernel has it
	}
	return time.Duration(t.Nano())
}

// calm returns the parts of an interval in which the machine was not busy.
func (b *busy) calm(from, to history.Stamp) (parts []span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spans := b.spans
	if b.from != 0 {
		spans = append(spans[:len(spans):len(spans)], span{b.from, to})
	}
	for _, s := range spans {
		if s.to <= from || s.from >= to {
			continue
		}
		if s.from > from {
			parts = append(parts, span{from, s.from})
		}
		from = max(from, s.to)
	}
	if from < to {
		parts = append(parts, span{from, to})
	}
	return parts
}
