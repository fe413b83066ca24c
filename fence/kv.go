package fence

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/storeerr"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// KVTimeout is how long a check of KV takes at most.
	KVTimeout = 5 * time.Second

	// kvCalls is how many checks of one KV make calls at a time. It bounds the
	// goroutines that a store without answers can hold.
	kvCalls = 64

	// kvTries is how often a write may fail for another reason than that
	// another check came first.
	kvTries = 3
)

// kvFormat is that of the record of a resource.
var kvFormat = format.Header{V: 1, Kind: "fence"}

// KV checks tokens in a key/value store, for any number of processes. Make it
// with NewKV; the zero value is not usable. Its methods are safe for concurrent
// use.
type KV struct {
	kv       store.Store
	folder   string
	calls    chan struct{}
	verified atomic.Bool // the store has been seen to keep its indexes
}

var _ Checker = (*KV)(nil)

// kvRecord is what stands under the key of a resource.
type kvRecord struct {
	format.Header
	Token uint64 `json:"token"` // the highest
	Check string `json:"check"` // random: no two writes are alike
}

// NewKV makes a check that keeps the highest token of each resource in kv, under
// <folder>/<resource>, where the resource is escaped as a segment of a URL's
// path. It makes no call of the store, which has to compare and swap. A nil
// store or an empty folder is reported by Check, as
// leadership.ErrInvalidArgument.
func NewKV(kv store.Store, folder string) *KV {
	return &KV{kv: kv, folder: folder, calls: make(chan struct{}, kvCalls)}
}

// Check is described at Checker. A token that passes costs a read and a write,
// also if it was seen before: of a read alone not every store says for certain
// that nothing has been written since. A token that is refused costs a read.
//
// It returns when ctx ends, and after KVTimeout at the latest, even if the
// store does not return; up to 64 checks of one KV make calls at a time, and
// others wait for them.
//
// Further errors are those of the store, leadership.ErrForeignRecord for a
// value that is no record of a token and is not overwritten, and
// leadership.ErrUnsafeStore for a store that does not compare and swap.
func (k *KV) Check(ctx context.Context, resource string, token uint64) error {
	switch {
	case ctx == nil:
		return invalid("context", "nil", "must not be nil")
	case k.kv == nil:
		return invalid("store", "nil", "must be a store")
	case k.folder == "":
		return invalid("folder", `""`, "must not be empty")
	}
	if err := checkArguments(resource, token); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, KVTimeout,
		fmt.Errorf("%w: no answer within %v", context.DeadlineExceeded, KVTimeout))
	defer cancel()
	gaveUp := func() error { return fmt.Errorf("fence: check %q: %w", resource, context.Cause(ctx)) }
	select {
	case k.calls <- struct{}{}:
	case <-ctx.Done():
		return gaveUp()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-k.calls }()
		done <- k.check(ctx, resource, token)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return gaveUp()
	}
}

// check puts token under the resource's key, unless a higher one is there.
func (k *KV) check(ctx context.Context, resource string, token uint64) error {
	key := k.folder + "/" + url.PathEscape(resource)
	highest, previous, err := k.read(ctx, key)
	for failures := 0; ; {
		if err != nil {
			return err
		}
		if err := Judge(resource, token, highest); err != nil {
			return err
		}
		// Each write is another: one whose reply was lost, and which stands, is
		// written once more, for what a read shows a failover may take back.
		value, failure := format.Marshal(kvRecord{kvFormat, token, rand.Text()})
		if failure != nil {
			return storeerr.Wrap("fence", "put", key, failure)
		}
		ok, wrote, failure := k.kv.AtomicPut(ctx, key, value, previous, nil)
		if failure == nil && ok {
			return k.verify(ctx, key, value, wrote)
		}
		if failure == nil {
			failure = store.ErrKeyModified
		}
		before := previous
		if highest, previous, err = k.read(ctx, key); err != nil {
			continue
		}
		if !refused(failure) || same(before, previous) {
			failures++
		}
		if failures == kvTries || ctx.Err() != nil {
			err = storeerr.Wrap("fence", "put", key, failure)
		}
	}
}

// refused says whether a write was refused because the key has been changed.
func refused(err error) bool {
	return errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyNotFound)
}

// same says whether two reads of a key have found the same write.
func same(a, b *store.KVPair) bool {
	return a == nil && b == nil || a != nil && b != nil && bytes.Equal(a.Value, b.Value)
}

// read returns the highest token under key and its pair, or 0 and nil.
func (k *KV) read(ctx context.Context, key string) (uint64, *store.KVPair, error) {
	pair, err := k.kv.Get(ctx, key, &store.ReadOptions{Consistent: true})
	if errors.Is(err, store.ErrKeyNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, storeerr.Wrap("fence", "get", key, err)
	}
	var rec kvRecord
	if err := format.Unmarshal(pair.Value, kvFormat, &rec); err != nil {
		return 0, nil, fmt.Errorf("fence: key %q: %w: %w", key, leadership.ErrForeignRecord, err)
	}
	if rec.Token == 0 || rec.Check == "" {
		return 0, nil, fmt.Errorf("fence: key %q: %w: token %d", key, leadership.ErrForeignRecord, rec.Token)
	}
	return rec.Token, pair, nil
}

// verify has a store show, once, that the index which a write returned is the
// one that a read finds: else it does not compare and swap.
func (k *KV) verify(ctx context.Context, key string, value []byte, wrote *store.KVPair) error {
	if k.verified.Load() || wrote == nil || !bytes.Equal(wrote.Value, value) {
		return nil // not every store returns what it wrote
	}
	_, found, err := k.read(ctx, key)
	if err != nil {
		return err
	}
	if found == nil || !bytes.Equal(found.Value, value) {
		return nil // another check has come since
	}
	if found.LastIndex != wrote.LastIndex {
		return fmt.Errorf("fence: put %q: %w: the write returned index %d and a read finds %d",
			key, leadership.ErrUnsafeStore, wrote.LastIndex, found.LastIndex)
	}
	k.verified.Store(true)
	return nil
}
