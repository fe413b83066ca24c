package store

import (
	"context"
	"errors"
)

// ErrInvalidPage means that no page begins where one was asked for.
var ErrInvalidPage = errors.New("no page begins here")

// Pager is a Store that lists pairs page by page, and reads only the values that are
// wanted. It is optional: Page works with every Store.
type Pager interface {
	// Page returns some of the pairs whose keys begin with directory, about a thousand,
	// and where the next page begins, which is "" after the last one. from is where to
	// begin: "" for the first page, and otherwise what the page before returned; some
	// stores refuse any other with ErrInvalidPage. If wanted returns false for a key, its
	// value is not read: its pair has a nil Value and LastIndex 0. A key that exists from
	// the first page to the last is in at least one of them. It is no error if there are
	// no such keys. Page finds every write that was acknowledged before the first page.
	Page(ctx context.Context, directory, from string, wanted func(key string) bool) (pairs []*KVPair, next string, err error)
}

// Page returns a page of kv if that is a Pager, and otherwise all that List finds as one
// page with all values.
func Page(ctx context.Context, kv Store, directory, from string, wanted func(key string) bool) (pairs []*KVPair, next string, err error) {
	if pager, ok := kv.(Pager); ok {
		return pager.Page(ctx, directory, from, wanted)
	}
	pairs, err = kv.List(ctx, directory, &ReadOptions{Consistent: true})
	if errors.Is(err, ErrKeyNotFound) {
		return nil, "", nil
	}
	return pairs, "", err
}

// Page implements Pager, by the store beneath.
func (p *prefixed) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*KVPair, string, error) {
	pairs, next, err := Page(ctx, p.kv, p.prefix+directory, from, func(key string) bool { return wanted(key[len(p.prefix):]) })
	for i := range pairs {
		pairs[i] = p.strip(pairs[i])
	}
	return pairs, next, err
}
