package fence

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/format"
	"github.com/seed-a1d591d3/leadership/internal/register"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// KVTimeout is how long a check of KV takes at most.
	KVTimeout = 5 * time.Second

	// kvCalls is how many calls of one KV are under way at a time. It bounds the
	// goroutines that a store without answers can hold.
	kvCalls = 64
)

// kvFormat is that of the record of a resource.
var kvFormat = format.Header{V: 1, Kind: "fence"}

// KV checks tokens in a key/value store, for any number of processes. Make it
// with NewKV; the zero value is not usable. Its methods are safe for concurrent
// use.
type KV struct {
	kv     store.Store
	folder string
	calls  chan struct{}
	proof  register.Proof // of the store
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
// store does not return; up to 64 calls of one KV are under way at a time, and
// others wait for them.
//
// Further errors are those of the store, leadership.ErrForeignRecord for a
// value that is no record of a token and is not overwritten, and
// leadership.ErrUnsafeStore for a store that does not compare and swap.
func (k *KV) Check(ctx context.Context, resource string, token uint64) error {
	switch {
	case ctx == nil:
		return invalid("context", "nil", "must not be nil")
	case register.NoStore(k.kv) != "":
		return invalid("store", "nil", register.NoStore(k.kv))
	case k.folder == "":
		return invalid("folder", `""`, "must not be empty")
	}
	if err := checkArguments(resource, token); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, KVTimeout, register.NoAnswer(KVTimeout))
	defer cancel()
	return k.check(ctx, resource, token)
}

// check puts token under the resource's key, unless a higher one is there.
func (k *KV) check(ctx context.Context, resource string, token uint64) error {
	key := k.folder + "/" + url.PathEscape(resource)
	r := register.New(register.Config{
		Place: register.Place{Store: k.kv, Key: key, Package: "fence"}, Timeout: KVTimeout,
		Unsafe: leadership.ErrUnsafeStore, Slots: k.calls, Proof: &k.proof,
	})
	_, err := r.Update(ctx, func(found *store.KVPair, earlier register.Earlier) (register.Change, error) {
		if earlier == register.Overtaken {
			return register.Leave, nil // another check has come since
		}
		highest, err := highestOf(key, found)
		if err != nil {
			return register.Leave, err
		}
		if err := Judge(resource, token, highest); err != nil {
			return register.Leave, err
		}
		value, err := format.Marshal(kvRecord{kvFormat, token, rand.Text()})
		return register.Write(value), err
	})
	return err
}

// highestOf returns the highest token that a record tells of, 0 without one.
func highestOf(key string, pair *store.KVPair) (uint64, error) {
	if pair == nil {
		return 0, nil
	}
	var rec kvRecord
	if err := format.Unmarshal(pair.Value, &rec, kvFormat); err != nil {
		return 0, fmt.Errorf("fence: key %q: %w: %w", key, leadership.ErrForeignRecord, err)
	}
	if rec.Token == 0 || rec.Check == "" {
		return 0, fmt.Errorf("fence: key %q: %w: token %d", key, leadership.ErrForeignRecord, rec.Token)
	}
	return rec.Token, nil
}
