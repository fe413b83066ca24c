package redis_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/internal/crowdtest"
)

func TestReadersLeaveConnectionsForWrites(t *testing.T) {
	proxy := servers.NewProxy(t, servers.Redis(t).Addr)
	kv := openURL(t, "redis://"+proxy.Addr)
	defer kv.Close()
	proxy.Delay(200 * time.Millisecond)
	crowdtest.Check(t, kv, 200*time.Millisecond)
}
