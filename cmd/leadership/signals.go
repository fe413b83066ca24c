package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// signals catches the signals of a program that runs commands.
type signals struct {
	ctx        context.Context // ends at the first SIGINT or SIGTERM
	forCommand chan os.Signal  // the signals to pass on
	hurry      chan os.Signal  // the second SIGINT or SIGTERM

	busy atomic.Bool // there is a command to pass signals on to

	cancel context.CancelFunc
	first  atomic.Int32 // the signal that ended ctx, or 0
	caught chan os.Signal
	quit   chan struct{}
	all    sync.WaitGroup
}

// catchSignals catches signals until stop.
func catchSignals(ctx context.Context) *signals {
	s := &signals{
		forCommand: make(chan os.Signal, 8), hurry: make(chan os.Signal, 1),
		caught: make(chan os.Signal, 8), quit: make(chan struct{}),
	}
	// That nobody reads what is logged does not end this program, not even after stop.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	s.ctx, s.cancel = context.WithCancel(ctx)
	for _, sig := range append([]os.Signal{os.Interrupt, syscall.SIGTERM}, passedOn...) {
		if !signal.Ignored(sig) { // as nohup has SIGHUP
			signal.Notify(s.caught, sig)
		}
	}
	s.all.Go(func() {
		for {
			select {
			case sig := <-s.caught:
				s.take(sig)
			case <-s.quit:
				return
			}
		}
	})
	return s
}

func (s *signals) take(sig os.Signal) {
	ends := sig == os.Interrupt || sig == syscall.SIGTERM || sig == syscall.SIGHUP && !s.busy.Load()
	to := s.forCommand
	n, _ := sig.(syscall.Signal)
	switch {
	case ends && s.first.CompareAndSwap(0, int32(n)):
		s.cancel()
		return
	case ends:
		to = s.hurry
	case !s.busy.Load():
		return
	}
	select {
	case to <- sig:
	default: // too many are waiting already
	}
}

// code returns the exit code of a program that a signal has ended, or 0.
func (s *signals) code() int {
	if n := s.first.Load(); n != 0 {
		return exitSignalBase + int(n)
	}
	return 0
}

// stop stops catching signals, and waits for the end of that.
func (s *signals) stop() {
	signal.Stop(s.caught)
	close(s.quit)
	s.all.Wait()
	s.cancel()
}
