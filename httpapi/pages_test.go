package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// brokenPages is a store that knows no page.
type brokenPages struct{ store.Store }

func (brokenPages) Page(context.Context, string, string, func(string) bool) ([]*store.KVPair, string, error) {
	return nil, "", store.ErrInvalidPage
}

func TestPageThatNoPageNamesIsTheClientsMistake(t *testing.T) {
	kv := memory.New()
	defer kv.Close()
	h, err := httpapi.New(brokenPages{kv})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/rounds?system=s&from=garbage", nil))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "from") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
