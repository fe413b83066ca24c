package observe

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/lru"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

const (
	// maxRounds is how many rounds of a system are sent, the latest.
	maxRounds = 50

	// MaxNamed is how many systems one reader may name.
	MaxNamed = 16

	// maxSystems is how many systems are named that were found among the elections.
	maxSystems = 200

	// maxAsked is how many systems are looked at because this server was asked for
	// their rounds, the latest, and maxNamed because readers have named them.
	maxAsked, maxNamed = 16, 64
)

// rounds sends readers the rounds of systems. The observer's mu guards it, except for
// asked, which guards itself, so that requests do not wait.
type rounds struct {
	feed  feed
	shown []string                   // systems that all readers get
	asked *lru.Map[string, struct{}] // and more of them
	named map[string]int             // systems that readers have named, and how many readers; others do not get them
	last  map[string][]byte          // the latest lines
	known []byte                     // the latest line of a systemsView
}

// roundsView are the latest rounds of a system, in JSON.
type roundsView struct {
	Type   string       `json:"type"`
	System string       `json:"system"`
	Error  string       `json:"error,omitempty"`
	Total  int          `json:"total"`
	Rounds []view.Round `json:"rounds"`
}

// forAll returns the systems that all readers get.
func (r *rounds) forAll() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.shown, r.asked.Keys()))))
}

// join adds a reader, and returns the first events for it.
func (r *rounds) join(reader *Reader) []Event {
	var past []Event
	asked := r.forAll()
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
			past = append(past, Event{Line: r.last[system]})
		}
	}
	if r.known != nil {
		past = append(past, Event{Line: r.known})
	}
	return past
}

// sendSystems sends readers which systems were found among the elections, if that has
// changed. It is called with mu held.
func (o *Observer) sendSystems(names []string) {
	e := encode("", systemsView{"systems", len(names), names[:min(len(names), maxSystems)]})
	if !bytes.Equal(e.Line, o.rounds.known) {
		o.rounds.known = e.Line
		o.dropped += o.rounds.feed.send(e)
	}
}

// leave removes a reader.
func (r *rounds) leave(reader *Reader) {
	delete(r.feed.readers, reader)
	for _, system := range reader.systems {
		if r.named[system]--; r.named[system] == 0 {
			delete(r.named, system)
		}
	}
}

// systems returns the systems to look at, and forgets what was sent of others.
func (r *rounds) systems() []string {
	all := r.forAll()
	for system := range r.named {
		if !slices.Contains(all, system) {
			all = append(all, system)
		}
	}
	slices.Sort(all)
	maps.DeleteFunc(r.last, func(system string, _ []byte) bool { return !slices.Contains(all, system) })
	return all
}

// lookAtRounds looks at the rounds of the systems while there are readers, until ctx
// ends.
func (o *Observer) lookAtRounds(ctx context.Context) {
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
				seen[system] = new(systemRounds)
			}
			v := o.roundsOf(ctx, system, seen[system])
			if ctx.Err() != nil {
				return
			}
			o.sendRounds(v)
		}
		select {
		case <-ctx.Done():
			return
		case <-o.wakeRounds:
		case <-time.After(pauseAfter(began)):
		}
	}
}

// roundsOf looks at the rounds of a system.
func (o *Observer) roundsOf(ctx context.Context, system string, seen *systemRounds) roundsView {
	v := roundsView{Type: "rounds", System: system, Rounds: []view.Round{}}
	states, total, err := seen.look(ctx, o.lists, system)
	if err != nil {
		v.Error = o.Explain(err)
	}
	if ctx.Err() == nil {
		o.logChange(&seen.failing, err, "rounds", "system", system)
	}
	v.Total = total
	for _, s := range states {
		v.Rounds = append(v.Rounds, view.OfRound(s))
	}
	return v
}

// sendRounds sends readers the rounds of a system, if they have changed.
func (o *Observer) sendRounds(v roundsView) {
	e := encode("", v)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.rounds.forAll(), v.System) {
		e.system = v.System
	}
	if !bytes.Equal(e.Line, o.rounds.last[v.System]) {
		o.rounds.last[v.System] = e.Line
		o.dropped += o.rounds.feed.send(e)
	}
}

// systemRounds is what is known of the rounds of a system, so that what does not change
// is not read again.
type systemRounds struct {
	rounds, others settled                          // that need not be read, and keys that are no rounds
	latest         map[string]leadership.RoundState // by name; maxRounds at most
	failing        bool
}

// look returns the latest rounds of a system, and how many there are.
func (s *systemRounds) look(ctx context.Context, l *Lists, system string) (latest []leadership.RoundState, total int, err error) {
	seen, read := make(map[string]bool), make(map[string]leadership.RoundState)
	s.rounds.next()
	s.others.next()
	for from := ""; ; {
		began := time.Now()
		p := &page{Store: l.kv, from: from, wanted: func(key string) bool { return !s.rounds.skips(key, seldom) && !s.others.skips(key, often) }}
		found, err := l.roundsPage(ctx, p, system)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range found {
			read[r.Round], seen[r.Round] = r, true
			s.others.remove(r.System + "/" + r.Round)
		}
		for _, pair := range p.pairs {
			_, name, _ := strings.Cut(strings.TrimPrefix(pair.Key, "/"), "/")
			switch {
			case seen[name]:
			case pair.Value != nil:
				s.others.add(pair.Key, false)
			case s.rounds.has(pair.Key):
				seen[name] = true
			}
		}
		if from = p.next; from == "" {
			break
		}
		if err := l.pause(ctx, time.Since(began)); err != nil {
			return nil, 0, err
		}
	}
	for name, r := range s.latest {
		if _, again := read[name]; !again && seen[name] {
			read[name] = r
		} else if !seen[name] {
			s.rounds.clear() // others are among the latest now
		}
	}
	latest = make([]leadership.RoundState, 0, len(read))
	for _, r := range read {
		latest = append(latest, r)
	}
	sortRounds(latest)
	s.latest = make(map[string]leadership.RoundState)
	for i, r := range latest {
		if i < maxRounds {
			s.latest[r.Round] = r
		}
		if i >= maxRounds || r.Completer != "" {
			s.rounds.add(r.System+"/"+r.Round, false)
		}
	}
	return latest[:min(len(latest), maxRounds)], len(seen), nil
}

// sortRounds sorts rounds, those elected last first.
func sortRounds(all []leadership.RoundState) {
	slices.SortFunc(all, func(a, b leadership.RoundState) int {
		return cmp.Or(b.Elected.Compare(a.Elected), strings.Compare(a.Round, b.Round))
	})
}
