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

	// troubleCalm is how long no request fails before an outage is over.
	troubleCalm = time.Second
)

// trouble logs the failures of one route: the first, then one at growing intervals, with
// the number of those that were left out, and the end of the outage. It is safe for
// concurrent use.
type trouble struct {
	log *slog.Logger

	mu          sync.Mutex
	since, last time.Time // of the outage; zero where there is none
	next        time.Time // no failure is logged before
	step        time.Duration
	unlogged    int
}

// failed notes a failure, and logs it if it is time to.
func (t *trouble) failed(message string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.since.IsZero() {
		t.since, t.next, t.step, t.unlogged = now, now, troubleFirst, 0
	}
	t.last = now
	if now.Before(t.next) {
		t.unlogged++
		return
	}
	if t.unlogged > 0 {
		args = append(args, "not_logged", t.unlogged)
	}
	t.log.Error(message, args...)
	t.next, t.step, t.unlogged = now.Add(t.step), min(2*t.step, troubleMost), 0
}

// answered notes that a request has succeeded, and logs the end of an outage.
func (t *trouble) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.since.IsZero() || now.Sub(t.last) < troubleCalm {
		return
	}
	t.log.Warn("httpapi: requests succeed again", "back_after", now.Sub(t.since).Round(time.Millisecond), "not_logged", t.unlogged)
	t.since = time.Time{}
}
