package leadership

import (
	"slices"
	"time"
)

// maxWaiters is how many preferred candidates a record names. Of more, those of
// the highest priority are named.
const maxWaiters = 8

// waiter is a candidate with a priority that waits for the seat. It stands in
// the record so that those of a lower priority hold back at a vacancy.
type waiter struct {
	Node     string `json:"node"`
	Priority int    `json:"priority"`
}

// WithPriority sets how much a candidate is preferred: among those that wait
// when the seat falls vacant, one of a higher priority wins it. It does not take
// the seat from a leader. It must be from 0, the default, to 1,000,000.
//
// A candidate with a priority above 0 enters itself into the record while it waits:
// within a TTL, at random, of having seen the leader renew its claim, or later where
// many do. At a vacancy each candidate holds back for one retry interval of its own
// for each entry of a higher priority than its own, three at most: so a preferred
// candidate that is gone costs no more than that, once, and whoever takes the
// seat drops its entry. A follower ignores it.
func WithPriority(n int) Option {
	return func(o *options) { o.priority = n }
}

// maxPriority is the highest priority.
const maxPriority = 1_000_000

// maxAhead is how many of a higher priority are held back for.
const maxAhead = 3

// enlisted is the record with a candidate among those that wait.
func (r record) enlisted(node string, priority int) record {
	r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(w waiter) bool { return w.Node == node && w.Priority < priority })
	r.Waiting = append(r.Waiting, waiter{node, priority})
	slices.SortStableFunc(r.Waiting, func(a, b waiter) int { return b.Priority - a.Priority })
	r.Waiting = r.Waiting[:min(len(r.Waiting), maxWaiters)]
	return r
}

// behind returns who goes on waiting when a candidate has taken the seat: those
// ahead of it had their chance.
func (r record) behind(node string, priority int) []waiter {
	return slices.DeleteFunc(slices.Clone(r.Waiting), func(w waiter) bool {
		return w.Node == node || w.Priority > priority
	})
}

// ahead returns how many nodes wait with a higher priority.
func (r record) ahead(node string, priority int) int {
	above := slices.DeleteFunc(slices.Clone(r.Waiting), func(w waiter) bool { return w.Node == node || w.Priority <= priority })
	return min(len(above), maxAhead)
}

// lists says whether a node of that priority is, or need not be, among those that
// wait.
func (r record) lists(node string, priority int) bool {
	if priority == 0 {
		return true
	}
	if slices.ContainsFunc(r.Waiting, func(w waiter) bool { return w.Node == node && w.Priority >= priority }) {
		return true
	}
	return len(r.Waiting) >= maxWaiters && r.Waiting[maxWaiters-1].Priority >= priority
}

// appoint chooses when the campaign enters itself among those that wait.
func (c *campaign) appoint(now time.Duration) {
	switch {
	case !c.sight.unlisted():
		c.enlisting, c.enlistRefused = never, 0
	case c.enlisting == never || now >= c.sight.lives:
		// Not all at once: the leader's renewals would be refused.
		spread := c.by.ttl << min(c.enlistRefused, 4)
		c.enlisting = max(now+c.yield, c.resting) + time.Duration(c.opts.clock.Float64()*float64(spread))
	}
}
