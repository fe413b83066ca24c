package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/redis"
)

// status is a ResponseWriter that costs next to nothing.
type status struct {
	header http.Header
	status int
}

func (s *status) Header() http.Header              { return s.header }
func (s *status) Write(b []byte) (int, error)      { return len(b), nil }
func (s *status) WriteHeader(status int)           { s.status = status }
func (s *status) SetReadDeadline(time.Time) error  { return nil }
func (s *status) SetWriteDeadline(time.Time) error { return nil }

// The rounds per second of the handler, and of Round, on Redis, and the time that half of the
// answers take at most, beside those of bare SET NX by the same client; 32 clients
// at once.
func BenchmarkElectOnRedis(b *testing.B) {
	client := goredis.NewClient(&goredis.Options{Addr: servers.Shared(b, "redis").Addr, ContextTimeoutEnabled: true, PoolSize: 32})
	defer client.Close()
	kv, err := redis.New(client)
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	api, err := httpapi.New(kv)
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	var n atomic.Int64
	fresh := func() string { return fmt.Sprint(time.Now().UnixNano(), "-", n.Add(1)) }
	elect := func(round string, want int) {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/elect/bench/"+round, nil)
		if err != nil {
			b.Error(err)
			return
		}
		r.RemoteAddr = "10.0.0.9:1234"
		w := &status{header: make(http.Header)}
		if api.ServeHTTP(w, r); w.status != want {
			b.Errorf("%d, want %d", w.status, want)
		}
	}
	set := func(round string, want bool) {
		if ok, err := client.SetNX(b.Context(), "bare:"+round, "10.0.0.9:1234", 0).Result(); ok != want || err != nil {
			b.Error(ok, err)
		}
	}
	rounds := leadership.NewRounds(kv)
	round := func(name string, want bool) {
		if won, err := rounds.Round("bench", name, "10.0.0.9:1234", leadership.Anonymous()).Elect(b.Context()); won != want || err != nil {
			b.Error(won, err)
		}
	}
	lost := fresh()
	elect(lost, http.StatusAccepted)
	set(lost, true)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"new/SET_NX", func() { set(fresh(), true) }},
		{"new/Round", func() { round(fresh(), true) }},
		{"new/elect", func() { elect(fresh(), http.StatusAccepted) }},
		{"lost/SET_NX", func() { set(lost, false) }},
		{"lost/Round", func() { round(lost, false) }},
		{"lost/elect", func() { elect(lost, http.StatusNoContent) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const clients = 32
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var all sync.WaitGroup
			began := time.Now()
			for range clients {
				all.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						start := time.Now()
						c.f()
						took[i] = time.Since(start)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "rounds/s")
			slices.Sort(took)
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "ms-median")
		})
	}
}
