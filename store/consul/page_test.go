package consul_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/consul"
	"github.com/seed-a1d591d3/leadership/store/internal/pagetest"
)

// counting counts the requests, and the bytes of their answers.
type counting struct {
	http.Transport
	requests, bytes atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	answer, err := c.Transport.RoundTrip(r)
	if err == nil {
		answer.Body = countingBody{answer.Body, &c.bytes}
	}
	return answer, err
}

type countingBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (b countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}

// counted returns a store on the server that the tests share, and what counts its requests.
func counted(t *testing.T) (*consul.Store, *counting) {
	t.Helper()
	transport := new(counting)
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: servers.Shared(t, "consul").Addr, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	kv := consul.New(client)
	t.Cleanup(func() { _ = kv.Close() })
	return kv, transport
}

// fill writes so many values of 150 bytes below a new directory, which it returns.
func fill(t *testing.T, n int) string {
	t.Helper()
	_, client := open(t)
	directory := fmt.Sprint(t.Name(), rand.Uint64(), "/")
	value := fmt.Appendf(nil, "%0150d", 0)
	var ops api.TxnOps
	for i := range n {
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVSet, Key: fmt.Sprint(directory, i), Value: value}})
	}
	for _, key := range []string{directory, directory[:len(directory)-1] + "0"} {
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key}})
	}
	for some := range slices.Chunk(ops, 64) {
		if ok, _, _, err := client.Txn().Txn(some, nil); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	return directory
}

func TestPagesReadNoMoreThanWanted(t *testing.T) {
	const n = 2500
	directory := fill(t, n)
	kv, _ := counted(t)
	pagetest.Check(t, kv, directory, n, 3)
}

func TestValuesThatAreNotWantedAreNotTransferred(t *testing.T) {
	const n = 3000
	directory := fill(t, n)
	kv, count := counted(t)
	for from, pages := "", 0; pages == 0 || from != ""; pages++ {
		var err error
		if _, from, err = store.Page(t.Context(), kv, directory, from, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	most := int64(n * (len(directory) + 10))
	if requests, bytes := count.requests.Load(), count.bytes.Load(); requests != 1 || bytes > most {
		t.Errorf("%d requests and %d bytes for the names of %d keys, want 1 and at most %d", requests, bytes, n, most)
	}
}

func TestPageLeavesOutWhatIsDeletedMeanwhile(t *testing.T) {
	directory := fill(t, 10)
	kv, _ := counted(t)
	_, client := open(t)
	pairs, next, err := kv.Page(t.Context(), directory, "", func(key string) bool {
		if key == directory+"3" || key == directory+"7" {
			if _, err := client.KV().Delete(key, nil); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	if err != nil || next != "" || len(pairs) != 8 {
		t.Errorf("%d pairs, %q, %v", len(pairs), next, err)
	}
}
