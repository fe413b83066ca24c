package recovery

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// plain are the stores that have a server.
var plain = []string{"etcd", "consul", "zookeeper", "redis", "postgres"}

func plainURL(kind, addr string) string {
	if kind == "postgres" {
		return addr
	}
	return kind + "://" + addr
}

// write makes the server go on, with n writes that nobody is interested in.
func write(t *testing.T, url string, n int) {
	t.Helper()
	kv := opener(url)(t)
	defer kv.Close()
	pair, err := kv.Get(t.Context(), "recovery/other", nil)
	if err != nil {
		pair = nil
	}
	for range n {
		var previous *store.KVPair
		if pair != nil {
			previous = pair
		}
		if _, pair, err = kv.AtomicPut(t.Context(), "recovery/other", []byte("value"), previous, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServerWithoutItsDataIsTakenUp: its folder was emptied, or another took its place.
func TestServerWithoutItsDataIsTakenUp(t *testing.T) {
	for _, kind := range plain {
		t.Run(kind, func(t *testing.T) {
			server := servers.New(t, kind)
			url := plainURL(kind, server.Addr)
			write(t, url, 300)
			electiontest.Recovers(t, opener(url), server.Wipe)
		})
	}
}

// TestServerThatWentBackIsTakenUp: it has the data of an older backup.
func TestServerThatWentBackIsTakenUp(t *testing.T) {
	for _, kind := range plain {
		t.Run(kind, func(t *testing.T) {
			server := servers.New(t, kind)
			url := plainURL(kind, server.Addr)
			write(t, url, 10)
			server.Save()
			write(t, url, 300)
			electiontest.Recovers(t, opener(url), server.Restore)
		})
	}
}

// TestWatchTellsWhatAServerWithoutItsDataGets: though its indexes begin anew, and one of
// them is that of what was told before.
func TestWatchTellsWhatAServerWithoutItsDataGets(t *testing.T) {
	for _, kind := range plain {
		t.Run(kind, func(t *testing.T) {
			server := servers.New(t, kind)
			url := plainURL(kind, server.Addr)
			write(t, url, 300)
			kv, key := opener(url)(t), "recovery/watched"
			defer kv.Close()
			create := func(value string) {
				t.Helper()
				writer := opener(url)(t)
				defer writer.Close()
				if _, _, err := writer.AtomicPut(t.Context(), key, []byte(value), nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			create("before")
			pairs, err := kv.Watch(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			tells := func(value string) {
				t.Helper()
				for limit := time.After(20 * time.Second); ; {
					select {
					case pair, open := <-pairs:
						if !open {
							t.Fatal("the watch has ended")
						}
						if string(pair.Value) == value {
							return
						}
					case <-limit:
						t.Fatalf("the watch does not tell %q", value)
					}
				}
			}
			tells("before")
			server.Wipe()
			create("after")
			tells("after")
		})
	}
}
