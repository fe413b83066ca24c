package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

// measure has that many clients call f at once, each with its number. It reports what
// they do in a second, the time that half of the calls take at most, and the CPU time of
// this process and of the Redis server for one call, which says the most where other
// programs run, too.
func measure(b *testing.B, server *goredis.Client, clients int, what string, f func(client int)) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	began, here, there := time.Now(), spent(b), serverSpent(b, server)
	for client := range clients {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				f(client)
				took[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	n := float64(b.N)
	b.ReportMetric(n/time.Since(began).Seconds(), what+"/s")
	b.ReportMetric((spent(b)-here).Seconds()*1e6/n, "µs-CPU/op")
	b.ReportMetric((serverSpent(b, server)-there).Seconds()*1e6/n, "µs-server-CPU/op")
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "ms-median")
}

// spent returns the CPU time that this process has used.
func spent(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// serverSpent returns the CPU time that a Redis server has used.
func serverSpent(b *testing.B, server *goredis.Client) (sum time.Duration) {
	info, err := server.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(seconds * float64(time.Second))
		}
	}
	return sum
}

// The rounds per second of the handler, and of Round, on Redis, beside those of bare SET
// NX by the same client; 32 clients at once. It reports how many bytes a round takes in
// the server, too.
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
	round := func(name string, want bool, opts ...leadership.RoundOption) {
		if won, err := rounds.Round("bench", name, "10.0.0.9:1234", opts...).Elect(b.Context()); won != want || err != nil {
			b.Error(won, err)
		}
	}
	bytes := func(key string) float64 {
		size, err := client.MemoryUsage(b.Context(), key).Result()
		if err != nil {
			b.Fatal(err)
		}
		return float64(size)
	}
	lost := fresh()
	elect(lost, http.StatusAccepted)
	set(lost, true)
	named := fresh()
	round(named, true)
	for _, c := range []struct {
		name, key string
		f         func()
	}{
		{"new/SET_NX", "bare:" + lost, func() { set(fresh(), true) }},
		{"new/Round", "bench/" + named, func() { round(fresh(), true) }},
		{"new/anonymous", "bench/" + lost, func() { round(fresh(), true, leadership.Anonymous()) }},
		{"new/elect", "bench/" + lost, func() { elect(fresh(), http.StatusAccepted) }},
		{"lost/SET_NX", "", func() { set(lost, false) }},
		{"lost/Round", "", func() { round(lost, false, leadership.Anonymous()) }},
		{"lost/elect", "", func() { elect(lost, http.StatusNoContent) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			measure(b, client, 32, "rounds", func(int) { c.f() })
			if c.key != "" {
				b.ReportMetric(bytes(c.key), "bytes/round")
			}
		})
	}
}
