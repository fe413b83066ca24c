package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// sample serves the page with elections that have a past, which would take
// hours to come about.
func sample(t *testing.T) *httptest.Server {
	t.Helper()
	api, err := httpapi.New(memory.New())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET /api/v1/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range sampleEvents(time.Now()) {
			line, err := json.Marshal(e)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "data: %s\n\n", line)
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		_ = api.Close()
	})
	return server
}

type object map[string]any

// history makes the terms of nodes, of which the last has begun that long ago.
func history(now time.Time, present time.Duration, open bool, terms ...any) []object {
	var all []object
	until := now.Add(-present)
	for i := len(terms) - 3; i >= 0; i -= 3 {
		took := terms[i+1].(time.Duration)
		all = append([]object{{
			"leader": terms[i], "token": until.Add(-took).UnixMilli(), "since": until.Add(-took), "until": until, "reason": terms[i+2],
		}}, all...)
		until = until.Add(-took - 300*time.Millisecond)
	}
	if open {
		all = append(all, object{"leader": terms[0], "token": now.Add(-present).UnixMilli(), "since": now.Add(-present)})
	}
	return all
}

func sampleEvents(now time.Time) []object {
	election := func(kind, key, leader, payload string, since, free time.Duration, ttl time.Duration, renewals int, terms []object, more object) object {
		v := object{
			"type": kind, "at": now, "key": key, "leader": leader, "payload": payload, "since": now.Add(-since), "token": now.Add(-since).UnixMilli(),
			"ttl_ms": ttl.Milliseconds(), "free_in_ms": free.Milliseconds(), "renewals": renewals, "terms": terms,
		}
		for name, value := range more {
			v[name] = value
		}
		return v
	}
	const s, m, h = time.Second, time.Minute, time.Hour
	anna, bert, cleo := "anna", "bert", "cleo"
	round := func(name, winner string, age time.Duration, attempt int, took time.Duration) object {
		v := object{"system": "cleaning_scheduler", "round": name, "winner": winner, "elected": now.Add(-age), "attempt": attempt}
		if took > 0 {
			v["completer"], v["completed"] = winner, now.Add(-age+took)
		}
		return v
	}
	return []object{
		{"type": "hello", "now": now, "may_write": true},
		election("leader", "service/billing/leader", anna, "https://anna.billing.example:8443", 3*h+12*m, 11*s, 15*s, 2304,
			history(now, 3*h+12*m, true, anna, 26*h, "expired", cleo, 5*h, "transferred", bert, 9*h, "resigned", anna, 47*m, "unhealthy", cleo, 2*h, "relinquished"), nil),
		election("leader", "service/mailer/shard-00", bert, "10.2.0.14:7070", 41*m, 3200*time.Millisecond, 5*s, 1476,
			history(now, 41*m, true, bert, 2*h, "resigned", anna, 3*h, "resigned", cleo, 12*m, "expired"), nil),
		election("leader", "service/mailer/shard-01", cleo, "10.2.0.15:7070", 8*m, 4600*time.Millisecond, 5*s, 288,
			history(now, 8*m, true, cleo, 4*h, "evicted", bert, 52*m, "resigned"),
			object{"asked": object{"action": "transfer", "to": "anna", "by": "olga"}, "waiting": []object{{"node": "anna", "priority": 10}}}),
		{
			"type": "expired", "at": now, "key": "service/search/indexer", "leader": "dora", "since": now.Add(-2 * h), "token": now.Add(-2 * h).UnixMilli(),
			"ttl_ms": 15000, "renewals": 1402, "vacant_since": now.Add(-84 * s),
			"terms": history(now, 2*h, true, "dora", 7*h, "resigned", "emil", 22*m, "expired"),
		},
		{
			"type": "vacant", "at": now, "key": "service/swarm/leader", "leader": "", "renewals": 120, "vacant_since": now.Add(-6*m - 20*s),
			"asked": object{"action": "pause", "by": "deploy 17"}, "terms": history(now, 6*m+20*s, false, "fred", 3*h, "resigned", "gina", 90*m, "evicted"),
		},
		{"type": "ready"},
		{
			"type": "rounds", "system": "cleaning_scheduler", "total": 6, "rounds": []object{
				round("2020-10-18-0815", "node-c", 95*s, 2, 0), round("2020-10-18-0800", "node-a", 16*m, 1, 41*s),
				round("2020-10-18-0745", "node-b", 31*m, 1, 38*s), round("2020-10-18-0730", "node-a", 46*m, 3, 3*m),
				round("2020-10-18-0715", "node-c", 61*m, 1, 44*s), round("2020-10-18-0700", "node-b", 76*m, 1, 40*s),
			},
		},
	}
}

// contrasts finds the texts whose colour is too near to what is behind them.
const contrasts = `(() => {
	const parts = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = parts(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] === 1) return c;
		}
		return parts("255 255 255");
	};
	const poor = [];
	for (const e of document.querySelectorAll("main *, header *, footer *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
		const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) poor.push(e.className + " " + JSON.stringify(e.textContent.slice(0, 30)) + " " + ratio.toFixed(2));
	}
	return poor;
})()`

// TestPageFitsAPhoneAndCanBeReadInDarkAndLight also writes its pictures, into the
// folder that LEADERSHIP_PICTURES names; dashboard.png is that of the docs.
func TestPageFitsAPhoneAndCanBeReadInDarkAndLight(t *testing.T) {
	server := sample(t)
	for _, c := range []struct {
		name, scheme  string
		width, height int64
	}{{"dashboard", "light", 1280, 1130}, {"dark", "dark", 1280, 900}, {"phone", "light", 320, 640}} {
		t.Run(c.name, func(t *testing.T) {
			b := visit(t, server, c.width, c.height, c.scheme)
			b.until(`document.querySelectorAll(".card").length === 5 && document.querySelectorAll("tbody tr").length === 6`)
			b.holds("nothing is wider than the screen", `document.documentElement.scrollWidth <= innerWidth`)
			for _, poor := range value[[]string](b, contrasts) {
				t.Errorf("hard to read: %s", poor)
			}
			dark := value[bool](b, `Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]) < 128`)
			if dark != (c.scheme == "dark") {
				t.Errorf("the page is dark: %t", dark)
			}
			shot := chromedp.CaptureScreenshot()
			if c.width < 1000 {
				shot = chromedp.FullScreenshot(100)
			}
			picture, err := chromedp.Run(b.ctx, shot)
			if err != nil {
				t.Fatal(err)
			}
			if len(picture) > 300<<10 {
				t.Errorf("the picture has %d bytes", len(picture))
			}
			if folder := os.Getenv("LEADERSHIP_PICTURES"); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, c.name+".png"), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
