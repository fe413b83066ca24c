package httpapi_test

import (
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/apitest"
	"github.com/seed-a1d591d3/leadership/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

type (
	told     = apitest.Told
	request  = apitest.Request
	exchange = apitest.Exchange
)

// serve runs a handler for as long as the test.
func serve(t testing.TB, kv store.Store, opts ...httpapi.Option) *httptest.Server {
	t.Helper()
	api, err := httpapi.New(kv, append(opts, nil)...)
	if err != nil {
		t.Fatal(err)
	}
	return apitest.Serve(t, httpapi.NewServer("", api), api.Close)
}
