package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// plain is a store that can do no more than it must.
type plain struct{ store.Store }

func TestPagesHaveEachKeyAndTheValuesThatAreWanted(t *testing.T) {
	kv := memory.New()
	const n = 2500
	for i := range n {
		for _, key := range []string{"some/%d", "pre/some/%d", "other/%d"} {
			if err := kv.Put(t.Context(), fmt.Sprintf(key, i), []byte("v"), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		kv     store.Store
		values bool // of what is not wanted, too
		pages  int
	}{
		"pager":           {kv, false, 3},
		"plain":           {plain{kv}, true, 1},
		"prefixed":        {store.WithPrefix(kv, "pre/"), false, 3},
		"prefixed, plain": {store.WithPrefix(plain{kv}, "pre/"), true, 1},
	} {
		wanted := func(key string) bool { return strings.HasSuffix(key, "7") }
		found := make(map[string]bool)
		pages := 0
		for from := ""; pages == 0 || from != ""; pages++ {
			pairs, next, err := store.Page(t.Context(), c.kv, "some/", from, wanted)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range pairs {
				if !strings.HasPrefix(pair.Key, "some/") || (pair.Value != nil) != (c.values || wanted(pair.Key)) {
					t.Fatalf("%s: %s has the value %q", name, pair.Key, pair.Value)
				}
				found[pair.Key] = true
			}
			from = next
		}
		if len(found) != n || pages != c.pages {
			t.Errorf("%s: %d keys in %d pages", name, len(found), pages)
		}
	}
	if pairs, next, err := store.Page(t.Context(), plain{kv}, "none/", "", nil); len(pairs) != 0 || next != "" || err != nil {
		t.Errorf("%v, %q, %v where there is nothing", pairs, next, err)
	}
}
