package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const liveLink = `document.getElementById("link").dataset.state === "live"`

func TestEmptyPageTellsTheCommandForItsStoreWithoutSecrets(t *testing.T) {
	for url, c := range map[string]struct{ command, more string }{
		"redis://user:s3cret@10.0.0.5/0?pool_size=4": {"leadership run --store 'redis://user:xxxxx@10.0.0.5/0?pool_size=4' service/demo/leader -- sleep 60", "xxxxx"},
		"sqlite:///var/lib/my app.db":                {`curl -d '{"node": "anna", "ttl": "60s"}' `, ""}, // which is no URL
		"sqlite:///var/lib/app.db":                   {"leadership run --store sqlite:///var/lib/app.db service/demo/leader -- sleep 60", ""},
		"memory://town":                              {`curl -d '{"node": "anna", "ttl": "60s"}' `, ""},
		"":                                           {`curl -d '{"node": "anna", "ttl": "60s"}' `, ""},
	} {
		kv := memory.New()
		t.Cleanup(func() { _ = kv.Close() })
		server := serve(t, kv, httpapi.WithObserved("service/"), httpapi.WithStoreURL(url))
		b := visit(t, server, 1280, 800, "light")
		b.until(`document.getElementById("empty").offsetHeight > 0`)
		command := value[string](b, `document.getElementById("empty-code").textContent`)
		if strings.HasPrefix(c.command, "curl") {
			c.command += server.URL + "/api/v1/elections/service%2Fdemo%2Fleader/claim"
		}
		if command != c.command {
			t.Errorf("%s: the command is %s, want %s", url, command, c.command)
		}
		b.holds("what is left out is told", fmt.Sprintf(`document.getElementById("empty-more").textContent.includes(%q) && document.getElementById("empty-more").hidden === %v`, c.more, c.more == ""))
		b.holds("no secret is in the page", `!document.documentElement.outerHTML.includes("s3cret")`)
		b.holds("the foot has the prefix and the version", `document.getElementById("about-prefix").textContent === "service/" && document.getElementById("about-version").offsetHeight > 0`)
		b.holds("and the store", fmt.Sprintf(`document.getElementById("about-store").parentElement.hidden === %v`, url == "" || strings.Contains(url, " ")))
	}
}

func TestPageTellsThatTheStoreIsDownAndWhy(t *testing.T) {
	kv := faultstore.New(memory.New())
	t.Cleanup(func() { _ = kv.Close() })
	standing(t, kv, "service/swarm/leader", "anna")
	b := visit(t, serve(t, kv, httpapi.WithObserved("service/")), 1280, 800, "light")
	b.until(card("service/swarm/leader") + ` !== undefined && ` + liveLink)
	kv.Refuse()
	b.until(`document.getElementById("link").dataset.state === "down"`)
	b.holds("the dot says so", `document.getElementById("link-text").textContent === "store down"`)
	b.holds("the banner says why", `document.getElementById("banner").innerText === "The server cannot find out which elections there are: the store cannot be reached. What shows here may be out of date."`)
	kv.Heal()
	b.until(liveLink + ` && document.getElementById("banner").hidden`)
}

func TestPageOfAStoreThatIsDownDoesNotSayThatThereAreNoElections(t *testing.T) {
	kv := faultstore.New(memory.New())
	t.Cleanup(func() { _ = kv.Close() })
	kv.Refuse()
	b := visit(t, serve(t, kv, httpapi.WithObserved("")), 1280, 800, "light")
	b.until(`document.getElementById("link").dataset.state === "down" && !document.getElementById("banner").hidden`)
	b.holds("it does not say so", `document.getElementById("empty").hidden && document.getElementById("loading").hidden`)
}

func TestTransferOffersCandidatesThatWait(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	const key = "service/swarm/leader"
	holding(t, kv, key, "dora", time.Minute, true)
	standing(t, kv, key, "anna")
	b := visit(t, serve(t, kv, httpapi.WithObserved("")), 1280, 800, "light")
	b.until(card(key) + `?.querySelector(".leader").textContent === "anna"`) // so that the others wait
	for node, priority := range map[string]int{"ben": 1, "cleo": 2} {
		c := leadership.NewCandidate(kv, key, node, 2*time.Second, leadership.WithPriority(priority))
		elected, _ := c.RunForElection(t.Context())
		t.Cleanup(func() {
			c.Stop()
			for range elected { // until it has ended
			}
		})
	}
	b.until(card(key) + `.querySelectorAll(".tag").length === 2`)
	b.click(card(key) + `.querySelector("[data-action=transfer]")`)
	b.until(`document.getElementById("ask").open`)
	nodes := value[string](b, `[...document.querySelectorAll("#ask .node")].map((n) => n.textContent).join("; ")`)
	if nodes != "cleo, priority 2; ben, priority 1; dora" {
		t.Errorf("offered are %s", nodes)
	}
	b.holds("the first has the focus", `document.activeElement.textContent === "cleo, priority 2"`)
	b.click(`document.querySelectorAll("#ask .node")[1]`)
	b.holds("a click takes one", `document.getElementById("ask-to").value === "ben" && document.querySelector("#ask .node[aria-pressed=true]").dataset.node === "ben"`)
	b.do(chromedp.Click(chromedp.CSS("#ask-go")))
	b.until(card(key) + `.querySelector(".leader").textContent === "ben" && !document.getElementById("ask").open`)
}

func TestTimelineHasWhatTheServerRemembersToScale(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	const key = "service/swarm/leader"
	holding(t, kv, key, "first", time.Hour, true)
	server := serve(t, kv, httpapi.WithObserved(""))
	b := visit(t, server, 1280, 800, "light")
	b.until(card(key) + ` !== undefined`)
	for i := range 9 {
		node := fmt.Sprint("node-", i)
		holding(t, kv, key, node, time.Hour, false)
		b.until(fmt.Sprintf(`%s.querySelector(".leader").textContent === %q`, card(key), node))
		if i < 8 {
			expect(t, server, "POST", "/api/v1/elections/"+escape(key)+"/resign", fmt.Sprintf(`{"instance":"an instance of %s of some length"}`, node), 204, "")
			b.until(card(key) + `.dataset.state === "vacant"`)
		}
	}
	b.holds("the strip has the last six", card(key)+`.querySelectorAll(".term:not([data-why=gap])").length === 6`)
	b.holds("it is told how many more there are", card(key)+`.querySelector(".more-terms").textContent === "Timeline, 4 more"`)
	b.holds("nothing is to scale yet", card(key)+`.querySelector(".timeline").hidden`)
	b.click(card(key) + `.querySelector(".more-terms")`)
	b.until(card(key) + `.querySelectorAll(".terms tbody tr").length === 10`)
	b.holds("the latest is the first", card(key)+`.querySelector(".terms tbody th").textContent === "node-8"`)
	b.holds("how each ended can be read", card(key)+`.querySelectorAll(".terms tbody tr")[1].lastElementChild.textContent === "resigned"`)
	time.Sleep(2 * time.Second) // in which the present term becomes most of the time
	b.until(`(() => {
		const width = (e) => e.getBoundingClientRect().width;
		const lane = ` + card(key) + `.querySelector(".lane"), bars = [...lane.children];
		const present = bars.find((e) => e.dataset.why === "open");
		return bars.length >= 9 && width(present) > width(lane) / 2;
	})()`)
	expect(t, serve(t, kv), "GET", "/api/v1/elections/"+escape(key)+"/terms", "", 404, "*does not observe")
}

func TestRoundsHaveATabAndSystemsThatDoNotShowAreCounted(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	town(t, kv, 2)
	cleaning(t, kv)
	for _, system := range []string{"backup", "report", "zip"} {
		if _, err := leadership.NewRound(kv, system, "1", "anna").Elect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b := visit(t, serve(t, kv, httpapi.WithObserved("", "cleaning")), 1280, 800, "light")
	b.until(`document.getElementById("count-rounds").textContent === "1" && document.querySelectorAll("#cards .card").length === 2`)
	b.holds("they do not show beside the elections", `document.getElementById("rounds").offsetHeight === 0`)
	b.click(`document.getElementById("tab-rounds")`)
	b.until(`document.getElementById("hidden-systems").innerText.replace(/\s+/g, " ") === "3 more systems have rounds, and are not shown: backup report zip"`)
	b.holds("the elections do not show", `document.getElementById("elections").offsetHeight === 0 && location.search === "?tab=rounds"`)
	b.click(`document.querySelectorAll("#hidden-names button")[1]`)
	b.until(`[...document.querySelectorAll(".system h3")].map((h) => h.textContent).join() === "cleaning,report"`)
	b.until(`document.getElementById("hidden-count").textContent === "2 more systems have rounds, and are not shown:"`)
	b.do(chromedp.Reload())
	b.until(`document.querySelectorAll(".system").length === 2 && document.getElementById("rounds").offsetHeight > 0`)
	b.slash()
	b.holds("the slash leads to the box for systems", `document.activeElement.id === "system"`)
}

func TestLongNamesOfRoundsHideNothingOnAPhone(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	cleaning(t, kv)
	b := visitAt(t, serve(t, kv, httpapi.WithObserved("", "cleaning")), "/?tab=rounds", 390, 844, "light")
	b.until(`document.querySelectorAll(".system tbody tr").length === 10`)
	b.click(`document.querySelector(".system .more")`)
	b.until(`document.querySelectorAll(".system tbody tr").length === 17`)
	const long = `[...document.querySelectorAll(".system tbody tr")].find((r) => r.textContent.includes("a-round-whose-name"))`
	b.holds("nothing is beyond the edge", `document.documentElement.scrollWidth <= 390`)
	b.holds("the state is there", `(() => {
		const s = `+long+`.querySelector(".state"), r = s.getBoundingClientRect(), n = `+long+`.firstElementChild.getBoundingClientRect();
		return s.textContent.startsWith("under way for ") && r.left >= 0 && r.right <= 390 && r.height > 10 && r.top >= n.bottom - 1;
	})()`)
	const failed = `[...document.querySelectorAll(".system tbody tr")].find((r) => r.textContent.startsWith("2026-11-15")).querySelector("details")`
	b.holds("the reason of a failure begins", failed+`.innerText === "disk full: /var/lib/cleaning has 0 of 20 GB left …"`)
	b.click(failed + `.querySelector("summary")`)
	b.until(failed + `.innerText.endsWith("at main (main.go:9)")`)
}

func TestMarksInNamesThatDoNotShowAreEscaped(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	server := serve(t, kv, httpapi.WithObserved("", "sys\u200btem"))
	const key, node, round = "service/\u202erevo", "an\u00adna", "r\u2066und \"1\""
	expect(t, server, "POST", "/api/v1/elections/"+escape(key)+"/claim", fmt.Sprintf(`{"node":%q,"ttl":"1h","instance":"an instance of some length"}`, node), 200, "*")
	if _, err := leadership.NewRound(kv, "sys\u200btem", round, node).Elect(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := visit(t, server, 1280, 800, "light")
	b.until(`document.querySelector(".card") && document.querySelector(".system tbody tr")`)
	// As the command line has them.
	for selector, want := range map[string]string{
		".card .key": fmt.Sprintf("%q", key), ".card .leader": fmt.Sprintf("%q", node), ".term-leader": fmt.Sprintf("%q", node),
		".system h3": fmt.Sprintf("%q", "sys\u200btem"), ".system tbody th": fmt.Sprintf("%q", round), ".system tbody td": fmt.Sprintf("%q", node),
	} {
		if got := value[string](b, fmt.Sprintf(`document.querySelector(%q).textContent`, selector)); got != want {
			t.Errorf("%s is %s, want %s", selector, got, want)
		}
	}
	b.click(`document.getElementById("as-table")`)
	b.until(`document.querySelector("#rows .row")`)
	b.holds("in the table, too", fmt.Sprintf(`document.querySelector("#rows .open").textContent === %q`, fmt.Sprintf("%q", key)))
	b.click(`document.querySelector("#rows .open")`)
	b.click(`document.querySelector("[data-action=resign]")`)
	b.holds("in dialogs, too", fmt.Sprintf(`document.getElementById("ask-key").textContent === %q && document.getElementById("ask-text").textContent.startsWith(%q)`, fmt.Sprintf("%q", key), fmt.Sprintf("%q", node)))
	b.holds("no such mark is in the page", `!/[\u202e\u2066\u200b\u00ad]/.test(document.body.innerText + document.title)`)
}
