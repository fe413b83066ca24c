// Package base holds what all stores have in common: the checks of their arguments,
// their end, their watches, and the form of their errors. It imports no client.
package base

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// Store is the common part of a store. Its methods check the arguments, call the
// function that does the work, and wrap its error. Set the fields before the first
// call; Name is required. The methods are safe for concurrent use.
type Store struct {
	Life

	// Name is the name of the package, which begins each error.
	Name string

	// ShortestTTL is the shortest TTL that AtomicPut accepts, or NoTTL. The default
	// is any.
	ShortestTTL time.Duration

	// CheckText returns an error if the store cannot hold a text, which is that of
	// a "key" or a "directory". By default it holds any.
	CheckText func(what, text string) error

	// Explain returns err with what there is to add to it. By default that is nothing.
	Explain func(ctx context.Context, err error) error
}

// NoTTL is the ShortestTTL of a store that deletes no key by itself.
const NoTTL time.Duration = math.MaxInt64

// Get calls read and returns its pair, or store.ErrKeyNotFound if that is nil or has a
// nil Value.
func (s *Store) Get(ctx context.Context, key string, read func() (*store.KVPair, error)) (*store.KVPair, error) {
	err := s.CheckKey(ctx, key)
	var pair *store.KVPair
	if err == nil {
		pair, err = read()
	}
	if err == nil && (pair == nil || pair.Value == nil) {
		err = store.ErrKeyNotFound
	}
	if err != nil {
		return nil, s.Failed(ctx, "get", key, err)
	}
	return pair, nil
}

// AtomicPut calls write with a copy of value, which is not nil, and the TTL of opts. It
// returns a pair with the index that write returns.
func (s *Store) AtomicPut(ctx context.Context, key string, value []byte, opts *store.WriteOptions, write func(value []byte, ttl time.Duration) (index uint64, err error)) (bool, *store.KVPair, error) {
	value = Copy(value) // a call that outlives its context may still send it
	ttl, err := TTL(opts, s.ShortestTTL)
	if err == nil {
		err = s.CheckKey(ctx, key)
	}
	var index uint64
	if err == nil {
		index, err = write(value, ttl)
	}
	if err != nil {
		return false, nil, s.Failed(ctx, "atomic put", key, err)
	}
	return true, &store.KVPair{Key: key, Value: value, LastIndex: index}, nil
}

// AtomicDelete calls remove, unless previous is nil.
func (s *Store) AtomicDelete(ctx context.Context, key string, previous *store.KVPair, remove func() error) (bool, error) {
	err := store.ErrPreviousNotSpecified
	if previous != nil {
		err = s.CheckKey(ctx, key)
	}
	if err == nil {
		err = remove()
	}
	if err != nil {
		return false, s.Failed(ctx, "atomic delete", key, err)
	}
	return true, nil
}

// List calls list and returns those of its pairs whose keys begin with directory and are
// longer, or store.ErrKeyNotFound if there are none.
func (s *Store) List(ctx context.Context, directory string, list func() ([]*store.KVPair, error)) ([]*store.KVPair, error) {
	err := s.check(ctx, "directory", directory)
	var pairs []*store.KVPair
	if err == nil {
		pairs, err = list()
	}
	pairs = slices.DeleteFunc(pairs, func(pair *store.KVPair) bool {
		return pair.Key == directory || !strings.HasPrefix(pair.Key, directory)
	})
	if err == nil && len(pairs) == 0 {
		err = store.ErrKeyNotFound
	}
	if err != nil {
		return nil, s.Failed(ctx, "list", directory, err)
	}
	return pairs, nil
}

// CheckKey returns an error if ctx has ended, the store is closed, or the store cannot
// have key.
func (s *Store) CheckKey(ctx context.Context, key string) error {
	if key == "" {
		return ErrEmptyKey
	}
	return s.check(ctx, "key", key)
}

func (s *Store) check(ctx context.Context, what, text string) error {
	err := s.Check(ctx)
	if err == nil && s.CheckText != nil {
		err = s.CheckText(what, text)
	}
	return err
}

// Failed returns the error of an operation on a key.
func (s *Store) Failed(ctx context.Context, op, key string, err error) error {
	if s.Explain != nil {
		err = s.Explain(ctx, err)
	}
	return Error(s.Name, op, key, err)
}

// Error returns the error of an operation of the named store on a key.
func Error(name, op, key string, err error) error {
	return fmt.Errorf("%s: %s %q: %w", name, op, key, err)
}

// ErrEmptyKey means that a call was given an empty key.
var ErrEmptyKey = errors.New("the key is empty")

// TTL returns the TTL of opts, which is 0 where there is none, or an error if it is
// negative or below the shortest.
func TTL(opts *store.WriteOptions, shortest time.Duration) (time.Duration, error) {
	switch {
	case opts == nil || opts.TTL == 0:
		return 0, nil
	case opts.TTL < 0:
		return 0, fmt.Errorf("the TTL is %s and must not be negative", clock.Text(opts.TTL))
	case shortest == NoTTL:
		return 0, fmt.Errorf("TTL %s: %w", clock.Text(opts.TTL), store.ErrTTLNotSupported)
	case opts.TTL < shortest:
		return 0, fmt.Errorf("the TTL is %s and must be at least %s: %w", clock.Text(opts.TTL), clock.Text(shortest), store.ErrTTLNotSupported)
	}
	return opts.TTL, nil
}

// Copy returns a copy of value that is not nil: in a watch, nil means deleted.
func Copy(value []byte) []byte { return append([]byte{}, value...) }

// NotNil returns value, or an empty one in place of nil.
func NotNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
