// Package indexes compares the indexes of a store's pairs: that of a write with that
// of the read after it. It is pure.
package indexes

import (
	"bytes"
	"fmt"

	"github.com/seed-a1d591d3/leadership/store"
)

// Proof is what is known of whether a store compares and swaps (S10): it does if a
// read finds the index that a write returned. The zero value knows nothing. It is not
// safe for concurrent use.
type Proof struct{ verified, doubted bool }

// Verdict is what follows from a write and the read after it.
type Verdict int

const (
	// Believe means that nothing speaks against what the read found.
	Believe Verdict = iota

	// Doubt means that the index was another, for the first time: somebody may have
	// written the same value again. Write once more.
	Doubt

	// Unsafe means that it was another twice in a row: the store does not compare
	// and swap.
	Unsafe
)

// Verified reports whether the store has been seen to keep an index.
func (p *Proof) Verified() bool { return p.verified }

// Judge compares the pair that a write returned with the one that a read found after
// it. Either may be nil. If their values differ it learns nothing.
func (p *Proof) Judge(wrote, found *store.KVPair) Verdict {
	switch {
	case p.verified || wrote == nil || found == nil || !bytes.Equal(wrote.Value, found.Value):
		return Believe
	case wrote.LastIndex == found.LastIndex:
		p.verified = true
		return Believe
	case p.doubted:
		return Unsafe
	}
	p.doubted = true
	return Doubt
}

// Same reports whether two pairs are the same write. It compares indexes and values,
// for there are stores whose indexes repeat. Either pair may be nil: no record.
func Same(a, b *store.KVPair) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.LastIndex == b.LastIndex && bytes.Equal(a.Value, b.Value)
}

// Explain returns what gave a store away, and what to do.
func Explain(wrote, found *store.KVPair) string {
	return fmt.Sprintf("it does not compare and swap: the write returned index %d and a read finds %d "+
		"(kvtools' Redis store does so with its default codec: make it with NewWithCodec and JSONCodec)",
		wrote.LastIndex, found.LastIndex)
}
