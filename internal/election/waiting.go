package election

import "slices"

const (
	// maxWaiters is how many preferred candidates a record names. Of more, those of
	// the highest priority are named.
	maxWaiters = 8

	// MaxAhead is for how many of a higher priority a candidate holds back.
	MaxAhead = 3
)

// Waiter is a candidate with a priority that waits for the seat. It stands in the
// record so that those of a lower priority hold back at a vacancy.
type Waiter struct {
	Node     string `json:"node"`
	Priority int    `json:"priority"`
}

// joinList returns the record with a candidate among those that wait.
func (r Record) joinList(node string, priority int) Record {
	r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(w Waiter) bool { return w.Node == node && w.Priority < priority })
	r.Waiting = append(r.Waiting, Waiter{node, priority})
	slices.SortStableFunc(r.Waiting, func(a, b Waiter) int { return b.Priority - a.Priority })
	r.Waiting = r.Waiting[:min(len(r.Waiting), maxWaiters)]
	return r
}

// dropAhead returns who goes on waiting when a candidate has taken the seat: those of
// a higher priority had their chance.
func (r Record) dropAhead(node string, priority int) []Waiter {
	return slices.DeleteFunc(slices.Clone(r.Waiting), func(w Waiter) bool {
		return w.Node == node || w.Priority > priority
	})
}

// RivalsAhead returns how many nodes wait with a higher priority, MaxAhead at most.
func (r Record) RivalsAhead(node string, priority int) int {
	above := slices.DeleteFunc(slices.Clone(r.Waiting), func(w Waiter) bool { return w.Node == node || w.Priority <= priority })
	return min(len(above), MaxAhead)
}

// onList reports whether a node of that priority is, or need not be, among those that
// wait.
func (r Record) onList(node string, priority int) bool {
	if priority == 0 {
		return true
	}
	if slices.ContainsFunc(r.Waiting, func(w Waiter) bool { return w.Node == node && w.Priority >= priority }) {
		return true
	}
	return len(r.Waiting) >= maxWaiters && r.Waiting[maxWaiters-1].Priority >= priority
}
