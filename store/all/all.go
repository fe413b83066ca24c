// Package all registers the URL schemes of all stores with store.Open: memory,
// sqlite, postgres (and postgresql), etcd, consul, zookeeper, and redis and
// rediss, each also as +sentinel and +cluster.
//
//	import _ "github.com/seed-a1d591d3/leadership/store/all"
//
// It imports the clients of all stores. To avoid that, import only the package of your
// store.
package all

import (
	// For their drivers.
	_ "github.com/seed-a1d591d3/leadership/store/consul"
	_ "github.com/seed-a1d591d3/leadership/store/etcd"
	_ "github.com/seed-a1d591d3/leadership/store/memory"
	_ "github.com/seed-a1d591d3/leadership/store/postgres"
	_ "github.com/seed-a1d591d3/leadership/store/redis"
	_ "github.com/seed-a1d591d3/leadership/store/sqlite"
	_ "github.com/seed-a1d591d3/leadership/store/zookeeper"
)
