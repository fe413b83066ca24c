package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func ExampleOpen() {
	ctx := context.Background()
	kv, err := store.Open(ctx, "memory://example") // or another whose package is imported
	if err != nil {
		panic(err)
	}
	defer kv.Close()
	won, err := leadership.NewRound(kv, "reports", "2020-10-18", "node-a").Elect(ctx)
	fmt.Println(won, err)

	_, err = store.Open(ctx, "memcached://127.0.0.1")
	fmt.Println("no such scheme:", err != nil)
	// Output:
	// true <nil>
	// no such scheme: true
}

func ExampleWithPrefix() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	app := store.WithPrefix(kv, "app/")
	if _, _, err := app.AtomicPut(ctx, "leader", []byte("anna"), nil, nil); err != nil {
		panic(err)
	}
	pair, err := kv.Get(ctx, "app/leader", nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %s\n", pair.Key, pair.Value)
	// Output: app/leader: anna
}

// All that an election needs of a store is to compare and swap.
func ExampleStore() {
	var kv store.Store = memory.New()
	defer kv.Close()
	ctx := context.Background()
	_, first, err := kv.AtomicPut(ctx, "leader", []byte("anna"), nil, nil) // the key must be missing
	if err != nil {
		panic(err)
	}
	_, _, err = kv.AtomicPut(ctx, "leader", []byte("ben"), nil, nil)
	fmt.Println("ben came later:", errors.Is(err, store.ErrKeyExists))
	_, second, err := kv.AtomicPut(ctx, "leader", []byte("anna again"), first, nil)
	fmt.Println("renewed:", err == nil && second.LastIndex != first.LastIndex)
	_, err = kv.AtomicDelete(ctx, "leader", first)
	fmt.Println("is another by now:", errors.Is(err, store.ErrKeyModified))
	// Output:
	// ben came later: true
	// renewed: true
	// is another by now: true
}

func ExampleKVPair() {
	kv := memory.New()
	defer kv.Close()
	_, pair, err := kv.AtomicPut(context.Background(), "leader", []byte("anna"), nil, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %s, by a write of its own index: %t\n", pair.Key, pair.Value, pair.LastIndex > 0)
	// Output: leader: anna, by a write of its own index: true
}

func ExampleReadOptions() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	_, err := kv.Get(ctx, "leader", &store.ReadOptions{Consistent: true}) // as with nil
	fmt.Println(errors.Is(err, store.ErrKeyNotFound))
	// Output: true
}

func ExampleWriteOptions() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	_, _, err := kv.AtomicPut(ctx, "seen", []byte("anna"), nil, &store.WriteOptions{TTL: time.Hour})
	fmt.Println("kept for an hour:", err == nil) // elections need no TTL of the store
	// Output: kept for an hour: true
}

func ExampleGetMany() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	if _, _, err := kv.AtomicPut(ctx, "shards/1", []byte("anna"), nil, nil); err != nil {
		panic(err)
	}
	pairs, err := store.GetMany(ctx, kv, []string{"shards/1", "shards/2"})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(pairs), pairs[1] == nil) // what is missing is nil
	// Output: 2 true
}

func ExamplePage() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	for _, key := range []string{"rounds/1", "rounds/2"} {
		if _, _, err := kv.AtomicPut(ctx, key, []byte("anna"), nil, nil); err != nil {
			panic(err)
		}
	}
	for from := ""; ; {
		pairs, next, err := store.Page(ctx, kv, "rounds/", from, func(string) bool { return true })
		if err != nil {
			panic(err)
		}
		for _, pair := range pairs {
			fmt.Println(pair.Key)
		}
		if from = next; from == "" {
			break
		}
	}
	// Output:
	// rounds/1
	// rounds/2
}

func ExampleManyGetter() {
	kv := memory.New()
	defer kv.Close()
	_, many := store.Store(kv).(store.ManyGetter)
	fmt.Println("reads many keys in few calls:", many)
	// Output: reads many keys in few calls: true
}

func ExamplePager() {
	kv := memory.New()
	defer kv.Close()
	_, pages := store.Store(kv).(store.Pager)
	fmt.Println("lists page by page:", pages)
	// Output: lists page by page: true
}

// What elections watch tells that a key is worth a look.
func ExampleHinter() {
	kv := memory.New() // no Hinter: its own watch is as good
	defer kv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	hints, err := store.Hints(ctx, kv, "leader")
	if err != nil {
		panic(err)
	}
	<-hints // the state at first
	if _, _, err := kv.AtomicPut(ctx, "leader", []byte("anna"), nil, nil); err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", (<-hints).Value)
	cancel()
	for range hints {
	}
	// Output: anna
}

func ExampleTreeHinter() {
	kv := memory.New()
	defer kv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	hints, err := store.HintsBelow(ctx, kv, "shards/")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q: look at all\n", (<-hints).Key)
	if _, _, err := kv.AtomicPut(ctx, "shards/1", []byte("anna"), nil, nil); err != nil {
		panic(err)
	}
	fmt.Printf("%q: look at that\n", (<-hints).Key)
	cancel()
	for range hints {
	}
	// Output:
	// "": look at all
	// "shards/1": look at that
}

func ExampleRegister() {
	store.Register("example", store.Driver{
		Port:    4711,
		Example: "example://host:4711/prefix",
		Open: func(ctx context.Context, u *store.URL) (store.Store, error) {
			return store.WithPrefix(memory.New(), u.Prefix()), nil // connect to u.Hosts, and make a first request
		},
	})
	fmt.Println(slices.Contains(store.Schemes(), "example"))
	// Output: true
}
