package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// crowded is the page of a server with so many elections.
func crowded(t *testing.T, n int, path string) *tab {
	t.Helper()
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	town(t, kv, n)
	b := visitAt(t, serve(t, kv, httpapi.WithObserved("")), path, 1280, 800, "light")
	b.until(`!document.getElementById("filter").hidden`)
	return b
}

func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key))
	}
}

// slash presses that key as a keyboard does, where chromedp types the letter in any case.
func (b *tab) slash() {
	b.t.Helper()
	for _, event := range []input.DispatchKeyEventType{"keyDown", "keyUp"} {
		key := input.DispatchKeyEventParams{Type: event, Key: "/", Code: "Slash", WindowsVirtualKeyCode: 191}
		if event == "keyDown" {
			key.Text = "/"
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, key); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestMoreThanTwentyElectionsShowAsATable(t *testing.T) {
	for n, shown := range map[int]string{20: "cards", 21: "table"} {
		b := crowded(t, n, "/")
		b.until(fmt.Sprintf(`!document.getElementById(%q).hidden && document.getElementById("as-%[1]s").checked`, shown))
	}
	b := crowded(t, 21, "/?view=cards")
	b.until(`document.querySelectorAll("#cards .card").length === 21 && document.getElementById("table").hidden`)
	b.click(`document.getElementById("as-table")`)
	b.until(`!document.getElementById("table").hidden && document.querySelectorAll("#cards .card").length === 0`)
	b.holds("the URL keeps it", `location.search === "?view=table"`)
}

func TestRowsOfManyElectionsAreThereAsOneScrolls(t *testing.T) {
	b := crowded(t, 500, "/")
	const rows = `[...document.querySelectorAll("#rows .row")]`
	b.until(rows + `.length > 10`)
	for what, expression := range map[string]string{
		"those out of sight are not there": rows + `.length < 60`,
		"the page is short":                `document.documentElement.scrollHeight < 20000`,
		"the vacant come first":            rows + `.slice(0, 10).every((r) => r.dataset.state === "vacant") && ` + rows + `[10].dataset.state === "leader"`,
		"by prefix":                        `[...document.querySelectorAll("#rows .group")].slice(0, 4).map((g) => g.textContent.trim()).join() === "billing/ 3 elections without a leader,mail/ 3 elections without a leader,search/ 4 elections without a leader,billing/ 164 elections"`,
		"how many there are can be told":   `document.getElementById("table").getAttribute("aria-rowcount") === "507" && document.querySelector("#rows > *").getAttribute("aria-rowindex") === "2"`,
	} {
		b.holds(what, expression)
	}
	value[bool](b, `scrollTo(0, document.documentElement.scrollHeight), true`)
	b.until(rows + `.some((r) => r.dataset.key === "search/index-0499/leader")`)
	b.holds("those that were in sight are gone, but for where the keyboard is", rows+`.filter((r) => r.dataset.state === "vacant").length === 1`)
	b.holds("they are in place", rows+`.every((r, i, all) => i < 2 || all[i].getBoundingClientRect().top >= all[i - 1].getBoundingClientRect().bottom - 1)`)
}

func TestFilterIsReachedBySlashAndKeptByTheURL(t *testing.T) {
	b := crowded(t, 60, "/")
	const keys = `[...document.querySelectorAll("#rows .row")].map((r) => r.dataset.key).join()`
	b.slash()
	b.holds("it has the focus", `document.activeElement.id === "search" && document.activeElement.value === ""`)
	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "BILLING 005"))
	b.until(keys + ` === "billing/shard-0051,billing/shard-0054,billing/shard-0057"`)
	b.holds("it is told how many", `document.getElementById("matches").textContent === "3 of 60 elections"`)
	b.holds("the URL keeps it", `location.search === "?q=BILLING+005"`)
	b.do(chromedp.Reload())
	b.until(keys + ` === "billing/shard-0051,billing/shard-0054,billing/shard-0057" && document.getElementById("search").value === "BILLING 005"`)
	b.click(`document.getElementById("only-vacant")`)
	b.until(keys + ` === "billing/shard-0051" && location.search === "?q=BILLING+005&vacant=1"`)
	b.slash()
	b.press(kb.Escape)
	b.until(keys + ` === "billing/shard-0051,search/index-0001/leader" && location.search === "?vacant=1"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "a/b"))
	b.until(`!document.getElementById("no-match").hidden`)
	b.holds("a slash is typed where one types", `document.getElementById("search").value === "a/b"`)
}

func TestTableIsUsedByKeyboardAlone(t *testing.T) {
	b := crowded(t, 500, "/")
	at := func(key string) {
		t.Helper()
		b.until(fmt.Sprintf(`document.activeElement.closest("[data-key]")?.dataset.key === %q`, key))
	}
	inSight := func() {
		t.Helper()
		b.holds("what has the focus is in sight", `(() => {
			const r = document.activeElement.getBoundingClientRect();
			return r.top >= document.getElementById("table-head").getBoundingClientRect().bottom - 1 && r.bottom <= innerHeight;
		})()`)
	}
	tab := func(expression string) {
		t.Helper()
		for range 30 {
			b.press(kb.Tab)
			if value[bool](b, `Boolean(`+expression+`)`) {
				return
			}
		}
		t.Fatalf("by keyboard one does not get where %s", expression)
	}
	tab(`document.activeElement.classList.contains("open")`)
	at("billing/shard-0051")
	b.press(kb.ArrowDown, kb.ArrowDown)
	at("billing/shard-0351")
	b.press(kb.End)
	at("search/index-0499/leader")
	inSight()
	b.press(kb.ArrowUp)
	at("search/index-0496/leader")
	inSight()
	b.press(kb.Home)
	at("billing/shard-0051")
	inSight()
	b.press(kb.PageDown)
	inSight()
	b.press(kb.Home, kb.ArrowDown, kb.Enter)
	b.until(`document.querySelector(".detail .card")?.dataset.key === "billing/shard-0201"`)
	b.holds("it is told that the row is open", `document.activeElement.getAttribute("aria-expanded") === "true"`)
	tab(`document.activeElement.dataset.action === "pause"`)
	b.press(kb.Enter)
	b.until(`document.getElementById("ask").open`)
	b.press(kb.Enter)
	b.until(`document.querySelector(".detail .tags").textContent === "paused" && document.getElementById("sum-paused").textContent === "1"`)
	b.until(`!document.getElementById("ask").open`)
	b.press(kb.Escape)
	b.until(`document.querySelector(".detail") === null`)
	at("billing/shard-0201")
	b.holds("the note shows in the row", `document.activeElement.closest(".row").querySelector(".marks").textContent === "paused"`)
}

func TestOpenCardInTheTableMovesWhatIsBelow(t *testing.T) {
	b := crowded(t, 60, "/")
	b.click(`document.querySelector("#rows .open")`)
	b.until(`(() => {
		const below = [...document.querySelector(".detail").parentElement.children];
		const i = below.findIndex((e) => e.classList.contains("detail"));
		const card = below[i].querySelector(".card").getBoundingClientRect();
		return card.height > 50 && below[i + 1].getBoundingClientRect().top >= card.bottom && below[i + 1].getBoundingClientRect().top < card.bottom + 30;
	})()`)
	b.click(`document.querySelector("#rows .open")`)
	b.until(`document.querySelector(".detail") === null`)
}

func TestElectionThatLosesItsLeaderComesFirst(t *testing.T) {
	kv := memory.New()
	t.Cleanup(func() { _ = kv.Close() })
	town(t, kv, 60)
	server := serve(t, kv, httpapi.WithObserved(""))
	const key = "mail/queue-0044"
	b := visit(t, server, 1280, 800, "light")
	row := fmt.Sprintf(`document.querySelector('#rows .row[data-key="%s"]')`, key)
	b.until(`document.querySelectorAll("#rows .row").length > 10`)
	expect(t, server, "POST", "/api/v1/elections/"+escape(key)+"/resign", `{"instance":"an instance of emil of some length"}`, 204, "")
	b.until(row + `?.dataset.state === "vacant" && ` + row + `.getAttribute("aria-rowindex") === "5"`)
	b.holds("it says so", row+`.querySelector(".leader").textContent === "No leader" && `+row+`.querySelector(".address").textContent === "emil resigned"`)
}

func TestCardsOfManyElectionsAreTheFirstHundred(t *testing.T) {
	b := crowded(t, 500, "/?view=cards")
	b.until(`document.querySelectorAll("#cards .card").length === 100 && !document.getElementById("many").hidden`)
	b.holds("it says so", `document.getElementById("many").textContent.startsWith("The first 100 of 500 elections")`)
}
