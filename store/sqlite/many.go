package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

var _ store.ManyGetter = (*Store)(nil)

// manyReads is how many keys one statement reads.
const manyReads = 5000

// The keys come as an array of JSON, in which they are in hex.
const sqlMany = `SELECT key, id, value FROM leadership_kv WHERE key IN (SELECT unhex(value) FROM json_each(?1)) AND (expires IS NULL OR expires > ?2)`

// GetMany implements store.ManyGetter, by one statement for each 5,000 keys.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	return s.base.GetMany(ctx, keys, func(keys []string) (pairs []*store.KVPair, err error) {
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
		for some := range slices.Chunk(keys, manyReads) {
			read, err := call(ctx, s, s.reading, func(ctx context.Context, db database) ([]*store.KVPair, error) {
				return getMany(ctx, db, some)
			})
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, read...)
		}
		return pairs, nil
	})
}

// getMany returns the pairs of those keys that exist, in any order.
func getMany(ctx context.Context, db database, keys []string) ([]*store.KVPair, error) {
	digits := make([]string, len(keys))
	for i, key := range keys {
		digits[i] = hex.EncodeToString([]byte(key))
	}
	array, err := json.Marshal(digits)
	if err != nil {
		return nil, err
	}
	return pairsOf(db.QueryContext(ctx, sqlMany, string(array), now()))
}

// pairsOf returns the pairs in rows of key, id and value.
func pairsOf(rows *sql.Rows, err error) (pairs []*store.KVPair, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key []byte
		pair := new(store.KVPair)
		if err := rows.Scan(&key, &pair.LastIndex, &pair.Value); err != nil {
			return nil, err
		}
		pair.Key, pair.Value = string(key), base.NotNil(pair.Value)
		pairs = append(pairs, pair)
	}
	return pairs, rows.Err()
}
