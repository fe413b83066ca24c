package fence_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // ZooKeeper's client
	goredis.SetLogger(silent{})
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	code := servers.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
