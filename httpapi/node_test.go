package httpapi_test

import (
	"errors"
	"testing"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

func TestHealthIsOfTheNodeOfTheServerWhereNoneIsNamed(t *testing.T) {
	kv := memory.New()
	defer kv.Close()
	a, b, free := serve(t, kv, httpapi.WithNode("a")), serve(t, kv, httpapi.WithNode("b")), serve(t, kv)
	expect(t, a, "GET", election("/leader"), "", 503, "*not the leader")
	tell(t, free, "POST", election("/claim"), `{"node": "a"}`, 200)
	expect(t, a, "GET", election("/leader"), "", 200, "*leader")
	expect(t, a, "GET", election("/leader?node=b"), "", 503, "*not the leader")
	expect(t, b, "GET", election("/leader"), "", 503, "*not the leader")
	expect(t, b, "GET", election("/leader"), "", 200, "*leader", httpapi.NodeHeader, "a")
	expect(t, b, "GET", election("/leader?node="), "", 400, "*node")
	expect(t, free, "GET", election("/leader"), "", 400, "*node is missing")
}

func TestNodeThatWillNotDoIsRefused(t *testing.T) {
	kv := memory.New()
	defer kv.Close()
	if _, err := httpapi.New(kv, httpapi.WithNode("a\x00b")); !errors.Is(err, leadership.ErrInvalidArgument) {
		t.Errorf("got %v", err)
	}
}
