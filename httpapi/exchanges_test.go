package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// reading is a client that goes once it has read enough.
type reading struct {
	*httptest.ResponseRecorder
	until string
	leave context.CancelFunc
}

func (r *reading) Write(b []byte) (int, error) {
	n, err := r.ResponseRecorder.Write(b)
	if r.until != "" && bytes.Contains(r.Body.Bytes(), []byte(r.until)) {
		r.leave()
	}
	return n, err
}

// exchanged makes a request of a handler.
func exchanged(t *testing.T, api http.Handler, r request) exchange {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	made := r.HTTP().WithContext(ctx)
	w := &reading{httptest.NewRecorder(), r.Until, cancel}
	api.ServeHTTP(w, made)
	if r.Until != "" && !strings.Contains(w.Body.String(), r.Until) {
		t.Errorf("%s %s: no %s in %q", r.Method, r.Path, r.Until, w.Body)
	}
	return exchange{Request: r, Pattern: made.Pattern, Status: w.Code, Header: w.Result().Header, Answer: w.Body.Bytes()}
}

// TestEveryRouteAnswersInEveryWay writes what was asked and answered to the file
// that HTTPAPI_EXCHANGES names, for whom it has to fit the OpenAPI document.
func TestEveryRouteAnswersInEveryWay(t *testing.T) {
	all := exchanges(t)
	if file := os.Getenv("HTTPAPI_EXCHANGES"); file != "" {
		written, err := json.Marshal(all)
		if err == nil {
			err = os.WriteFile(file, written, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// walk has requests answered, by several handlers.
type walk struct {
	t   *testing.T
	all []exchange
}

// ask makes a request and notes how it is answered.
func (w *walk) ask(api http.Handler, status int, r request) exchange {
	w.t.Helper()
	e := exchanged(w.t, api, r)
	if e.Status != status {
		w.t.Errorf("%s %s %.80s: %d %s, want %d", r.Method, r.Path, r.Body, e.Status, e.Answer, status)
	}
	w.all = append(w.all, e)
	return e
}

// open makes a handler for as long as the test.
func (w *walk) open(kv store.Store, opts ...httpapi.Option) *httpapi.Handler {
	w.t.Helper()
	api, err := httpapi.New(kv, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = api.Close() })
	return api
}

const (
	roundPath  = "/api/v1/%s/cleaning/2020-10-18"
	readToken  = "read-read-read-read"
	writeToken = "write-write-write-write"
	instanceA  = "instance-of-holder-a"
)

func get(path string, headers ...string) request {
	return request{Method: "GET", Path: path, Headers: headers}
}

func post(path, body string, headers ...string) request {
	return request{Method: "POST", Path: path, Body: body, Headers: headers}
}

// exchanges makes requests of every route, and gets every kind of answer.
func exchanges(t *testing.T) []exchange {
	t.Helper()
	w := &walk{t: t}
	w.rounds()
	w.elections()
	w.streams()
	w.rest()
	w.failures()
	return w.all
}

func (w *walk) rounds() {
	kv := memory.New()
	api := w.open(kv)
	at := func(route string) string { return fmt.Sprintf(roundPath, route) }
	accept := []string{"Accept", "application/json"}
	w.ask(api, 204, get(at("elected")))
	w.ask(api, 204, get(at("completed")))
	w.ask(api, 204, get(at("await")+"?timeout=0s"))
	w.ask(api, 202, get(at("elect")+"?node=a&attempt_ttl=30s"))
	w.ask(api, 202, get(at("elect"), httpapi.NodeHeader, "a"))
	w.ask(api, 204, get(at("elect")+"?node=b"))
	w.ask(api, 200, get(at("elected")))
	w.ask(api, 200, get(at("elected"), accept...))
	w.ask(api, 400, get(at("complete")+"?node=b"))
	w.ask(api, 400, post(at("complete")+"?node=b", "done"))
	w.ask(api, 200, post(at("complete")+"?node=a&attempt=1", "done"))
	w.ask(api, 200, get(at("complete")+"?node=a"))
	for _, route := range []string{"completed", "await"} {
		w.ask(api, 200, get(at(route)))
		w.ask(api, 200, get(at(route), accept...))
	}
	w.ask(api, 202, get("/api/v1/elect/cleaning/2020-10-19")) // by its address
	w.ask(api, 200, post("/api/v1/complete/cleaning/2020-10-19", "\xff\x00"))
	for round, why := range map[string]string{"2020-10-20": "disk full", "2020-10-21": "\xff"} {
		w.ask(api, 202, get("/api/v1/elect/cleaning/"+round+"?node=a"))
		if err := leadership.NewRound(kv, "cleaning", round, "a").Fail(w.t.Context(), []byte(why)); err != nil {
			w.t.Error(err)
		}
	}
	w.ask(api, 200, get("/api/v1/rounds?system=cleaning&limit=100"))
	w.ask(api, 200, get("/api/v1/rounds?system=none"))
	many := memory.New()
	for i := range 1001 {
		if _, err := leadership.NewRound(many, "many", fmt.Sprint(i), "a").Elect(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	paged := w.open(many)
	e := w.ask(paged, 200, get("/api/v1/rounds?system=many&from="))
	var first struct {
		Rounds []any  `json:"rounds"`
		Next   string `json:"next"`
	}
	if err := json.Unmarshal(e.Answer, &first); err != nil || len(first.Rounds) != 1000 {
		w.t.Fatalf("%d rounds, %v", len(first.Rounds), err)
	}
	if e = w.ask(paged, 200, get("/api/v1/rounds?system=many&from="+url.QueryEscape(first.Next))); strings.Count(string(e.Answer), "winner") != 1 || strings.Contains(string(e.Answer), "next") {
		w.t.Errorf("the second page is %s", e.Answer)
	}

	long := strings.Repeat("x", 129)
	for _, route := range []string{"elect", "elected", "complete", "completed", "await"} {
		w.ask(api, 400, get("/api/v1/"+route+"/"+long+"/1"))
	}
	w.ask(api, 400, get("/api/v1/rounds"))
	w.ask(api, 413, post(at("complete"), strings.Repeat("x", 4097)))
	w.ask(api, 408, request{Method: "POST", Path: at("complete"), Slow: true})
	if err := api.Close(); err != nil {
		w.t.Error(err)
	}
	w.ask(api, 503, get("/api/v1/await/cleaning/another"))
}

func (w *walk) elections() {
	kv := memory.New()
	api := w.open(kv)
	w.ask(api, 200, get(election("")))
	w.ask(api, 200, get("/api/v1/elections"))
	w.ask(api, 503, get(election("/leader?node=a")))
	w.ask(api, 409, post(election("/requests"), `{"action":"resign"}`))
	w.ask(api, 404, post(election("/requests"), `{"action":"pause"}`))
	e := w.ask(api, 200, post(election("/claim"), `{"node":"a","ttl":"30s","instance":"`+instanceA+`","payload":"10.0.0.1:80"}`))
	var a told
	if err := json.Unmarshal(e.Answer, &a); err != nil {
		w.t.Fatal(err)
	}
	w.ask(api, 200, post(election("/claim"), fmt.Sprintf(`{"node":"a","ttl":30,"instance":%q,"token":%d}`, instanceA, a.Token)))
	stale := fmt.Sprintf(`{"node":"a","instance":%q,"token":%d,"beat":%q}`, instanceA, a.Token, a.Beat)
	w.ask(api, 409, post(election("/claim"), stale))
	w.ask(api, 409, post(election("/resign"), fmt.Sprintf(`{"instance":%q,"token":%d,"beat":%q}`, instanceA, a.Token, a.Beat)))
	w.ask(api, 409, post(election("/claim"), `{"node":"b","ttl":1.5}`))
	w.ask(api, 409, post(election("/claim"), fmt.Sprintf(`{"node":"a","instance":%q,"token":1}`, instanceA)))
	w.ask(api, 200, get(election("/leader"), httpapi.NodeHeader, "a"))
	w.ask(api, 202, post(election("/requests"), `{"action":"transfer","to":"b","hold":"1m","by":"olga","wait":1}`))
	w.ask(api, 409, post(election("/claim"), fmt.Sprintf(`{"node":"a","instance":%q,"token":%d}`, instanceA, a.Token)))
	w.ask(api, 200, get(election("")))
	w.ask(api, 204, post(election("/resign"), fmt.Sprintf(`{"instance":%q}`, instanceA)))
	w.ask(api, 200, get(election("")))
	w.ask(api, 200, get("/api/v1/elections?prefix=service/&limit=10"))
	w.ask(api, 200, post(election("/requests"), `{"action":"pause","keep":false,"create":true,"by":"olga"}`))
	w.ask(api, 409, post(election("/claim"), `{"node":"b"}`))
	w.ask(api, 200, post(election("/requests"), `{"action":"resume"}`))
	const old = "/api/v1/elections/service%2Fold"
	w.ask(api, 400, request{Method: "DELETE", Path: old + "?wait=1h"})
	w.ask(api, 404, request{Method: "DELETE", Path: old})
	w.ask(api, 200, post(old+"/claim", `{"node":"c","ttl":"1h","instance":"`+instanceA+`"}`))
	w.ask(api, 409, request{Method: "DELETE", Path: old + "?wait=1s"})
	w.ask(api, 204, post(old+"/resign", fmt.Sprintf(`{"instance":%q}`, instanceA)))
	w.ask(api, 204, request{Method: "DELETE", Path: old})
	full := w.open(kv)
	full.FillPolls()
	w.ask(full, 503, request{Method: "DELETE", Path: election("")})
	w.ask(full, 503, post(election("/requests"), `{"action":"pause"}`))
	w.ask(full, 503, get(fmt.Sprintf(roundPath, "await")))

	for _, route := range []string{"/claim", "/resign", "/requests"} {
		w.ask(api, 400, post(election(route), `{"unknown":1}`))
		w.ask(api, 413, post(election(route), strings.Repeat(" ", 64<<10+1)))
		w.ask(api, 408, request{Method: "POST", Path: election(route), Slow: true})
	}
	long := "/api/v1/elections/" + strings.Repeat("x", 513)
	w.ask(api, 400, get(long))
	w.ask(api, 400, get(long+"/leader?node=a"))
	w.ask(api, 400, get(long+"/events"))
	w.ask(api, 400, get(long+"/terms"))
	w.ask(api, 400, get("/api/v1/elections?limit=0"))

	if _, _, err := kv.AtomicPut(w.t.Context(), electionKey, []byte("something else"), w.pair(kv), nil); err != nil {
		w.t.Fatal(err)
	}
	w.ask(api, 409, get(election("")))
	w.ask(api, 409, get(election("/events")))
	w.ask(api, 409, post(election("/claim"), `{"node":"b"}`))
	w.ask(api, 409, post(election("/resign"), fmt.Sprintf(`{"instance":%q}`, instanceA)))
}

func (w *walk) pair(kv store.Store) *store.KVPair {
	w.t.Helper()
	pair, err := kv.Get(w.t.Context(), electionKey, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return pair
}

// streams reads both streams for as long as one leader, that falls silent, takes.
func (w *walk) streams() {
	kv := memory.New()
	api := w.open(kv, httpapi.WithObserved("service/"))
	done := make(chan exchange, 2)
	read := func(r request) {
		go func() { done <- exchanged(w.t, api, r) }()
	}
	w.ask(api, 202, get(fmt.Sprintf(roundPath, "elect")+"?node=a"))
	read(request{Method: "GET", Path: "/api/v1/events?prefix=service/&system=cleaning", Headers: []string{"Last-Event-ID", "x-1"}, Until: `"gone"`})
	read(request{Method: "GET", Path: election("/events"), Until: `"vacant","key":"service/swarm/leader","leader":"","last"`})
	claim := fmt.Sprintf(`{"node":"a","ttl":"2s","instance":%q,"payload":"10.0.0.1:80"}`, instanceA)
	w.ask(api, 200, post(election("/claim"), claim))
	w.ask(api, 200, request{Method: "GET", Path: "/api/v1/events", Until: `"leader"`})
	w.ask(api, 200, post(election("/claim"), claim))
	w.ask(api, 200, get(election("/terms")))
	w.ask(api, 404, get("/api/v1/elections/none/terms"))
	w.ask(api, 200, request{Method: "GET", Path: election("/events"), Until: `"expired"`})
	w.ask(api, 200, get(election("")))
	w.ask(api, 204, post(election("/resign"), fmt.Sprintf(`{"instance":%q}`, instanceA)))
	w.all = append(w.all, <-done)
	if _, err := kv.AtomicDelete(w.t.Context(), electionKey, w.pair(kv)); err != nil {
		w.t.Fatal(err)
	}
	w.all = append(w.all, <-done)
	api.FillStreams()
	w.ask(api, 503, get("/api/v1/events"))
	w.ask(api, 503, get(election("/events")))
	w.ask(api, 400, get("/api/v1/events?prefix=%FF"))
	w.ask(w.open(kv), 404, get("/api/v1/events"))
}

func (w *walk) rest() {
	api := w.open(memory.New())
	w.ask(api, 200, get("/alive"))
	w.ask(api, 200, get("/openapi.json"))
	w.ask(api, 200, get("/"))
	for _, file := range []string{"index.html", "page.css", "page.js", "icon.svg"} {
		w.ask(api, 200, get("/page/"+file))
	}
	w.ask(api, 404, get("/page/none.js"))
	w.ask(api, 200, get("/metrics"))

	// As many as may ask for metrics at once, and one more.
	var slow sync.WaitGroup
	begun, goOn := make(chan struct{}), make(chan struct{})
	for range 8 {
		slow.Go(func() { api.ServeHTTP(pausing{httptest.NewRecorder(), begun, goOn}, get("/metrics").HTTP()) })
		<-begun
	}
	w.ask(api, 503, get("/metrics"))
	close(goOn)
	slow.Wait()
	desc := prometheus.NewDesc("broken", "Cannot be told.", nil, nil)
	api.Registry().MustRegister(broken{desc})
	w.ask(api, 500, get("/metrics"))
}

// pausing is a slow client.
type pausing struct {
	*httptest.ResponseRecorder
	begun, goOn chan struct{}
}

func (s pausing) WriteHeader(status int) {
	s.ResponseRecorder.WriteHeader(status)
}

func (s pausing) Write(b []byte) (int, error) {
	select {
	case <-s.goOn:
	case s.begun <- struct{}{}:
		<-s.goOn
	}
	return s.ResponseRecorder.Write(b)
}

// broken is a metric that cannot be told.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("broken"))
}

// failures are those of tokens, of foreign web pages and of the store.
func (w *walk) failures() {
	kv := faultstore.New(memory.New())
	w.t.Cleanup(func() { _ = kv.Close() })
	guarded := w.open(kv, httpapi.WithTokens([]string{readToken}, []string{writeToken}))
	down := w.open(kv, httpapi.WithTimeout(200*time.Millisecond))
	kv.Refuse()
	round := func(route string) string { return fmt.Sprintf(roundPath, route) }
	claim := fmt.Sprintf(`{"node":"a","instance":%q}`, instanceA)
	reads := []string{
		round("elected"), round("completed"), round("await"), "/api/v1/rounds?system=cleaning",
		"/api/v1/elections", election(""), election("/events"), election("/terms"), "/api/v1/events", "/metrics",
	}
	for _, path := range reads {
		w.ask(guarded, 401, get(path))
		if path != election("/terms") && path != "/api/v1/events" && path != "/metrics" { // those ask the observer
			w.ask(down, 500, get(path))
		}
	}
	for _, r := range []request{
		get(round("elect")),
		get(round("complete") + "?node=a"),
		post(round("complete")+"?node=a", "done"),
		post(election("/claim"), claim),
		post(election("/resign"), fmt.Sprintf(`{"instance":%q}`, instanceA)),
		post(election("/requests"), `{"action":"pause","wait":1}`),
		{Method: "DELETE", Path: election("?wait=1s")},
	} {
		w.ask(guarded, 401, r)
		w.ask(down, 500, r)
		r.Headers = []string{"Authorization", "Bearer " + readToken}
		w.ask(guarded, 403, r)
		r.Headers = []string{"Authorization", "Bearer " + writeToken, "Sec-Fetch-Site", "cross-site"}
		w.ask(guarded, 403, r)
	}
	kv.Heal()
	w.ask(guarded, 200, get("/metrics", "Authorization", "Bearer "+readToken))
}
