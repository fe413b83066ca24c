package etcd_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestMain(m *testing.M) {
	// Not goleak.VerifyTestMain: the shared servers have to end first.
	code := servers.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}
