package leadership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// DefaultCallTimeout is how long a Round waits for one call of the store.
	DefaultCallTimeout = 5 * time.Second

	// DefaultPollInterval is how often Await looks at a round of which its
	// watch says nothing.
	DefaultPollInterval = time.Second

	// electTries is how often Elect tries to write the record of a round that
	// has none: some stores fail when several make a folder at once.
	electTries = 3

	// completeTries is how often Complete is refused, and reads again, before
	// it says so: nobody but this node changes the record.
	completeTries = 5

	// maxRoundName is how many bytes the name of a system or round may have.
	maxRoundName = 255
)

// Round elects exactly one winner for one job, ever: of all nodes that ask,
// the first wins, and the answer never changes. Its record stays in the store,
// under <system>/<round>. Make it with NewRound; the zero value is not usable.
// All methods are safe for concurrent use.
type Round struct {
	kv   store.Store
	node string
	opts roundOptions
	err  error // what is wrong with the arguments

	caller
	verified atomic.Bool // the store has been seen to keep its indexes (S10)
}

// RoundOption changes what NewRound makes. An option that is nil changes
// nothing.
type RoundOption func(*roundOptions)

type roundOptions struct {
	timeout time.Duration
	poll    time.Duration
}

// WithCallTimeout sets how long one call of the store is waited for. It must
// be above 0; the default is DefaultCallTimeout.
func WithCallTimeout(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.timeout = d }
}

// WithPollInterval sets how often Await looks at a round of which its watch
// says nothing. It must be above 0; the default is DefaultPollInterval.
func WithPollInterval(d time.Duration) RoundOption {
	return func(o *roundOptions) { o.poll = d }
}

// NewRound makes one node's view of a round. It makes no call of the store.
//
// system and round name the round: of 1 to 255 bytes each, without slashes or
// control characters, neither "." nor "..". Name a round after the instant at
// which the job is due, not after the time that a node's clock shows. node is
// who wins; unlike the nodes of an election, two processes of the same name
// are the same node here, and both are told that they have won.
//
// An argument that will not do is reported by every method, as
// ErrInvalidArgument.
func NewRound(kv store.Store, system, round, node string, opts ...RoundOption) *Round {
	r := &Round{
		kv: kv, node: node,
		opts: roundOptions{timeout: DefaultCallTimeout, poll: DefaultPollInterval},
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&r.opts)
		}
	}
	r.caller = newCaller(system+"/"+round, r.opts.timeout)
	r.err = r.check(system, round)
	return r
}

func (r *Round) check(system, round string) error {
	if err := checkStore(r.kv); err != nil {
		return err
	}
	for _, name := range []struct{ argument, value string }{{"system", system}, {"round", round}} {
		if err := checkName(name.argument, name.value); err != nil {
			return err
		}
		if len(name.value) > maxRoundName || name.value == "." || name.value == ".." ||
			strings.Contains(name.value, "/") || strings.ContainsFunc(name.value, unicode.IsControl) {
			return invalid(name.argument, fmt.Sprintf("%.300q", name.value),
				`must have at most %d bytes, no slash, no control character, and be neither "." nor ".."`, maxRoundName)
		}
	}
	if err := checkName("node", r.node); err != nil {
		return err
	}
	if r.opts.timeout <= 0 {
		return invalid("call timeout", r.opts.timeout, "must be above 0")
	}
	if r.opts.poll <= 0 {
		return invalid("poll interval", r.opts.poll, "must be above 0")
	}
	return nil
}

// Elect says whether this node is the winner, and makes it the winner if there
// is none. Asked again it answers the same. After an error, which may be
// ErrForeignRecord or ErrUnsafeStore, it is not known whether this node has
// won: ask again.
func (r *Round) Elect(ctx context.Context) (bool, error) {
	rec, err := r.elect(ctx)
	return err == nil && rec.Winner == r.node, err
}

// Elected returns the winner, or an empty name if there is none yet. Its
// errors are those of the store and ErrForeignRecord.
func (r *Round) Elected(ctx context.Context) (string, error) {
	rec, _, err := r.read(ctx)
	return rec.Winner, err
}

// Complete records that the winner, which must be this node, has done the job.
// It may be called again. It returns ErrNotElected if this node is not the
// winner, or ErrCompletedByOther, which names the node, if another has
// completed the round already.
func (r *Round) Complete(ctx context.Context) error {
	for try := 1; ; try++ {
		rec, pair, err := r.read(ctx)
		switch {
		case err != nil:
			return err
		case rec.completer() == r.node:
			return nil
		case rec.completer() != "":
			return fmt.Errorf("leadership: complete %q: %w: %q", r.key, ErrCompletedByOther, rec.completer())
		case rec.Winner == "":
			return fmt.Errorf("leadership: complete %q by %q: %w: nobody is", r.key, r.node, ErrNotElected)
		case rec.Winner != r.node:
			return fmt.Errorf("leadership: complete %q by %q: %w: %q is", r.key, r.node, ErrNotElected, rec.Winner)
		}
		rec.Completed = &completion{By: r.node, At: now()}
		if err = r.write(ctx, rec, pair); err == nil || !refused(err) || try == completeTries {
			return err
		}
	}
}

// Completed returns who completed the round, or an empty name. Its errors are
// those of the store and ErrForeignRecord.
func (r *Round) Completed(ctx context.Context) (string, error) {
	rec, _, err := r.read(ctx)
	return rec.completer(), err
}

// Await waits until the round has been completed, and returns by whom. Errors
// of the store do not end the wait; it returns ErrForeignRecord, or, at the
// end of ctx, its cause together with the last error of the store.
func (r *Round) Await(ctx context.Context) (string, error) {
	if r.err != nil {
		return "", r.err
	}
	if ctx == nil {
		return "", invalid("context", "nil", "must not be nil")
	}
	watching, cancel := context.WithCancel(ctx)
	wake := make(chan struct{}, 1)
	w := &watch{
		kv: r.kv, key: r.key,
		hint:  func(*store.KVPair) { nudge(wake) },
		pause: func() time.Duration { return r.opts.poll },
		again: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go w.run(watching)
	defer func() { cancel(); <-w.done }()

	known := false
	var failure error
	for {
		rec, pair, err := r.read(ctx)
		switch {
		case errors.Is(err, ErrForeignRecord):
			return "", err
		case err == nil && rec.completer() != "":
			return rec.completer(), nil
		case err == nil && pair != nil && !known:
			known = true
			nudge(w.again)
		case err != nil && ctx.Err() == nil:
			failure = err
		}
		poll := time.NewTimer(r.opts.poll)
		select {
		case <-ctx.Done():
			poll.Stop()
			return "", errors.Join(fmt.Errorf("leadership: await %q: %w", r.key, context.Cause(ctx)), failure)
		case <-wake:
			poll.Stop()
		case <-poll.C:
		}
	}
}

// Do elects, and if this node wins and the round has not been completed, calls
// work and completes the round. It says whether this node is the winner. An
// error of work is returned as it is and leaves the round uncompleted; so the
// winner may call Do again. It blocks while work runs.
func (r *Round) Do(ctx context.Context, work func(ctx context.Context) error) (bool, error) {
	if work == nil {
		return false, invalid("work", "nil", "must be a function")
	}
	rec, err := r.elect(ctx)
	if err != nil || rec.Winner != r.node {
		return false, err
	}
	if rec.completer() != "" {
		return true, nil
	}
	if err := work(ctx); err != nil {
		return true, err
	}
	return true, r.Complete(ctx)
}

// elect returns the record of the round, in which there is a winner.
func (r *Round) elect(ctx context.Context) (roundRecord, error) {
	if r.err != nil {
		return roundRecord{}, r.err
	}
	mine := roundRecord{V: roundVersion, Winner: r.node, Elected: now()}
	for try := 1; ; try++ {
		err := r.write(ctx, mine, nil)
		if err == nil || errors.Is(err, ErrUnsafeStore) {
			return mine, err
		}
		// Whoever lost finds the winner; and a reply may have been lost (S5).
		rec, pair, readErr := r.read(ctx)
		switch {
		case readErr != nil || pair != nil:
			return rec, readErr
		case try == electTries || ctx.Err() != nil:
			return rec, err
		}
	}
}

// read returns the record of the round; a zero one and a nil pair if there is
// none.
func (r *Round) read(ctx context.Context) (roundRecord, *store.KVPair, error) {
	if r.err != nil {
		return roundRecord{}, nil, r.err
	}
	found := r.call(ctx, func(ctx context.Context) result { return get(ctx, r.kv, r.key) })
	if found.err != nil || found.pair == nil {
		return roundRecord{}, nil, found.err
	}
	rec, err := parseRound(found.pair.Value)
	if err != nil {
		return roundRecord{}, nil, fmt.Errorf("leadership: key %q: %w", r.key, err)
	}
	return rec, found.pair, nil
}

// write replaces previous by rec. After an error it may have been written.
func (r *Round) write(ctx context.Context, rec roundRecord, previous *store.KVPair) error {
	value, err := marshal(rec)
	if err != nil {
		return fmt.Errorf("leadership: put %q: %w", r.key, err)
	}
	wrote := r.call(ctx, func(ctx context.Context) result { return put(ctx, r.kv, r.key, value, previous) })
	if wrote.err != nil {
		return wrote.err
	}
	ours := bytes.Equal(wrote.pair.Value, value)
	if ours && r.verified.Load() {
		return nil
	}
	// Not every store returns what it wrote, and one that is not known to
	// compare and swap has to show that its indexes hold.
	found, pair, err := r.read(ctx)
	switch {
	case err != nil:
		return err
	case pair == nil || found.Winner != rec.Winner || found.completer() == "" && rec.completer() != "":
		return fmt.Errorf("leadership: put %q: %w", r.key, store.ErrKeyModified)
	case ours && bytes.Equal(pair.Value, value) && pair.LastIndex != wrote.pair.LastIndex:
		return unsafeStore(r.key, wrote.pair, pair)
	}
	if ours && pair.LastIndex == wrote.pair.LastIndex {
		r.verified.Store(true)
	}
	return nil
}

// now is the time for people to read in a record.
func now() time.Time {
	return clock.System{}.Now().Time().UTC().Truncate(time.Millisecond)
}
