//go:build pictures

package httpapi_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// small makes a picture smaller: it keeps the 256 colours that are most used, of which none
// are nearly the same.
func small(shot []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	used := make(map[color.Color]int)
	for y := from.Bounds().Min.Y; y < from.Bounds().Max.Y; y++ {
		for x := from.Bounds().Min.X; x < from.Bounds().Max.X; x++ {
			used[from.At(x, y)]++
		}
	}
	var most []color.Color
	near := make(map[[3]uint32]bool)
	for _, c := range slices.SortedFunc(maps.Keys(used), func(a, b color.Color) int { return used[b] - used[a] }) {
		r, g, b, _ := c.RGBA()
		if key := [3]uint32{r >> 11, g >> 11, b >> 11}; !near[key] {
			near[key] = true
			most = append(most, c)
		}
	}
	to := image.NewPaletted(from.Bounds(), most[:min(len(most), 256)])
	draw.Draw(to, to.Bounds(), from, from.Bounds().Min, draw.Src)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to)
	return out.Bytes(), err
}

// TestPictures takes pictures of the page into the folder that PICTURES names, for people to look at:
//
//	PICTURES=/tmp/pictures go test -tags pictures -run TestPictures ./internal/tests/httpapi
func TestPictures(t *testing.T) {
	folder := os.Getenv("PICTURES")
	take := func(t *testing.T, b *tab, name string) {
		t.Helper()
		time.Sleep(400 * time.Millisecond) // until nothing moves
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name+".png"), shot, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	each := func(t *testing.T, b *tab, name string) {
		t.Helper()
		for width, height := range widths {
			b.resize(width, height)
			for _, scheme := range []string{"light", "dark"} {
				b.colours(scheme)
				take(t, b, fmt.Sprintf("%s-%d-%s", name, width, scheme))
			}
		}
	}
	for _, n := range []int{0, 1, 30, 500, 5000} {
		t.Run(fmt.Sprint("elections-", n), func(t *testing.T) {
			kv := memory.New()
			t.Cleanup(func() { _ = kv.Close() })
			town(t, kv, n)
			b := visit(t, serve(t, kv, httpapi.WithObserved(""), httpapi.WithStoreURL("redis://10.0.0.5:6379/0")), 1280, 800, "light")
			b.until(fmt.Sprintf(`document.getElementById("sum-all").textContent.replace(",", "") === "%d" && !document.getElementById(%q).hidden`, n, map[bool]string{true: "empty", false: "filter"}[n == 0]))
			each(t, b, fmt.Sprint("elections-", n))
			if n == 30 {
				b.click(`document.querySelectorAll("#rows .open")[3]`)
				each(t, b, "open")
			}
		})
	}
	t.Run("scenes", func(t *testing.T) {
		kv := faultstore.New(memory.New())
		t.Cleanup(func() { _ = kv.Close() })
		cleaning(t, kv)
		for _, system := range []string{"backup", "report"} {
			if _, err := leadership.NewRound(kv, system, "1", "anna").Elect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		server := serve(t, kv, httpapi.WithObserved("", "cleaning"), httpapi.WithStoreURL("redis://10.0.0.5:6379/0"))
		holding(t, kv, "search/index/leader", "emil", time.Hour, true)
		holding(t, kv, "billing/scheduler", "dora", 15*time.Second, false)
		b := visit(t, server, 1280, 800, "light")
		const key = "service/swarm/leader"
		for i, node := range []string{"anna", "ben", "cleo", "anna", "ben", "cleo", "dora", "anna"} {
			holding(t, kv, key, node, 15*time.Second, false)
			b.until(fmt.Sprintf(`%s?.querySelector(".leader").textContent === %q`, card(key), node))
			time.Sleep(time.Duration(i*i%7) * 500 * time.Millisecond)
			if i < 7 {
				expect(t, server, "POST", "/api/v1/elections/"+escape(key)+"/resign", fmt.Sprintf(`{"instance":"an instance of %s of some length"}`, node), 204, "")
				b.until(card(key) + `.dataset.state === "vacant"`)
				time.Sleep(time.Duration(i%3) * 900 * time.Millisecond)
			}
		}
		expect(t, server, "POST", "/api/v1/elections/billing%2Fscheduler/requests", `{"action":"pause","keep":true,"by":"olga"}`, 200, "*")
		each(t, b, "cards")
		b.click(card(key) + `.querySelector(".more-terms")`)
		b.until(`document.querySelector(".terms tbody tr")`)
		each(t, b, "timeline")
		b.click(card(key) + `.querySelector("[data-action=transfer]")`)
		each(t, b, "transfer")
		b.click(`document.getElementById("ask-cancel")`)
		b.click(`document.getElementById("tab-rounds")`)
		b.until(`document.querySelectorAll(".system tbody tr").length === 10`)
		b.click(`document.querySelector(".system .more")`)
		value[bool](b, `scrollTo(0, 600), true`)
		each(t, b, "rounds-end")
		value[bool](b, `scrollTo(0, 0), true`)
		each(t, b, "rounds")
		b.click(`document.getElementById("tab-elections")`)
		kv.Refuse()
		b.until(`document.getElementById("link").dataset.state === "down"`)
		each(t, b, "down")
	})
	defer func() { // a visit may not take that long
		taken, _ := filepath.Glob(filepath.Join(folder, "*.png"))
		for _, path := range taken {
			shot, err := os.ReadFile(path)
			if err == nil {
				shot, err = small(shot)
			}
			if err == nil {
				err = os.WriteFile(path, shot, 0o644)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	// Sheets of all, small, for the documents.
	for _, scheme := range []string{"light", "dark"} {
		t.Run("sheet-"+scheme, func(t *testing.T) {
			html := `<!doctype html><style>body{margin:0;padding:10px;background:#8a93a3} div{display:flex;gap:10px;margin-bottom:10px}
				img{height:210px;border-radius:4px;object-fit:cover;object-position:top left} img:nth-child(1){width:480px} img:nth-child(2){width:300px} img:nth-child(3){width:160px}</style>`
			for _, n := range []int{0, 1, 30, 500, 5000} {
				html += "<div>"
				for _, width := range []int64{1280, 768, 390} {
					html += fmt.Sprintf(`<img src="elections-%d-%d-%s.png">`, n, width, scheme)
				}
				html += "</div>"
			}
			if err := os.WriteFile(filepath.Join(folder, "sheet.html"), []byte(html), 0o644); err != nil {
				t.Fatal(err)
			}
			files := httptest.NewServer(http.FileServer(http.Dir(folder)))
			t.Cleanup(files.Close)
			b := visitAt(t, files, "/sheet.html", 980, 1110, "light")
			take(t, b, "sheet-"+scheme)
		})
	}
}
