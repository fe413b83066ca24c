// Package room bounds how many calls of a store are under way at once.
package room

import (
	"context"
	"fmt"
)

// Room has places for reads and for writes. Neither takes the other's: readers,
// however many, do not keep a leader from renewing its term. Lists, which may take
// long, have half of the places for reads at most, so that a look at one key does
// not wait for them. It is safe for concurrent use.
type Room struct{ lists, reads, writes chan struct{} }

// New returns a Room with so many places.
func New(reads, writes int) Room {
	return Room{make(chan struct{}, max(1, reads/2)), make(chan struct{}, reads), make(chan struct{}, writes)}
}

// Read calls f once there is a place for a read, and returns its error, or says
// that ctx has ended before.
func (r Room) Read(ctx context.Context, f func() error) error { return in(ctx, r.reads, f) }

// List is Read for a list.
func (r Room) List(ctx context.Context, f func() error) error {
	return in(ctx, r.lists, func() error { return r.Read(ctx, f) })
}

// Write is Read for a write.
func (r Room) Write(ctx context.Context, f func() error) error { return in(ctx, r.writes, f) }

func in(ctx context.Context, places chan struct{}, f func() error) error {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("not sent, for %d calls are under way: %w", cap(places), ctx.Err())
	}
	defer func() { <-places }()
	return f()
}
