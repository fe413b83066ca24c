package consul_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/internal/crowdtest"
)

func TestReadersLeaveConnectionsForWrites(t *testing.T) {
	proxy := servers.NewProxy(t, servers.Plain(t, "consul").Addr)
	kv, err := openURL(t, "consul://"+proxy.Addr+"/readers")
	if err != nil {
		t.Fatal(err)
	}
	proxy.Delay(200 * time.Millisecond)
	crowdtest.Check(t, kv, 200*time.Millisecond)
}
