package observe

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// maxSettled is how many keys a set of settled keys has, at most.
const maxSettled = 1 << 20

// A settled key is read again all the same, in one of so many passes: it may have been
// deleted, and be something else now.
const (
	seldom = 1000 // of rounds and the like, which come in large numbers and stay what they are
	often  = 20   // of values that are in the way, until somebody deletes them
)

// settled is a set of keys that were read and need not be read again, so that what is
// listed often costs no read of what does not change. The zero value is empty. It is safe
// for concurrent use.
type settled struct {
	mu   sync.Mutex
	seed maphash.Seed
	keys map[uint64]bool // true for those that were marked
	pass uint64          // the number of this pass through what is listed
}

func (s *settled) add(key string, marked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || len(s.keys) >= maxSettled {
		s.seed, s.keys = maphash.MakeSeed(), make(map[uint64]bool)
	}
	s.keys[maphash.String(s.seed, key)] = marked
}

func (s *settled) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.find(key)
	return ok
}

// find returns the hash of a key, and whether it is in the set. It is called with mu held.
func (s *settled) find(key string) (hash uint64, ok bool) {
	if s.keys == nil {
		return 0, false
	}
	hash = maphash.String(s.seed, key)
	_, ok = s.keys[hash]
	return hash, ok
}

// marked reports whether a key is in the set and was marked.
func (s *settled) marked(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash, ok := s.find(key)
	return ok && s.keys[hash]
}

func (s *settled) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil {
		delete(s.keys, maphash.String(s.seed, key))
	}
}

// next begins a pass.
func (s *settled) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass++
}

// skips reports whether a key need not be read in this pass; in one of again passes it is,
// and in each of them other keys.
func (s *settled) skips(key string, again uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash, ok := s.find(key)
	return ok && (hash%again+s.pass)%again != 0
}

func (s *settled) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = nil
}

// page is a store whose List finds one page, and reads of that what is wanted.
type page struct {
	store.Store
	from     string
	wanted   func(key string) bool
	sessions map[string]*store.KVPair // that terms ride on, and pages before this one have read; nil for none

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

// GetMany implements store.ManyGetter: the sessions of elections are read once for all pages.
func (p *page) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	unread := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { _, ok := p.sessions[key]; return ok })
	read, err := store.GetMany(ctx, p.Store, unread)
	if err != nil {
		return nil, err
	}
	pairs := make([]*store.KVPair, 0, len(keys))
	for i, key := range unread {
		p.sessions[key] = read[i]
	}
	for _, key := range keys {
		pairs = append(pairs, p.sessions[key])
	}
	return pairs, nil
}

// Lists lists elections and rounds, page by page. Make it with NewLists. It is safe
// for concurrent use.
type Lists struct {
	kv      store.Store
	timeout time.Duration // of a page
	spare   bool          // leave the store alone for nine tenths of the time
	hurry   atomic.Bool   // but not now: people wait for the first list
	others  settled       // keys of rounds, which are marked, fences and sessions
	foreign settled       // keys of values that are none of ours
	found   []string      // systems of the rounds that the last pass for an observer has found
}

// NewLists makes lists of what kv has. A page takes the timeout, at most.
func NewLists(kv store.Store, timeout time.Duration) *Lists { return &Lists{kv: kv, timeout: timeout} }

// Elections returns the states of all elections below a prefix, sorted by key. It blocks
// for as long as the store takes.
func (l *Lists) Elections(ctx context.Context, prefix string) ([]leadership.Standing, error) {
	byKey := make(map[string]leadership.Standing) // a page may repeat what another has
	err := l.electionPages(ctx, prefix, func(string) bool { return true }, func(read []leadership.Standing, _ []string) {
		for _, s := range read {
			byKey[s.Key] = s
		}
	})
	all := slices.Collect(maps.Values(byKey))
	slices.SortFunc(all, func(a, b leadership.Standing) int { return strings.Compare(a.Key, b.Key) })
	return all, err
}

// Rounds returns a page of the rounds of a system, and the from of the next page: empty
// behind the last. It blocks for as long as the store takes. It returns
// store.ErrInvalidPage for a from that is not empty and no next.
func (l *Lists) Rounds(ctx context.Context, system, from string) (all []leadership.RoundState, next string, err error) {
	p := &page{Store: l.kv, from: from, wanted: func(string) bool { return true }}
	if all, err = l.roundsPage(ctx, p, system); err != nil {
		return nil, "", err // p may yet be written to
	}
	return all, p.next, nil
}

// electionPages calls f for each page of the keys below a prefix, with the elections
// that were read, and the keys that were not. Of keys that may be elections those are
// read that are wanted.
func (l *Lists) electionPages(ctx context.Context, prefix string, wanted func(key string) bool, f func(read []leadership.Standing, unread []string)) error {
	l.others.next()
	l.foreign.next()
	sessions, systems := make(map[string]*store.KVPair), make(map[string]bool)
	for from := ""; ; {
		began := time.Now()
		p := &page{Store: l.kv, from: from, sessions: sessions, wanted: func(key string) bool { return !l.skips(key) && wanted(key) }}
		read, err := l.electionPage(ctx, p, prefix)
		if err != nil {
			return err
		}
		elections := make(map[string]bool, len(read))
		for _, s := range read {
			elections[s.Key] = true
		}
		var unread []string
		for _, pair := range p.pairs {
			switch kind := ours(pair.Value); {
			case pair.Value == nil:
				unread = append(unread, pair.Key)
				if l.spare && l.others.marked(pair.Key) {
					systems[systemOf(pair.Key)] = true
				}
			case elections[pair.Key]:
				l.others.remove(pair.Key)
				l.foreign.remove(pair.Key)
			case kind != "":
				l.others.add(pair.Key, kind == "round")
				if kind == "round" {
					systems[systemOf(pair.Key)] = true
				}
			default:
				l.foreign.add(pair.Key, false)
			}
		}
		f(read, unread)
		if from = p.next; from == "" {
			if l.spare {
				l.found = slices.AppendSeq(make([]string, 0, len(systems)), maps.Keys(systems))
				slices.Sort(l.found)
			}
			return nil
		}
		if err := l.pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// skips reports whether a key is known to be no election, and need not be read this time.
// For people who ask what is in the way is read each time: they may have just deleted it.
func (l *Lists) skips(key string) bool {
	return l.others.skips(key, seldom) || l.spare && l.foreign.skips(key, often)
}

// systems returns the systems of the rounds that the last pass has found, for an observer:
// no other pass may be under way.
func (l *Lists) systems() []string { return l.found }

// systemOf returns the system of the key of a round.
func systemOf(key string) string {
	system, _, _ := strings.Cut(strings.TrimPrefix(key, "/"), "/")
	return system
}

// ours returns the kind of a value that is of another kind than elections, and says so.
func ours(value []byte) (kind string) {
	var header struct{ Kind string }
	if json.Unmarshal(value, &header) == nil && slices.Contains([]string{"round", "fence", "session"}, header.Kind) {
		return header.Kind
	}
	return ""
}

func (l *Lists) electionPage(ctx context.Context, p *page, prefix string) ([]leadership.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return leadership.Elections(ctx, p, prefix)
}

func (l *Lists) roundsPage(ctx context.Context, p *page, system string) ([]leadership.RoundState, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return leadership.NewRounds(p, leadership.WithCallTimeout(l.timeout)).List(ctx, system)
}

// pause waits after a page that took so long, if the store is to be spared.
func (l *Lists) pause(ctx context.Context, took time.Duration) error {
	if !l.spare || l.hurry.Load() {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(9 * took):
		return nil
	}
}
