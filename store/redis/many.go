package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
)

var _ store.ManyGetter = (*Store)(nil)

// manyReads is how many keys are read in one round trip.
const manyReads = 1000

// manyScript is getScript for many keys, without the time that is left. The write that
// changes nothing is one to the first key.
var manyScript = newScript(false, `
local function stored(key)
  local text = redis.pcall('GET', key)
  if text == false then return -3 end
  if type(text) == 'string' then
    if string.find(text, '^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d ') then return text end
    return -4
  end
  local was = redis.pcall('HMGET', key, 'i', 'v')
  if was.err and string.find(was.err, 'WRONGTYPE') then return -4 end
  if was.err then return was end
  if tonumber(was[1]) and was[2] then return string.format('%016.0f ', was[1]) .. was[2] end
  if redis.call('EXISTS', key) == 1 then return -4 end
  return -3
end
local all = {}
for i, key in ipairs(KEYS) do
  all[i] = stored(key)
  if type(all[i]) == 'table' then return all[i] end
end
if all[1] == -3 then
  redis.call('HDEL', KEYS[1], '(none)')
else
  redis.call('RENAMENX', KEYS[1], KEYS[1])
end
return all`)

// GetMany implements store.ManyGetter, by one script for each thousand keys. On a Cluster,
// whose scripts have one key each, it is one pipeline for each thousand, and with
// WithReplicas there a Get of each key. The master always answers.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	read := s.readMany
	if _, ok := s.client.(masters); ok {
		if s.replicas > 0 {
			return store.GetMany(ctx, struct{ store.Store }{s}, keys)
		}
		read = s.readEach
	}
	return s.base.GetMany(ctx, keys, func(keys []string) ([]*store.KVPair, error) {
		return reading(ctx, s, s.limits.Read, func() (pairs []*store.KVPair, err error) {
			for some := range slices.Chunk(keys, manyReads) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				found, err := read(ctx, some)
				if err != nil {
					return nil, err
				}
				pairs = append(pairs, found...)
			}
			return pairs, nil
		})
	})
}

// readMany returns the pairs of those keys that exist.
func (s *Store) readMany(ctx context.Context, keys []string) (pairs []*store.KVPair, err error) {
	reply, err := s.run(ctx, manyScript, keys)
	if err != nil {
		return nil, err
	}
	all, ok := reply.([]any)
	if !ok || len(all) != len(keys) {
		return nil, fmt.Errorf("the script returned %T", reply)
	}
	for i, key := range keys {
		if all[i] == int64(keyNotFound) {
			continue
		}
		text, _ := all[i].(string) // otherwise the key holds no record
		pair, err := pairOf(key, text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// readEach is readMany for a Cluster. A script that a server does not know cannot be sent
// again in the middle of a pipeline.
func (s *Store) readEach(ctx context.Context, keys []string) (pairs []*store.KVPair, err error) {
	cmds := s.pipeline(ctx, false, keys)
	if slices.ContainsFunc(cmds, func(cmd *goredis.Cmd) bool { return unknown(cmd.Err()) }) {
		cmds = s.pipeline(ctx, true, keys)
	}
	for i, cmd := range cmds {
		s.reroute(ctx, cmd.Err())
		reply, err := outcome(cmd.Val(), cmd.Err())
		if errors.Is(err, store.ErrKeyNotFound) {
			continue
		}
		var pair *store.KVPair
		if err == nil {
			pair, _, err = parse(keys[i], reply)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", keys[i], err)
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// pipeline runs getScript for each key, in one pipeline.
func (s *Store) pipeline(ctx context.Context, bySource bool, keys []string) []*goredis.Cmd {
	pipe := s.client.Pipeline()
	cmds := make([]*goredis.Cmd, len(keys))
	for i := range keys {
		cmder, cmd := getScript.command(ctx, bySource, keys[i:i+1], nil)
		cmds[i] = cmd
		_ = pipe.Process(ctx, cmder)
	}
	exec(ctx, pipe)
	return cmds
}
