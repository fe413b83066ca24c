package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// following is one who follows a stream, and comes back with the last id after each end.
type following struct {
	path string
	api  http.Handler

	recorder *httptest.ResponseRecorder
	leave    context.CancelFunc
	left     chan struct{}

	last   string   // id
	ids    []string // of all streams
	leader string   // as told last
	told   bool
}

func (f *following) come(ctx context.Context, after string) {
	ctx, f.leave = context.WithCancel(ctx)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, f.path, nil)
	if after != "" {
		r.Header["Last-Event-Id"] = []string{after}
	}
	w, left := httptest.NewRecorder(), make(chan struct{})
	f.recorder, f.left = w, left
	go func() {
		defer close(left)
		f.api.ServeHTTP(w, r)
	}()
}

// go away, and take note of what has come.
func (f *following) goAway(t *testing.T) {
	f.leave()
	<-f.left
	if f.recorder.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", f.path, f.recorder.Code, f.recorder.Body)
	}
	for block := range strings.SplitSeq(f.recorder.Body.String(), "\n\n") {
		id, data := "", ""
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			if rest, ok := strings.CutPrefix(line, "id: "); ok {
				id = rest
			}
			if rest, ok := strings.CutPrefix(line, "data: "); ok {
				data = rest
			}
		}
		if data == "" {
			continue
		}
		var e told
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%q: %v", block, err)
		}
		if id != "" {
			f.last = id
			if e.Type != "ready" {
				f.ids = append(f.ids, id)
			}
		}
		switch e.Type {
		case "leader":
			f.leader, f.told = e.Leader, true
		case "vacant", "expired":
			f.leader, f.told = "", true
		}
	}
}

// FuzzResumption has an election go on while one who follows its events is cut off again
// and again, and comes back with the id of its last event, or with one that it made up. It
// gets each event once, in order, and always knows in the end who leads.
func FuzzResumption(f *testing.F) {
	f.Fuzz(func(t *testing.T, steps []byte, all bool, made string) {
		if len(steps) > 60 || strings.ContainsAny(made, "\r\n\x00") {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			kv := memory.New()
			api, err := httpapi.New(kv, httpapi.WithObserved("service/"))
			if err != nil {
				t.Fatal(err)
			}
			path := election("/events")
			if all {
				path = "/api/v1/events?prefix=service"
			}
			whole, other := &following{path: path, api: api}, &following{path: path, api: api}
			whole.come(t.Context(), "")
			other.come(t.Context(), "")
			time.Sleep(3 * time.Second) // both are there
			claims := leadership.NewClaims(kv, electionKey)
			var held leadership.Claimed
			for _, step := range steps {
				switch step % 7 {
				case 0, 1:
					got, err := claims.Claim(t.Context(), leadership.Claim{Node: string('a' + rune(step%3)), TTL: time.Duration(step%5+1) * time.Second})
					if err == nil && got.Won {
						held = got
					}
				case 2:
					if held.Instance != "" {
						_ = claims.Resign(t.Context(), held.Instance, held.Term.Token, 0)
					}
				case 3:
					time.Sleep(time.Duration(step) * 100 * time.Millisecond)
				case 4, 5:
					synctest.Wait()
					other.goAway(t)
					if step%7 == 5 {
						time.Sleep(time.Duration(step%32) * time.Second)
					}
					other.come(t.Context(), other.last)
				case 6:
					// One that has made its id up is told how things are, and nothing of the past.
					synctest.Wait()
					stranger := &following{path: path, api: api}
					stranger.come(t.Context(), made)
					synctest.Wait()
					stranger.goAway(t)
					if n := len(stranger.ids); n > 1 && made != "" && !strings.Contains(made, "-") {
						t.Errorf("after %q come %d events", made, n)
					}
				}
			}
			time.Sleep(20 * time.Second) // all terms end
			synctest.Wait()
			whole.goAway(t)
			other.goAway(t)
			if whole.told != other.told || whole.leader != other.leader || whole.leader != "" {
				t.Errorf("%q leads for who came back, and %q for who stayed", other.leader, whole.leader)
			}
			if ids := slices.Compact(slices.Clone(other.ids)); !slices.Equal(ids, other.ids) && !all {
				t.Errorf("an event came twice: %q", other.ids)
			}
			if !slices.Equal(whole.ids, other.ids) {
				t.Errorf("who came back has had the events %q, who stayed %q", other.ids, whole.ids)
			}
			_ = api.Close()
			_ = kv.Close()
		})
	})
}
