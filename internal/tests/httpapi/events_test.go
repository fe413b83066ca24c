package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// stream follows the events of an election.
type stream struct {
	t    *testing.T
	last string // the id of the latest
	in   *bufio.Scanner
	end  func()
}

func follow(t *testing.T, server *httptest.Server, after string) *stream {
	t.Helper()
	return followAt(t, server, election("/events"), after)
}

func followAt(t *testing.T, server *httptest.Server, path, after string) *stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("events: %d %s", response.StatusCode, kind)
	}
	s := &stream{t: t, in: bufio.NewScanner(response.Body), end: func() { _ = response.Body.Close() }}
	t.Cleanup(s.end)
	return s
}

// next returns the next event.
func (s *stream) next() told {
	s.t.Helper()
	timer := time.AfterFunc(patience, s.end)
	defer timer.Stop()
	for s.in.Scan() {
		if id, ok := strings.CutPrefix(s.in.Text(), "id: "); ok {
			s.last = id
		}
		if data, ok := strings.CutPrefix(s.in.Text(), "data: "); ok {
			var v told
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Fatalf("no event within %v: %v", patience, s.in.Err())
	return told{}
}

func TestReadersAreToldWhatBecomesOfAnElection(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		one, two := serve(t, kv), serve(t, kv)
		streams := []*stream{follow(t, one, ""), follow(t, one, ""), follow(t, two, "")}
		all := func(check func(v told) bool) {
			t.Helper()
			for i, s := range streams {
				if v := s.next(); !check(v) {
					t.Errorf("stream %d is told %+v", i, v)
				}
			}
		}
		all(func(v told) bool { return v.Type == "vacant" })
		a := tell(t, one, "POST", election("/claim"), `{"node":"a","ttl":"30s","payload":"here"}`, 200)
		all(func(v told) bool {
			return v.Type == "leader" && v.Leader == "a" && v.Token == a.Token && v.Payload == "here"
		})
		began := time.Now()
		expect(t, two, "POST", election("/resign"), fmt.Sprintf(`{"instance":%q}`, a.Instance), 204, "")
		all(func(v told) bool { return v.Type == "vacant" && v.Last.Leader == "a" && v.Last.Reason == "resigned" })
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("a resignation is told after %v", took)
		}
		expect(t, two, "POST", election("/requests"), `{"action":"pause","by":"olga"}`, 200, "*true")
		all(func(v told) bool { return v.Type == "vacant" && v.AskedAny != nil })
	})
}

func TestLeaderThatFallsSilentIsToldToHaveExpired(t *testing.T) {
	server := serve(t, memory.New())
	tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"300ms"}`, 200)
	s := follow(t, server, "")
	if v := s.next(); v.Type != "leader" || v.Leader != "a" {
		t.Errorf("at first it is told %+v", v)
	}
	if v := s.next(); v.Type != "expired" || v.Leader != "a" {
		t.Errorf("then it is told %+v", v)
	}
	expect(t, server, "GET", election("/leader?node=a"), "", 503, "*not the leader")
}

func TestStreamGoesOnAfterTheEventThatWasReadLast(t *testing.T) {
	server := serve(t, memory.New())
	s := follow(t, server, "")
	s.next()
	read := s.last
	s.end()
	var tokens []uint64
	other := follow(t, server, "") // sees that each has been told
	other.next()
	for range 3 {
		a := tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"30s"}`, 200)
		tokens = append(tokens, a.Token)
		if v := other.next(); v.Token != a.Token {
			t.Fatalf("it is told %+v of term %d", v, a.Token)
		}
		expect(t, server, "POST", election("/resign"), fmt.Sprintf(`{"instance":%q}`, a.Instance), 204, "")
		other.next()
	}
	other.end()
	s = follow(t, server, read)
	for _, token := range tokens {
		if v := s.next(); v.Token != token || v.Type != "leader" {
			t.Errorf("it is told %+v, and not of term %d", v, token)
		}
		if v := s.next(); v.Type != "vacant" {
			t.Errorf("it is told %+v", v)
		}
	}
	// What another server, or this one in an earlier life, has told is not known here.
	if v := follow(t, server, "unknown-7").next(); v.Type != "vacant" || v.Last.Leader != "a" {
		t.Errorf("it is told %+v", v)
	}
}

func TestReadersOfAnElectionShareOneFollower(t *testing.T) {
	kv := faultstore.New(memory.New())
	server := serve(t, kv)
	for range 10 {
		follow(t, server, "").next()
	}
	if n := kv.Calls(faultstore.OpWatch); n != 1 {
		t.Errorf("%d watches", n)
	}
}

// stuck is a client that reads nothing.
type stuck struct {
	header http.Header
	wrote  chan struct{}
	read   chan struct{}
}

func (s *stuck) Header() http.Header { return s.header }
func (s *stuck) WriteHeader(int)     {}
func (s *stuck) Flush()              {}
func (s *stuck) Write(b []byte) (int, error) {
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	<-s.read
	return len(b), nil
}

func TestReaderThatIsTooSlowIsDroppedAndHoldsUpNobody(t *testing.T) {
	kv := memory.New()
	api, err := httpapi.New(kv)
	if err != nil {
		t.Fatal(err)
	}
	slow := &stuck{http.Header{}, make(chan struct{}, 1), make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		api.ServeHTTP(slow, httptest.NewRequestWithContext(t.Context(), "GET", election("/events"), nil))
	}()
	<-slow.wrote
	server := httptest.NewServer(api)
	defer server.Close()
	quick := follow(t, server, "")
	quick.next()
	for range 40 {
		a := tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"30s"}`, 200)
		if v := quick.next(); v.Token != a.Token {
			t.Fatalf("the quick reader is told %+v", v)
		}
		expect(t, server, "POST", election("/resign"), fmt.Sprintf(`{"instance":%q}`, a.Instance), 204, "")
		quick.next()
	}
	if n := api.DroppedReaders(); n != 1 {
		t.Errorf("%d readers were dropped", n)
	}
	close(slow.read)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the stream of the slow reader goes on")
	}
	if err := api.Close(); err != nil {
		t.Error(err)
	}
}

// recorder keeps what a stream has written.
type recorder struct {
	header http.Header
	mu     sync.Mutex
	text   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Flush()              {}
func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *recorder) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), what)
}

func TestStreamBeatsAndItsFollowerEndsSomeTimeAfterTheLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := faultstore.New(memory.New())
		api, err := httpapi.New(kv)
		if err != nil {
			t.Fatal(err)
		}
		read := func(d time.Duration) *recorder {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			w := &recorder{header: make(http.Header)}
			api.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, election("/events"), nil))
			return w
		}
		if w := read(10*time.Minute + time.Second); w.count("data: ") != 1 || w.count(": still here\n\n") != 40 {
			t.Errorf("in 10 minutes a stream has %d events and %d heartbeats", w.count("data: "), w.count(": still here"))
		}
		for i, c := range []struct {
			away    time.Duration
			watches int
		}{{0, 1}, {10 * time.Second, 1}, {20 * time.Second, 2}} {
			time.Sleep(c.away)
			read(time.Second)
			if n := kv.Calls(faultstore.OpWatch); n != c.watches {
				t.Errorf("step %d: %d watches, want %d", i, n, c.watches)
			}
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		_ = kv.Close()
		time.Sleep(time.Minute)
	})
}

func TestStreamsEndWithTheHandler(t *testing.T) {
	kv := memory.New()
	api, err := httpapi.New(kv)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api)
	defer server.Close()
	s := follow(t, server, "")
	s.next()
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	for s.in.Scan() {
		if strings.HasPrefix(s.in.Text(), "data: ") {
			t.Errorf("it goes on: %s", s.in.Text())
		}
	}
	if ctx.Err() != nil {
		t.Errorf("the stream goes on after %v", patience)
	}
}

// followAll follows the events of all elections and of rounds.
func followAll(t *testing.T, server *httptest.Server, query, after string) *stream {
	t.Helper()
	return followAt(t, server, "/api/v1/events?"+query, after)
}

// until returns the next event of that type, and which types came before it.
func (s *stream) until(kind string) (v told, before []string) {
	s.t.Helper()
	for {
		if v = s.next(); v.Type == kind {
			return v, before
		}
		before = append(before, v.Type)
	}
}

func TestReadersAreToldOfAllElectionsAndGoOnWhereTheyLeft(t *testing.T) {
	server := serve(t, memory.New(), httpapi.WithObserved("service/"))
	claim := func(key, body string) told {
		t.Helper()
		return tell(t, server, "POST", "/api/v1/elections/"+url.PathEscape(key)+"/claim", body, 200)
	}
	claim("service/one", `{"node":"a","ttl":"30s"}`)
	claim("other/one", `{"node":"x","ttl":"30s"}`)
	s := followAll(t, server, "", "")
	if v := s.next(); v.Type != "hello" {
		t.Fatalf("at first it is told %+v", v)
	}
	if v, _ := s.until("leader"); v.Key != "service/one" || v.Leader != "a" {
		t.Errorf("it is told %+v", v)
	}
	two := claim("service/two", `{"node":"b","ttl":"30s"}`)
	if v, _ := s.until("leader"); v.Key != "service/two" || v.Leader != "b" || len(v.Past) != 1 {
		t.Errorf("of a new election it is told %+v", v)
	}
	time.Sleep(300 * time.Millisecond) // renewals are told so far apart
	claim("service/two", fmt.Sprintf(`{"node":"b","token":%d,"instance":%q}`, two.Token, two.Instance))
	if v, _ := s.until("renewed"); v.Key != "service/two" || v.Token != two.Token || v.FreeIn < 25000 {
		t.Errorf("of a renewal it is told %+v", v)
	}
	read := s.last
	s.end()
	other := followAll(t, server, "prefix=service/t", "") // sees that it has been told
	if v, before := other.until("ready"); len(before) != 2 {
		t.Errorf("of one election it is told %v, %+v", before, v)
	}
	expect(t, server, "POST", "/api/v1/elections/service%2Ftwo/resign", fmt.Sprintf(`{"instance":%q}`, two.Instance), 204, "")
	if v, _ := other.until("vacant"); v.Key != "service/two" || v.Vacant.IsZero() {
		t.Errorf("of a resignation it is told %+v", v)
	}
	s = followAll(t, server, "", read)
	if _, before := s.until("ready"); !slices.Equal(before, []string{"hello", "vacant"}) {
		t.Errorf("who comes back is told %v", before)
	}
	if _, before := followAll(t, server, "", "unknown-7").until("ready"); !slices.Equal(before, []string{"hello", "leader", "vacant"}) {
		t.Errorf("who comes from elsewhere is told %v", before)
	}
}

func TestReadersAreToldOfRounds(t *testing.T) {
	server := serve(t, memory.New(), httpapi.WithObserved("service/"))
	expect(t, server, "GET", "/api/v1/elect/asked/one?node=a", "", 202, "")
	s := followAll(t, server, "system=named", "")
	first, _ := s.until("rounds")
	second, _ := s.until("rounds")
	if first.System != "asked" || first.Total != 1 || second.System != "named" || second.Total != 0 {
		t.Errorf("it is told %+v and %+v", first, second)
	}
	expect(t, server, "GET", "/api/v1/elect/named/one?node=a", "", 202, "")
	if v, _ := s.until("rounds"); v.System != "named" || v.Total != 1 {
		t.Errorf("then it is told %+v", v)
	}
	expect(t, server, "GET", "/api/v1/events?system=%00", "", 400, "*control character")
	expect(t, server, "GET", "/api/v1/events?prefix=%ff", "", 400, "*UTF-8")
}
