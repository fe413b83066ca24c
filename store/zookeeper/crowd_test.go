package zookeeper_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/internal/crowdtest"
)

func TestReadersLeaveRoomForWrites(t *testing.T) {
	proxy := servers.NewProxy(t, servers.New(t, "zookeeper").Addr)
	kv := open(t, "zookeeper://"+proxy.Addr)
	proxy.Delay(200 * time.Millisecond)
	crowdtest.Check(t, kv, 200*time.Millisecond)
}
