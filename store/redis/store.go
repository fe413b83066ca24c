package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Store = (*Store)(nil)

// Store keeps records in Redis. All methods are safe for concurrent use.
//
// A method returns as soon as its context ends, even if the client goes on waiting: then
// at most as many calls hang as the client's pool has connections, each until its
// timeout.
type Store struct {
	client    goredis.UniversalClient
	replicas  int
	poll      time.Duration
	silence   time.Duration // see subscribe
	base      base.Store
	limits    base.Limits
	pipelines *pipelines // of writes; nil where each goes by itself
	target    store.Target
	hints     hints

	// cut ends the calls of a client that the store owns, and release closes it. They are
	// nil for a client of the user.
	cut     func()
	release func() error
}

// Option is a setting of New.
type Option func(*Store)

// WithReplicas makes each read of a key and each write wait, in the same round trip,
// until n replicas have what it read or wrote (the command WAIT), for at most a second.
// If fewer have it, the call returns an error; a write may or may not last then. With it
// a failover loses an acknowledged write less often, but still can. The default is 0.
func WithReplicas(n int) Option { return func(s *Store) { s.replicas = n } }

// WithPoll sets how often a watch reads its key without a message. It then finds what
// other programs write, and changes whose message was lost with a connection. The default
// is a second.
func WithPoll(d time.Duration) Option { return func(s *Store) { s.poll = d } }

// New returns a store on a client, which Close does not close: that of a single server,
// of Sentinel or of a Cluster, with any settings except ReplicaOnly. It refuses a
// *redis.Ring, which moves a key to another server while its own is down: that can make
// two leaders. It does not connect.
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
	// Reads leave connections of the pool, if it has more than one, for writes.
	conns := poolSize(client)
	reads, writes := max(1, conns-max(1, conns/4)), conns
	if _, one := client.(*goredis.Client); one && s.replicas == 0 {
		s.pipelines = newPipelines(client, conns)
		writes = max(conns, 2*maxPipeline)
	}
	s.limits = base.NewLimits(reads, writes)
	return s, nil
}

// poolSize returns how many connections a client has to a server at most.
func poolSize(client goredis.UniversalClient) int {
	switch client := client.(type) {
	case *goredis.Client:
		return client.Options().PoolSize
	case *goredis.ClusterClient:
		return client.Options().PoolSize
	}
	return 10 * runtime.GOMAXPROCS(0) // go-redis's default
}

// Target returns where a store by URL keeps its keys, and nil for one of New.
func (s *Store) Target() store.Target { return s.target }

// Get returns the pair under key, or store.ErrKeyNotFound. The master always answers,
// whatever the client's routing: opts are ignored, and may be nil.
func (s *Store) Get(ctx context.Context, key string, _ *store.ReadOptions) (*store.KVPair, error) {
	return s.base.Get(ctx, key, func() (*store.KVPair, error) {
		return reading(ctx, s, s.limits.Read, func() (*store.KVPair, error) {
			pair, _, err := s.read(ctx, key)
			return pair, err
		})
	})
}

// AtomicPut writes value under key if the key is unchanged since previous, or, when
// previous is nil, if it is missing, in one round trip: its index and its value are
// compared. It returns true and the pair as written. Otherwise it writes nothing and
// returns store.ErrKeyExists if previous is nil, store.ErrKeyModified if the key was
// changed, or store.ErrKeyNotFound if it was deleted. After any other error the write may
// have happened: the client does not send it again, whatever its MaxRetries.
//
// With a TTL in opts, rounded up to milliseconds, the key is deleted that long after the
// write. 0 means no TTL; a TTL below a millisecond is store.ErrTTLNotSupported, and a
// negative one is an error. Other options are ignored, and opts may be nil.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (bool, *store.KVPair, error) {
	return s.base.AtomicPut(ctx, key, value, opts, func(value []byte, ttl time.Duration) (uint64, error) {
		ms := int64((ttl + time.Millisecond - 1) / time.Millisecond)
		script, args := createScript, []any{value, ms, channel(key)}
		if previous != nil {
			script, args = updateScript, append(args, record(previous))
		}
		written, err := s.write(ctx, script, key, args...)
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
		_, err := s.write(ctx, deleteScript, key, record(previous), channel(key))
		return err
	})
}

// ReturnsInTime returns true: see store.ReturnsInTime.
func (s *Store) ReturnsInTime() bool { return true }

// Close ends all watches and waits until they have ended. Calls made later return
// store.ErrClosed. It may be called again. It closes the client of a store that was
// opened by URL, but not one that was given to New. With the latter Close may take as
// long as the client's timeouts while the server hangs.
func (s *Store) Close() error {
	if s.cut != nil {
		s.cut() // otherwise a watch would wait for a server that hangs
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

// read returns the pair under key and the time that is left of its TTL, which is negative
// if it has none.
func (s *Store) read(ctx context.Context, key string) (*store.KVPair, time.Duration, error) {
	reply, err := s.run(ctx, getScript, []string{key})
	if err != nil {
		return nil, 0, err
	}
	return parse(key, reply)
}

// indexDigits is how many digits the index has in a record.
const indexDigits = 16

// record returns a pair as it is stored.
func record(pair *store.KVPair) []byte {
	return fmt.Appendf(nil, "%0*d %s", indexDigits, pair.LastIndex, pair.Value)
}

// parse parses the reply of getScript for an existing key.
func parse(key string, reply any) (*store.KVPair, time.Duration, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields) != 2 {
		return nil, 0, fmt.Errorf("the script returned %T", reply)
	}
	text, isText := fields[0].(string)
	left, isNumber := fields[1].(int64)
	if !isText || !isNumber {
		return nil, 0, errForeign
	}
	pair, err := pairOf(key, text)
	return pair, time.Duration(left) * time.Millisecond, err
}

// pairOf returns the pair of a record.
func pairOf(key, text string) (*store.KVPair, error) {
	if len(text) <= indexDigits {
		return nil, errForeign
	}
	index, err := strconv.ParseUint(text[:indexDigits], 10, 64)
	if err != nil {
		return nil, errForeign
	}
	return &store.KVPair{Key: key, Value: []byte(text[indexDigits+1:]), LastIndex: index}, nil
}

// withContext runs f, unless the store is closed or ctx has ended, and returns when ctx
// ends even if f does not.
func withContext[T any](ctx context.Context, s *Store, f func() (T, error)) (T, error) {
	if err := s.base.Check(ctx); err != nil {
		var none T
		return none, err
	}
	value, err := base.Await(ctx, f)
	return value, inTime(ctx, err)
}

// write runs a script that writes, and returns when ctx ends even if the client does not.
func (s *Store) write(ctx context.Context, script script, key string, args ...any) (any, error) {
	run := func() (any, error) { return s.run(ctx, script, []string{key}, args...) }
	if s.pipelines == nil {
		return withContext(ctx, s, run)
	}
	if err := s.base.Check(ctx); err != nil {
		return nil, err
	}
	reply, err := run()
	return reply, inTime(ctx, err)
}

// inTime returns the error of a call within ctx.
func inTime(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && err != nil && !refused(err) && !time.Now().Before(deadline) {
		// The client observes the deadline itself, and returns an I/O timeout.
		return context.DeadlineExceeded
	}
	return err
}

// reading is withContext for a read, within one of the limits.
func reading[T any](ctx context.Context, s *Store, within func(context.Context, func() error) error, f func() (T, error)) (T, error) {
	return withContext(ctx, s, func() (value T, err error) {
		err = within(ctx, func() error {
			value, err = f()
			return err
		})
		return value, err
	})
}

// refused reports whether err means for certain that nothing was written.
func refused(err error) bool {
	for _, definite := range []error{store.ErrKeyExists, store.ErrKeyModified, store.ErrKeyNotFound, errForeign} {
		if errors.Is(err, definite) {
			return true
		}
	}
	return false
}

// channel returns the channel of Redis for messages about key.
func channel(key string) string { return "leadership:" + key }
