package python

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// The client ends the command while its term is not over yet: that is not an end of the
// command by itself.
func TestClientWhoseCommandItEndedClaimsAnew(t *testing.T) {
	t.Parallel()
	const trust = 800 * time.Millisecond
	var first atomic.Int64 // when the first claim was answered
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UnixNano()
		if !first.CompareAndSwap(0, now) && now-first.Load() < int64(2*trust) {
			http.Error(w, `{"error":"not now"}`, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"leader":"a","token":%d,"trust_ms":%d}`, now, trust.Milliseconds())
	}))
	t.Cleanup(server.Close)
	j := journal(filepath.Join(t.TempDir(), "journal"))
	client(t, server.URL, "a", "1", fmt.Sprintf("echo begun >>%s; exec sleep 60", j))
	for end := time.Now().Add(patience); j.count(t, "begun") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not lead again")
		}
	}
}
