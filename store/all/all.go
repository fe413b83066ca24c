// Package all registers the URL schemes of all stores with store.Open: memory,
// sqlite, postgres, etcd, consul, zookeeper, redis and rediss, and those of
// Redis Sentinel and Cluster.
//
//	import _ "github.com/seed-a1d591d3/leadership/store/all"
//
// It imports the clients of all of them. Import only the package of the store
// that you use where that matters.
package all

import (
	_ "github.com/seed-a1d591d3/leadership/store/memory"
	_ "github.com/seed-a1d591d3/leadership/store/sqlite"
)
