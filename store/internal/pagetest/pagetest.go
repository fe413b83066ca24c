// Package pagetest tests stores that list a page at a time.
package pagetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

// Check wants the n keys that begin with directory in at least so many pages, and values
// and indexes only of those that end in 7, a tenth of them.
func Check(t *testing.T, kv store.Store, directory string, n, pages int) {
	t.Helper()
	pager, ok := kv.(store.Pager)
	if !ok {
		t.Fatalf("%T has no pages", kv)
	}
	found, values, got := make(map[string]bool), 0, 0
	for from := ""; got == 0 || from != ""; got++ {
		asked := make(map[string]bool)
		pairs, next, err := pager.Page(t.Context(), directory, from, func(key string) bool {
			asked[key] = true
			return strings.HasSuffix(key, "7")
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(pairs) > 2000 {
			t.Errorf("a page of %d", len(pairs))
		}
		for _, pair := range pairs {
			wanted := strings.HasSuffix(pair.Key, "7")
			if wanted != (pair.Value != nil) || wanted != (pair.LastIndex != 0) || !asked[pair.Key] || !strings.HasPrefix(pair.Key, directory) {
				t.Fatalf("%+v", pair)
			}
			if wanted && !found[pair.Key] {
				values++
			}
			found[pair.Key] = true
		}
		from = next
	}
	if len(found) != n || values != n/10 || got < pages {
		t.Errorf("%d keys and %d values in %d pages, want %d, %d and %d", len(found), values, got, n, n/10, pages)
	}
	if _, _, err := pager.Page(t.Context(), directory, "nowhere at all", func(string) bool { return true }); !errors.Is(err, store.ErrInvalidPage) {
		t.Errorf("a page that begins nowhere: %v", err)
	}
	if pairs, next, err := pager.Page(t.Context(), directory+"none/", "", func(string) bool { return true }); len(pairs) != 0 || next != "" || err != nil {
		t.Errorf("where there are none: %v, %q, %v", pairs, next, err)
	}
}
