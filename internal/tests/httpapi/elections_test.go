package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
	_ "github.com/seed-a1d591d3/leadership/store/redis"
)

// onStores runs a test on a store in memory and on a real Redis.
func onStores(t *testing.T, test func(t *testing.T, kv store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, memory.New()) })
	t.Run("redis", func(t *testing.T) {
		prefix := fmt.Sprintf("%s-%d:", t.Name(), time.Now().UnixNano())
		kv, err := store.Open(t.Context(), "redis://"+servers.Shared(t, "redis").Addr+"?prefix="+url.QueryEscape(prefix))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = kv.Close() })
		test(t, kv)
	})
}

// eventually waits until something is the case.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func TestProgramsElectALeaderOverHTTP(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		one, two := serve(t, kv), serve(t, kv)
		a := tell(t, one, "POST", election("/claim"), `{"node":"a","ttl":"2s","payload":"10.0.0.1:80"}`, 200)
		if a.Leader != "a" || a.Token == 0 || a.Trust <= 0 || a.Trust > 1600 || a.TTL != 2000 || len(a.Instance) < 16 {
			t.Fatalf("a is told %+v", a)
		}
		// Any server renews it.
		renewal := fmt.Sprintf(`{"node":"a","ttl":2,"instance":%q,"token":%d}`, a.Instance, a.Token)
		if again := tell(t, two, "POST", election("/claim"), renewal, 200); again.Token != a.Token || again.Payload != "10.0.0.1:80" {
			t.Errorf("a is told %+v, and was %+v", again, a)
		}
		b := tell(t, two, "POST", election("/claim"), `{"node":"b","ttl":"2s","instance":"instance-of-holder-b"}`, 409)
		if b.Term.Leader != "a" || b.Term.Token != a.Token || b.Wait <= 0 || b.Wait > 2000 || b.Instance != "instance-of-holder-b" {
			t.Errorf("b is told %+v", b)
		}
		for _, server := range []*httptest.Server{one, two} {
			if look := tell(t, server, "GET", election(""), "", 200); look.Leader != "a" || look.Token != a.Token || look.Payload != "10.0.0.1:80" {
				t.Errorf("anyone is told %+v", look)
			}
			_, answer := send(t, server, "GET", election(""), "")
			if strings.Contains(answer, a.Instance) {
				t.Errorf("anyone is told the instance: %s", answer)
			}
			expect(t, server, "GET", election("/leader?node=a"), "", 200, "*leader")
			expect(t, server, "GET", election("/leader?node=b"), "", 503, "*not the leader")
			expect(t, server, "HEAD", election("/leader"), "", 200, "", httpapi.NodeHeader, "a")
		}
		if _, list := send(t, one, "GET", "/api/v1/elections?prefix=service/", ""); !strings.Contains(list, `"key":"`+electionKey+`"`) || strings.Contains(list, a.Instance) {
			t.Errorf("the list is %s", list)
		}
		expect(t, two, "POST", election("/resign"), `{"instance":"instance-of-holder-b"}`, 204, "")
		for range 2 {
			expect(t, two, "POST", election("/resign"), fmt.Sprintf(`{"instance":%q}`, a.Instance), 204, "")
		}
		if look := tell(t, one, "GET", election(""), "", 200); look.Leader != "" || look.Last.Leader != "a" || look.Last.Reason != "resigned" {
			t.Errorf("anyone is told %+v", look)
		}
		tell(t, one, "POST", election("/claim"), renewal, 409)
		if b = tell(t, one, "POST", election("/claim"), `{"node":"b","ttl":"2s","instance":"instance-of-holder-b"}`, 200); b.Token <= a.Token {
			t.Errorf("b is told %+v", b)
		}
	})
}

func TestLeaderThatIsNotHeardOfIsReplaced(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		server := serve(t, kv)
		const claim = `{"node":%q,"ttl":"300ms","instance":"instance-of-holder-%[1]s"}`
		a := tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "a"), 200)
		began := time.Now()
		var b told
		eventually(t, "b leads", func() bool {
			response, answer := send(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "b"))
			_ = json.Unmarshal([]byte(answer), &b)
			return response.StatusCode == http.StatusOK
		})
		if took := time.Since(began); took < 290*time.Millisecond || b.Token <= a.Token || b.Last.Reason != "expired" {
			t.Errorf("b is told %+v after %v", b, took)
		}
	})
}

func TestHoldersAndCandidatesShareAnElection(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	a := tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"10s"}`, 200)
	candidate := leadership.NewCandidate(kv, electionKey, "c", 500*time.Millisecond, leadership.WithPayload([]byte{0xff}))
	elected, _ := candidate.RunForElection(t.Context())
	<-elected
	expect(t, server, "POST", election("/resign"), fmt.Sprintf(`{"instance":%q}`, a.Instance), 204, "")
	if !<-elected {
		t.Error("false twice")
	}
	if b := tell(t, server, "POST", election("/claim"), `{"node":"b","ttl":"10s"}`, 409); b.Term.Leader != "c" {
		t.Errorf("b is told %+v", b)
	}
	expect(t, server, "GET", election(""), "", 200, `*"payload_base64":"/w=="`)
	candidate.Stop()
	for range elected { // until it has resigned
	}
	tell(t, server, "POST", election("/claim"), `{"node":"b","ttl":"10s"}`, 200)
}

func TestOperatorsAskOverHTTP(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	const claim = `{"node":%q,"ttl":"30s","instance":"instance-of-holder-%[1]s"}`
	resign := func(node string) {
		t.Helper()
		expect(t, server, "POST", election("/resign"), fmt.Sprintf(`{"instance":"instance-of-holder-%s"}`, node), 204, "")
	}
	expect(t, server, "POST", election("/requests"), `{"action":"resign"}`, 409, `*no leader`)
	expect(t, server, "POST", election("/requests"), `{"action":"pause"}`, 404, `*no such election`)
	tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "a"), 200)
	expect(t, server, "POST", election("/requests"), `{"action":"transfer","to":"b","hold":"1m","by":"olga","wait":1}`, 202, "{\"obeyed\":false}\n")
	if a := tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "a"), 409); a.AskedAny != "transfer" || !strings.Contains(a.Error, "olga") {
		t.Errorf("a is told %+v", a)
	}
	resign("a")
	tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "c"), 409)
	tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "b"), 200)
	done := make(chan int, 1)
	go func() {
		response, _ := send(t, server, "POST", election("/requests"), `{"action":"pause","wait":"10s"}`)
		done <- response.StatusCode
	}()
	eventually(t, "b is asked to go", func() bool {
		response, answer := send(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "b"))
		return response.StatusCode == http.StatusConflict && strings.Contains(answer, `"asked":"resign"`)
	})
	resign("b")
	if status := <-done; status != 200 {
		t.Errorf("pause: %d", status)
	}
	expect(t, server, "POST", "/api/v1/elections/new/requests", `{"action":"transfer","to":"x","hold":"10ms","create":true}`, 409, `*nobody leads`)
	if a := tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "a"), 409); a.AskedAny != "pause" {
		t.Errorf("a is told %+v", a)
	}
	expect(t, server, "GET", election(""), "", 200, `*"asked":{"action":"pause"`)
	expect(t, server, "POST", election("/requests"), `{"action":"resign"}`, 409, `*paused`)
	expect(t, server, "POST", election("/requests"), `{"action":"resume"}`, 200, "{\"obeyed\":true}\n")
	tell(t, server, "POST", election("/claim"), fmt.Sprintf(claim, "a"), 200)
}

func TestElectionsWithAStoreThatIsDown(t *testing.T) {
	kv := faultstore.New(memory.New())
	server := serve(t, kv, httpapi.WithTimeout(200*time.Millisecond))
	expect(t, server, "POST", election("/claim"), `{"node":"a","ttl":"30s"}`, 200, `*"leader":"a"`)
	for _, cut := range []func(){kv.Refuse, kv.Partition} {
		cut()
		expect(t, server, "POST", election("/claim"), `{"node":"a"}`, 500, "*error")
		expect(t, server, "POST", election("/resign"), `{"instance":"instance-of-holder-a"}`, 500, "*error")
		expect(t, server, "GET", election(""), "", 500, "*error")
		expect(t, server, "GET", election("/events"), "", 500, "*error")
		expect(t, server, "GET", "/api/v1/elections", "", 500, "*error")
		expect(t, server, "GET", election("/leader?node=a"), "", 503, "*not known")
		expect(t, server, "POST", election("/requests"), `{"action":"resign","wait":1}`, 500, "*error")
		kv.Heal()
	}
	expect(t, server, "GET", election("/leader?node=a"), "", 200, "*leader")
}

func TestMalformedRequestsOfElectionsChangeNothing(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"30s","instance":"instance-of-holder-a"}`, 200)
	if err := kv.Put(t.Context(), "foreign", []byte("mine"), nil); err != nil {
		t.Fatal(err)
	}
	before := contents(t, kv)
	long := strings.Repeat("x", 129)
	claim, requests := election("/claim"), election("/requests")
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/api/v1/elections/" + strings.Repeat("x", 513) + "/claim", `{"node":"b"}`, 400, "513 bytes"},
		{"POST", "/api/v1/elections/a%00b/claim", `{"node":"b"}`, 400, "control character"},
		{"POST", "/api/v1/elections/%ff/claim", `{"node":"b"}`, 400, "UTF-8"},
		{"GET", "/api/v1/elections/%ff", "", 400, "UTF-8"},
		{"GET", "/api/v1/elections/%0a/events", "", 400, "control character"},
		{"GET", "/api/v1/elections/service/swarm/leader", "", 404, "path"},
		{"GET", "/api/v1/elections?prefix=%ff", "", 400, "prefix"},
		{"GET", "/api/v1/elections?prefix=a&prefix=b", "", 400, "2 times"},
		{"POST", claim, "", 400, "JSON"},
		{"POST", claim, "{", 400, "JSON"},
		{"POST", claim, "[]", 400, "JSON"},
		{"POST", claim, `"a"`, 400, "JSON"},
		{"POST", claim, `{}`, 400, "node is empty"},
		{"POST", claim, `{"node":1}`, 400, "node"},
		{"POST", claim, `{"node":"b"} {}`, 400, "goes on"},
		{"POST", claim, `{"node":"b","color":"red"}`, 400, "color"},
		{"POST", claim, `{"node":"` + long + `"}`, 400, "129 bytes"},
		{"POST", claim, `{"node":"b\u0000"}`, 400, "control character"},
		{"POST", claim, "{\"node\":\"\xff\"}", 400, "UTF-8"},
		{"POST", claim, `{"node":"b","ttl":"soon"}`, 400, "duration"},
		{"POST", claim, `{"node":"b","ttl":-1}`, 400, "ttl"},
		{"POST", claim, `{"node":"b","ttl":0.001}`, 400, "ttl"},
		{"POST", claim, `{"node":"b","ttl":"2h"}`, 400, "ttl"},
		{"POST", claim, `{"node":"b","ttl":1e99}`, 400, "duration"},
		{"POST", claim, `{"node":"b","ttl":[1]}`, 400, "duration"},
		{"POST", claim, `{"node":"b","ttl":null,"instance":"short"}`, 400, "instance"},
		{"POST", claim, `{"node":"b","instance":"` + long + `"}`, 400, "instance"},
		{"POST", claim, `{"node":"b","instance":"instance-of-holder-a"}`, 400, "node"},
		{"POST", claim, `{"node":"b","token":1}`, 400, "instance"},
		{"POST", claim, `{"node":"b","token":-1}`, 400, "token"},
		{"POST", claim, `{"node":"b","token":1e99}`, 400, "token"},
		{"POST", claim, `{"node":"a","instance":"instance-of-holder-a","token":1}`, 409, "over"},
		{"POST", claim, `{"node":"b","beat":1}`, 400, "beat is 1:"},
		{"POST", claim, `{"node":"b","beat":"-1"}`, 400, "beat is"},
		{"POST", claim, `{"node":"b","beat":"18446744073709551616"}`, 400, "beat is"},
		{"POST", claim, `{"node":"b","payload":7}`, 400, "payload"},
		{"POST", claim, `{"node":"b","payload":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "bytes"},
		{"POST", "/api/v1/elections/foreign/claim", `{"node":"b"}`, 409, "left alone"},
		{"POST", "/api/v1/elections/foreign/resign", `{"instance":"instance-of-holder-a"}`, 409, "left alone"},
		{"POST", "/api/v1/elections/foreign/requests", `{"action":"pause"}`, 409, "left alone"},
		{"GET", "/api/v1/elections/foreign", "", 409, "left alone"},
		{"GET", "/api/v1/elections/foreign/events", "", 409, "left alone"},
		{"POST", election("/resign"), `{}`, 400, "instance"},
		{"POST", election("/resign"), `{"instance":"x"}`, 400, "instance"},
		{"POST", election("/resign"), `{"instance":"another-instance-of-a"}`, 204, ""},
		{"POST", election("/resign"), `{"instance":"instance-of-holder-a","token":1}`, 204, ""},
		{"POST", election("/resign"), `{"instance":"instance-of-holder-a","token":-1}`, 400, "token"},
		{"POST", requests, `{}`, 400, "action"},
		{"POST", requests, `{"action":"abdicate"}`, 400, "abdicate"},
		{"POST", requests, `{"action":"transfer"}`, 400, "transfer"},
		{"POST", requests, `{"action":"resign","to":"b"}`, 400, "must be empty"},
		{"POST", requests, `{"action":"transfer","to":"` + long + `"}`, 400, "129 bytes"},
		{"POST", requests, `{"action":"transfer","to":"b","hold":"1h"}`, 400, "hold"},
		{"POST", requests, `{"action":"pause","by":"\u0007"}`, 400, "control character"},
		{"POST", requests, `{"action":"pause","wait":"1h"}`, 400, "wait"},
		{"POST", requests, `{"action":"pause","wait":0}`, 400, "wait"},
		{"GET", election("/leader"), "", 400, "node is missing"},
		{"GET", election("/leader?node="), "", 400, "node is empty"},
		{"GET", claim, "", 405, "GET"},
		{"PUT", claim, `{"node":"b"}`, 405, "PUT"},
		{"PUT", election(""), "", 405, "PUT"},
		{"POST", election("/events"), "", 405, "POST"},
	} {
		says := "*" + c.says
		if c.status == 204 {
			says = ""
		}
		expect(t, server, c.method, c.path, c.body, c.status, says)
	}
	if after := contents(t, kv); after != before {
		t.Errorf("the store held\n%s\nand holds\n%s", before, after)
	}
}

func TestElectionsAskForTokens(t *testing.T) {
	const read, write = "a-token-for-reading", "a-token-for-writing"
	server := serve(t, memory.New(), httpapi.WithTokens([]string{read}, []string{write}))
	for _, c := range []struct {
		method, path, body     string
		none, reading, writing int
	}{
		{"GET", election(""), "", 401, 200, 200},
		{"GET", "/api/v1/elections", "", 401, 200, 200},
		{"GET", election("/leader?node=a"), "", 503, 503, 503},
		{"POST", election("/claim"), `{"node":"a"}`, 401, 403, 200},
		{"POST", election("/resign"), `{"instance":"instance-of-holder-a"}`, 401, 403, 204},
		{"POST", election("/requests"), `{"action":"resume"}`, 401, 403, 200},
	} {
		for header, status := range map[string]int{"": c.none, "Bearer " + read: c.reading, "Bearer " + write: c.writing} {
			response, answer := send(t, server, c.method, c.path, c.body, "Authorization", header)
			if response.StatusCode != status {
				t.Errorf("%s %s with %q: %d %s, want %d", c.method, c.path, header, response.StatusCode, answer, status)
			}
		}
	}
	expect(t, server, "POST", election("/claim"), `{"node":"b"}`, 403, "*foreign", "Authorization", "Bearer "+write, "Sec-Fetch-Site", "cross-site")
}

// crowd are holders that elect a leader among themselves over HTTP.
type crowd struct {
	mu    sync.Mutex
	until map[string]time.Time // when the trust of each is over, counted from before it asked
	terms map[uint64]string
}

// leads notes that a holder leads, and returns others that do.
func (c *crowd) leads(who string, token uint64, until time.Time) (others []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !now.Before(until) {
		return nil // too late
	}
	c.until[who], c.terms[token] = until, who
	for other, end := range c.until {
		if other != who && now.Before(end) {
			others = append(others, other)
		}
	}
	return others
}

func (c *crowd) ends(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, who)
}

// Holders ask any of three servers, whose store loses replies and is slow. They
// resign, or fall silent.
func TestOneHolderOfManyLeadsAtATime(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		var all []*httptest.Server
		for i := range uint64(3) {
			link := faultstore.New(kv, faultstore.WithPlan(faultstore.Random(i+1, faultstore.Rates{
				Fail: 0.02, LoseReply: 0.05, Before: 0.1, After: 0.1, MaxDelay: 150 * time.Millisecond,
			})))
			all = append(all, serve(t, link))
		}
		c := &crowd{until: make(map[string]time.Time), terms: make(map[uint64]string)}
		end := time.Now().Add(4 * time.Second)
		var wg sync.WaitGroup
		for i := range 12 {
			who := fmt.Sprintf("node-%02d", i)
			wg.Go(func() {
				for n := 0; time.Now().Before(end); n++ {
					body := fmt.Sprintf(`{"node":%q,"ttl":"300ms","instance":"instance-of-holder-%[1]s-%d"}`, who, n/8)
					began := time.Now()
					response, answer := send(t, all[(i+n)%3], "POST", election("/claim"), body)
					var v told
					_ = json.Unmarshal([]byte(answer), &v)
					if response.StatusCode == http.StatusOK {
						if others := c.leads(who, v.Token, began.Add(time.Duration(v.Trust)*time.Millisecond)); len(others) > 0 {
							t.Errorf("%s leads term %d, and so do %v", who, v.Token, others)
						}
					}
					time.Sleep(20 * time.Millisecond)
					if response.StatusCode == http.StatusOK && n%8 == 7 {
						c.ends(who)
						if i%2 == 0 {
							send(t, all[n%3], "POST", election("/resign"), fmt.Sprintf(`{"instance":"instance-of-holder-%s-%d"}`, who, n/8))
						}
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%d terms", len(c.terms))
		if len(c.terms) < 2 {
			t.Errorf("%d terms in all", len(c.terms))
		}
	})
}

func TestHoldersAreToldTheTrustThatTheMarginAndTheGraceLeave(t *testing.T) {
	api, err := httpapi.New(memory.New(), httpapi.WithMargin(500*time.Millisecond), httpapi.WithGrace(300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	server := httptest.NewServer(api)
	defer server.Close()
	got := tell(t, server, "POST", election("/claim"), `{"node":"a","ttl":"1h"}`, http.StatusOK)
	if most := (time.Hour - 800*time.Millisecond).Milliseconds(); got.Trust > most || got.Trust < most-time.Minute.Milliseconds() {
		t.Errorf("trust is %d ms, want %d at most", got.Trust, most)
	}
	tell(t, server, "POST", "/api/v1/elections/other/claim", `{"node":"a","ttl":"700ms"}`, http.StatusBadRequest)
}
