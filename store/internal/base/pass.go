package base

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-a1d591d3/leadership/store"
)

// maxPasses is how many passes are remembered, the latest.
const maxPasses = 8

// Passes remembers the keys of the passes that are under way through the pages of a store
// that can only list all keys at once. The zero value has none. It is safe for concurrent
// use.
type Passes struct {
	mu     sync.Mutex
	passes []pass // the latest last
}

// pass is a pass through the keys below a directory.
type pass struct {
	id, directory string
	keys          []string // of all pages, sorted
}

// put remembers a pass.
func (p *Passes) put(next pass) {
	p.forget(next.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passes = append(p.passes, next); len(p.passes) > maxPasses {
		p.passes = slices.Delete(p.passes, 0, 1)
	}
}

func (p *Passes) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passes = slices.DeleteFunc(p.passes, func(old pass) bool { return old.id == id })
}

// get returns a pass, and whether it is remembered.
func (p *Passes) get(id, directory string) (pass, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.passes {
		if known.id == id && known.directory == directory {
			return known, true
		}
	}
	return pass{}, false
}

// Pass is Page for a store that can only list all keys at once, in any order: list is
// called once in a pass, and again only if passes has forgotten it. from is the number of
// the pass and the last key of the page before, so that a page never comes from the keys
// of an older pass, of this process or another.
func (s *Store) Pass(ctx context.Context, passes *Passes, directory, from string, wanted func(key string) bool,
	list func() ([]string, error), read func(keys []string) ([]*store.KVPair, error),
) ([]*store.KVPair, string, error) {
	id, after, ok := strings.Cut(from, ":")
	switch {
	case from == "":
		id = strconv.FormatUint(rand.Uint64(), 36)
	case !ok || after == "":
		return nil, "", s.Failed(ctx, "list", directory, store.ErrInvalidPage)
	}
	keys := func(after string) ([]string, error) {
		known, ok := passes.get(id, directory)
		if !ok {
			all, err := list()
			if err != nil {
				return nil, err
			}
			all = slices.DeleteFunc(all, func(key string) bool { return !strings.HasPrefix(key, directory) })
			slices.Sort(all)
			known = pass{id, directory, all}
			passes.put(known)
		}
		i, found := slices.BinarySearch(known.keys, after)
		if found {
			i++
		}
		rest := known.keys[i:]
		if len(rest) < PageKeys { // the last page
			passes.forget(id)
			return rest, nil
		}
		return rest[:PageKeys], nil
	}
	pairs, next, err := s.Page(ctx, directory, after, wanted, keys, read)
	if next != "" {
		next = id + ":" + next
	}
	return pairs, next, err
}
