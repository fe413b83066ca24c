package faultstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestManyKeysAreReadWithTheFaultsOfOneGet(t *testing.T) {
	inner := memory.New()
	if err := inner.Put(t.Context(), "pre/b", []byte("v"), nil); err != nil {
		t.Fatal(err)
	}
	var asked []faultstore.Call
	link := faultstore.New(inner, faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
		asked = append(asked, c)
		return faultstore.Fault{Err: errors.New("broken"), LoseReply: c.Seq == 1}
	}))
	kv := store.WithPrefix(link, "pre/")
	for range 2 {
		if pairs, err := store.GetMany(t.Context(), kv, []string{"a", "b"}); pairs != nil || !errors.Is(err, faultstore.ErrInjected) {
			t.Errorf("%v, %v", pairs, err)
		}
	}
	for i, c := range asked {
		if c.Op != faultstore.OpGet || c.Key != "pre/a" || !slices.Equal(c.Keys, []string{"pre/a", "pre/b"}) || c.Seq != i+1 {
			t.Errorf("the plan was asked about %+v", c)
		}
	}
	if len(asked) != 2 || link.Calls(faultstore.OpGet) != 2 {
		t.Errorf("%d calls, and the plan was asked %d times", link.Calls(faultstore.OpGet), len(asked))
	}

	link.SetPlan(nil)
	link.Refuse()
	if _, err := store.GetMany(t.Context(), kv, []string{"a", "b"}); !errors.Is(err, store.ErrNotReachable) {
		t.Errorf("cut off: %v", err)
	}
	link.Heal()
	if pairs, err := store.GetMany(t.Context(), kv, []string{"a", "b"}); err != nil || pairs[0] != nil || pairs[1] == nil {
		t.Errorf("%v, %v", pairs, err)
	}
}
