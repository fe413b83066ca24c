package recovery

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/electiontest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// TestRunningConsulThatIsPutBackIsTakenUp: no connection breaks, and its indexes go back.
func TestRunningConsulThatIsPutBackIsTakenUp(t *testing.T) {
	server := servers.Consul(t)
	url := plainURL("consul", server.Addr)
	snapshot := func(method string, body []byte) []byte {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+server.Addr+"/v1/snapshot", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v: %s", method, response.Status, err, content)
		}
		return content
	}
	defer http.DefaultClient.CloseIdleConnections()
	write(t, url, 10)
	saved := snapshot(http.MethodGet, nil)
	write(t, url, 300)
	electiontest.Recovers(t, opener(url), func() { snapshot(http.MethodPut, saved) })
}
