package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
)

// What the scripts return in place of an index.
const (
	keyExists   = -1
	keyModified = -2
	keyNotFound = -3
	keyForeign  = -4
)

// errForeign says that there is something under a key which is no record.
var errForeign = errors.New("the key holds something that this store did not write")

// script is a Lua script that works on one key, which makes it fit for Cluster.
type script struct {
	source, hash string

	// once says that it must not run twice for one call.
	once bool
}

func newScript(once bool, source string) script {
	sum := sha1.Sum([]byte(source)) // as EVALSHA wants it
	return script{source: source, hash: hex.EncodeToString(sum[:]), once: once}
}

// A record is a hash with the fields v, the value, and i, the index. The index
// is the server's time of the write in microseconds, or one more than the
// previous: so it rises also over a delete and a create. It is far below 2^53,
// where Lua's numbers cease to be exact.

// createScript: KEYS the key; ARGV the value, the TTL in milliseconds or 0, and
// the channel. It has a script of its own, with no call more than it takes: it is
// what whoever asks first for a round waits for.
var createScript = newScript(true, `
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('HGET', KEYS[1], 'i') then return -1 end
  return -4
end
local now = redis.call('TIME')
local i = now[1] * 1000000 + now[2]
local text = string.format('%.0f', i)
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'i', text)
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('PUBLISH', ARGV[3], text)
return i`)

// updateScript: KEYS the key; ARGV the value, the TTL in milliseconds or 0, the
// channel, and the previous index and value.
var updateScript = newScript(true, `
local was = redis.call('HMGET', KEYS[1], 'i', 'v')
local old = was[1]
if not old then
  if redis.call('EXISTS', KEYS[1]) == 1 then return -4 end
  return -3
end
if old ~= ARGV[4] or was[2] ~= ARGV[5] then return -2 end
local now = redis.call('TIME')
local i = now[1] * 1000000 + now[2]
if i <= tonumber(old) then i = tonumber(old) + 1 end
local text = string.format('%.0f', i)
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'i', text)
if ARGV[2] == '0' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('PUBLISH', ARGV[3], text)
return i`)

// deleteScript: KEYS the key; ARGV the previous index and value, and the channel.
var deleteScript = newScript(true, `
local was = redis.call('HMGET', KEYS[1], 'i', 'v')
if not was[1] then
  if redis.call('EXISTS', KEYS[1]) == 1 then return -4 end
  return -3
end
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] then return -2 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[3], '')
return 0`)

// getScript returns the value, the index and the milliseconds left, which are
// negative for a key that stays. The HDEL deletes nothing: it has the script
// refused by a server that takes no writes, such as a master which has become a
// replica and does not know the latest.
var getScript = newScript(false, `
redis.call('HDEL', KEYS[1], '(none)')
local r = redis.call('HMGET', KEYS[1], 'v', 'i')
if r[1] and r[2] then return {r[1], r[2], redis.call('PTTL', KEYS[1])} end
if redis.call('EXISTS', KEYS[1]) == 1 then return -4 end
return -3`)

// onceCmd is a command that no client sends again after its reply was lost. Sent
// again, a write that happened would be refused, and told as one that did not.
type onceCmd struct{ *goredis.Cmd }

func (onceCmd) NoRetry() bool { return true }

// command returns what runs the script by its hash, or by its source.
func (s script) command(ctx context.Context, bySource bool, key string, args []any) (goredis.Cmder, *goredis.Cmd) {
	all := append([]any{"evalsha", s.hash, 1, key}, args...)
	if bySource {
		all[0], all[1] = "eval", s.source
	}
	cmd := goredis.NewCmd(ctx, all...)
	// Else a Cluster client asks its servers for it, which takes a right more.
	cmd.SetFirstKeyPos(3)
	cmd.SetStepCount(1)
	if s.once {
		return onceCmd{cmd}, cmd
	}
	return cmd, cmd
}

// run runs the script, in one round trip if the server knows it. A server that
// has been started or flushed since does not, and has then done nothing.
func (s *Store) run(ctx context.Context, script script, key string, args ...any) (any, error) {
	reply, err := s.send(ctx, script, false, key, args)
	if goredis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = s.send(ctx, script, true, key, args)
	}
	if err != nil && strings.Contains(err.Error(), "WRONGTYPE") {
		err = fmt.Errorf("%w: %w", errForeign, err)
	}
	if err != nil {
		return nil, err
	}
	if code, ok := reply.(int64); ok {
		return reply, refusal(code)
	}
	return reply, nil
}

func (s *Store) send(ctx context.Context, script script, bySource bool, key string, args []any) (any, error) {
	cmder, cmd := script.command(ctx, bySource, key, args)
	if s.replicas == 0 {
		err := s.client.Process(ctx, cmder)
		s.reroute(ctx, err)
		return cmd.Val(), err
	}
	client, err := s.master(ctx, key)
	if err != nil {
		return nil, err
	}
	var wait *goredis.Cmd
	for range redirections {
		wait = sendAndWait(ctx, client, cmder, s.replicas, false)
		addr, ask := goredis.IsAskError(cmd.Err())
		if ask {
			client, err = s.server(ctx, addr)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", cmd.Err(), err)
			}
			cmder, cmd = script.command(ctx, bySource, key, args)
			wait = sendAndWait(ctx, client, cmder, s.replicas, true)
		}
		addr, moved := goredis.IsMovedError(cmd.Err())
		if !moved {
			break
		}
		// It was refused, so it may be sent again.
		if client, err = s.server(ctx, addr); err != nil {
			return nil, fmt.Errorf("%w: %w", cmd.Err(), err)
		}
		cmder, cmd = script.command(ctx, bySource, key, args)
	}
	s.reroute(ctx, cmd.Err())
	if code, ok := cmd.Val().(int64); cmd.Err() != nil || script.once && ok && code < 0 {
		return cmd.Val(), cmd.Err()
	}
	// A read waits, too: what is read counts as written, to whoever looks whether
	// a write that had no answer has happened.
	done := "read"
	if script.once {
		done = "written"
	}
	n, err := wait.Int()
	switch {
	case err != nil:
		return nil, fmt.Errorf("it was %s, but whether replicas have it is not known: %w", done, err)
	case n < s.replicas:
		return nil, fmt.Errorf("it was %s, but only %d of %d replicas had it within %v", done, n, s.replicas, replicationTimeout)
	}
	return cmd.Val(), nil
}

// redirections is how often a server of a Cluster may name another one that has
// the key: as go-redis has it.
const redirections = 3

// sendAndWait sends a command, and WAIT after it on the same connection; where a
// key is on its way to that server, as one that was told so.
func sendAndWait(ctx context.Context, client goredis.Cmdable, cmder goredis.Cmder, replicas int, asking bool) *goredis.Cmd {
	pipe := client.Pipeline()
	if asking {
		pipe.Do(ctx, "asking")
	}
	_ = pipe.Process(ctx, cmder)
	wait := pipe.Do(ctx, "wait", replicas, replicationTimeout.Milliseconds())
	_, err := pipe.Exec(ctx)
	if cmder.Err() == nil && wait.Err() == nil && wait.Val() == nil {
		// Each has its own error, but where there was no connection and the client
		// would have tried again if it were to.
		cmder.SetErr(err)
	}
	return wait
}

// cluster is what there is to know about the servers of a Cluster's client.
type cluster interface {
	MasterForKey(ctx context.Context, key string) (*goredis.Client, error)
	ForEachShard(ctx context.Context, f func(ctx context.Context, client *goredis.Client) error) error
	ReloadState(ctx context.Context)
}

// server returns the client of the server of a Cluster at addr.
func (s *Store) server(ctx context.Context, addr string) (goredis.Cmdable, error) {
	c, ok := s.client.(cluster)
	if !ok {
		return nil, errors.New("the client is not of a Cluster")
	}
	var (
		mu    sync.Mutex
		found goredis.Cmdable
	)
	// It asks for the servers there are first.
	err := c.ForEachShard(ctx, func(_ context.Context, client *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		if client.Options().Addr == addr {
			found = client
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("the cluster does not tell of %s yet", addr)
	}
	return found, err
}

// reroute has the client of a Cluster ask who has which keys where a server has
// failed, or has been replaced: else it asks again every 10 s alone.
func (s *Store) reroute(ctx context.Context, err error) {
	var answer goredis.Error
	c, ok := s.client.(cluster)
	if !ok || err == nil || errors.As(err, &answer) && !goredis.IsReadOnlyError(err) && !goredis.IsClusterDownError(err) {
		return
	}
	c.ReloadState(ctx)
}

// replicationTimeout is how long a write waits for replicas; below the time that
// clients wait for a reply.
const replicationTimeout = time.Second

// master returns the client of the server that has key: the one on whose
// connection WAIT has to follow a write.
func (s *Store) master(ctx context.Context, key string) (goredis.Cmdable, error) {
	c, ok := s.client.(cluster)
	if !ok {
		return s.client, nil
	}
	return c.MasterForKey(ctx, key)
}

func refusal(code int64) error {
	switch code {
	case keyExists:
		return store.ErrKeyExists
	case keyModified:
		return store.ErrKeyModified
	case keyNotFound:
		return store.ErrKeyNotFound
	case keyForeign:
		return errForeign
	default:
		return nil
	}
}
