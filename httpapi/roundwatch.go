package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const (
	// roundsPause is how often systems are looked at while somebody reads; less
	// often where that takes long, as for elections.
	roundsPause = time.Second

	// maxRounds is how many rounds of a system are told, the latest.
	maxRounds = 50

	// maxAsked is how many systems are looked at because this server was asked to
	// elect in them, the latest, and maxNamed because readers have named them, each
	// namedByOne at most.
	maxAsked, maxNamed, namedByOne = 16, 64, 16
)

// roundWatch tells readers of rounds. The observer's mu guards it, but for asked,
// which is apart so that elections do not wait for those who look.
type roundWatch struct {
	feed  feed
	shown []string                   // systems that all readers are told of
	asked *lru.Map[string, struct{}] // and more of them
	named map[string]int             // systems that readers have named, and how many; they are told of those alone
	last  map[string][]byte          // the latest lines
}

// roundsView are the latest rounds of a system, in JSON.
type roundsView struct {
	Type   string       `json:"type"`
	System string       `json:"system"`
	Error  string       `json:"error,omitempty"`
	Total  int          `json:"total"`
	Rounds []view.Round `json:"rounds"`
}

// all returns the systems that all readers are told of.
func (r *roundWatch) all() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.shown, r.asked.Keys()))))
}

// join adds a reader, and returns what it is to be told first.
func (r *roundWatch) join(reader *eventReader) []event {
	var past []event
	asked := r.all()
	reader.systems = slices.DeleteFunc(reader.systems, func(system string) bool {
		if r.named[system] == 0 && len(r.named) >= maxNamed {
			if !slices.Contains(asked, system) {
				past = append(past, encode("", roundsView{
					Type: "rounds", System: system, Rounds: []view.Round{},
					Error: fmt.Sprintf("rounds of %d other systems are looked at already", maxNamed),
				}))
			}
			return true
		}
		r.named[system]++
		return false
	})
	r.feed.readers[reader] = true
	for _, system := range slices.Sorted(maps.Keys(r.last)) {
		if slices.Contains(asked, system) || slices.Contains(reader.systems, system) {
			past = append(past, event{line: r.last[system]})
		}
	}
	return past
}

// leave takes a reader away.
func (r *roundWatch) leave(reader *eventReader) {
	delete(r.feed.readers, reader)
	for _, system := range reader.systems {
		if r.named[system]--; r.named[system] == 0 {
			delete(r.named, system)
		}
	}
}

// systems returns what is looked at, and forgets what was told of others.
func (r *roundWatch) systems() []string {
	all := r.all()
	for system := range r.named {
		if !slices.Contains(all, system) {
			all = append(all, system)
		}
	}
	slices.Sort(all)
	maps.DeleteFunc(r.last, func(system string, _ []byte) bool { return !slices.Contains(all, system) })
	return all
}

// lookAtRounds looks at the rounds of the systems while somebody reads, until ctx
// ends.
func (o *observer) lookAtRounds(ctx context.Context) {
	seen := make(map[string]*systemRounds)
	for {
		began := time.Now()
		o.mu.Lock()
		var systems []string
		if len(o.rounds.feed.readers) > 0 {
			systems = o.rounds.systems()
		} else {
			clear(o.rounds.last) // will be out of date
		}
		o.mu.Unlock()
		maps.DeleteFunc(seen, func(system string, _ *systemRounds) bool { return !slices.Contains(systems, system) })
		for _, system := range systems {
			if seen[system] == nil {
				seen[system] = &systemRounds{trouble: trouble{log: o.h.log}}
			}
			v := o.roundsOf(ctx, system, seen[system])
			if ctx.Err() != nil {
				return
			}
			o.tellRounds(v)
		}
		select {
		case <-ctx.Done():
			return
		case <-o.wakeRounds:
		case <-time.After(min(max(roundsPause, 9*time.Since(began)), observePauseMost)):
		}
	}
}

func (o *observer) roundsOf(ctx context.Context, system string, seen *systemRounds) roundsView {
	v := roundsView{Type: "rounds", System: system, Rounds: []view.Round{}}
	states, total, err := seen.look(ctx, o.h, system)
	switch {
	case err == nil:
		seen.trouble.answered()
	case ctx.Err() == nil:
		seen.trouble.failed("httpapi: look at rounds", "system", system, "error", err)
		v.Error = failure(err)
	}
	v.Total = total
	for _, s := range states {
		v.Rounds = append(v.Rounds, view.OfRound(s))
	}
	return v
}

// tellRounds tells readers of the rounds of a system, if that is news.
func (o *observer) tellRounds(v roundsView) {
	e := encode("", v)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.rounds.all(), v.System) {
		e.system = v.System
	}
	if !bytes.Equal(e.line, o.rounds.last[v.System]) {
		o.rounds.last[v.System] = e.line
		o.dropped(o.rounds.feed.tell(e))
	}
}
