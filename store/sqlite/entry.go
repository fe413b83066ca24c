package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// entry is what is stored under a key.
type entry struct {
	pair    *store.KVPair
	expires sql.NullInt64 // in ms of Unix time
}

// sweepEvery is how often pairs that have expired are deleted, by a Store that
// writes any that will.
const sweepEvery = time.Minute

var errNoKey = errors.New("the key is empty")

// read returns what is under key, nil where it is missing.
func (s *Store) read(ctx context.Context, key string) (*entry, error) {
	if key == "" {
		return nil, errNoKey
	}
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
	e.pair.Value = notNil(e.pair.Value)
	return e, nil
}

// write stores value under key if that is as previous says.
func (s *Store) write(ctx context.Context, key string, value []byte, previous *store.KVPair, opts *store.WriteOptions) (*store.KVPair, error) {
	var ttl time.Duration
	if opts != nil {
		ttl = opts.TTL
	}
	switch {
	case key == "":
		return nil, errNoKey
	case ttl < 0:
		return nil, fmt.Errorf("the TTL is %v and must not be negative", ttl)
	case ttl > 0 && ttl < time.Millisecond:
		return nil, fmt.Errorf("%w: %v is less than 1ms", store.ErrTTLNotSupported, ttl)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	value = append([]byte{}, value...) // the call may outlive its caller's patience
	pair, err := call(ctx, s, s.writing, func(ctx context.Context, db database) (*store.KVPair, error) {
		index, err := put(ctx, db, key, value, previous, ttl)
		if err != nil {
			return nil, err
		}
		s.wake(func(k string) bool { return k == key })
		if ttl > 0 {
			s.sweep(ctx, db)
		}
		return &store.KVPair{Key: key, Value: value, LastIndex: uint64(index)}, nil
	})
	return pair, err
}

func put(ctx context.Context, db database, key string, value []byte, previous *store.KVPair, ttl time.Duration) (index int64, err error) {
	at := time.Now()
	var expires sql.NullInt64
	if ttl > 0 {
		expires = sql.NullInt64{Valid: true, Int64: at.Add(ttl + time.Millisecond - 1).UnixMilli()}
	}
	statement, args := sqlCreate, []any{[]byte(key), value, expires, at.UnixMilli()}
	if previous != nil {
		statement, args = sqlSwap, append(args, int64(previous.LastIndex), notNil(previous.Value))
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

// delete removes key if it is as previous says.
func (s *Store) delete(ctx context.Context, key string, previous *store.KVPair) error {
	if previous == nil {
		return store.ErrPreviousNotSpecified
	}
	if key == "" {
		return errNoKey
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := call(ctx, s, s.writing, func(ctx context.Context, db database) (struct{}, error) {
		result, err := db.ExecContext(ctx, sqlDelete, []byte(key), int64(previous.LastIndex), now(), notNil(previous.Value))
		if err != nil {
			return struct{}{}, err
		}
		if deleted, err := result.RowsAffected(); err != nil || deleted == 0 {
			return struct{}{}, refusal(ctx, db, key, previous, err)
		}
		s.wake(func(k string) bool { return k == key })
		return struct{}{}, nil
	})
	return err
}

// refusal says why a statement changed nothing, or failed with err. It looks
// after the statement: what it finds was so at an instant of the call, at which
// the statement would have been refused too.
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
		rows, err := db.QueryContext(ctx, sqlList, []byte(directory), after(directory), now())
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		var pairs []*store.KVPair
		for rows.Next() {
			var key []byte
			pair := new(store.KVPair)
			if err := rows.Scan(&key, &pair.LastIndex, &pair.Value); err != nil {
				return nil, err
			}
			pair.Key, pair.Value = string(key), notNil(pair.Value)
			pairs = append(pairs, pair)
		}
		return pairs, rows.Err()
	})
}

// sweep deletes what has expired, so that it does not stay in the file for good.
// If it fails another will do it: nobody sees such pairs.
func (s *Store) sweep(ctx context.Context, db database) {
	at := now()
	if last := s.swept.Load(); at-last < sweepEvery.Milliseconds() || !s.swept.CompareAndSwap(last, at) {
		return
	}
	_, _ = db.ExecContext(ctx, sqlSweep, at)
}

func now() int64 { return time.Now().UnixMilli() }

// notNil returns value, and an empty one for nil: in a watch, nil means deleted.
func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
