package leadership

import "slices"

// maxWaiters is how many preferred candidates a record names. Of more, those of
// the highest priority are named.
const maxWaiters = 8

// waiter is a candidate with a priority that waits for the seat. It stands in
// the record so that those of a lower priority hold back at a vacancy.
type waiter struct {
	Node     string `json:"node"`
	Instance string `json:"instance"`
	Priority int    `json:"priority"`
}

// WithPriority sets how much a candidate is preferred: among those that wait
// when the seat falls vacant, one of a higher priority wins it. It does not take
// the seat from a leader. It must be from 0, the default, to 1,000,000.
//
// A candidate with a priority above 0 enters itself into the record while it
// waits. At a vacancy each candidate holds back for one retry interval of its own
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
func (r record) enlisted(instance, node string, priority int) record {
	r.Waiting = append(slices.Clone(r.Waiting), waiter{node, instance, priority})
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

// ahead returns how many nodes wait with a higher priority: a process that was
// restarted counts once.
func (r record) ahead(node string, priority int) int {
	nodes := make(map[string]bool)
	for _, w := range r.Waiting {
		if w.Node != node && w.Priority > priority {
			nodes[w.Node] = true
		}
	}
	return min(len(nodes), maxAhead)
}

// lists says whether a candidate of that priority is, or need not be, among
// those that wait.
func (r record) lists(instance string, priority int) bool {
	if priority == 0 {
		return true
	}
	if slices.ContainsFunc(r.Waiting, func(w waiter) bool { return w.Instance == instance }) {
		return true
	}
	return len(r.Waiting) >= maxWaiters && r.Waiting[maxWaiters-1].Priority >= priority
}
