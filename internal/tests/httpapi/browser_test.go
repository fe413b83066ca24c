package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// browsingTime is how long a visit to a page may take. The machine may be busy.
const browsingTime = 60 * time.Second

// browsing is a browser that all tests share; TestMain ends it.
var browsing struct {
	sync.Once
	end func() error
	tab func() (context.Context, context.CancelFunc)
	err error
}

// startBrowser starts it.
func startBrowser(program string) {
	dir, err := os.MkdirTemp("", "leadership-chromium-")
	if err != nil {
		browsing.err = err
		return
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(dir))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(allocator)
	browsing.end = func() error {
		err := chromedp.Cancel(ctx)
		cancel()
		stop()
		return errors.Join(err, os.RemoveAll(dir))
	}
	browsing.tab = func() (context.Context, context.CancelFunc) { return chromedp.NewContext(ctx) }
	if err := chromedp.Do(ctx); err != nil {
		browsing.err = fmt.Errorf("start %s: %w", program, err)
	}
}

// closeBrowser ends the browser, if there is one.
func closeBrowser() error {
	if browsing.end == nil {
		return nil
	}
	return browsing.end()
}

// tab is one page in a browser.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	wrong   []string // what no page should do
	allowed string   // what it may be told for
}

// visit opens the page of a server in a new tab of the size and colours given.
func visit(t testing.TB, server *httptest.Server, width, height int64, scheme string) *tab {
	t.Helper()
	return visitAt(t, server, "", width, height, scheme)
}

// visitAt opens the page by a path and a query.
func visitAt(t testing.TB, server *httptest.Server, path string, width, height int64, scheme string) *tab {
	t.Helper()
	program := servers.Chromium(t)
	browsing.Do(func() { startBrowser(program) })
	if browsing.err != nil {
		t.Fatal(browsing.err)
	}
	ctx, cancel := browsing.tab()
	ctx, expire := context.WithTimeout(ctx, browsingTime)
	t.Cleanup(func() {
		// Its connections are gone before the server of the test is.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the tab: %v", err)
		}
		expire()
		cancel()
	})
	b := &tab{t: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *page.EventJavascriptDialogOpening:
			b.blame("a dialog says " + ev.Message)
		case *runtime.EventExceptionThrown:
			b.blame(fmt.Sprint(ev.ExceptionDetails.Text, " ", ev.ExceptionDetails.Exception.Description))
		case *log.EventEntryAdded:
			if ev.Entry.Source != log.EntrySourceNetwork { // that is of a server that is gone, or refuses
				b.blame(ev.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.colours(scheme)
	var phone []chromedp.EmulateViewportOption
	if width < 600 {
		phone = append(phone, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(width, height, phone...), chromedp.Navigate(server.URL+path))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = slices.DeleteFunc(b.wrong, func(s string) bool { return b.allowed != "" && strings.Contains(s, b.allowed) })
		if len(b.wrong) > 0 {
			t.Errorf("the page is not well:\n%s", strings.Join(b.wrong, "\n"))
		}
	})
	return b
}

func (b *tab) blame(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, what)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page shows:\n%s", err, b.text())
	}
}

// text is all that the page shows, for the reason of a failure.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return text
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(browsingTime)))
	if err != nil {
		b.t.Fatalf("wait for %s: %v; the page shows:\n%s", expression, err, b.text())
	}
}

// holds checks that an expression is true.
func (b *tab) holds(what, expression string) {
	b.t.Helper()
	if !value[bool](b, "Boolean("+expression+")") {
		b.t.Errorf("not so: %s; the page shows:\n%s", what, b.text())
	}
}

// value is what a script returns, waited for if it is a promise.
func value[T any](b *tab, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v; the page shows:\n%s", err, b.text())
	}
	return v
}

// click clicks what a script finds.
func (b *tab) click(expression string) {
	b.t.Helper()
	value[bool](b, "("+expression+").click(), true")
}

// enter types into the input of that id, after what is there, and ends with Enter.
func (b *tab) enter(id, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("#"+id), text+kb.Enter))
}

// card is a script that finds the card of an election.
func card(key string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".card")].find((c) => c.dataset.key === %q)`, key)
}
