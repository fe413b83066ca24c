package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestTokensGuardAllRoutesButAlive(t *testing.T) {
	const read, write = "read-read-read-read", "write-write-write-write"
	server := serve(t, memory.New(), httpapi.WithTokens([]string{"another-token-for-reading", read}, []string{write}))
	for _, c := range []struct {
		authorization        string
		alive, reads, writes int
	}{
		{"", 200, 401, 401},
		{"Bearer " + read, 200, 204, 403},
		{"Bearer another-token-for-reading", 200, 204, 403},
		{"Bearer " + read + "x", 200, 401, 401},
		{"Bearer " + read[1:], 200, 401, 401},
		{"Bearer ", 200, 401, 401},
		{"Bearer", 200, 401, 401},
		{"Basic " + write, 200, 401, 401},
		{write, 200, 401, 401},
		{"Bearer " + write, 200, 204, 202},
		{"bearer " + write, 200, 204, 202},
	} {
		for path, want := range map[string]int{"/alive": c.alive, "/api/v1/completed/sys/1": c.reads, "/api/v1/elect/sys/1?node=a": c.writes} {
			response, body := send(t, server, "GET", path, "", "Authorization", c.authorization)
			if response.StatusCode != want || strings.Contains(body, "-") {
				t.Errorf("%q %s: %d %q, want %d", c.authorization, path, response.StatusCode, body, want)
			}
			if challenge := response.Header.Get("WWW-Authenticate"); (want == 401) != (challenge == "Bearer") {
				t.Errorf("%q %s: challenged with %q", c.authorization, path, challenge)
			}
		}
	}
	for _, path := range []string{"elected/sys/1", "await/sys/1", "rounds?system=sys", "complete/sys/1"} {
		expect(t, server, "GET", "/api/v1/"+path, "", 401, "*token")
	}
	expect(t, server, "POST", "/api/v1/complete/sys/1?node=a", "", 401, "*token")
	expect(t, server, "POST", "/api/v1/complete/sys/1?node=a", "", 403, "*reading only", "Authorization", "Bearer "+read)

	// Those for writing alone guard reading, too.
	server = serve(t, memory.New(), httpapi.WithTokens(nil, []string{write}))
	expect(t, server, "GET", "/api/v1/elected/sys/1", "", 401, "*token")
	expect(t, server, "GET", "/api/v1/elected/sys/1", "", 204, "", "Authorization", "Bearer "+write)
}

func TestForeignNameThatLeadsHereChangesNothing(t *testing.T) {
	const token = "write-write-write-write"
	kv := memory.New()
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(host, token string, headers ...string) int {
		var opts []httpapi.Option
		if token != "" {
			opts = append(opts, httpapi.WithTokens(nil, []string{token}))
		}
		api, err := httpapi.New(kv, opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		r := httptest.NewRequest(http.MethodPost, "/api/v1/elections/k/requests", strings.NewReader(`{"action": "resign"}`))
		r.Host = host
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w.Code
	}
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://" + host}} {
			if code := ask(host, "", headers...); code != http.StatusForbidden {
				t.Errorf("%s, %v: %d", host, headers, code)
			}
			if code := ask(host, token, headers...); code != http.StatusConflict { // nobody leads
				t.Errorf("%s, %v, with a token: %d", host, headers, code)
			}
		}
		if code := ask(host, ""); code != http.StatusConflict {
			t.Errorf("%s, from no web page: %d", host, code)
		}
	}
	for _, host := range []string{"127.0.0.1:8080", "[::1]:8080", "::1", "localhost:8080", "app.localhost", "node-a", "node-a:80", own} {
		if code := ask(host, "", "Sec-Fetch-Site", "same-origin"); code != http.StatusConflict {
			t.Errorf("%s: %d", host, code)
		}
	}
}

func TestForeignWebPagesChangeNothing(t *testing.T) {
	const token = "write-write-write-write"
	kv := memory.New()
	open := serve(t, kv)
	guarded := serve(t, kv, httpapi.WithTokens(nil, []string{token}))
	expect(t, open, "GET", "/api/v1/elect/sys/1?node=a", "", 202, "")
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	}
	for _, headers := range foreign {
		expect(t, open, "POST", "/api/v1/complete/sys/1?node=a", "", 403, "*foreign", headers...)
		expect(t, open, "GET", "/api/v1/completed/sys/1", "", 204, "", headers...)
		expect(t, open, "GET", "/api/v1/elect/sys/1?node=a", "", 202, "", headers...) // as with gone

		headers = append(headers, "Authorization", "Bearer "+token)
		for _, request := range []string{"GET elect", "GET complete", "POST complete"} {
			method, route, _ := strings.Cut(request, " ")
			expect(t, guarded, method, "/api/v1/"+route+"/sys/1?node=a", "", 403, "*foreign", headers...)
		}
		expect(t, guarded, "GET", "/api/v1/completed/sys/1", "", 204, "", headers...)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", open.URL}, nil} {
		expect(t, open, "POST", "/api/v1/complete/sys/1?node=a", "", 200, "", headers...)
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", guarded.URL}, nil} {
		expect(t, guarded, "GET", "/api/v1/complete/sys/1?node=a", "", 200, "", append(headers, "Authorization", "Bearer "+token)...)
	}
}
