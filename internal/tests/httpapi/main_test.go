package httpapi_test

import (
	"context"
	"net/http/httptest"
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/apitest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{})
	os.Exit(servers.VerifyMain(m, closeBrowser))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

const (
	electionKey = apitest.ElectionKey
	patience    = apitest.Patience
)

var (
	election = apitest.Election
	send     = apitest.Send
	expect   = apitest.Expect
	tell     = apitest.Tell
	contents = apitest.Contents
)

type told = apitest.Told

// serve runs a handler for as long as the test.
func serve(t testing.TB, kv store.Store, opts ...httpapi.Option) *httptest.Server {
	t.Helper()
	api, err := httpapi.New(kv, append(opts, nil)...)
	if err != nil {
		t.Fatal(err)
	}
	return apitest.Serve(t, httpapi.NewServer("", api), api.Close)
}
