package sqlite

import (
	"context"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.Pager = (*Store)(nil)

const sqlPage = `SELECT key FROM leadership_kv WHERE key > ?1 AND (?2 IS NULL OR key < ?2) AND (expires IS NULL OR expires > ?3) ORDER BY key LIMIT ?4`

// Page implements store.Pager.
func (s *Store) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*store.KVPair, string, error) {
	keys := func(key string) ([]string, error) {
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
		return call(ctx, s, s.reading, func(ctx context.Context, db database) (keys []string, err error) {
			rows, err := db.QueryContext(ctx, sqlPage, []byte(key), after(directory), now(), base.PageKeys)
			if err != nil {
				return nil, err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var key []byte
				if err := rows.Scan(&key); err != nil {
					return nil, err
				}
				keys = append(keys, string(key))
			}
			return keys, rows.Err()
		})
	}
	read := func(keys []string) ([]*store.KVPair, error) {
		return call(ctx, s, s.reading, func(ctx context.Context, db database) ([]*store.KVPair, error) {
			return getMany(ctx, db, keys)
		})
	}
	return s.base.Page(ctx, directory, from, wanted, keys, read)
}
