package base

import (
	"context"
	"fmt"
)

// Limits bounds how many calls are under way at once. Reads and writes are counted
// apart: readers, however many, do not keep a leader from renewing its term. Lists, which
// may take long, have at most half of what reads have, so that a read of one key does not
// wait for them. Its methods are safe for concurrent use.
type Limits struct{ lists, reads, writes chan struct{} }

// NewLimits returns limits that allow so many reads and writes at once.
func NewLimits(reads, writes int) Limits {
	return Limits{make(chan struct{}, max(1, reads/2)), make(chan struct{}, reads), make(chan struct{}, writes)}
}

// Read calls f once another read may begin, and returns its error. If ctx ends before, it
// does not call f, and returns an error that says so.
func (l Limits) Read(ctx context.Context, f func() error) error { return within(ctx, l.reads, f) }

// List is Read for a list.
func (l Limits) List(ctx context.Context, f func() error) error {
	return within(ctx, l.lists, func() error { return l.Read(ctx, f) })
}

// Write is Read for a write.
func (l Limits) Write(ctx context.Context, f func() error) error { return within(ctx, l.writes, f) }

func within(ctx context.Context, calls chan struct{}, f func() error) error {
	select {
	case calls <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("not sent, because %d calls are under way: %w", cap(calls), ctx.Err())
	}
	defer func() { <-calls }()
	return f()
}
