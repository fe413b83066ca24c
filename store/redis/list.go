package redis

import (
	"context"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/store"
)

// List returns the pairs whose keys begin with directory, sorted by key. As in
// valkeyrie's stores, directory is a plain prefix ("job" covers "jobs/1" too; end it with
// a slash to prevent that), and a key that equals it is left out, as are keys that this
// store did not write. It returns store.ErrKeyNotFound if there are no such keys. opts
// are ignored, and may be nil.
//
// It scans all keys of the database (SCAN) in several steps, so its result is not that of
// one instant. It is made for people, not for frequent use.
func (s *Store) List(ctx context.Context, directory string, _ *store.ReadOptions) ([]*store.KVPair, error) {
	return s.base.List(ctx, directory, func() ([]*store.KVPair, error) {
		return reading(ctx, s, s.limits.List, func() ([]*store.KVPair, error) { return s.list(ctx, directory) })
	})
}

func (s *Store) list(ctx context.Context, directory string) ([]*store.KVPair, error) {
	var (
		mu    sync.Mutex
		pairs []*store.KVPair
	)
	onEach := func(ctx context.Context, server goredis.Cmdable) error {
		keys, err := scan(ctx, server, directory)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(keys, 500) {
			found, err := s.readAll(ctx, some)
			if err != nil {
				return err
			}
			mu.Lock()
			pairs = append(pairs, found...)
			mu.Unlock()
		}
		return nil
	}
	var err error
	if cluster, ok := s.client.(masters); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, client *goredis.Client) error { return onEach(ctx, client) })
	} else {
		err = onEach(ctx, s.client)
	}
	if err == nil && len(pairs) == 0 {
		// A replica answers SCAN too, and may not have the keys yet. It refuses this
		// read.
		pairs, err = s.readAll(ctx, []string{directory + "0"})
	}
	slices.SortFunc(pairs, func(a, b *store.KVPair) int { return strings.Compare(a.Key, b.Key) })
	// A key that was moved from one server to another may be found on both.
	return slices.CompactFunc(pairs, func(a, b *store.KVPair) bool { return a.Key == b.Key }), err
}

// masters is the client of a cluster.
type masters interface {
	ForEachMaster(ctx context.Context, f func(ctx context.Context, client *goredis.Client) error) error
}

// scanCount is how many keys one step of a scan examines.
const scanCount = 1000

// pattern matches the keys that begin with directory.
func pattern(directory string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(directory) + "?*"
}

// scanAll returns the keys of all masters that begin with directory, each once.
func scanAll(ctx context.Context, cluster masters, directory string) ([]string, error) {
	var mu sync.Mutex
	var all []string
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, server *goredis.Client) error {
		keys, err := scan(ctx, server, directory)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, keys...)
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// scan returns the keys of a server that begin with directory, each once.
func scan(ctx context.Context, server goredis.Cmdable, directory string) ([]string, error) {
	var (
		keys   []string
		cursor uint64
	)
	for {
		some, next, err := server.Scan(ctx, cursor, pattern(directory), scanCount).Result()
		if err != nil {
			return nil, err
		}
		keys = append(keys, some...)
		if cursor = next; cursor == 0 {
			break
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// readAll reads keys in one round trip, and leaves out those that hold no record. It
// sends the source of the script, because a script that the server does not know cannot
// be sent again in the middle of a pipeline.
func (s *Store) readAll(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	cmds := s.pipeline(ctx, true, keys)
	var pairs []*store.KVPair
	for i, cmd := range cmds {
		err := cmd.Err()
		if err != nil && !strings.Contains(err.Error(), "WRONGTYPE") {
			return nil, err
		}
		if pair, _, err := parse(keys[i], cmd.Val()); err == nil {
			pairs = append(pairs, pair)
		}
	}
	return pairs, nil
}
