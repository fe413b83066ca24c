package register

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/seed-a1d591d3/leadership/store"
)

// Place is where a record is. Its methods call the store and return when that does.
type Place struct {
	Store   store.Store
	Key     string
	Package string // of the caller, which begins the text of each error
}

// NoStore returns what is wrong with a store that is nil, or a nil pointer; or "".
func NoStore(kv store.Store) string {
	if kv == nil {
		return "must be a store"
	}
	if v := reflect.ValueOf(kv); v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Sprintf("must be a store, not a nil %v", v.Type())
	}
	return ""
}

// Get returns the pair under the key, nil if there is none.
func (p Place) Get(ctx context.Context) (*store.KVPair, error) {
	pair, err := p.Store.Get(ctx, p.Key, &store.ReadOptions{Consistent: true})
	if errors.Is(err, store.ErrKeyNotFound) {
		return nil, nil
	}
	return pair, p.wrapped("get", err)
}

// Put replaces previous by value, and returns the pair that the store tells of. After
// an error it may have happened or not: not every store tells that apart.
func (p Place) Put(ctx context.Context, value []byte, previous *store.KVPair) (*store.KVPair, error) {
	ok, pair, err := p.Store.AtomicPut(ctx, p.Key, value, previous, nil)
	if err == nil && (!ok || pair == nil) {
		err = store.ErrKeyModified
	}
	if err != nil {
		return nil, p.wrapped("put", err)
	}
	return pair, nil
}

// Delete deletes previous. After an error it may have happened or not.
func (p Place) Delete(ctx context.Context, previous *store.KVPair) error {
	ok, err := p.Store.AtomicDelete(ctx, p.Key, previous)
	if err == nil && !ok {
		err = store.ErrKeyModified
	}
	return p.wrapped("delete", err)
}

// page returns a page of the pairs whose keys begin with the key, as store.Page does.
func (p Place) page(ctx context.Context, from string) (page, error) {
	pairs, next, err := store.Page(ctx, p.Store, p.Key, from, func(string) bool { return true })
	return page{pairs, next}, p.wrapped("list", err)
}

type page struct {
	pairs []*store.KVPair
	next  string
}

// Pages calls f with the pairs whose keys begin with the key of r, a page at a time: a
// pair may come twice. Each page is a Call, so that many pairs take no more at once than
// few. It ends at the first error, of the store or of f.
func Pages(ctx context.Context, r *Register, f func(pairs []*store.KVPair) error) error {
	for from := ""; ; {
		at := from // for a call that is left to itself reads it later
		p, err := Call(ctx, r, func(ctx context.Context) (page, error) { return r.page(ctx, at) })
		if err == nil {
			err = f(p.pairs)
		}
		if from = p.next; err != nil || from == "" {
			return err
		}
	}
}

// wrapped adds to an error of the store, which may be nil, what was asked for which
// key: once, for many stores say so themselves.
func (p Place) wrapped(op string, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if quoted := fmt.Sprintf("%q", p.Key); strings.Contains(text, op) && strings.Contains(text, quoted[1:]) {
		return fmt.Errorf("%s: %w", p.Package, err)
	}
	return fmt.Errorf("%s: %s %q: %w", p.Package, op, p.Key, err)
}

// Refused reports whether a write that failed with err lost against another write,
// rather than against a fault.
func Refused(err error) bool {
	return errors.Is(err, store.ErrKeyModified) || errors.Is(err, store.ErrKeyExists) || errors.Is(err, store.ErrKeyNotFound)
}
