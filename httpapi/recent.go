package httpapi

import (
	"slices"
	"sync"
)

// recent are names: some that stay, and the latest of those that came. It is safe
// for concurrent use.
type recent struct {
	most int // that came
	stay []string

	mu   sync.Mutex
	n    uint64
	came map[string]uint64 // when each came last
}

func newRecent(most int, stay []string) *recent {
	return &recent{most: most, stay: slices.Clone(stay), came: make(map[string]uint64)}
}

// add adds a name, in place of the one that came before all others if there are
// too many.
func (r *recent) add(name string) {
	if slices.Contains(r.stay, name) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if _, known := r.came[name]; !known && len(r.came) >= r.most {
		oldest, since := "", r.n
		for other, at := range r.came {
			if at < since {
				oldest, since = other, at
			}
		}
		delete(r.came, oldest)
	}
	r.came[name] = r.n
}

// all returns all names, in no order.
func (r *recent) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.stay)
	for name := range r.came {
		all = append(all, name)
	}
	return all
}
