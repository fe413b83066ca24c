package etcd_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/etcd"
	"github.com/seed-a1d591d3/leadership/store/internal/pagetest"
)

func TestPagesReadNoMoreThanWanted(t *testing.T) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{servers.Shared(t, "etcd").Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	kv := etcd.New(client)
	defer kv.Close()
	const n = 2500
	directory := t.Name() + fmt.Sprint(rand.Uint64()) + "/"
	var puts []clientv3.Op
	for i := range n {
		puts = append(puts, clientv3.OpPut(fmt.Sprint(directory, i), "value"))
	}
	puts = append(puts, clientv3.OpPut(directory, "none"), clientv3.OpPut(directory[:len(directory)-1]+"0", "behind"))
	for some := range slices.Chunk(puts, 100) {
		if _, err := client.Txn(t.Context()).Then(some...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	pagetest.Check(t, kv, directory, n, 3)
}
