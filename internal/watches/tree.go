package watches

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// TreeKeys is how many keys below a directory a process watches before they share one watch
// of all that is below it: the deepest such directory. A watch of its own costs a key some KB
// and up to three goroutines in this process, which does not matter for some hundred. The one
// of all is told of the keys that others have below the directory too, which may be more than
// these.
const TreeKeys = 256

// directory is the keys of a store that begin with the same, up to a slash. The mu of the
// package guards it.
type directory struct {
	name    string
	keys    map[string]*shared // that have users, by the whole key; of those with a tree its own alone
	tree    *tree              // that watches all of them, or nil
	refused bool               // the store does not watch it
}

// tree is the watch that the keys of a directory share.
type tree struct {
	pool   *pool
	dir    *directory
	kv     store.Store
	stream *stream
	ctx    context.Context // of its reads, and for its values
	cancel context.CancelFunc

	stood bool              // the watch has stood; guarded by the mu of the package
	olds  []<-chan struct{} // closed when the keys' own watches have ended; guarded likewise
	reads sync.WaitGroup

	mu      sync.Mutex
	waiting []*shared // that are to be read
	reading bool
}

// enter gives a new key a watch.
func (p *pool) enter(s *shared) {
	for name := range s.above() {
		if d := p.dirs[name]; d != nil && d.tree != nil {
			d.keys[s.originKey.(string)], s.dir = s, d
			return
		}
	}
	p.park(s)
	for name := range s.above() {
		if d := p.dirs[name]; !d.refused && len(d.keys) >= TreeKeys {
			p.grow(s.ctx, d)
			return
		}
	}
	p.own(s)
}

// above are the names of the directories that a key is in, the deepest first, but for the root.
// There are none if the store cannot watch directories.
func (s *shared) above() iter.Seq[string] {
	return func(yield func(string) bool) {
		key, named := s.originKey.(string)
		if _, can := s.pool.origin.(store.TreeHinter); !can || !named {
			return
		}
		for i := len(key) - 2; i > 0; i-- {
			if key[i] == '/' && !yield(key[:i+1]) {
				return
			}
		}
	}
}

// park enters a key that has no tree into all its directories.
func (p *pool) park(s *shared) {
	s.dir = nil
	for name := range s.above() {
		d := p.dirs[name]
		if d == nil {
			d = &directory{name: strings.Clone(name), keys: make(map[string]*shared)}
			p.dirs[d.name] = d
		}
		d.keys[s.originKey.(string)] = s
	}
}

// leave takes a key out of its directories, but for that of its tree.
func (p *pool) leave(s *shared) {
	for name := range s.above() {
		if d := p.dirs[name]; d != nil && d != s.dir {
			delete(d.keys, s.originKey.(string))
			if len(d.keys) == 0 {
				delete(p.dirs, name)
			}
		}
	}
}

// grow begins to watch a directory. The watches of its keys stay until that stands. It takes
// a place, even if there is none: it is in place of many.
func (p *pool) grow(values context.Context, d *directory) {
	t := &tree{pool: p, dir: d, kv: p.origin.(store.Store)}
	t.ctx, t.cancel = context.WithCancel(values)
	t.stream = newStream(p, t)
	d.tree = t
	for _, s := range d.keys {
		s.dir = d
		p.leave(s)
	}
	p.start(t.stream)
}

// exit takes a key away that has no users. It returns a channel that is closed when what it
// had has ended.
func (p *pool) exit(s *shared) <-chan struct{} {
	delete(p.keys, s.originKey)
	done := s.gone
	if s.own != nil || done == nil {
		done = p.disown(s)
	}
	d := s.dir
	if d == nil {
		p.leave(s)
		return done
	}
	delete(d.keys, s.originKey.(string))
	if len(d.keys) > 0 {
		return done
	}
	delete(p.dirs, d.name)
	d.tree.olds = append(d.tree.olds, done)
	return d.tree.end()
}

// end ends the tree. It returns a channel that is closed when it has ended. The caller holds
// the mu of the package.
func (t *tree) end() <-chan struct{} {
	t.dir.tree = nil
	t.cancel()
	return t.stream.leave()
}

// watch implements watched. If the store does not watch the directory, each of its keys gets
// a watch of its own.
func (t *tree) watch(ctx context.Context) (<-chan *store.KVPair, error) {
	hints, err := store.HintsBelow(ctx, t.kv, t.dir.name)
	if !errors.Is(err, store.ErrCallNotSupported) {
		return hints, err
	}
	mu.Lock()
	defer mu.Unlock()
	if t.dir.tree != t {
		return nil, err // it has ended
	}
	t.end()
	t.dir.refused = true
	for _, s := range t.dir.keys {
		t.pool.park(s)
		if s.own == nil {
			t.pool.own(s)
		}
	}
	t.pool.admit()
	return nil, err
}

// tell implements watched. A pair of a key that nobody wants costs a look at a map.
func (t *tree) tell(_ *stream, pair *store.KVPair) {
	if pair == nil || pair.Key == "" {
		all := t.stands()
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, s := range all {
			t.isDue(s)
		}
		return
	}
	mu.Lock()
	s, stood := t.dir.keys[pair.Key], t.stood
	mu.Unlock()
	if s == nil || !stood { // all are read when it stands
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// What it shows may be older than what was read meanwhile.
	if s.due == notDue && pair.Value != nil && pair.LastIndex > s.told.index {
		t.show(s, pair)
		return
	}
	t.isDue(s)
}

// stands notes that the watch stands, and returns all keys. Those that have watches of their
// own give them up.
func (t *tree) stands() (all []*shared) {
	mu.Lock()
	defer mu.Unlock()
	for _, s := range t.dir.keys {
		all = append(all, s)
	}
	if t.stood || t.dir.tree != t {
		return all
	}
	t.stood = true
	for _, s := range all {
		if s.own != nil {
			s.gone = t.pool.disown(s)
			t.olds = append(t.olds, s.gone)
		}
	}
	return all
}

// pause implements watched: the shortest of all keys.
func (t *tree) pause() time.Duration {
	mu.Lock()
	all := make([]*shared, 0, len(t.dir.keys))
	for _, s := range t.dir.keys {
		all = append(all, s)
	}
	mu.Unlock()
	shortest := time.Duration(-1)
	for _, s := range all {
		if pause := s.pause(); shortest < 0 || pause < shortest {
			shortest = pause
		}
	}
	if shortest < 0 {
		return Grace
	}
	return shortest
}

func (t *tree) values() context.Context { return context.WithoutCancel(t.ctx) }

// finish implements watched: it waits for the reads, and for the watches that the keys had of
// their own.
func (t *tree) finish() {
	read := make(chan struct{})
	go func() {
		defer close(read)
		t.reads.Wait()
	}()
	within(Grace, read)
	mu.Lock()
	olds := t.olds
	mu.Unlock()
	for _, old := range olds {
		<-old
	}
}
