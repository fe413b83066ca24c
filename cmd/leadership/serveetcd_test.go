//go:build linux

package main

import (
	"strings"
	"sync"
	"syscall"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestServerWarnsOfAnEtcdThatNeverCompacts(t *testing.T) {
	t.Parallel()
	server := servers.Etcd(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Addr}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const writers, writes = 100, 1000
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range writes {
				if _, err := client.Put(t.Context(), "key", ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for query, warns := range map[string]bool{"": true, "?compact=1h": false} {
		s := serving(t, nil, "--store", "etcd://"+server.Addr+"/"+query)
		s.signal(syscall.SIGTERM)
		if code := s.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if log := s.errs.String(); strings.Contains(log, `"level":"WARN","msg":"etcd has never compacted`) != warns {
			t.Errorf("with %q it logs %s", query, log)
		}
	}
}
