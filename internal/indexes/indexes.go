// Package indexes compares what a store returns for a key: whether two answers are of
// the same write, and whether the store's indexes tell one write from the next (S10).
package indexes

import (
	"bytes"

	"github.com/seed-a1d591d3/leadership/store"
)

// Same reports whether a and b are of the same write; nil is no record. It compares
// indexes and values, for there are stores whose indexes repeat.
func Same(a, b *store.KVPair) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.LastIndex == b.LastIndex && bytes.Equal(a.Value, b.Value)
}
