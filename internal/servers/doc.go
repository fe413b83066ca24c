// Package servers starts the real servers that tests need: etcd, Consul,
// ZooKeeper, Redis, PostgreSQL and MariaDB, each on free ports of the loopback
// interface, with its data in a temporary folder. That is in memory where
// there is room; set TMPDIR to have it on a disk.
//
// A server belongs to the test that started it and ends with it:
//
//	redis := servers.Redis(t)
//	kv := connect(redis.Addr)
//	redis.Freeze()   // SIGSTOP: takes connections, answers nothing
//	redis.Thaw()
//	redis.Stop()     // kill -9
//	redis.Start()    // same port, same data
//
// Tests that leave the server alone share one, which is quicker:
//
//	func TestMain(m *testing.M) { os.Exit(servers.VerifyMain(m, nil)) }
//
//	kv := connect(servers.Shared(t, "redis").Addr)
//
// Where a server is not installed the test is skipped with a word on what to
// do (`make servers`), or fails if LEADERSHIP_REQUIRE_SERVERS is 1. With -short
// no server is started at all.
//
// On Linux no server outlives the test binary, even one that is killed.
package servers
