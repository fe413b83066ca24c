package postgres_test

import (
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/internal/crowdtest"
)

func TestReadersLeaveConnectionsForWrites(t *testing.T) {
	proxy := servers.NewProxy(t, hostport(servers.Shared(t, "postgres")))
	kv := wantOpen(t, "postgres://postgres@"+proxy.Addr+"/postgres?table="+newTable())
	proxy.Delay(200 * time.Millisecond)
	crowdtest.Check(t, kv, 200*time.Millisecond)
}
