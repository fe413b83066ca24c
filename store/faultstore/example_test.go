package faultstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// Two clients share a store. One loses the reply to a write, and has to find
// out that it happened; then it is cut off, and the other takes over.
func ExampleStore() {
	shared := memory.New()
	defer shared.Close()
	a, b := faultstore.New(shared), faultstore.New(shared)
	defer a.Close()
	defer b.Close()
	ctx := context.Background()

	// The first write of a succeeds, but its reply is lost.
	a.SetPlan(func(c faultstore.Call) faultstore.Fault {
		return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut && c.Seq == 1}
	})
	_, _, err := a.AtomicPut(ctx, "leader", []byte("a"), nil, nil)
	fmt.Println("a was told:", errors.Is(err, faultstore.ErrInjected))
	mine, _ := a.Get(ctx, "leader", nil)
	fmt.Printf("a reads back: %s\n", mine.Value)

	// While a is cut off, b sees its record and replaces it.
	a.Partition()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, _, err = a.AtomicPut(short, "leader", []byte("a, renewed"), mine, nil)
	fmt.Println("a renews:", errors.Is(err, context.DeadlineExceeded))
	seen, _ := b.Get(ctx, "leader", nil)
	won, _, _ := b.AtomicPut(ctx, "leader", []byte("b"), seen, nil)
	fmt.Println("b takes over:", won)

	// Back again, a must not believe that it still leads.
	a.Heal()
	_, _, err = a.AtomicPut(ctx, "leader", []byte("a, renewed"), mine, nil)
	fmt.Println("a has lost:", errors.Is(err, store.ErrKeyModified))
	fmt.Println("a tried to write", a.Calls(faultstore.OpAtomicPut), "times")

	// Output:
	// a was told: true
	// a reads back: a
	// a renews: true
	// b takes over: true
	// a has lost: true
	// a tried to write 3 times
}
