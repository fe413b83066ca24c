package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// BenchmarkClaim measures what a handler does in a second, on Redis, without the
// network between it and its clients: renewals of many elections, and claims of
// rivals for one.
func BenchmarkClaim(b *testing.B) {
	for name, body := range map[string]string{
		"renewals": `{"node":"a","ttl":"1h","instance":"instance-of-holder-a"}`,
		"rivals":   `{"node":"b","ttl":"1h","instance":"instance-of-holder-b"}`,
	} {
		b.Run(name, func(b *testing.B) {
			kv, err := store.Open(b.Context(), "redis://"+servers.Shared(b, "redis").Addr+"?prefix=bench-claims-"+name+":")
			if err != nil {
				b.Fatal(err)
			}
			defer kv.Close()
			api, err := httpapi.New(kv)
			if err != nil {
				b.Fatal(err)
			}
			defer api.Close()
			ask := func(key int, body string) int {
				w := httptest.NewRecorder()
				path := fmt.Sprintf("/api/v1/elections/%d/claim", key)
				api.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, strings.NewReader(body)))
				return w.Code
			}
			for key := range 64 {
				ask(key, `{"node":"a","ttl":"1h","instance":"instance-of-holder-a"}`)
			}
			want := map[string]int{"renewals": http.StatusOK, "rivals": http.StatusConflict}[name]
			var seq atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				key := int(seq.Add(1)) % 64
				if name == "rivals" {
					key = 0
				}
				for pb.Next() {
					if got := ask(key, body); got != want {
						b.Errorf("%d, want %d", got, want)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
		})
	}
}
