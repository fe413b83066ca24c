package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestPageIsStaticAndForAnyoneAndLetsNothingIn(t *testing.T) {
	server := serve(t, memory.New(), httpapi.WithTokens(nil, []string{"a token of some length"}))
	for path, kind := range map[string]string{
		"/": "text/html", "/page/page.js": "text/javascript", "/page/page.css": "text/css", "/page/icon.svg": "image/svg+xml",
	} {
		response, _ := send(t, server, "GET", path, "")
		h := response.Header
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, response.StatusCode, h.Get("Content-Type"))
		}
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: %q is not in the policy %q", path, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
	expect(t, server, "GET", "/page/page.go", "", 404, "*no file")
	expect(t, server, "GET", "/page/..%2Fpage.go", "", 404, "*")
	expect(t, server, "GET", "/api/v1/events", "", 401, "*bearer token")
	expect(t, server, "GET", "/api/v1/events", "", 404, "*does not observe", "Authorization", "Bearer a token of some length")
}

func TestResignationShowsOnThePageWithin500ms(t *testing.T) {
	onStores(t, func(t *testing.T, kv store.Store) {
		b := visit(t, serve(t, kv, httpapi.WithObserved("service/")), 1280, 800, "light")
		b.until(`document.getElementById("link").dataset.state === "live"`)
		// In the page: how long after the call it shows that nobody leads.
		const measure = `(async () => {
			const path = "api/v1/elections/" + encodeURIComponent(%q);
			const post = (what, body) => fetch(path + what, {method: "POST", body: JSON.stringify(body)});
			const find = () => %s;
			const shows = (state) => new Promise((done) => {
				const look = () => { if (find()?.dataset.state === state) { seen.disconnect(); done(performance.now()); } };
				const seen = new MutationObserver(look);
				seen.observe(document.getElementById("cards"), {subtree: true, childList: true, attributes: true});
				look();
			});
			const took = [];
			for (let i = 0; i < 7; i++) {
				const instance = "an instance of the page " + i;
				const held = await post("/claim", {node: "node-" + i, ttl: "30s", instance});
				if (!held.ok) throw new Error(await held.text());
				await shows("leader");
				const began = performance.now();
				const [vacant] = await Promise.all([shows("vacant"), post("/resign", {instance})]);
				took.push(vacant - began);
			}
			return took;
		})()`
		took := value[[]float64](b, fmt.Sprintf(measure, electionKey, card(electionKey)))
		slices.Sort(took)
		t.Logf("a resignation shows after %.1f ms; the fastest of %d after %.1f, the slowest after %.1f", took[len(took)/2], len(took), took[0], took[len(took)-1])
		if median := took[len(took)/2]; median > 500 {
			t.Errorf("a resignation shows after %.0f ms", median)
		}
		b.holds("the last terms are told with their end", card(electionKey)+`.querySelectorAll(".term[data-why=good]").length === 6`)
	})
}

func TestScriptInNamesPayloadsAndKeysDoesNothingOnThePage(t *testing.T) {
	const image, script, url = `<img src=x onerror="window.struck=1;alert(1)">`, `"'><script>window.struck=1;alert(1)</script>`, `javascript:window.struck=1`
	server := serve(t, memory.New(), httpapi.WithObserved(""))
	claim := func(key, node, payload, instance string) {
		t.Helper()
		expect(t, server, "POST", "/api/v1/elections/"+escape(key)+"/claim",
			fmt.Sprintf(`{"node":%q,"ttl":"1h","payload":%q,"instance":%q}`, node, payload, instance), 200, "*token")
	}
	claim(image, script, url, "an instance of some length")
	claim(script, image, script, "an instance of some length")
	claim("data", "${alert(1)}{{1+1}}", "data:text/html,<script>alert(1)</script>", "an instance of some length")
	claim("good", "node", "https://10.0.0.7:8443/?a=<b>", "an instance of some length")
	claim("asked", image, "", "an instance of some length")
	expect(t, server, "POST", "/api/v1/elections/asked/requests", fmt.Sprintf(`{"action":"pause","keep":true,"by":%q}`, script), 200, "*")
	const system = `<b onclick=alert(1)>`
	expect(t, server, "GET", "/api/v1/elect/"+escape(system)+"/"+escape(image)+"?node="+escape(script), "", 202, "")
	expect(t, server, "POST", "/api/v1/complete/"+escape(system)+"/"+escape(image)+"?node="+escape(script), image, 200, "")

	b := visit(t, server, 1280, 800, "light")
	b.until(`document.querySelectorAll(".card").length === 5 && document.querySelector(".system tbody tr")`)
	for what, expression := range map[string]string{
		"a key shows as it is":       fmt.Sprintf(`%s.querySelector(".key").textContent === %q`, card(image), image),
		"a name shows as it is":      fmt.Sprintf(`%s.querySelector(".leader").textContent === %q`, card(image), script),
		"a payload shows as it is":   fmt.Sprintf(`%s.querySelector(".address").textContent === %q`, card(image), url),
		"who asks shows as it is":    fmt.Sprintf(`%s.querySelector(".tags").textContent === "paused by " + %q`, card("asked"), script),
		"a round shows as it is":     fmt.Sprintf(`document.querySelector(".system tbody th").textContent === %q`, image),
		"a winner shows as it is":    fmt.Sprintf(`document.querySelector(".system tbody td").textContent === %q`, script),
		"a system shows as it is":    fmt.Sprintf(`document.querySelector(".system h3").textContent === %q`, system),
		"web addresses alone link":   `[...document.querySelectorAll("main a")].map((a) => a.protocol).join() === "https:"`,
		"no element comes from them": `document.querySelectorAll("main img, main script, main b[onclick], main svg").length === 0`,
	} {
		b.holds(what, expression)
	}
	// In the dialogs and what is told of them, too.
	b.click(card(script) + `.querySelector("[data-action=transfer]")`)
	b.holds("the dialog tells it as it is", fmt.Sprintf(`document.getElementById("ask-key").textContent === %q && document.getElementById("ask-text").textContent.startsWith(%q)`, script, image))
	b.enter("ask-to", image)
	b.until(`document.getElementById("ask-go").disabled === false`)
	b.holds("nothing has run", `window.struck === undefined`)
	// Nor could it, were it put into the page.
	b.allowed = "TrustedHTML"
	b.holds("markup is refused", `(() => { try { document.createElement("p").innerHTML = "<b>x</b>"; return false } catch { return true } })()`)
}

// standing makes a candidate lead until the test ends.
func standing(t *testing.T, kv store.Store, key, node string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := leadership.NewCandidate(kv, key, node, 2*time.Second, leadership.WithPayload([]byte("http://"+node+".example")))
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(ctx context.Context, _ leadership.Term) error { <-ctx.Done(); return ctx.Err() })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestLeaderIsAskedToResignByKeyboard(t *testing.T) {
	kv := memory.New()
	const key = "service/swarm/leader"
	standing(t, kv, key, "anna")
	b := visit(t, serve(t, kv, httpapi.WithObserved("")), 1280, 800, "light")
	b.until(card(key) + `?.querySelector(".leader").textContent === "anna"`)
	token := value[string](b, card(key)+`.querySelector(".token").textContent`)
	reach := func(expression string) {
		t.Helper()
		for range 30 {
			b.do(chromedp.KeyEvent(kb.Tab))
			if value[bool](b, `(() => { const a = document.activeElement; return `+expression+` })()`) {
				return
			}
		}
		t.Fatalf("by keyboard one does not get where %s", expression)
	}
	reach(`a.dataset.action === "resign"`)
	b.holds("the focus shows", `getComputedStyle(document.activeElement).outlineStyle === "solid"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("ask").open`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.getElementById("ask").open`)
	b.holds("the focus is back", `document.activeElement.dataset.action === "resign"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("ask").open && document.activeElement.id === "ask-go"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`!document.getElementById("ask").open`)
	b.until(fmt.Sprintf(`%[1]s.querySelectorAll(".term").length > 1 && %[1]s.querySelector(".token").textContent !== %[2]q`, card(key), token))
	b.holds("the reason shows", card(key)+`.querySelector(".term-why").textContent === "evicted"`)
	b.until(`document.getElementById("live").textContent.length > 0`)

	b.click(card(key) + `.querySelector("[data-action=pause]")`)
	b.enter("ask-by", "olga")
	b.until(card(key) + `.dataset.state === "vacant" && ` + card(key) + `.querySelector(".tags").textContent === "paused by olga"`)
	b.click(card(key) + `.querySelector("[data-action=resume]")`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(card(key) + `.dataset.state === "leader"`)
}

func TestPageTellsThatTheConnectionIsLostAndComesBack(t *testing.T) {
	kv := memory.New()
	api, err := httpapi.New(kv, httpapi.WithObserved(""))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	b := visit(t, server, 1280, 800, "light")
	b.until(`document.getElementById("link").dataset.state === "live"`)
	b.until(`document.getElementById("empty").offsetHeight > 0`)
	down.Store(true)
	server.CloseClientConnections()
	b.until(`document.getElementById("link").dataset.state === "lost"`)
	standing(t, kv, "service/swarm/leader", "anna")
	down.Store(false)
	b.until(`document.getElementById("link").dataset.state === "live" && document.querySelectorAll(".card").length === 1`)
	b.holds("what is empty is so no more", `document.getElementById("empty").hidden`)
}

func TestPageAsksForATokenWhereOneIsNeeded(t *testing.T) {
	kv := memory.New()
	standing(t, kv, "service/swarm/leader", "anna")
	const read, write = "a token that may read", "a token that may write"
	b := visit(t, serve(t, kv, httpapi.WithObserved(""), httpapi.WithTokens([]string{read}, []string{write})), 1280, 800, "light")
	const there = `document.querySelector(".card .leader")?.textContent === "anna"`
	b.until(`document.getElementById("auth").open`)
	b.holds("nothing shows without one", `document.querySelectorAll(".card").length === 0`)
	b.enter("auth-token", read)
	b.until(there)
	b.holds("a reader has nothing to ask", `document.querySelector(".acts").hidden`)
	b.holds("no link leads to where a token is needed", `document.getElementById("metrics").hidden`)
	b.do(chromedp.Click(chromedp.CSS("#token-open")))
	value[string](b, `document.getElementById("auth-token").value = ""`)
	b.enter("auth-token", write)
	b.until(there + ` && !document.querySelector(".acts").hidden`)
}

// escape is what is one part of a path or of a query.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func TestPageTellsOfRoundsThatHaveFailedOrWhoseAttemptIsOver(t *testing.T) {
	kv := memory.New()
	server := serve(t, kv, httpapi.WithObserved(""))
	for _, round := range []string{"completed", "failed", "over?attempt_ttl=100ms", "under-way?attempt_ttl=1h", "unbounded"} {
		path, query, _ := strings.Cut(round, "?")
		expect(t, server, "GET", "/api/v1/elect/cleaning/"+path+"?node=a&"+query, "", 202, "")
	}
	expect(t, server, "POST", "/api/v1/complete/cleaning/completed?node=a", "done", 200, "")
	if err := leadership.NewRound(kv, "cleaning", "failed", "a").Fail(t.Context(), []byte("disk full")); err != nil {
		t.Fatal(err)
	}
	b := visit(t, server, 1280, 800, "light")
	b.until(`document.querySelectorAll(".system tbody tr").length === 5`)
	row := func(round, part string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".system tbody tr")].find((r) => r.children[0].textContent === %q).children[3].%s`, round, part)
	}
	b.click(`document.getElementById("tab-rounds")`)
	b.until(row("over", `textContent`) + `.endsWith(", attempt over")`)
	for what, expression := range map[string]string{
		"one is completed":       row("completed", `firstElementChild.textContent.startsWith("completed in ")`),
		"its result can be read": row("completed", `innerText.endsWith("\ndone")`),
		"one has failed":         row("failed", `firstElementChild.textContent.match(/^failed [0-9]+ s ago, not completed$/)`),
		"and it is told why":     row("failed", `innerText.endsWith("\ndisk full")`),
		"one is under way":       row("under-way", `textContent.match(/^under way for [0-9]+ s$/)`),
		"one without a bound":    row("unbounded", `textContent.match(/^under way for [0-9]+ s$/)`),
		"one is not completed":   row("over", `textContent.match(/^not completed for [0-9]+ s, attempt over$/)`),
	} {
		b.holds(what, expression)
	}
}

func TestPageDoesNotCallASeatEmptyBecauseTheServerHasLostTheStore(t *testing.T) {
	kv := faultstore.New(memory.New())
	t.Cleanup(func() { _ = kv.Close() })
	server := serve(t, kv, httpapi.WithObserved("service/"))
	const key = "service/swarm/leader"
	expect(t, server, "POST", election("/claim"), `{"node":"anna","ttl":"1s"}`, 200, "*anna")
	b := visit(t, server, 1280, 800, "light")
	b.until(card(key) + ` !== undefined`)
	kv.Refuse()
	b.until(card(key) + `.dataset.state === "unknown"`)
	b.holds("it says so", card(key)+`.querySelector(".leader").textContent === "Not known"`)
	b.holds("no seat counts as empty", `document.getElementById("sum-vacant").textContent === "0" && document.title === "leadership"`)
	kv.Heal()
	b.until(card(key) + `.dataset.state === "vacant"`)
}
