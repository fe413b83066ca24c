package storetest

import (
	"context"
	"errors"

	"github.com/seed-a1d591d3/leadership/store"
)

var closeChecks = []check{
	{name: "LaterGetIsRefused", test: laterCall("Get")},
	{name: "LaterGetManyIsRefused", test: laterCall("GetMany")},
	{name: "LaterAtomicPutIsRefused", test: laterCall("AtomicPut")},
	{name: "LaterAtomicDeleteIsRefused", test: laterCall("AtomicDelete")},
	{name: "LaterWatchIsRefused", test: laterCall("Watch")},
	{name: "LaterListIsRefused", test: laterCall("List")},
	{name: "TwiceIsFine", test: closeTwice},
	{name: "LeavesOtherClientsAlone", test: closeOthers},
}

// methods returns a call of each method of a store that takes a context. With an existing
// pair each would succeed.
var methods = map[string]func(ctx context.Context, kv store.Store, pair *store.KVPair) error{
	"Get": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, err := kv.Get(ctx, pair.Key, nil)
		return err
	},
	"GetMany": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, err := store.GetMany(ctx, kv, []string{pair.Key, pair.Key, pair.Key + "/none"})
		return err
	},
	"Create": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, _, err := kv.AtomicPut(ctx, pair.Key+"/new", []byte("new"), nil, nil)
		return err
	},
	"AtomicPut": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, _, err := kv.AtomicPut(ctx, pair.Key, []byte("new"), pair, nil)
		return err
	},
	"AtomicDelete": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, err := kv.AtomicDelete(ctx, pair.Key, pair)
		return err
	},
	"Watch": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, err := kv.Watch(ctx, pair.Key, nil)
		return err
	},
	"List": func(ctx context.Context, kv store.Store, pair *store.KVPair) error {
		_, err := kv.List(ctx, pair.Key[:len(pair.Key)-1], nil)
		return err
	},
}

func laterCall(name string) func(*trial) {
	return func(tr *trial) {
		closed, kv := tr.client(), tr.client()
		pair := closed.create(tr.base, "a")
		if err := closed.Close(); err != nil {
			tr.Errorf("Close: %v", err)
		}
		if err := methods[name](tr.soon(), closed, pair); !errors.Is(err, store.ErrClosed) {
			tr.Errorf("%s after Close: %v; want ErrClosed", name, err)
		}
		kv.wantPair(pair)
	}
}

func closeTwice(tr *trial) {
	kv := tr.client() // the end of the check closes it once more
	kv.create(tr.base, "a")
	for range 2 {
		if err := kv.Close(); err != nil {
			tr.Errorf("Close: %v", err)
		}
	}
}

func closeOthers(tr *trial) {
	closed, kv := tr.client(), tr.client()
	pair := closed.create(tr.base, "a")
	watch := kv.watch(tr.base)
	watch.until(pair)
	closed.Close()
	kv.wantPair(pair)
	watch.until(kv.swap(pair, "b"))
	tr.client().get(tr.base)
}
