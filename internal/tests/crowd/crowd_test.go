package crowd

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

var (
	elections = flag.Int("elections", 1000, "how many elections a process stands in")
	led       = flag.Duration("led", 30*time.Second, "how long all are to be led")
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// BenchmarkElections has one process stand in many elections with the default TTL. It
// reports how long it took until all were led, how many terms were lost, and how
// many connections the server had at most:
//
//	go test -run '^$' -bench Elections -benchtime 1x ./internal/tests/crowd -led 5m
func BenchmarkElections(b *testing.B) {
	for _, name := range []string{"etcd", "consul", "zookeeper", "redis", "postgres"} {
		b.Run(name, func(b *testing.B) {
			server := servers.Plain(b, name)
			url := server.Addr // PostgreSQL's is a URL
			if name != "postgres" {
				url = name + "://" + url
			}
			env := electiontest.Env{Open: func(t testing.TB) store.Store {
				kv, err := store.Open(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				return kv
			}}
			for b.Loop() {
				most := 0
				all, lost := electiontest.Crowd(b, env, *elections, *led, func() { most = max(most, server.Connections()) })
				b.ReportMetric(all.Seconds(), "s-until-all-led")
				b.ReportMetric(float64(lost), "lost")
				b.ReportMetric(float64(most), "connections")
			}
		})
	}
}
