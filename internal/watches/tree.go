package watches

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// TreeKeys is how many keys of a directory a process watches before they share one watch of
// all that is below the directory. A watch of its own costs a key some KB and up to three
// goroutines in this process, which does not matter for some hundred. The one of all is told
// of the keys that others have below the directory too, which may be more than these.
const TreeKeys = 256

const (
	// batchKeys is how many keys a tree reads by one call at most: each store reads that many
	// within milliseconds, and what has changed meanwhile does not wait for long.
	batchKeys = 1000

	// readLimit bounds a call of a tree.
	readLimit = 5 * time.Second

	// firstPause and longestPause are how long a tree waits after a read of one key that has
	// failed: twice as long after each.
	firstPause, longestPause = 50 * time.Millisecond, 5 * time.Second
)

// directory is the keys of a store that are equal up to their last slash. The mu of the
// package guards it.
type directory struct {
	name    string
	keys    map[string]*shared // that have users, by the whole key
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

// due is whether a key is to be read.
type due int

const (
	notDue  due = iota
	isDue       // and waits
	isRead      // the read is under way
	isAgain     // it is, and the key has to be read once more
)

// enter gives a new key a watch.
func (p *pool) enter(s *shared) {
	d := p.directoryOf(s)
	switch {
	case d == nil || d.refused:
	case d.tree != nil:
		return
	case len(d.keys) >= TreeKeys:
		p.grow(d, s.ctx)
		return
	}
	p.own(s)
}

// directoryOf enters a key into its directory, and returns that. It returns nil if the key
// has none, or the store cannot watch directories.
func (p *pool) directoryOf(s *shared) *directory {
	key, named := s.originKey.(string)
	slash := strings.LastIndexByte(key, '/')
	if _, can := p.origin.(store.TreeHinter); !can || !named || slash < 0 {
		return nil
	}
	name := key[:slash+1]
	d := p.dirs[name]
	if d == nil {
		d = &directory{name: strings.Clone(name), keys: make(map[string]*shared)}
		p.dirs[d.name] = d
	}
	d.keys[key] = s
	s.dir = d
	return d
}

// grow begins to watch a directory. The watches of its keys stay until that stands. It takes
// a place, even if there is none: it is in place of many.
func (p *pool) grow(d *directory, values context.Context) {
	t := &tree{pool: p, dir: d, kv: p.origin.(store.Store)}
	t.ctx, t.cancel = context.WithCancel(values)
	t.stream = newStream(p, t)
	d.tree = t
	p.start(t.stream)
}

// exit takes a key away that has no users. It returns a channel that is closed when what it
// had has ended.
func (p *pool) exit(s *shared) <-chan struct{} {
	delete(p.keys, s.originKey)
	done := p.disown(s)
	if s.gone != nil {
		done = s.gone
	}
	if s.dir == nil {
		return done
	}
	d := s.dir
	delete(d.keys, s.originKey.(string))
	if len(d.keys) > 0 {
		return done
	}
	delete(p.dirs, d.name)
	if d.tree == nil {
		return done
	}
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
		if s.own == nil {
			t.pool.own(s)
		}
	}
	t.pool.admit()
	return nil, err
}

// tell implements watched. A pair of a key that nobody wants costs a look at a map.
func (t *tree) tell(_ *stream, pair *store.KVPair) {
	if pair.Key == "" {
		all := t.stands()
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, s := range all {
			t.isDue(s)
		}
		return
	}
	mu.Lock()
	s := t.dir.keys[pair.Key]
	mu.Unlock()
	if s == nil {
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

// isDue has a key be read. The caller holds mu.
func (t *tree) isDue(s *shared) {
	switch s.due {
	case notDue:
		s.due = isDue
		t.waiting = append(t.waiting, s)
	case isRead:
		s.due = isAgain
	}
	if !t.reading && len(t.waiting) > 0 {
		t.reading = true
		t.reads.Go(t.read)
	}
}

// take returns the keys that are to be read, sorted, for neighbours cost the least. Without
// any, reading ends.
func (t *tree) take() []*shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	round := t.waiting
	t.waiting = nil
	t.reading = len(round) > 0
	slices.SortFunc(round, func(a, b *shared) int { return strings.Compare(a.originKey.(string), b.originKey.(string)) })
	return round
}

// read reads the keys that are due, until none is. Each call is for those that have become due
// during the one before. One key may fail a call for all, if it holds something else. So of
// keys that cannot be read half are read, and so on; a single one that cannot be is left to
// its users, who look now and then anyway.
func (t *tree) read() {
	limit, pause := batchKeys, firstPause
	for {
		round := t.take()
		if len(round) == 0 {
			return
		}
		for len(round) > 0 {
			some := round[:min(limit, len(round))]
			err := t.readSome(some)
			switch {
			case t.ctx.Err() != nil:
				return
			case err == nil:
				limit, pause = min(2*limit, batchKeys), firstPause
			case len(some) > 1:
				limit = len(some) / 2
				continue
			default:
				within(pause, t.ctx.Done())
				pause = min(2*pause, longestPause)
			}
			round = round[len(some):]
		}
	}
}

// readSome reads keys by one call, and tells their users what it has found.
func (t *tree) readSome(some []*shared) error {
	wanted, keys := t.begin(some)
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, readLimit)
	defer cancel()
	var pairs []*store.KVPair
	done, err := t.pool.turn(ctx)
	if err == nil {
		pairs, err = store.GetMany(ctx, t.kv, keys)
		done()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range wanted {
		again := s.due == isAgain
		switch {
		case err != nil && len(some) > 1:
			s.due = isDue // and is still among those that are
			continue
		case err == nil:
			t.show(s, pairs[i])
		}
		s.due = notDue
		if again {
			t.isDue(s)
		}
	}
	return err
}

// begin notes that keys are read now, and returns those that still have users.
func (t *tree) begin(some []*shared) (wanted []*shared, keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range some {
		if s.due = notDue; s.wanted() {
			s.due = isRead
			wanted, keys = append(wanted, s), append(keys, s.originKey.(string))
		}
	}
	return wanted, keys
}

// show tells the users of a key what is there, nil for nothing, unless that is what they were
// told last. The caller holds mu.
func (t *tree) show(s *shared, pair *store.KVPair) {
	now := stateOf(pair)
	if now == s.told {
		return
	}
	s.told = now
	if pair != nil {
		pair.Key = s.key
	}
	s.tell(nil, pair)
}

// forget has the users of a key be told again what they were told last: one of them is new.
func (t *tree) forget(s *shared) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.told = state{}
}

// state is what a key held. The zero value is not that of any.
type state struct {
	seen  bool
	index uint64
	hash  uint64 // of the value: a server that has lost its data uses an index again
}

var seed = maphash.MakeSeed()

func stateOf(pair *store.KVPair) state {
	if pair == nil {
		return state{seen: true}
	}
	return state{true, pair.LastIndex, maphash.Bytes(seed, pair.Value)}
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
