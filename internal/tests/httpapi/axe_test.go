package httpapi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// accessible checks that axe finds nothing on the page, at all widths, light and dark.
func (b *tab) accessible(what, axe string) {
	b.t.Helper()
	for width, height := range widths {
		b.resize(width, height)
		for _, scheme := range []string{"light", "dark"} {
			b.colours(scheme)
			violations := value[[]string](b, axe+`; (async () => {
				await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
				for (const a of document.getAnimations()) a.finish(); // in between colours are others
				const found = await axe.run(document, {resultTypes: ["violations"]});
				return found.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary));
			})()`)
			if len(violations) > 0 {
				b.t.Errorf("%s, %d px wide, %s: %d violations:\n%s", what, width, scheme, len(violations), strings.Join(violations[:min(len(violations), 8)], "\n"))
			}
		}
	}
}

// resize makes the window that wide and high, and colours makes the reader prefer a scheme.
func (b *tab) resize(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

func (b *tab) colours(scheme string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

func TestAxeFindsNothingOnThePageAtAnySize(t *testing.T) {
	script, err := os.ReadFile(servers.Axe(t))
	if err != nil {
		t.Fatal(err)
	}
	axe := string(script)
	for _, n := range []int{0, 1, 30, 500, 5000} {
		t.Run(fmt.Sprint(n, " elections"), func(t *testing.T) {
			kv := memory.New()
			t.Cleanup(func() { _ = kv.Close() })
			town(t, kv, n)
			b := visit(t, serve(t, kv, httpapi.WithObserved("")), 1280, 800, "light")
			b.until(`!document.getElementById("filter").hidden || !document.getElementById("empty").hidden`)
			b.accessible("the elections", axe)
			if n < 30 {
				return
			}
			b.do(chromedp.Click(chromedp.CSS("#rows .open")))
			b.until(`document.querySelector(".detail .card")`)
			b.accessible("with one open", axe)
			if n == 30 {
				b.click(`document.getElementById("as-cards")`)
				b.until(`document.querySelectorAll("#cards .card").length === 30`)
				b.accessible("as cards", axe)
			}
		})
	}
}

func TestAxeFindsNothingInRoundsDialogsAndOutages(t *testing.T) {
	script, err := os.ReadFile(servers.Axe(t))
	if err != nil {
		t.Fatal(err)
	}
	axe := string(script)
	kv := faultstore.New(memory.New())
	t.Cleanup(func() { _ = kv.Close() })
	town(t, kv, 3)
	cleaning(t, kv)
	if _, err := leadership.NewRound(kv, "backup", "2026-11-17", "anna").Elect(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := visit(t, serve(t, kv, httpapi.WithObserved("", "cleaning"), httpapi.WithStoreURL("memory://town")), 1280, 800, "light")
	b.until(`document.querySelectorAll("#cards .card").length === 3`)
	b.click(card("billing/shard-0000") + `.querySelector(".more-terms")`)
	b.until(`document.querySelector(".terms tbody tr")`)
	b.accessible("a timeline", axe)
	b.click(card("billing/shard-0000") + `.querySelector("[data-action=transfer]")`)
	b.until(`document.getElementById("ask").open`)
	b.accessible("the dialog of a transfer", axe)
	b.click(`document.getElementById("ask-cancel")`)
	b.click(`document.getElementById("token-open")`)
	b.accessible("the dialog of a token", axe)
	b.click(`document.getElementById("auth-forget")`)
	b.click(`document.getElementById("tab-rounds")`)
	b.until(`document.querySelectorAll(".system tbody tr").length === 10 && !document.getElementById("hidden-systems").hidden`)
	b.click(`document.querySelector(".system .more")`)
	b.until(`document.querySelector(".system details")`)
	b.click(`document.querySelector(".system summary")`)
	b.accessible("rounds", axe)
	b.click(`document.getElementById("tab-elections")`)
	kv.Refuse()
	b.until(`document.getElementById("link").dataset.state === "down"`)
	b.accessible("an outage", axe)
}
