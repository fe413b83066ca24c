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

// Every fifth call or so fails, and every tenth takes effect without a reply.
func ExampleRandom() {
	shared := memory.New()
	defer shared.Close()
	const seed = 1 // the same faults each time
	client := faultstore.New(shared, faultstore.WithPlan(faultstore.Random(seed, faultstore.Rates{Fail: 0.2, LoseReply: 0.1})))
	defer client.Close()

	failed := 0
	for range 1000 {
		if _, err := client.Get(context.Background(), "leader", nil); errors.Is(err, faultstore.ErrInjected) {
			failed++
		}
	}
	fmt.Println("of 1000 calls more than 200 fail:", failed > 200)
	// Output: of 1000 calls more than 200 fail: true
}

func ExampleAlways() {
	plan := faultstore.Always(faultstore.Fault{Err: store.ErrNotReachable}, faultstore.OpAtomicPut)
	fmt.Println(plan(faultstore.Call{Op: faultstore.OpAtomicPut}).Err != nil)
	fmt.Println(plan(faultstore.Call{Op: faultstore.OpGet}).Err != nil)
	// Output:
	// true
	// false
}

// Of a leader that cannot write, the error names the store's.
func ExampleNew() {
	shared := memory.New()
	defer shared.Close()
	client := faultstore.New(shared)
	defer client.Close()
	client.SetPlan(faultstore.Always(faultstore.Fault{Err: store.ErrNotReachable}, faultstore.OpAtomicPut))
	_, _, err := client.AtomicPut(context.Background(), "leader", []byte("a"), nil, nil)
	fmt.Println(errors.Is(err, store.ErrNotReachable), errors.Is(err, faultstore.ErrInjected))
	// Output: true true
}

// The third read alone is slow.
func ExamplePlan() {
	var plan faultstore.Plan = func(c faultstore.Call) faultstore.Fault {
		if c.Op == faultstore.OpGet && c.Seq == 3 {
			return faultstore.Fault{Before: time.Second}
		}
		return faultstore.Fault{}
	}
	fmt.Println(plan(faultstore.Call{Op: faultstore.OpGet, Seq: 2}).Before)
	fmt.Println(plan(faultstore.Call{Op: faultstore.OpGet, Seq: 3}).Before)
	// Output:
	// 0s
	// 1s
}

// A plan may pick calls by their keys.
func ExampleCall() {
	shared := memory.New()
	defer shared.Close()
	client := faultstore.New(shared, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
		if c.Key == "shards/1" {
			return faultstore.Fault{Err: faultstore.ErrInjected}
		}
		return faultstore.Fault{}
	}))
	defer client.Close()
	for _, key := range []string{"shards/1", "shards/2"} {
		_, _, err := client.AtomicPut(context.Background(), key, []byte("a"), nil, nil)
		fmt.Println(key, err == nil)
	}
	// Output:
	// shards/1 false
	// shards/2 true
}

// A write that takes effect, though its caller is told that it failed.
func ExampleFault() {
	shared := memory.New()
	defer shared.Close()
	client := faultstore.New(shared, faultstore.WithPlan(faultstore.Always(faultstore.Fault{LoseReply: true}, faultstore.OpAtomicPut)))
	defer client.Close()
	ctx := context.Background()
	_, _, err := client.AtomicPut(ctx, "leader", []byte("a"), nil, nil)
	pair, _ := shared.Get(ctx, "leader", nil)
	fmt.Printf("%t %s\n", err != nil, pair.Value)
	// Output: true a
}

func ExampleOp() {
	shared := memory.New()
	defer shared.Close()
	client := faultstore.New(shared)
	defer client.Close()
	_, _ = client.Get(context.Background(), "leader", nil)
	for _, op := range []faultstore.Op{faultstore.OpGet, faultstore.OpAtomicPut} {
		fmt.Println(op, client.Calls(op))
	}
	// Output:
	// get 1
	// atomic put 0
}

func ExampleOption() {
	shared := memory.New()
	defer shared.Close()
	cut := []faultstore.Option{faultstore.WithPlan(faultstore.Always(faultstore.Fault{Err: store.ErrNotReachable}))}
	for _, options := range [][]faultstore.Option{nil, cut} {
		client := faultstore.New(shared, options...)
		_, err := client.Get(context.Background(), "leader", nil)
		fmt.Println(errors.Is(err, store.ErrNotReachable))
		client.Close()
	}
	// Output:
	// false
	// true
}

func ExampleRates() {
	nothing := faultstore.Random(1, faultstore.Rates{})
	all := faultstore.Random(1, faultstore.Rates{LoseReply: 1})
	call := faultstore.Call{Op: faultstore.OpAtomicPut, Key: "leader", Seq: 1}
	fmt.Println(nothing(call).LoseReply, all(call).LoseReply)
	// Output: false true
}
