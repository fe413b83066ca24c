package leadership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/election"
	"github.com/seed-a1d591d3/leadership/store"
)

// The errors of Ask alone.
var (
	// ErrNotObeyed means that a request was written, and had not been obeyed when
	// the context ended: it may be later.
	ErrNotObeyed = errors.New("not obeyed yet")

	// ErrReplaced means that a request was written, and that a later one took its
	// place before it was obeyed.
	ErrReplaced = errors.New("replaced by a later request")

	// ErrNotTransferred means that the node that a Transfer named has not taken the
	// seat: another leads, or nobody does.
	ErrNotTransferred = errors.New("not transferred")
)

const (
	// askPoll is how often Ask looks whether it was obeyed.
	askPoll = 100 * time.Millisecond

	// minTakeover and maxTakeover bound how long Ask waits after the hold of a
	// transfer to see who takes the seat: the TTL of the last term.
	minTakeover, maxTakeover = time.Second, 15 * time.Second
)

// waiting waits until a request is obeyed.
type waiting struct {
	request Request
	key     string
	asked   election.Record // as the request was written

	view   election.View[election.Record]
	vacant bool          // the seat is free, or was
	free   time.Duration // since when, on the monotonic clock
}

func (w *waiting) wait(ctx context.Context, kv store.Store) error {
	r := newRegister(kv, w.key)
	for {
		found := parsed(r.Read(ctx))
		if found.foreign != nil {
			return w.failed(found.foreign)
		}
		if found.err == nil {
			now := clock.System{}.Now().Mono
			w.view.See(found.pair, found.rec, now)
			if done, err := w.obeyed(now); done || err != nil {
				return err
			}
		}
		if err := pause(ctx, askPoll); err != nil {
			if found.err != nil {
				return fmt.Errorf("%w; the request to %s is written: %w: %w", found.err, w.request.Action, ErrNotObeyed, err)
			}
			return w.failed(fmt.Errorf("%w: %s: %w", ErrNotObeyed, w.leads(), err))
		}
	}
}

// obeyed reports whether the request has been obeyed, by what was just seen. An
// error means that it will not be.
func (w *waiting) obeyed(now time.Duration) (bool, error) {
	rec := w.view.Rec
	sameTerm := rec.Held() && rec.Token == w.asked.Token
	newTerm := rec.Held() && rec.Token > w.asked.Token
	// A record that is gone, or put back, says nothing: the leader may lead on, and
	// write it again.
	vacated := w.view.Pair != nil && !rec.Held() && rec.Token >= w.asked.Token
	over := newTerm || vacated || w.view.Left(now) == 0
	if over && !w.vacant {
		w.vacant, w.free = true, now
	}
	asks := rec.Ask.Same(w.asked.Ask)
	if w.request.Action != Transfer {
		switch {
		case over:
			return true, nil
		case sameTerm && !asks:
			return false, w.failed(ErrReplaced)
		}
		return false, nil
	}
	leads := rec.Held() && rec.Leader == w.request.To
	switch {
	case newTerm && leads:
		return true, nil
	case sameTerm && leads && rec.Ask == nil && rec.Beat != w.asked.Beat:
		return true, nil // it led before, has renewed its term, and dropped the request
	case newTerm, w.vacant && now >= clock.Later(w.free, w.request.Hold+w.takeover()):
		return false, w.failed(fmt.Errorf("%w: %s", ErrNotTransferred, w.leads()))
	case (sameTerm || vacated) && !asks:
		return false, w.failed(ErrReplaced)
	}
	return false, nil
}

// takeover is how long others may take to find that the hold is over.
func (w *waiting) takeover() time.Duration { return min(max(w.asked.TTL(), minTakeover), maxTakeover) }

// leads says who leads, as far as was seen.
func (w *waiting) leads() string {
	switch rec := w.view.Rec; {
	case !w.view.Known:
		return "it is not known who leads"
	case !rec.Held():
		return "nobody leads"
	case w.view.Left(clock.System{}.Now().Mono) == 0:
		return fmt.Sprintf("nobody leads, for %q, term %d, has not renewed its claim", rec.Leader, rec.Token)
	default:
		return fmt.Sprintf("%q leads, term %d", rec.Leader, rec.Token)
	}
}

func (w *waiting) failed(why error) error {
	return fmt.Errorf("leadership: ask %q to %s: %w", w.key, w.request.Action, why)
}

// pause waits for d, or returns the cause of ctx at its end.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
