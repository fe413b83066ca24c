// Package stage starts the servers of a store, as runs under faults need them: alone, as a
// cluster, with standbys, behind a pooler, with TLS and logins, or on a small disk.
package stage

import (
	"path/filepath"
	"strings"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// Variant is how the servers of a store are set up.
type Variant string

// The variants.
const (
	Plain  Variant = ""
	Secure Variant = "secure" // with TLS and a login
	Small  Variant = "small"  // its data is on a disk of a few megabytes
)

// Kind is a store, in one topology.
type Kind struct {
	Name, About string

	// Direct means that clients are told by the servers where these are, so that no
	// proxy can stand between, or that they use a file.
	Direct bool

	// Alone means that no two runs can share the servers, though their faults do not
	// strike these.
	Alone bool

	// HTTP means that the store is that of a `leadership serve`, from which programs in
	// other languages claim the seat.
	HTTP bool

	// Variants are what else there is than Plain.
	Variants []Variant

	// Programs are those whose versions are told, by their names in package servers.
	Programs []string

	start func(s *Stage)
}

// Stage is the running servers of a store.
type Stage struct {
	Kind    *Kind
	Variant Variant

	// Hosts is where clients reach the servers, host:port each; none for a file.
	Hosts []string

	// Servers are those that clients reach, or for Direct kinds all that hold data.
	Servers []*servers.Server

	// One of these is there, where the kind has it.
	Ensemble *servers.Ensemble
	Sentinel *servers.RedisSentinels
	Cluster  []*servers.Server
	Pair     *servers.PostgresPair
	Postgres *servers.Server // behind the PgBouncer in Servers
	File     string
	Disk     *servers.Disk

	url   func(hosts []string) string
	login *login
	bench *bench
}

// Leadership is the program of cmd/leadership, for stores of HTTP. It is to be set first.
var Leadership string

// Start starts the servers of a kind.
func Start(k *Kind, v Variant) (*Stage, error) {
	s := &Stage{Kind: k, Variant: v, bench: newBench(k.Name)}
	err := Try(func() { k.start(s) })
	if err != nil {
		_ = s.End()
		return nil, err
	}
	return s, nil
}

// Notes returns what servers have told of themselves, such as that one had to be started
// again, since the last call.
func (s *Stage) Notes() []string { return s.bench.notes() }

// End ends the servers.
func (s *Stage) End() error { return s.bench.end() }

// URL returns the store's, where hosts stand for Hosts.
func (s *Stage) URL(hosts []string) string { return s.url(hosts) }

// MoveSlot moves the slot of a key to another master of a Cluster.
func (s *Stage) MoveSlot(key string) { servers.MoveSlot(s.bench, s.Cluster, key) }

// SlotOwner returns the number of the node that has the slot of a key.
func (s *Stage) SlotOwner(key string) int { return servers.SlotOwner(s.bench, s.Cluster, key) }

// Proxies starts a proxy of each host, and returns a function that ends them.
func (s *Stage) Proxies() (proxies []*servers.Proxy, end func(), err error) {
	b := newBench("proxy")
	end = func() { _ = b.end() }
	for _, host := range s.Hosts {
		// A port that was free may be taken by then.
		for range 5 {
			err = Try(func() { proxies = append(proxies, servers.NewProxy(b, host)) })
			if err == nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	return proxies, end, err
}

// Kinds are all stores there are.
var Kinds = []*Kind{
	single("etcd", "one member", Secure, Small),
	ensemble("etcd3", "etcd", "three members"),
	single("consul", "one server", Secure, Small),
	single("zookeeper", "one server", Secure, Small),
	ensemble("zookeeper3", "zookeeper", "three servers"),
	single("redis", "one server, which writes to disk before it answers", Secure, Small),
	{Name: "redis-sentinel", About: "a master, a replica and three Sentinels", Direct: true, Programs: []string{"redis"}, start: startSentinel},
	{Name: "redis-cluster", About: "a Cluster of three masters with a replica each", Direct: true, Programs: []string{"redis"}, start: startCluster},
	single("postgres", "one server", Secure, Small),
	{Name: "postgres-sync", About: "a primary and a synchronous standby", Programs: []string{"postgres"}, start: func(s *Stage) { s.pair(servers.PostgresWithStandby(s.bench)) }},
	{Name: "postgres-async", About: "a primary and an asynchronous standby", Programs: []string{"postgres"}, start: func(s *Stage) { s.pair(servers.PostgresWithAsyncStandby(s.bench)) }},
	{Name: "pgbouncer", About: "PostgreSQL behind PgBouncer, which pools transactions over 4 connections", Alone: true, Programs: []string{"postgres", "pgbouncer"}, start: startBouncer},
	{Name: "memory", About: "the memory of a `leadership serve`, from which examples/python/leader.py claims the seat over HTTP", HTTP: true, start: startServe},
	{Name: "sqlite", About: "a file, which all workers open", Direct: true, Variants: []Variant{Small}, start: startFile},
}

// Find returns the kind of that name, or nil.
func Find(name string) *Kind {
	for _, k := range Kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

func single(name, about string, variants ...Variant) *Kind {
	return &Kind{Name: name, About: about, Variants: variants, Programs: []string{name}, start: func(s *Stage) {
		var server *servers.Server
		switch s.Variant {
		case Secure:
			server = servers.Secure(s.bench, name)
		case Small:
			s.Disk = servers.NewDisk(s.bench, diskSize(name))
			server = servers.NewOn(s.bench, name, s.Disk)
		default:
			server = servers.New(s.bench, name)
		}
		s.Servers, s.Hosts = []*servers.Server{server}, []string{server.HostPort()}
		switch {
		case s.Variant == Secure:
			s.login = newLogin(s.bench, name, server)
			s.url = s.login.url
		case name == "postgres":
			s.url = postgresURL
		default:
			s.url = func(hosts []string) string { return name + "://" + strings.Join(hosts, ",") }
		}
	}}
}

func diskSize(name string) int {
	if name == "postgres" || name == "etcd" || name == "consul" { // which set 40 to 64 MB aside at once
		return 200 << 20
	}
	return 32 << 20
}

func ensemble(name, of, about string) *Kind {
	return &Kind{Name: name, About: about, Programs: []string{of}, start: func(s *Stage) {
		s.Ensemble = servers.NewEnsemble(s.bench, of)
		s.Servers = s.Ensemble.Members
		for _, m := range s.Servers {
			s.Hosts = append(s.Hosts, m.HostPort())
		}
		s.url = func(hosts []string) string { return of + "://" + strings.Join(hosts, ",") }
	}}
}

func startSentinel(s *Stage) {
	s.Sentinel = servers.RedisSentinel(s.bench)
	s.Servers = []*servers.Server{s.Sentinel.Master, s.Sentinel.Replica}
	s.url = func([]string) string {
		return "redis+sentinel://" + strings.Join(s.Sentinel.Addrs, ",") + "/" + servers.SentinelMaster
	}
}

func startCluster(s *Stage) {
	s.Cluster = servers.RedisClusterWithReplicas(s.bench, 1)
	s.Servers = s.Cluster
	var addrs []string
	for _, node := range s.Cluster {
		addrs = append(addrs, node.Addr)
	}
	s.url = func([]string) string { return "redis+cluster://" + strings.Join(addrs, ",") }
}

func (s *Stage) pair(pair *servers.PostgresPair) {
	s.Pair = pair
	s.Servers = []*servers.Server{pair.Primary, pair.Standby}
	s.Hosts = strings.Split(pair.Hosts(), ",")
	s.url = func(hosts []string) string {
		return "postgres://postgres@" + strings.Join(hosts, ",") + "/postgres?sslmode=disable&target_session_attrs=read-write"
	}
}

func startBouncer(s *Stage) {
	s.Postgres = servers.Postgres(s.bench)
	bouncer := servers.PgBouncer(s.bench, s.Postgres)
	s.Servers, s.Hosts = []*servers.Server{bouncer}, []string{bouncer.HostPort()}
	s.url = postgresURL
}

func startServe(s *Stage) {
	server := servers.Serve(s.bench, Leadership, "memory://faults")
	s.Servers, s.Hosts = []*servers.Server{server}, []string{server.HostPort()}
	s.url = func(hosts []string) string { return "http://" + hosts[0] }
}

func startFile(s *Stage) {
	var folder string
	if s.Variant == Small {
		s.Disk = servers.NewDisk(s.bench, 4<<20)
		folder = s.Disk.Dir
	} else {
		folder = s.bench.TempDir()
	}
	s.File = filepath.Join(folder, "store.db")
	s.url = func([]string) string { return "sqlite://" + s.File }
}

func postgresURL(hosts []string) string {
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/postgres?sslmode=disable"
}
