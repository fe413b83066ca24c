package clock

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lid is a clock whose machine can be suspended: of that the wall clock alone tells.
type lid struct {
	System
	slept atomic.Int64
}

func (l *lid) Now() Instant {
	now := l.System.Now()
	now.Wall += l.slept.Load()
	return now
}

type counter struct{ looks atomic.Int32 }

func (c *counter) Look() { c.looks.Add(1) }

func TestJumpOfTheWallClockIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []time.Duration // of the wall clock, a second apart
		want  int32
	}{
		{"none", []time.Duration{0}, 0},
		{"ahead", []time.Duration{time.Minute}, 1},
		{"twice", []time.Duration{time.Minute, time.Minute}, 2},
		{"back", []time.Duration{-time.Minute}, 0},
		{"back and ahead", []time.Duration{-time.Minute, time.Minute}, 1},
		{"noise", []time.Duration{slack / 2, -slack / 2, slack / 2}, 0},
		{"bit by bit", []time.Duration{slack * 2 / 3, slack * 2 / 3, slack * 2 / 3, slack * 2 / 3}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, looker := &lid{}, &counter{}
				j := NewJumps(l)
				j.Add(looker)
				for _, step := range c.steps {
					l.slept.Add(int64(step))
					time.Sleep(time.Second)
				}
				if n := looker.looks.Load(); n != c.want {
					t.Errorf("told %d times, want %d", n, c.want)
				}
				j.Remove(looker)
				time.Sleep(LookEvery + 1)
				j.mu.Lock()
				if j.ticking {
					t.Error("it goes on though nobody waits for it")
				}
				j.mu.Unlock()
				l.slept.Add(int64(time.Minute))
				j.Add(looker)
				time.Sleep(time.Second)
				if n := looker.looks.Load(); n != c.want {
					t.Error("told of a jump before it was added")
				}
				l.slept.Add(int64(time.Minute))
				time.Sleep(LookEvery + 1)
				if n := looker.looks.Load(); n != c.want+1 {
					t.Error("not told after it was added again")
				}
				j.Remove(looker)
			})
		})
	}
}

func TestBubblesDoNotWaitForTheProcess(t *testing.T) {
	if (System{}).Jumps() != jumps {
		t.Error("the process has not one for all")
	}
	synctest.Test(t, func(t *testing.T) {
		if (System{}).Jumps() != nil {
			t.Error("a bubble has that of the process")
		}
		(System{}).Jumps().Add(&counter{})
		(System{}).Jumps().Remove(&counter{})
	})
}

// timeless is a clock without timers.
type timeless struct{ System }

func (timeless) AfterFunc(time.Duration, func()) *time.Timer { return nil }

// BenchmarkTick is what it costs a process that leads 10,000 elections, ten times a
// second.
func BenchmarkTick(b *testing.B) {
	j := NewJumps(timeless{})
	for range 10_000 {
		j.Add(&counter{})
	}
	b.ReportAllocs()
	for b.Loop() {
		j.tick()
	}
}
