package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// try makes run give up, unless the seat is free. The zero value never does.
type try struct {
	on    bool
	first leadership.Standing // what was found before the campaign began

	decided atomic.Bool // the command runs, or run gives up
	refused atomic.Pointer[error]
	cancel  context.CancelFunc
	failed  atomic.Pointer[error] // the latest error of the store
	all     sync.WaitGroup
}

// begin looks who leads, and returns the context for the campaign. If there is a leader,
// it may have crashed: the campaign finds that out, and begin looks on whether the leader
// renews its term. Call end.
func (t *try) begin(ctx context.Context, all elections, key string) (context.Context, error) {
	if !t.on {
		return ctx, nil
	}
	look := func(ctx context.Context) ([]found, error) {
		f, err := all.look(ctx, key)
		return []found{f}, err
	}
	now, err := all.look(ctx, key)
	if err != nil {
		return nil, err
	}
	t.first = now.Standing
	campaign, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	if a := t.first.Asked; a.Action == leadership.Pause {
		t.refuse(fmt.Errorf("%s is paused by %s", printable(key), printable(a.By)))
		return campaign, nil
	}
	limit := t.first.Left*3/2 + leadership.DefaultCallTimeout
	t.all.Go(func() {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-campaign.Done():
		case <-timer.C:
			why := fmt.Errorf("%s could not be won within %s", printable(key), clock.Text(limit))
			if failed := t.failed.Load(); failed != nil {
				why = &exitError{exitRun, fmt.Errorf("it is not known whether the seat is free: %w", errors.Join(why, *failed))}
			}
			t.refuse(why)
		}
	})
	if t.first.Term.Leader != "" {
		t.all.Go(func() {
			all, err := watchOver(campaign, look)
			if err == nil && len(all) == 1 && all[0].renewed && all[0].Term.Token == t.first.Term.Token {
				t.refuse(taken(key, t.first.Term))
			}
		})
	}
	return campaign, nil
}

// taken is why a command is not run.
func taken(key string, term leadership.Term) error {
	return fmt.Errorf("%s leads %s, term %d, for %s", printable(term.Leader), printable(key), term.Token, lasting(time.Since(term.Since)))
}

// refuse ends the campaign, unless the command runs.
func (t *try) refuse(why error) {
	if t.decided.CompareAndSwap(false, true) {
		t.refused.Store(&why)
		t.cancel()
	}
}

// changed notes who leads now; own is the term of this candidate, if it leads.
func (t *try) changed(key string, term, own leadership.Term) {
	if t.on && term.Leader != "" && term.Token != t.first.Term.Token && term.Token != own.Token {
		t.refuse(taken(key, term))
	}
}

// expired is the reason of an Ending whose leader has not renewed its term.
const expired = "expired"

// runs reports whether the command may be run in a term, which is decided by that. A leader
// that was there at first has to have crashed: one that has given up its seat meanwhile was
// at work.
func (t *try) runs(key string, term leadership.Term) bool {
	if !t.on {
		return true
	}
	if last := term.Last; t.first.Term.Leader != "" && last.Token >= t.first.Term.Token && (last.Reason != expired || last.Token != t.first.Term.Token) {
		t.refuse(fmt.Errorf("%s led %s when it was asked for", printable(t.first.Term.Leader), printable(key)))
	}
	return t.decided.CompareAndSwap(false, true)
}

// end waits for what begin has started. It returns why the command was not run, or nil.
func (t *try) end() error {
	if !t.on || t.cancel == nil {
		return nil
	}
	t.cancel()
	t.all.Wait()
	why := t.refused.Load()
	if why == nil {
		return nil
	}
	return withCode(*why, exitTaken)
}
