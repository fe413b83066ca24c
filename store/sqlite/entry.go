package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// entry is what is stored under a key.
type entry struct {
	pair    *store.KVPair
	expires sql.NullInt64 // in ms of Unix time
}

// sweepEvery is how often a Store that writes pairs with a TTL deletes those that have
// expired.
const sweepEvery = time.Minute

// read returns the entry under key, or nil if it is missing.
func (s *Store) read(ctx context.Context, key string) (*entry, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return call(ctx, s, s.reading, func(ctx context.Context, db database) (*entry, error) {
		return get(ctx, db, key)
	})
}

func get(ctx context.Context, db database, key string) (*entry, error) {
	e := &entry{pair: &store.KVPair{Key: key}}
	err := db.QueryRowContext(ctx, sqlGet, []byte(key), now()).Scan(&e.pair.LastIndex, &e.pair.Value, &e.expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.pair.Value = base.NotNil(e.pair.Value)
	return e, nil
}

// write writes value under key if that is unchanged since previous, and returns the
// index.
func (s *Store) write(ctx context.Context, key string, value []byte, previous *store.KVPair, ttl time.Duration) (uint64, error) {
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	return call(ctx, s, s.writing, func(ctx context.Context, db database) (uint64, error) {
		index, err := put(ctx, db, key, value, previous, ttl)
		if err != nil {
			return 0, err
		}
		s.wake(changes{keys: []string{key}})
		if ttl > 0 {
			s.sweep(ctx, db)
		}
		return uint64(index), nil
	})
}

func put(ctx context.Context, db database, key string, value []byte, previous *store.KVPair, ttl time.Duration) (index int64, err error) {
	at := time.Now()
	var expires sql.NullInt64
	if ttl > 0 {
		expires = sql.NullInt64{Valid: true, Int64: at.Add(ttl + time.Millisecond - 1).UnixMilli()}
	}
	statement, args := sqlCreate, []any{[]byte(key), value, expires, at.UnixMilli()}
	if previous != nil {
		statement, args = sqlSwap, append(args, int64(previous.LastIndex), base.NotNil(previous.Value))
	}
	result, err := db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	if written, err := result.RowsAffected(); err != nil || written == 0 {
		return 0, refusal(ctx, db, key, previous, err)
	}
	return result.LastInsertId()
}

// delete deletes key if it is unchanged since previous.
func (s *Store) delete(ctx context.Context, key string, previous *store.KVPair) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := call(ctx, s, s.writing, func(ctx context.Context, db database) (struct{}, error) {
		result, err := db.ExecContext(ctx, sqlDelete, []byte(key), int64(previous.LastIndex), now(), base.NotNil(previous.Value))
		if err != nil {
			return struct{}{}, err
		}
		if deleted, err := result.RowsAffected(); err != nil || deleted == 0 {
			return struct{}{}, refusal(ctx, db, key, previous, err)
		}
		s.wake(changes{keys: []string{key}})
		return struct{}{}, nil
	})
	return err
}

// refusal returns why a statement changed nothing, or err if it failed. It reads the key
// after the statement: at that instant of the call the statement would have been refused
// as well.
func refusal(ctx context.Context, db database, key string, previous *store.KVPair, err error) error {
	if err != nil {
		return err
	}
	if previous == nil {
		return store.ErrKeyExists
	}
	e, err := get(ctx, db, key)
	switch {
	case err != nil:
		return err
	case e == nil:
		return store.ErrKeyNotFound
	default:
		return store.ErrKeyModified
	}
}

func (s *Store) list(ctx context.Context, directory string) ([]*store.KVPair, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return call(ctx, s, s.reading, func(ctx context.Context, db database) ([]*store.KVPair, error) {
		return pairsOf(db.QueryContext(ctx, sqlList, []byte(directory), after(directory), now()))
	})
}

// sweep deletes pairs that have expired, so that they do not remain in the file. An error
// is ignored: no read returns such pairs, and a later sweep deletes them.
func (s *Store) sweep(ctx context.Context, db database) {
	at := now()
	if last := s.swept.Load(); at-last < sweepEvery.Milliseconds() || !s.swept.CompareAndSwap(last, at) {
		return
	}
	_, _ = db.ExecContext(ctx, sqlSweep, at)
}

func now() int64 { return time.Now().UnixMilli() }
