package python

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is a server that answers the nth request with the nth answer, or not at all
// if that is empty. told returns what the requests were: their route and beat.
func scripted(t *testing.T, answers []string) (url string, told func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body) // its end is noticed then
		var body struct{ Beat string }
		if err == nil {
			err = json.Unmarshal(content, &body)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		n := len(all)
		all = append(all, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]+" "+body.Beat)
		mu.Unlock()
		switch {
		case n >= len(answers):
			http.Error(w, `{"error":"the script is over"}`, http.StatusInternalServerError)
		case answers[n] == "":
			<-r.Context().Done()
		case strings.Contains(answers[n], "error"):
			w.WriteHeader(http.StatusConflict)
			fallthrough
		default:
			fmt.Fprint(w, answers[n])
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestClientTellsItsCopyFromALostAnswerByTheBeat(t *testing.T) {
	t.Parallel()
	won := func(beat int) string { return fmt.Sprintf(`{"token":7,"trust_ms":2400,"beat":"%d"}`, beat) }
	renewed := func(beat int) string { return fmt.Sprintf(`{"error":"renewed","beat":"%d"}`, beat) }
	const lost = ""
	script := []struct{ request, answer string }{
		{"claim ", won(1)},
		{"claim 1", lost},
		{"claim 1", lost},
		{"claim 1", renewed(2)}, // by one of those
		{"claim 2", renewed(3)}, // by the other, which its server has repeated
		{"claim 3", won(4)},
		{"claim 4", renewed(5)}, // by a copy
		{"resign 4", renewed(5)},
		{"claim ", lost},
		{"claim ", won(1)},
		{"claim 1", won(2)},
		{"claim 2", renewed(3)}, // by the first, late
		{"claim 3", won(4)},
		{"claim 4", renewed(5)},
		{"resign 4", renewed(5)},
	}
	var want, answers []string
	for _, s := range script {
		want, answers = append(want, s.request), append(answers, s.answer)
	}
	url, told := scripted(t, answers)
	start(t, "python3", "-c", fmt.Sprintf(`
import leader, time
def work(term):
    while term.leads(): time.sleep(0.01)
leader.Election([%q], "k", "a", ttl=3.0).run(work)`, url))
	for end := time.Now().Add(patience); len(told()) < len(want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it has asked %q, want %q", told(), want)
		}
	}
	if got := told()[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("it has asked\n%q, want\n%q", got, want)
	}
}
