package httpapi

import (
	"cmp"
	"context"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// maxSettled is of how many keys it is remembered that they need not be read again.
const maxSettled = 1 << 20

// settled are keys that were read and need not be read again, so that what is listed
// often costs no read of what does not change. One in a thousand is read again all
// the same: it may have been deleted, and be something else now. The zero value has
// none. It is safe for concurrent use.
type settled struct {
	mu   sync.Mutex
	seed maphash.Seed
	keys map[uint64]struct{}
}

func (s *settled) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || len(s.keys) >= maxSettled {
		s.seed, s.keys = maphash.MakeSeed(), make(map[uint64]struct{})
	}
	s.keys[maphash.String(s.seed, key)] = struct{}{}
}

func (s *settled) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		return false
	}
	_, ok := s.keys[maphash.String(s.seed, key)]
	return ok
}

// rests reports whether a key need not be read this time.
func (s *settled) rests(key string) bool { return s.has(key) && rand.N(1000) != 0 }

func (s *settled) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = nil
}

// page is a store of which List finds one page, and of that what is wanted.
type page struct {
	store.Store
	from   string
	wanted func(key string) bool

	pairs []*store.KVPair // of the page, those without a value too
	next  string          // from of the next page; empty behind the last
}

// List implements store.Store.
func (p *page) List(ctx context.Context, directory string, _ *store.ReadOptions) ([]*store.KVPair, error) {
	pairs, next, err := store.Page(ctx, p.Store, directory, p.from, p.wanted)
	if err != nil {
		return nil, err
	}
	p.pairs, p.next = pairs, next
	var read []*store.KVPair
	for _, pair := range pairs {
		if pair.Value != nil {
			read = append(read, pair)
		}
	}
	return read, nil
}

// electionPages calls f for each page of the keys below a prefix, with the elections
// that were read, and keys that were not. wanted says which are to be read, of those that
// are not known to be no elections.
func (h *Handler) electionPages(ctx context.Context, kv store.Store, prefix string, wanted func(key string) bool, f func(read []leadership.Standing, unread []string)) error {
	for from := ""; ; {
		began := time.Now()
		p := &page{Store: kv, from: from, wanted: func(key string) bool { return !h.others.rests(key) && wanted(key) }}
		read, err := h.electionPage(ctx, p, prefix)
		if err != nil {
			return err
		}
		elections := make(map[string]bool, len(read))
		for _, s := range read {
			elections[s.Key] = true
		}
		var unread []string
		for _, pair := range p.pairs {
			switch {
			case pair.Value == nil:
				unread = append(unread, pair.Key)
			case !elections[pair.Key]:
				h.others.add(pair.Key)
			}
		}
		f(read, unread)
		if from = p.next; from == "" {
			return nil
		}
		if err := h.pace(ctx, kv, time.Since(began)); err != nil {
			return err
		}
	}
}

func (h *Handler) electionPage(ctx context.Context, p *page, prefix string) ([]leadership.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return leadership.Elections(ctx, p, prefix)
}

// pace waits after a page that took so long, for the handler's own lists, so that
// the store is left alone for nine tenths of the time.
func (h *Handler) pace(ctx context.Context, kv store.Store, took time.Duration) error {
	if kv != h.kv.own {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(9 * took):
		return nil
	}
}

// electionsBelow returns all elections below a prefix.
func (h *Handler) electionsBelow(ctx context.Context, prefix string) ([]leadership.Standing, error) {
	all := make(map[string]leadership.Standing)
	err := h.electionPages(ctx, h.kv.lists, prefix, func(string) bool { return true }, func(read []leadership.Standing, _ []string) {
		for _, s := range read {
			all[s.Key] = s
		}
	})
	return sortedByKey(all), err
}

// roundsPage returns the rounds of a page of a system.
func (h *Handler) roundsPage(ctx context.Context, p *page, system string) ([]leadership.RoundState, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return leadership.NewRounds(p, leadership.WithCallTimeout(h.timeout)).List(ctx, system)
}

// systemRounds are the rounds of a system as they were seen: what need not be read
// again is not.
type systemRounds struct {
	rounds, others settled                          // that rest, and keys that are no rounds
	latest         map[string]leadership.RoundState // by name; maxRounds at most
	trouble        trouble
}

// look returns the latest rounds of a system, and how many there are.
func (s *systemRounds) look(ctx context.Context, h *Handler, system string) (latest []leadership.RoundState, total int, err error) {
	seen, read := make(map[string]bool), make(map[string]leadership.RoundState)
	for from := ""; ; {
		began := time.Now()
		p := &page{Store: h.kv.own, from: from, wanted: func(key string) bool { return !s.rounds.rests(key) && !s.others.rests(key) }}
		found, err := h.roundsPage(ctx, p, system)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range found {
			read[r.Round], seen[r.Round] = r, true
		}
		for _, pair := range p.pairs {
			_, name, _ := strings.Cut(strings.TrimPrefix(pair.Key, "/"), "/")
			switch {
			case seen[name]:
			case pair.Value != nil:
				s.others.add(pair.Key)
			case s.rounds.has(pair.Key):
				seen[name] = true
			}
		}
		if from = p.next; from == "" {
			break
		}
		if err := h.pace(ctx, p.Store, time.Since(began)); err != nil {
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
			s.rounds.add(r.System + "/" + r.Round)
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

func sortedByKey(byKey map[string]leadership.Standing) []leadership.Standing {
	all := slices.Collect(maps.Values(byKey))
	slices.SortFunc(all, func(a, b leadership.Standing) int { return strings.Compare(a.Key, b.Key) })
	return all
}
