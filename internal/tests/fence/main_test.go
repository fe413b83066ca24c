package fence_test

import (
	"context"
	"io"
	"log"
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // ZooKeeper's client
	goredis.SetLogger(silent{})
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	os.Exit(servers.VerifyMain(m, nil))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
