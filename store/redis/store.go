package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store keeps records in Redis. All methods are safe for concurrent use.
//
// A method whose context has ended returns at once, also where the client goes
// on waiting: at most as many of its calls are stuck as its pool has
// connections, each for as long as its timeouts say.
type Store struct {
	client   goredis.UniversalClient
	replicas int
	poll     time.Duration
	silence  time.Duration // see subscribe
	base     base.Store
	target   store.Target
	ears     ears

	// cut ends the calls of a client that is the store's own, and release
	// closes it; nil for a user's.
	cut     func()
	release func() error
}

// Option is a setting of New.
type Option func(*Store)

// WithReplicas has each read of a key and each write wait, in the same round trip, until n
// replicas have what it read or wrote (the command WAIT), for a second at most. If
// fewer do, it returns an error, and a write may last or not. A failover then
// loses an acknowledged write less often, but still can. The default is 0.
func WithReplicas(n int) Option { return func(s *Store) { s.replicas = n } }

// WithPoll sets how often a watch looks at its key although it was told of no
// change. That finds what other programs write, and what was told while the
// connection was down. The default is a second.
func WithPoll(d time.Duration) Option { return func(s *Store) { s.poll = d } }

// New returns a store on a client that its caller has configured and goes on to
// own: a single server's, a Sentinel's or a Cluster's, with any settings but
// ReplicaOnly. It refuses a *redis.Ring, which moves a key to another server
// while its own is down: two leaders. It does not connect.
func New(client goredis.UniversalClient, opts ...Option) (*Store, error) {
	s := &Store{
		base:   base.Store{Name: "redis", ShortestTTL: time.Millisecond},
		client: client, poll: time.Second, silence: 5 * time.Second,
	}
	for _, opt := range opts {
		opt(s)
	}
	_, ring := client.(*goredis.Ring)
	switch {
	case client == nil:
		return nil, errors.New("redis: the client is nil")
	case ring:
		return nil, errors.New("redis: a Ring moves keys to other servers when one is down, which can make two leaders: use Sentinel or Cluster")
	case s.replicas < 0:
		return nil, fmt.Errorf("redis: WithReplicas is %d and must not be negative", s.replicas)
	case s.poll <= 0:
		return nil, fmt.Errorf("redis: WithPoll is %v and must be positive", s.poll)
	}
	return s, nil
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. It is answered by the
// master always, whatever the client's routing: opts are ignored, and may be nil.
func (s *Store) Get(ctx context.Context, key string, _ *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		return patiently(ctx, s, func() (*store.KVPair, error) {
			pair, _, err := s.read(ctx, key)
			return pair, err
		})
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or,
// when previous is nil, if it is missing, in one round trip: its index and its
// value are compared. It returns true and the pair as written. Otherwise it writes nothing and returns
// store.ErrKeyExists when previous is nil, store.ErrKeyModified when another
// write came between, or store.ErrKeyNotFound when the key is gone. After any
// other error the write may have happened: the client does not send it again,
// whatever its MaxRetries.
//
// With a TTL in opts, rounded up to milliseconds, the key is deleted that long
// after the write. 0 means never; one below a millisecond is
// store.ErrTTLNotSupported, a negative one is an error. Other options are
// ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, ttl time.Duration) (uint64, error) {
		ms := int64((ttl + time.Millisecond - 1) / time.Millisecond)
		script, args := createScript, []any{value, ms, channel(key)}
		if previous != nil {
			script, args = updateScript, append(args, strconv.FormatUint(previous.LastIndex, 10), bytes.Clone(previous.Value))
		}
		written, err := patiently(ctx, s, func() (any, error) { return s.run(ctx, script, key, args...) })
		if err != nil {
			return 0, err
		}
		return uint64(written.(int64)), nil
	})
}

// AtomicDelete deletes key if it is unchanged since previous, and returns true.
// Otherwise it deletes nothing and returns store.ErrKeyModified,
// store.ErrKeyNotFound, or store.ErrPreviousNotSpecified when previous is nil.
// After any other error the key may have been deleted.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair) (bool, error) {
	return s.base.AtomicDelete(ctx, key, previous, func() error {
		index, old := strconv.FormatUint(previous.LastIndex, 10), bytes.Clone(previous.Value)
		_, err := patiently(ctx, s, func() (any, error) {
			return s.run(ctx, deleteScript, key, index, old, channel(key))
		})
		return err
	})
}

// Close ends all watches and waits until they have ended. Calls made later
// return store.ErrClosed. It may be called again. It closes the client of a store
// that was opened by URL, and not one that was given to New: with that, while its
// server hangs, Close may take as long as its timeouts are.
func (s *Store) Close() error {
	if s.cut != nil {
		s.cut() // else a watch that has to end waits for a server that hangs
	}
	first := s.base.Close()
	if !first || s.release == nil {
		return nil
	}
	if err := s.release(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("redis: close: %w", err)
	}
	return nil
}

// read returns the pair under key and the time that it has left, which is
// negative for a key that stays.
func (s *Store) read(ctx context.Context, key string) (*store.KVPair, time.Duration, error) {
	reply, err := s.run(ctx, getScript, key)
	if err != nil {
		return nil, 0, err
	}
	return parse(key, reply)
}

// parse takes getScript's reply for a key that is there apart.
func parse(key string, reply any) (*store.KVPair, time.Duration, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields) != 3 {
		return nil, 0, fmt.Errorf("the script returned %T", reply)
	}
	value, isString := fields[0].(string)
	text, isText := fields[1].(string)
	left, isNumber := fields[2].(int64)
	index, err := strconv.ParseUint(text, 10, 64)
	if !isString || !isText || !isNumber || err != nil {
		return nil, 0, errForeign
	}
	return &store.KVPair{Key: key, Value: []byte(value), LastIndex: index}, time.Duration(left) * time.Millisecond, nil
}

// patiently runs f unless the store is closed or ctx has ended, and does not wait for
// it longer than ctx lasts.
func patiently[T any](ctx context.Context, s *Store, f func() (T, error)) (T, error) {
	if err := s.base.Check(ctx); err != nil {
		var none T
		return none, err
	}
	value, err := base.Await(ctx, f)
	if deadline, ok := ctx.Deadline(); ok && err != nil && !refused(err) && !time.Now().Before(deadline) {
		// The client keeps to the deadline itself, and calls it an I/O timeout.
		err = context.DeadlineExceeded
	}
	return value, err
}

// refused tells whether err says for certain that nothing was done.
func refused(err error) bool {
	for _, definite := range []error{store.ErrKeyExists, store.ErrKeyModified, store.ErrKeyNotFound, errForeign} {
		if errors.Is(err, definite) {
			return true
		}
	}
	return false
}

// channel returns where changes of key are told.
func channel(key string) string { return "leadership:" + key }
