package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// client is a client of the store under test. Its methods end the check if the store
// fails without an outage.
type client struct {
	store.Store
	tr *trial
}

// client connects a client, which is closed at the end of the check.
func (tr *trial) client() *client {
	tr.Helper()
	kv := &client{tr.open(), tr}
	tr.Cleanup(func() {
		tr.within("Close", func() {
			if err := kv.Close(); err != nil {
				tr.Errorf("Close: %v", err)
			}
		})
	})
	return kv
}

// within fails the check if f, which does what, takes longer than tr.patience.
func (tr *trial) within(what string, f func()) {
	tr.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(tr.patience):
		tr.Fatalf("%s takes longer than %v", what, tr.patience)
	}
}

// eventually waits until ok returns nil, which the check expects.
func (tr *trial) eventually(what string, ok func() error) {
	tr.Helper()
	began := time.Now()
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Since(began) > tr.patience {
			tr.Fatalf("%s: not after %v: %v", what, tr.patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// soon returns a context for one call.
func (tr *trial) soon() context.Context { return tr.after(tr.patience) }

// after returns a context that ends after d.
func (tr *trial) after(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(tr.Context(), d)
	tr.Cleanup(cancel)
	return ctx
}

// GetMany implements store.ManyGetter, by the store under test if that does.
func (c *client) GetMany(ctx context.Context, keys []string) ([]*store.KVPair, error) {
	return store.GetMany(ctx, c.Store, keys)
}

func (c *client) get(key string) *store.KVPair {
	c.tr.Helper()
	pair, err := c.Get(c.tr.soon(), key, nil)
	if err != nil {
		c.tr.Fatalf("Get(%q): %v", key, err)
	}
	c.tr.wantFound("Get", pair, key)
	return pair
}

// write calls AtomicPut, which must succeed.
func (c *client) write(key, value string, previous *store.KVPair, ttl time.Duration) *store.KVPair {
	c.tr.Helper()
	ok, pair, err := c.AtomicPut(c.tr.soon(), key, []byte(value), previous, &store.WriteOptions{TTL: ttl})
	if err != nil || !ok {
		c.tr.Fatalf("AtomicPut(%q, %.40q) = %v, %v", key, value, ok, err)
	}
	c.tr.wantFound("AtomicPut", pair, key)
	if string(pair.Value) != value {
		c.tr.Errorf("AtomicPut(%q, %.40q) returned the value %.40q", key, value, pair.Value)
	}
	return pair
}

func (c *client) create(key, value string) *store.KVPair {
	c.tr.Helper()
	return c.write(key, value, nil, 0)
}

func (c *client) swap(previous *store.KVPair, value string) *store.KVPair {
	c.tr.Helper()
	return c.write(previous.Key, value, previous, 0)
}

func (c *client) remove(previous *store.KVPair) {
	c.tr.Helper()
	ok, err := c.AtomicDelete(c.tr.soon(), previous.Key, previous)
	if err != nil || !ok {
		c.tr.Fatalf("AtomicDelete(%q) = %v, %v", previous.Key, ok, err)
	}
}

// wantPair wants Get to return exactly this pair.
func (c *client) wantPair(want *store.KVPair) {
	c.tr.Helper()
	c.tr.wantEqual("Get", c.get(want.Key), want)
}

// wantMissing wants Get to find nothing.
func (c *client) wantMissing(key string) {
	c.tr.Helper()
	pair, err := c.Get(c.tr.soon(), key, nil)
	if err == nil || pair != nil {
		c.tr.Errorf("Get(%q) = %v, %v; want a missing key", key, pair, err)
	} else if !errors.Is(err, store.ErrKeyNotFound) {
		c.tr.Errorf("Get(%q): %v; want ErrKeyNotFound", key, err)
	}
}

// wantRefused wants AtomicPut to write nothing, and to return one of these errors.
func (c *client) wantRefused(key string, previous *store.KVPair, reasons ...error) {
	c.tr.Helper()
	ok, pair, err := c.AtomicPut(c.tr.soon(), key, []byte("refused"), previous, nil)
	if ok || pair != nil || err == nil {
		c.tr.Errorf("AtomicPut(%q) = %v, %v, %v; want false, nil and an error", key, ok, pair, err)
	}
	c.tr.wantErr("AtomicPut", err, reasons...)
}

// wantKept wants AtomicDelete to delete nothing, and to return one of these errors.
func (c *client) wantKept(key string, previous *store.KVPair, reasons ...error) {
	c.tr.Helper()
	ok, err := c.AtomicDelete(c.tr.soon(), key, previous)
	if ok || err == nil {
		c.tr.Errorf("AtomicDelete(%q) = %v, %v; want false and an error", key, ok, err)
	}
	c.tr.wantErr("AtomicDelete", err, reasons...)
}

// wantErr wants err to match one of these errors.
func (tr *trial) wantErr(what string, err error, reasons ...error) {
	tr.Helper()
	if !isAny(err, reasons...) {
		tr.Errorf("%s: the error is %v; want %v", what, err, reasons)
	}
}

func isAny(err error, reasons ...error) bool {
	for _, reason := range reasons {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// wantFound wants a pair of an existing key.
func (tr *trial) wantFound(what string, pair *store.KVPair, key string) {
	tr.Helper()
	switch {
	case pair == nil:
		tr.Fatalf("%s(%q): there is no pair", what, key)
	case pair.Key != key:
		tr.Errorf("%s(%q): the key of the pair is %q", what, key, pair.Key)
	case pair.Value == nil:
		tr.Errorf("%s(%q): the value is nil, which means missing", what, key)
	}
}

func (tr *trial) wantEqual(what string, got, want *store.KVPair) {
	tr.Helper()
	if got.Key != want.Key || got.LastIndex != want.LastIndex || (got.Value == nil) != (want.Value == nil) || !bytes.Equal(got.Value, want.Value) {
		tr.Errorf("%s found %s; want %s", what, describe(got), describe(want))
	}
}

// refusals are the errors that depend on the state of the key, and not on a context, a
// connection or an invalid argument.
var refusals = []error{store.ErrKeyNotFound, store.ErrKeyModified, store.ErrKeyExists}

// gone are the errors for a previous pair whose key is missing.
var gone = []error{store.ErrKeyNotFound, store.ErrKeyModified}

func describe(pair *store.KVPair) string {
	switch {
	case pair == nil:
		return "nil"
	case pair.Value == nil:
		return fmt.Sprintf("%q missing (index %d)", pair.Key, pair.LastIndex)
	default:
		return fmt.Sprintf("%q = %.60q (index %d)", pair.Key, pair.Value, pair.LastIndex)
	}
}

// errOpen means that something is still open.
var errOpen = errors.New("one is open")

// leak is an error with the number of goroutines that are left.
type leak int

func (l leak) Error() string { return fmt.Sprintf("%d goroutines are left", int(l)) }

// errNoAnswer stands for an answer without a result.
var errNoAnswer = errors.New("no error, and nothing done")
