package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestProgramsAreToldWhyByACodeAndOfRenewalsByABeat(t *testing.T) {
	h, err := New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	do := func(method, path, body string) (answer struct{ Code, Beat, Instance string }) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "http://127.0.0.1/api/v1/elections/k"+path, strings.NewReader(body)))
		_ = json.Unmarshal(w.Body.Bytes(), &answer)
		return answer
	}
	for _, c := range []struct{ method, path, body, code string }{
		{http.MethodPost, "/requests", `{"action":"resign"}`, "no_election"},
		{http.MethodPost, "/requests", `{"action":"pause"}`, "no_election"},
		{http.MethodPost, "/requests", `{"action":"pause","create":true}`, ""},
		{http.MethodPost, "/requests", `{"action":"resign"}`, "paused"},
		{http.MethodDelete, "", "", "paused"},
		{http.MethodPost, "/requests", `{"action":"resume"}`, ""},
		{http.MethodPost, "/requests", `{"action":"resign"}`, "no_leader"},
		{http.MethodPost, "/claim", `{"node":"a","ttl":"1m","instance":"0123456789abcdef"}`, ""},
		{http.MethodDelete, "?wait=1s", "", "held"},
	} {
		if got := do(c.method, c.path, c.body).Code; got != c.code {
			t.Errorf("%s %s %s: code %q, want %q", c.method, c.path, c.body, got, c.code)
		}
	}
	before := do(http.MethodGet, "", "").Beat
	if again := do(http.MethodGet, "", "").Beat; again != before || before == "" {
		t.Errorf("without a renewal the beat becomes %q, from %q", again, before)
	}
	do(http.MethodPost, "/claim", `{"node":"a","ttl":"1m","instance":"0123456789abcdef"}`)
	if after := do(http.MethodGet, "", "").Beat; after == before || after == "" {
		t.Errorf("after a renewal the beat is %q", after)
	}
}
