package store

import (
	"context"
	"errors"
)

// ErrInvalidPage means that a page was asked for from where none begins.
var ErrInvalidPage = errors.New("this is not where a page begins")

// Pager is a Store that lists a page at a time, and keys without their values. It is
// optional: Page works with every Store.
type Pager interface {
	// Page returns some of the pairs whose keys begin with directory, a thousand or
	// so, and where to go on: "" behind the last page. from is where to begin, which is
	// "" for the first page and otherwise what the page before returned; some stores
	// tell others by ErrInvalidPage. A key for
	// which wanted returns false costs no read of its value: its pair has a nil Value,
	// and LastIndex 0. A key that is there from the first page to the last is in at
	// least one of them. There is no error where there are no such keys. It finds what
	// was written, and acknowledged, before the first page.
	Page(ctx context.Context, directory, from string, wanted func(key string) bool) (pairs []*KVPair, next string, err error)
}

// Page is the Page of a Pager. Of any other Store it is what List finds, in one page
// with all values.
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

// Page implements Pager, where the store beneath does.
func (p *prefixed) Page(ctx context.Context, directory, from string, wanted func(key string) bool) ([]*KVPair, string, error) {
	pairs, next, err := Page(ctx, p.kv, p.prefix+directory, from, func(key string) bool { return wanted(key[len(p.prefix):]) })
	for i := range pairs {
		pairs[i] = p.strip(pairs[i])
	}
	return pairs, next, err
}
