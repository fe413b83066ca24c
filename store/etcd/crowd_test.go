package etcd_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/crowdtest"
)

func TestReadersLeaveRoomForWrites(t *testing.T) {
	proxy := servers.NewProxy(t, servers.Plain(t, "etcd").Addr)
	kv, err := store.Open(t.Context(), "etcd://"+proxy.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	proxy.Delay(200 * time.Millisecond)
	crowdtest.Check(t, kv, 200*time.Millisecond)
}
