package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// What gone's README says of its routes, line by line, with clients that name no
// node.
func TestRoutesOfGoneAnswerAsGoneDoes(t *testing.T) {
	server := serve(t, memory.New())
	const round = "/cleaning_scheduler/2020-10-18-0800"
	expect(t, server, "GET", "/alive", "", 200, "")
	expect(t, server, "GET", "/api/v1/elected"+round, "", 204, "")
	expect(t, server, "GET", "/api/v1/completed"+round, "", 204, "")
	for _, method := range []string{"GET", "POST"} {
		expect(t, server, method, "/api/v1/complete"+round, "", 400, "*not elected: nobody is")
	}

	response := expect(t, server, "GET", "/api/v1/elect"+round, "", 202, "")
	if got := response.Header.Get(httpapi.AttemptHeader) + response.Header.Get(httpapi.TrustHeader); got != "1" {
		t.Errorf("the winner is told %q", got)
	}
	for range 3 {
		expect(t, server, "GET", "/api/v1/elect"+round, "", 204, "")
	}
	_, winner := send(t, server, "GET", "/api/v1/elected"+round, "")
	if !strings.HasPrefix(winner, "127.0.0.1:") {
		t.Errorf("the winner is %q, want its address", winner)
	}
	expect(t, server, "GET", "/api/v1/completed"+round, "", 204, "")
	expect(t, server, "GET", "/api/v1/complete"+round, "", 200, "")
	_, completer := send(t, server, "GET", "/api/v1/completed"+round, "")
	if !strings.HasPrefix(completer, "127.0.0.1:") || completer == winner {
		t.Errorf("the completer is %q, the winner %q", completer, winner)
	}
	for _, method := range []string{"GET", "POST"} {
		expect(t, server, method, "/api/v1/complete"+round, "", 400, fmt.Sprintf("*completed by another node: %q", completer))
	}
	expect(t, server, "GET", "/api/v1/elect"+round, "", 204, "")
	expect(t, server, "GET", "/api/v1/elected"+round, "", 200, winner)

	// Another round, and POST.
	expect(t, server, "GET", "/api/v1/elect/cleaning_scheduler/2020-10-18-0900", "", 202, "")
	expect(t, server, "POST", "/api/v1/complete/cleaning_scheduler/2020-10-18-0900", "", 200, "")
}

// One address may be that of many clients, one after another or behind a proxy.
func TestClientWithoutANameIsToldOnceThatItHasWon(t *testing.T) {
	api, err := httpapi.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	won := 0
	for range 5 {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/elect/sys/1", nil)
		r.RemoteAddr = "10.0.0.9:1234"
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code == http.StatusAccepted {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d requests from one address have won", won)
	}
}

func TestNodeWithANameWinsAgainAndAloneCompletes(t *testing.T) {
	server := serve(t, memory.New())
	const elect, complete = "/api/v1/elect/sys/1", "/api/v1/complete/sys/1"
	for range 3 {
		expect(t, server, "GET", elect+"?node=anna&unknown=parameter", "", 202, "")
		expect(t, server, "GET", elect, "", 202, "", httpapi.NodeHeader, "anna")
		expect(t, server, "GET", elect+"?node=bert", "", 204, "")
		expect(t, server, "GET", elect, "", 204, "")
	}
	expect(t, server, "GET", "/api/v1/elected/sys/1", "", 200, "anna")
	expect(t, server, "POST", complete+"?node=bert", "", 400, `*not elected: "anna" is`)
	expect(t, server, "POST", complete, "", 400, `*not elected: "anna" is`)
	expect(t, server, "POST", complete+"?node=anna", "all clean", 200, "")
	expect(t, server, "POST", complete+"?node=anna", "again", 200, "") // and changes nothing
	expect(t, server, "POST", complete+"?node=bert", "", 400, `*completed by another node: "anna"`)
	expect(t, server, "GET", "/api/v1/completed/sys/1", "", 200, "anna")
	expect(t, server, "GET", elect+"?node=anna", "", 202, "")

	for _, path := range []string{"/api/v1/completed/sys/1", "/api/v1/elected/sys/1", "/api/v1/await/sys/1"} {
		_, body := send(t, server, "GET", path, "", "Accept", "application/json")
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if got["winner"] != "anna" || got["completer"] != "anna" || got["result"] != "all clean" || got["attempt"] != 1.0 {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestResultThatIsNoTextIsBase64(t *testing.T) {
	server := serve(t, memory.New())
	expect(t, server, "GET", "/api/v1/elect/sys/1?node=anna", "", 202, "")
	expect(t, server, "POST", "/api/v1/complete/sys/1?node=anna", "\xff\x00", 200, "")
	if _, body := send(t, server, "GET", "/api/v1/completed/sys/1", "", "Accept", "application/json"); !strings.Contains(body, `"result_base64":"/wA="`) {
		t.Error(body)
	}
}

func TestRoundsAreListedLatestFirst(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv)
	expect(t, server, "GET", "/api/v1/rounds?system=sys", "", 200, `{"rounds":[],"total":0}`+"\n")
	for _, round := range []string{"1", "2", "ä<b>"} {
		expect(t, server, "GET", "/api/v1/elect/sys/"+round+"?node=anna", "", 202, "")
		time.Sleep(2 * time.Millisecond) // the times of elections are whole milliseconds
	}
	expect(t, server, "GET", "/api/v1/elect/system/1", "", 202, "")
	if err := kv.Put(t.Context(), "sys/leader", []byte("no round"), nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"?system=sys":         "[ä<b> 2 1] 3",
		"?system=sys&limit=2": "[ä<b> 2] 3",
		"?system=system":      "[1] 1",
		"?system=none":        "[] 0",
	} {
		_, body := send(t, server, "GET", "/api/v1/rounds"+path, "")
		var got struct {
			Rounds []struct {
				Round  string
				Winner string
			}
			Total int
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		names := []string{}
		for _, r := range got.Rounds {
			names = append(names, r.Round)
		}
		if s := fmt.Sprint(names, got.Total); s != want {
			t.Errorf("%s: %s, want %s", path, s, want)
		}
	}
}

func TestAwaitAnswersWhenTheRoundIsCompleted(t *testing.T) {
	server := serve(t, memory.New())
	awaited := make(chan string, 1)
	go func() {
		_, body := send(t, server, "GET", "/api/v1/await/sys/1?timeout=1m", "")
		awaited <- body
	}()
	expect(t, server, "GET", "/api/v1/await/sys/1?timeout=0", "", 204, "")
	expect(t, server, "GET", "/api/v1/await/sys/1?timeout=0.02", "", 204, "")
	expect(t, server, "GET", "/api/v1/elect/sys/1?node=anna", "", 202, "")
	expect(t, server, "GET", "/api/v1/await/sys/1?timeout=20ms", "", 204, "")
	select {
	case body := <-awaited:
		t.Fatalf("answered %q before it was completed", body)
	default:
	}
	expect(t, server, "POST", "/api/v1/complete/sys/1?node=anna", "", 200, "")
	if body := <-awaited; body != "anna" {
		t.Errorf("got %q", body)
	}
	expect(t, server, "GET", "/api/v1/await/sys/1?timeout=1m", "", 200, "anna")
}

func TestCloseAnswersThoseWhoAwait(t *testing.T) {
	kv := faultstore.New(memory.New())
	api, err := httpapi.New(kv)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api)
	status := make(chan int, 10)
	for range cap(status) {
		go func() {
			response, _ := send(t, server, "GET", "/api/v1/await/sys/1?timeout=5m", "")
			status <- response.StatusCode
		}()
	}
	for api.Awaiting() < cap(status) {
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Errorf("it does not shut down: %v", err)
	}
	for range cap(status) {
		if s := <-status; s != http.StatusServiceUnavailable {
			t.Errorf("got %d", s)
		}
	}
	server.Close()
}

// In virtual time: the winner of an attempt does not complete it.
func TestAttemptIsSupersededWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := httpapi.New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		ask := func(method, path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			return w
		}
		won := ask("GET", "/api/v1/elect/sys/1?node=anna&attempt_ttl=10s")
		if won.Code != 202 || won.Header().Get(httpapi.TrustHeader) != "8000" || won.Header().Get(httpapi.AttemptHeader) != "1" {
			t.Fatalf("got %d %v", won.Code, won.Header())
		}
		began := time.Now()
		lost := 0
		for ; ask("GET", "/api/v1/elect/sys/1?node=bert&attempt_ttl=10s").Code == 204; lost++ {
			if code := ask("GET", "/api/v1/elect/sys/1?node=carl").Code; code != 204 {
				t.Errorf("without a TTL: %d", code)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took != 10*time.Second || lost != 100 {
			t.Errorf("the next has won after %v and %d tries", took, lost)
		}
		for _, path := range []string{"?node=anna", "?node=anna&attempt=1", "?node=bert&attempt=1", ""} {
			if w := ask("POST", "/api/v1/complete/sys/1"+path); w.Code != 400 {
				t.Errorf("%s completes: %d", path, w.Code)
			}
		}
		if w := ask("POST", "/api/v1/complete/sys/1?node=bert&attempt=2"); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestAttemptsOfClientsWithoutANameAreToldApartByTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, err := httpapi.New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		ask := func(method, path string, want int) string {
			t.Helper()
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			if w.Code != want {
				t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, want)
			}
			return w.Header().Get(httpapi.AttemptHeader)
		}
		ask("GET", "/api/v1/elect/sys/1?attempt_ttl=10", 202)
		ask("GET", "/api/v1/elect/sys/1?attempt_ttl=10", 204)
		time.Sleep(10 * time.Second)
		if n := ask("GET", "/api/v1/elect/sys/1?attempt_ttl=10", 202); n != "2" {
			t.Errorf("attempt %s", n)
		}
		ask("GET", "/api/v1/complete/sys/1", 400)
		ask("GET", "/api/v1/complete/sys/1?attempt=1", 400)
		ask("GET", "/api/v1/complete/sys/1?attempt=2", 200)
	})
}

func TestOldRoundsAreDeletedAndMayBeWonAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := memory.New()
		ask := func(api *httpapi.Handler, path string, want int) {
			t.Helper()
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			if w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
		keeps, err := httpapi.New(kv)
		if err != nil {
			t.Fatal(err)
		}
		defer keeps.Close()
		ask(keeps, "/api/v1/elect/old/1?node=a", 202)
		ask(keeps, "/api/v1/elect/kept/1?node=a", 202)
		time.Sleep(100 * time.Hour)
		ask(keeps, "/api/v1/elected/old/1", 200)

		sweeps, err := httpapi.New(kv, httpapi.WithRetention(time.Hour, "old"))
		if err != nil {
			t.Fatal(err)
		}
		ask(sweeps, "/api/v1/elect/new/1?node=a", 202)
		time.Sleep(59 * time.Minute)
		ask(sweeps, "/api/v1/elected/old/1", 204)
		ask(sweeps, "/api/v1/elected/kept/1", 200)
		ask(sweeps, "/api/v1/elected/new/1", 200)
		ask(sweeps, "/api/v1/elect/old/1?node=b", 202)
		time.Sleep(10 * time.Minute)
		ask(sweeps, "/api/v1/elected/new/1", 204)
		ask(sweeps, "/api/v1/elected/old/1", 200)
		if err := sweeps.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Hour)
		ask(keeps, "/api/v1/elected/old/1", 200)
	})
}

func TestWithoutTheStoreNobodyIsToldThatItHasLost(t *testing.T) {
	faults := map[string]func(*faultstore.Store){
		"refused":     (*faultstore.Store).Refuse,
		"partitioned": (*faultstore.Store).Partition,
		"hung":        func(s *faultstore.Store) { s.IgnoreContexts(true); s.Partition() },
		"reads fail": func(s *faultstore.Store) {
			s.SetPlan(faultstore.Always(faultstore.Fault{Err: faultstore.ErrInjected}, faultstore.OpGet, faultstore.OpList))
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			kv := memory.New()
			broken := faultstore.New(kv)
			defer broken.Close()
			server := serve(t, broken, httpapi.WithTimeout(50*time.Millisecond))
			expect(t, server, "GET", "/api/v1/elect/sys/won?node=anna", "", 202, "")
			fault(broken)
			if name != "reads fail" { // which is no obstacle to a win
				expect(t, server, "GET", "/api/v1/elect/sys/new?node=anna", "", 500, "*the store")
			}
			for _, path := range []string{
				"/api/v1/elect/sys/won?node=anna", "/api/v1/elect/sys/won?node=bert", "/api/v1/elect/sys/won",
				"/api/v1/elected/sys/won", "/api/v1/complete/sys/won?node=anna", "/api/v1/completed/sys/won",
				"/api/v1/await/sys/won?timeout=10ms", "/api/v1/rounds?system=sys",
			} {
				began := time.Now()
				response, body := send(t, server, "GET", path, "")
				if response.StatusCode != http.StatusInternalServerError || len(body) > 100 || strings.Contains(body, "sys/") {
					t.Errorf("%s: %d %q", path, response.StatusCode, body)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("%s: answered after %v", path, took)
				}
			}
			expect(t, server, "GET", "/alive", "", 200, "")
			broken.Heal()
			broken.SetPlan(nil)
			for range 100 { // until what hung has returned
				if response, _ := send(t, server, "GET", "/api/v1/elected/sys/won", ""); response.StatusCode == http.StatusOK {
					break
				}
			}
			expect(t, server, "GET", "/api/v1/elect/sys/won?node=anna", "", 202, "")
			expect(t, server, "GET", "/api/v1/elect/sys/won?node=bert", "", 204, "")
		})
	}
}

func TestWinWithALostReplyIsWrittenOnceMore(t *testing.T) {
	kv := faultstore.New(memory.New(), faultstore.WithPlan(func(c faultstore.Call) faultstore.Fault {
		return faultstore.Fault{LoseReply: c.Op == faultstore.OpAtomicPut && c.Seq == 1}
	}))
	server := serve(t, kv)
	expect(t, server, "GET", "/api/v1/elect/sys/1", "", 202, "")
	expect(t, server, "GET", "/api/v1/elect/sys/1", "", 204, "")
}

func TestForeignRecordsAreLeftAlone(t *testing.T) {
	kv := memory.New()
	if err := kv.Put(t.Context(), "sys/1", []byte("precious"), nil); err != nil {
		t.Fatal(err)
	}
	server := serve(t, kv)
	for _, route := range []string{"elect", "elected", "complete", "completed", "await"} {
		expect(t, server, "GET", "/api/v1/"+route+"/sys/1?node=a", "", 500, "the key holds something else: it is left alone")
	}
	if pair, err := kv.Get(t.Context(), "sys/1", &store.ReadOptions{Consistent: true}); err != nil || string(pair.Value) != "precious" {
		t.Errorf("%v, %v", pair, err)
	}
}
