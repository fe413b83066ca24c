package etcd_test

import (
	"os"
	"testing"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.VerifyMain(m, nil)) }
