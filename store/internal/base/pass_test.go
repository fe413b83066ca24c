package base

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

func TestPassListsOnceAndKeepsNothingAtItsEnd(t *testing.T) {
	for _, n := range []int{0, 1, PageKeys - 1, PageKeys, PageKeys + 1, 3 * PageKeys} {
		var (
			s      = &Store{Name: "test"}
			passes Passes
			lists  int
		)
		list := func() (keys []string, err error) {
			lists++
			for i := range n {
				keys = append(keys, fmt.Sprint("some/", i))
			}
			return append(keys, "some/", "other"), nil
		}
		page := func(from string) ([]*store.KVPair, string, error) {
			return s.Pass(t.Context(), &passes, "some/", from, func(string) bool { return false }, list, nil)
		}
		found := make(map[string]bool)
		var begins []string
		for from, first := "", true; first || from != ""; first = false {
			begins = append(begins, from)
			pairs, next, err := page(from)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range pairs {
				found[pair.Key] = true
			}
			from = next
		}
		if len(found) != n || lists != 1 || len(passes.passes) != 0 {
			t.Errorf("%d of %d keys by %d lists, and %d passes are remembered", len(found), n, lists, len(passes.passes))
		}
		// A page that was read can be read again, and one of a pass that is not known too.
		for i, from := range begins[1:] {
			pairs, _, err := page(from)
			if want := min(PageKeys, n-(i+1)*PageKeys); err != nil || len(pairs) != want {
				t.Errorf("again: %d pairs, %v, want %d", len(pairs), err, want)
			}
		}
		for range maxPasses + 1 {
			if _, _, err := page(""); err != nil {
				t.Fatal(err)
			}
		}
		if len(passes.passes) > maxPasses {
			t.Errorf("%d passes are remembered", len(passes.passes))
		}
		for _, from := range []string{"some/1", "1:other", "1:"} {
			if _, _, err := page(from); !errors.Is(err, store.ErrInvalidPage) {
				t.Errorf("from %q: %v", from, err)
			}
		}
	}
}
