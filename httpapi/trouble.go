package httpapi

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// An outage is logged when it begins, then after troubleFirst, and after twice as long
	// each time, up to troubleMost.
	troubleFirst, troubleMost = 10 * time.Second, 10 * time.Minute

	// troubleCalm is for how long nothing fails before an outage is over.
	troubleCalm = time.Second
)

// trouble logs failures of the requests of one route: the first, then some at growing
// intervals with how many were left out, and that they are over. It is safe for concurrent use.
type trouble struct {
	log *slog.Logger

	mu          sync.Mutex
	since, last time.Time // of the outage; zero where there is none
	next        time.Time // nothing is logged before
	step        time.Duration
	untold      int
}

// failed logs a failure, if it is time to.
func (t *trouble) failed(message string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.since.IsZero() {
		t.since, t.next, t.step, t.untold = now, now, troubleFirst, 0
	}
	t.last = now
	if now.Before(t.next) {
		t.untold++
		return
	}
	if t.untold > 0 {
		args = append(args, "not_logged", t.untold)
	}
	t.log.Error(message, args...)
	t.next, t.step, t.untold = now.Add(t.step), min(2*t.step, troubleMost), 0
}

// answered takes in that a request has succeeded, and logs the end of an outage.
func (t *trouble) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.since.IsZero() || now.Sub(t.last) < troubleCalm {
		return
	}
	t.log.Warn("httpapi: requests succeed again", "back_after", now.Sub(t.since).Round(time.Millisecond), "not_logged", t.untold)
	t.since = time.Time{}
}
