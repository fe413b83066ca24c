package base

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store"
)

// FuzzPage: pages, each begun where the one before says, have every key below a directory
// once; wherever else a page is asked to begin it has only such keys, or is refused.
func FuzzPage(f *testing.F) {
	f.Fuzz(func(t *testing.T, n uint16, directory, other, from string) {
		keys := []string{other, directory, directory + "\x00", directory + "\xff"}
		for i := range int(n) % 2500 {
			keys = append(keys, fmt.Sprint(directory, i))
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		below := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == directory || !strings.HasPrefix(key, directory) })
		s := &Store{Name: "test"}
		after := func(after string) ([]string, error) {
			rest := slices.DeleteFunc(slices.Clone(below), func(key string) bool { return key <= after })
			return rest[:min(len(rest), PageKeys)], nil
		}
		read := func(keys []string) (pairs []*store.KVPair, err error) {
			for _, key := range keys {
				pairs = append(pairs, &store.KVPair{Key: key, Value: []byte(key), LastIndex: 1})
			}
			return pairs, nil
		}
		wanted := func(key string) bool { return len(key)%2 == 0 }
		page := func(from string) ([]string, string, error) {
			pairs, next, err := s.Page(context.Background(), directory, from, wanted, after, read)
			var found []string
			for _, pair := range pairs {
				found = append(found, pair.Key)
				if wanted(pair.Key) != (pair.Value != nil) {
					t.Errorf("%q has the value %q", pair.Key, pair.Value)
				}
			}
			slices.Sort(found)
			return found, next, err
		}
		var all []string
		for next := ""; ; {
			found, then, err := page(next)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, found...)
			if then != "" && then <= next {
				t.Fatalf("after %q comes %q", next, then)
			}
			if next = then; next == "" {
				break
			}
		}
		if !slices.Equal(all, below) {
			t.Errorf("%d keys of %d", len(all), len(below))
		}
		found, _, err := page(from)
		if invalid := from != "" && !strings.HasPrefix(from, directory); invalid != errors.Is(err, store.ErrInvalidPage) {
			t.Errorf("from %q below %q: %v", from, directory, err)
		}
		for _, key := range found {
			if !slices.Contains(below, key) || key <= from {
				t.Errorf("from %q below %q: %q", from, directory, key)
			}
		}
	})
}
