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
	on     bool
	node   string
	health *health
	first  leadership.Standing // what was found before the campaign began

	decided atomic.Bool // the command runs, or run gives up
	refused atomic.Pointer[error]
	cancel  context.CancelFunc
	failed  atomic.Pointer[error] // the latest error of the store
	all     sync.WaitGroup
}

// begin looks who leads, and returns the context for the campaign. If there is a leader,
// it may have crashed: the campaign finds that out, and begin looks on whether the leader
// renews its term. Call end.
func (t *try) begin(ctx context.Context, all elections, key string, ttl time.Duration) (context.Context, error) {
	if !t.on {
		return ctx, nil
	}
	now, err := all.look(ctx, key)
	if err != nil {
		return nil, err
	}
	t.first = now.Standing
	campaign, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	if t.first.Asked.Action == leadership.Pause {
		t.refuse(paused(key, t.first.Asked))
		return campaign, nil
	}
	limit := t.first.Left*3/2 + leadership.DefaultCallTimeout + t.health.within(ttl)
	t.all.Go(func() {
		if clock.Pause(campaign, limit) != nil {
			return
		}
		// Whether the store answers now decides, not whether it always has.
		last, cancel := context.WithTimeout(campaign, leadership.DefaultCallTimeout)
		defer cancel()
		now, err := all.look(last, key)
		if campaign.Err() == nil {
			t.refuse(t.verdict(key, now.Standing, err, limit))
		}
	})
	if t.first.Term.Leader != "" {
		t.all.Go(func() {
			all, err := watchOver(campaign, func(ctx context.Context) ([]found, error) {
				for {
					f, err := all.look(ctx, key)
					if err == nil || clock.Pause(ctx, statusPoll(t.first.Term.TTL)) != nil {
						return []found{f}, err
					}
				}
			})
			if err == nil && len(all) == 1 && all[0].renewed && all[0].Term.Token == t.first.Term.Token {
				t.refuse(taken(key, t.first.Term))
			}
		})
	}
	return campaign, nil
}

// note takes note of an error of the campaign: of the store, unless it is one of a check.
func (t *try) note(err error) {
	if !errors.As(err, new(checkError)) {
		t.failed.Store(&err)
	}
}

// verdict is why the command is not run, when the time is over and nothing else has decided
// that. now and err are what the last look has found.
func (t *try) verdict(key string, now leadership.Standing, err error, limit time.Duration) error {
	why := fmt.Errorf("%s could not be won within %s", printable(key), clock.Text(limit))
	sick, failed := t.health.problem(), t.failed.Load()
	switch a := now.Asked; {
	case err != nil:
		return notKnown(why, err)
	case a.Action == leadership.Pause:
		return paused(key, a)
	case sick != nil:
		return fmt.Errorf("%w: the health check has not passed: %w", why, sick)
	case now.Term.Leader == "" && a.Action == leadership.Transfer && a.To != t.node:
		return fmt.Errorf("%w: it is left to %s, as %s asked", why, printable(a.To), printable(a.By))
	case failed != nil:
		return notKnown(why, *failed)
	}
	return why
}

// notKnown is the error of a store that could not be asked, or written, in time.
func notKnown(why, err error) error {
	return &exitError{exitRun, fmt.Errorf("it is not known whether the seat is free: %w: %w", why, err)}
}

func paused(key string, a leadership.Request) error {
	return fmt.Errorf("%s is paused by %s", printable(key), printable(a.By))
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
