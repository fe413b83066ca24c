package main

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// arrows are what the packages of this repository, of all its modules, import: the first
// row that matches a package names all that it may, but for the standard library. A *
// stands for one element of a path; other modules are named by what their packages' paths
// begin with. A program that imports the core gets the store package of valkeyrie and the
// parser of cron specs, and nothing else; one that imports a store, its client and no other's.
var arrows = []struct{ from, to string }{
	// The core, and what it is made of.
	{"", "internal/clock internal/election internal/format internal/indexes internal/lease internal/loop internal/lru internal/register " +
		"internal/relay internal/round internal/schedule internal/watches store"},
	{"internal/election", "internal/clock internal/format internal/indexes store"},
	{"internal/round", "internal/clock internal/election internal/format store"},
	{"internal/register", "internal/clock internal/indexes store"},
	{"internal/lease", "internal/clock"},
	{"internal/loop", "internal/clock"},
	{"internal/relay", ""},
	{"internal/clock", ""},
	{"internal/format", ""},
	{"internal/indexes", "store"},
	{"internal/lru", ""},
	{"internal/reread", ""},
	{"internal/schedule", "github.com/robfig/cron/v3"},
	{"internal/watches", "store"},
	{"store", "internal/reread github.com/kvtools/valkeyrie/store"},

	// What is built on it.
	{"fence", ". internal/format internal/register store"},
	{"leadproxy", "."},
	{"leadcron", ". internal/schedule store github.com/go-co-op/gocron/v2"},
	{"internal/view", "."},
	{"internal/observe", ". internal/lru internal/view internal/watches store"},
	{"httpapi", ". internal/clock internal/lru internal/observe internal/view internal/watches store github.com/prometheus/client_golang/prometheus"},
	{"cmd/leadership/internal/guard", "golang.org/x/sys"},
	{"cmd/leadership", ". httpapi cmd/leadership/internal/guard internal/clock internal/observe internal/reread internal/view store store/all store/faultstore store/memory " +
		"github.com/redis/go-redis/v9 github.com/spf13/cobra github.com/spf13/pflag golang.org/x/sys golang.org/x/term"},
	{"examples/valkeyrie", ". store github.com/go-zookeeper/zk github.com/kvtools"},
	{"examples/gocron", "leadcron store store/memory github.com/go-co-op/gocron/v2 github.com/google/uuid"},
	{"examples/fencing", ". fence store/faultstore store/memory modernc.org/sqlite"},
	{"examples/*", ". leadproxy store store/faultstore store/memory"},

	// The stores.
	{"store/internal/*", "internal/clock store store/internal/*"},
	{"store/all", "store/consul store/etcd store/memory store/postgres store/redis store/sqlite store/zookeeper"},
	{"store/consul", "store store/internal/* github.com/hashicorp/consul/api"},
	{"store/etcd", "internal/clock store store/internal/* go.etcd.io/etcd go.uber.org/zap google.golang.org/grpc"},
	{"store/faultstore", "store"},
	{"store/memory", "store store/internal/*"},
	{"store/postgres", "internal/reread store store/internal/* github.com/jackc/pgx/v5"},
	{"store/redis", "store store/internal/* github.com/redis/go-redis/v9"},
	{"store/sqlite", "store store/internal/* modernc.org/sqlite"},
	{"store/zookeeper", "store store/internal/* github.com/go-zookeeper/zk"},

	// What only tests import.
	{"store/storetest", "internal/goroutines store github.com/anishathalye/porcupine"},
	{"internal/clock/clocktest", "internal/clock"},
	{"internal/standin", "store"},
	{"internal/electiontest", ". internal/goroutines store store/faultstore"},
	{"internal/servers", "internal/certs go.uber.org/goleak"},
	{"internal/apitest", "store"},
	{"internal/fencetest", "fence"},
	{"faults/history", "golang.org/x/sys"},
	{"faults/resource", "faults/history fence"},
	{"faults/worker", ". faults/history faults/resource internal/clock internal/sabotage store"},
	{"faults/sabotaged", "faults/history faults/run faults/stage internal/sabotage"},
	{"faults/cmd/worker", "faults/worker store/all"},
	{"proof", ""},
	{"faults/stage", "internal/servers"},
	{"faults/run", "faults/history faults/resource faults/stage faults/worker internal/clock internal/servers store golang.org/x/sys"},
	{"faults/report", "faults/run faults/sabotaged faults/stage"},
	{"faults/child", ""},
	{"faults/service", "faults/child faults/history faults/stage store"},
	{"faults/cmd/service", "faults/history faults/service faults/stage store/all"},
	{"faults/soak", ". faults/child faults/stage internal/servers store gonum.org/v1/plot"},
	{"faults/cmd/soak", "faults/soak store/all"},
	{"faults/cmd/faults", "faults/report faults/run faults/sabotaged faults/stage internal/servers store/all github.com/redis/go-redis/v9"},
	{"bench/stat", ""},
	{"bench/proc", ""},
	{"bench/kube", ""},
	{"bench/count", "github.com/jackc/pgx/v5 github.com/redis/go-redis/v9"},
	{"bench/peers", ". store store/all github.com/bsm/redislock github.com/docker github.com/go-redsync/redsync/v4 github.com/go-zookeeper/zk " +
		"github.com/hashicorp/consul/api github.com/heyvito/go-leader github.com/jackc/pgx/v5 github.com/redis/go-redis/v9 go.etcd.io/etcd go.uber.org/zap k8s.io"},
	{"bench/work", ". bench/count bench/peers bench/stat store github.com/bsm/redislock github.com/jackc/pgx/v5 github.com/redis/go-redis/v9 go.etcd.io/etcd go.uber.org/zap"},
	{"bench/rows", "bench/count bench/kube bench/peers bench/proc bench/stat bench/work faults/child faults/stage github.com/jackc/pgx/v5"},
	{"bench/report", "bench/count bench/peers bench/rows bench/stat gonum.org/v1/plot"},
	{"bench/cmd/bench", "bench/peers bench/proc bench/report bench/rows bench/work internal/servers github.com/redis/go-redis/v9"},
	{"internal/tests/release", "golang.org/x/mod"},
	{"internal/tests/*", ""},
	{"internal/*", ""},
}

// may reports whether a package that may import what to names may import pkg.
func may(to, pkg string) bool {
	return slices.ContainsFunc(strings.Fields(to), func(allowed string) bool {
		if first, _, _ := strings.Cut(allowed, "/"); allowed != "." && strings.Contains(first, ".") {
			return pkg == allowed || strings.HasPrefix(pkg, allowed+"/")
		}
		found, _ := path.Match(allowed, pkg)
		return found
	})
}

func TestPackagesImportWhatTheyMay(t *testing.T) {
	packages, err := list(t.Context(), "../..", module+"/...")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 30 {
		t.Errorf("only %d packages were found", len(packages))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		row := slices.IndexFunc(arrows, func(a struct{ from, to string }) bool { return may(a.from, name) || a.from == name })
		if row < 0 {
			t.Errorf("package %q is in no row", name)
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library
			}
			if imported == module {
				imported = "."
			}
			if imported = strings.TrimPrefix(imported, module+"/"); !may(arrows[row].to, imported) {
				t.Errorf("package %q imports %s", name, imported)
			}
		}
	}
}
