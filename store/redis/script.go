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

// Results of the scripts in place of an index.
const (
	keyExists   = -1
	keyModified = -2
	keyNotFound = -3
	keyForeign  = -4
)

// errForeign means that a key holds something that is no record.
var errForeign = errors.New("the key holds something that this store did not write")

// script is a Lua script. All but manyScript use one key, so they can run on a Cluster.
type script struct {
	source, hash string

	// once means that it must not run twice for one call.
	once bool
}

func newScript(once bool, source string) script {
	sum := sha1.Sum([]byte(source)) // which EVALSHA takes
	return script{source: source, hash: hex.EncodeToString(sum[:]), once: once}
}

// A record is a string: the index in 16 digits, a space, and the value. Those that earlier
// versions have created are hashes with the fields v, the value, and i, the index, and stay
// so as long as they are there, so that those versions can read them. The index is the
// server's time of the write in microseconds, or one more than the previous index, so it
// also rises when a key is deleted and created again. It is far below 2^53, up to which
// Lua's numbers are exact.

// stored is a part of the scripts. The function returns the record under the key as a string,
// and whether it is a hash, or a result in place of an index. A user who may not call
// TYPE has only hashes.
const stored = `
local function stored()
  if redis.pcall('TYPE', KEYS[1]).ok == 'string' then
    local text = redis.call('GET', KEYS[1])
    if string.find(text, '^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d ') then return text end
    return -4
  end
  local was = redis.call('HMGET', KEYS[1], 'i', 'v')
  if tonumber(was[1]) and was[2] then return string.format('%016.0f ', was[1]) .. was[2], true end
  if redis.call('EXISTS', KEYS[1]) == 1 then return -4 end
  return -3
end`

// createScript: KEYS the key; ARGV the value, the TTL in milliseconds or 0, and the
// channel. Creating a key has a script of its own, with as few calls as possible, because
// each round begins with it.
var createScript = newScript(true, `
local now = redis.call('TIME')
local i = now[1] * 1000000 + now[2]
local text = string.format('%016.0f ', i)
local done
if ARGV[2] == '0' then
  done = redis.call('SET', KEYS[1], text .. ARGV[1], 'NX')
else
  done = redis.call('SET', KEYS[1], text .. ARGV[1], 'NX', 'PX', ARGV[2])
end
if done then
  redis.call('PUBLISH', ARGV[3], text)
  return i
end`+stored+`
if stored() == -4 then return -4 end
return -1`)

// updateScript: KEYS the key; ARGV the value, the TTL in milliseconds or 0, the
// channel, and the previous record.
var updateScript = newScript(true, stored+`
local was, hash = stored()
if was == -4 or was == -3 then return was end
if was ~= ARGV[4] then return -2 end
local now = redis.call('TIME')
local i = math.max(now[1] * 1000000 + now[2], string.sub(was, 1, 16) + 1)
local text = string.format('%016.0f ', i)
if not hash and ARGV[2] == '0' then
  redis.call('SET', KEYS[1], text .. ARGV[1])
elseif not hash then
  redis.call('SET', KEYS[1], text .. ARGV[1], 'PX', ARGV[2])
else
  redis.call('HSET', KEYS[1], 'v', ARGV[1], 'i', string.format('%.0f', i))
  if ARGV[2] == '0' then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
redis.call('PUBLISH', ARGV[3], text)
return i`)

// deleteScript: KEYS the key; ARGV the previous record and the channel.
var deleteScript = newScript(true, stored+`
local was = stored()
if was == -4 or was == -3 then return was end
if was ~= ARGV[1] then return -2 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], '')
return 0`)

// getScript returns the record and the milliseconds left, which are negative for a key
// without a TTL. RENAMENX and HDEL change nothing: because of them a server that accepts
// no writes refuses the script, such as a master that has become a replica and lacks the
// latest writes.
var getScript = newScript(false, stored+`
local was, hash = stored()
if type(was) == 'string' and not hash then
  redis.call('RENAMENX', KEYS[1], KEYS[1])
else
  redis.call('HDEL', KEYS[1], '(none)')
end
if was == -4 or was == -3 then return was end
return {was, redis.call('PTTL', KEYS[1])}`)

// onceCmd is a command that no client sends again when its reply was lost. If it were
// sent again after it had happened, the second one would be refused, as if it had not
// happened.
type onceCmd struct{ *goredis.Cmd }

func (onceCmd) NoRetry() bool { return true }

// command returns a command that runs the script by its hash, or by its source.
func (s script) command(ctx context.Context, bySource bool, keys []string, args []any) (goredis.Cmder, *goredis.Cmd) {
	all := []any{"evalsha", s.hash, len(keys)}
	for _, key := range keys {
		all = append(all, key)
	}
	all = append(all, args...)
	if bySource {
		all[0], all[1] = "eval", s.source
	}
	cmd := goredis.NewCmd(ctx, all...)
	// Otherwise the client of a Cluster asks its servers for it, which needs another
	// right.
	cmd.SetFirstKeyPos(3)
	cmd.SetStepCount(1)
	if s.once {
		return onceCmd{cmd}, cmd
	}
	return cmd, cmd
}

// run runs the script, in one round trip if the server knows it. A server that was
// started or flushed since does not, and refuses it.
func (s *Store) run(ctx context.Context, script script, keys []string, args ...any) (any, error) {
	reply, err := s.send(ctx, script, false, keys, args)
	if unknown(err) {
		reply, err = s.send(ctx, script, true, keys, args)
	}
	return outcome(reply, err)
}

// unknown reports whether a server refused a script by its hash.
func unknown(err error) bool { return err != nil && goredis.HasErrorPrefix(err, "NOSCRIPT") }

// outcome returns the reply of a script, or why it did nothing.
func outcome(reply any, err error) (any, error) {
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

func (s *Store) send(ctx context.Context, script script, bySource bool, keys []string, args []any) (any, error) {
	cmder, cmd := script.command(ctx, bySource, keys, args)
	if script.once && s.pipelines != nil {
		if err := s.pipelines.process(ctx, cmder); err != nil {
			return nil, err
		}
		return cmd.Val(), nil
	}
	if s.replicas == 0 {
		err := s.client.Process(ctx, cmder)
		s.reroute(ctx, err)
		return cmd.Val(), err
	}
	client, err := s.master(ctx, keys[0])
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
			cmder, cmd = script.command(ctx, bySource, keys, args)
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
		cmder, cmd = script.command(ctx, bySource, keys, args)
	}
	s.reroute(ctx, cmd.Err())
	if code, ok := cmd.Val().(int64); cmd.Err() != nil || script.once && ok && code < 0 {
		return cmd.Val(), cmd.Err()
	}
	// A read waits as well: a caller may read to find out whether a write without an
	// answer has happened, and what it reads counts as written.
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

// redirections is how many times a call follows a server of a Cluster to another one that
// has the key, as in go-redis.
const redirections = 3

// sendAndWait sends a command, and WAIT after it on the same connection. asking means
// that the key is being moved to that server.
func sendAndWait(ctx context.Context, client goredis.Cmdable, cmder goredis.Cmder, replicas int, asking bool) *goredis.Cmd {
	pipe := client.Pipeline()
	if asking {
		pipe.Do(ctx, "asking")
	}
	_ = pipe.Process(ctx, cmder)
	wait := pipe.Do(ctx, "wait", replicas, replicationTimeout.Milliseconds())
	exec(ctx, pipe)
	return wait
}

// exec runs a pipeline of scripts and the like, so that each command has a reply or an error
// of its own. By itself the client gives it neither where the server refuses the login, or
// where there was no connection and the client does not retry.
func exec(ctx context.Context, pipe goredis.Pipeliner) {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	for _, cmd := range cmds {
		if reply, ok := cmd.(interface{ Val() any }); ok && reply.Val() == nil && cmd.Err() == nil {
			cmd.SetErr(err)
		}
	}
}

// cluster are the methods of a Cluster's client about its servers.
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
	// ForEachShard first asks for the present servers.
	err := c.ForEachShard(ctx, func(_ context.Context, client *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		if client.Options().Addr == addr {
			found = client
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("the cluster does not list %s yet", addr)
	}
	return found, err
}

// reroute makes the client of a Cluster ask which server has which keys, if a server has
// failed or was replaced: by itself it asks only every 10 s.
func (s *Store) reroute(ctx context.Context, err error) {
	var answer goredis.Error
	c, ok := s.client.(cluster)
	if !ok || err == nil || errors.As(err, &answer) && !goredis.IsReadOnlyError(err) && !goredis.IsClusterDownError(err) {
		return
	}
	c.ReloadState(ctx)
}

// replicationTimeout is how long a write waits for replicas. It is below the time for
// which clients wait for a reply.
const replicationTimeout = time.Second

// master returns the client of the server that has key: WAIT must follow a write on the
// same connection.
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
