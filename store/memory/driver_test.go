package memory_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
)

// openURL opens a store that the end of the test closes.
func openURL(t *testing.T, url string) store.Store {
	t.Helper()
	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return kv
}

func TestOpenSharesAStoreByItsName(t *testing.T) {
	one, same, other := openURL(t, "memory://one"), openURL(t, "memory://one/"), openURL(t, "memory://other")
	put(t, one, "a", nil, time.Hour)
	wantValue(t, same, "a")
	wantMissing(t, other)
	one.Close()
	one.Close() // counts once
	wantValue(t, same, "a")
	same.Close()
	wantMissing(t, openURL(t, "memory://one"))
}

func TestOpenWithoutANameIsAStoreOfItsOwn(t *testing.T) {
	for _, url := range []string{"memory://", "memory:///"} {
		put(t, openURL(t, url), "a", nil, 0)
		wantMissing(t, openURL(t, url))
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for url, want := range map[string]string{
		"memory://name/path":   `"path"`,
		"memory://user@name":   "user",
		"memory://name?poll=1": `"poll"`,
		"memory:name":          "want memory://name",
		"memory://@name":       "neither a user",
	} {
		if _, err := store.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want it to name %s", url, err, want)
		}
	}
}

func TestClosedStoreOfANameRefusesEveryCallAndTheOthersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed, other := openURL(t, "memory://close"), openURL(t, "memory://close")
		pair := put(t, other, "a", nil, 0)
		ended, stands := watch(t, closed), watch(t, other)
		wantNext(t, ended, "a")
		wantNext(t, stands, "a")
		if err := closed.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wantNext(t, ended, "(closed)")
		for name, call := range map[string]func() error{
			"Get": func() error { _, err := closed.Get(t.Context(), key, nil); return err },
			"AtomicPut": func() error {
				_, _, err := closed.AtomicPut(t.Context(), key, nil, pair, nil)
				return err
			},
			"AtomicDelete": func() error { _, err := closed.AtomicDelete(t.Context(), key, pair); return err },
			"List":         func() error { _, err := closed.List(t.Context(), "", nil); return err },
			"Watch":        func() error { _, err := closed.Watch(t.Context(), key, nil); return err },
		} {
			if err := call(); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
		wantNext(t, stands, "")
		put(t, other, "b", pair, 0)
		wantNext(t, stands, "b")
	})
}
