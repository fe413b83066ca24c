// Package redis is a key/value store in Redis, on go-redis: one server, a master with
// replicas under Sentinel, or a Cluster. Elections use only scripts and messages: no
// module, no setting, no keyspace notifications.
//
// With a client of your own:
//
//	client := goredis.NewUniversalClient(&goredis.UniversalOptions{
//		Addrs:                 []string{"10.0.0.1:6379"},
//		ContextTimeoutEnabled: true, // recommended: see Limits
//	})
//	kv, err := redis.New(client)
//
// By URL, once this package is imported:
//
//	kv, err := store.Open(ctx, "redis://user:password@host:6379/0")
//	kv, err := store.Open(ctx, "redis+sentinel://user:password@host1:26379,host2:26379/master-name/0")
//	kv, err := store.Open(ctx, "redis+cluster://user:password@host1:6379,host2:6379")
//
// valkey:// is the same as redis://. unix:///run/redis.sock?db=0 is a Unix socket. With
// TLS the schemes are rediss:// (valkeys://), rediss+sentinel:// and rediss+cluster://.
// The path, or the parameter db, is the number of the database, 0 by default; a Cluster
// has only that one. These are the parameters:
//
//	tls, ca, cert, key, server_name     see (*store.URL).TLS
//	password_file=FILE                  a file with the password, if the URL has none
//	prefix=app:                         the prefix of all keys, used unchanged
//	replicas=1                          see WithReplicas
//	poll=1s                             see WithPoll
//	pool_size=8                         connections to a server at most, besides one for messages
//	sentinel_user, sentinel_password    the login at the Sentinels, if any
//
// If the URL has no password, that in REDISCLI_AUTH is used, as redis-cli does. All files
// that have changed are read again for each new connection. The login at the Sentinels
// cannot be in a file. go-redis has one logger for all clients of the program: see
// redis.SetLogger there.
//
// # What it guarantees
//
// A record is a string under its key: the index in 16 digits, a space, and the value.
// People can read it:
//
//	redis-cli GET service/swarm/leader
//
// Earlier versions made it a hash, with the value in field v and the index in field i. Such
// a record stays a hash until it is deleted.
//
// A write and all its conditions are one script on that key, which Redis runs as one
// step. Only masters are read. So on one server reads and writes are linearizable, as
// long as it keeps its data. A server that starts again without its last writes has lost
// claims; appendfsync always prevents that (everysec may lose a second). The policy for a
// full memory should be noeviction or one of volatile-*: the others may delete records.
//
// The index of a write is the server's clock in microseconds, or one more than the index
// before. The index of a key can be used again only if the key is deleted and created
// again after the server's clock was set back; and a write also compares the value.
//
// go-redis sends a command again when its reply was lost, three times by default. It does
// not do so with the writes of this package, whatever the client's MaxRetries: if the
// reply of a write is lost, the error is none of those for a refused write.
//
// # What a failover can lose
//
// Redis acknowledges a write before replicas have it. When a master fails, the writes
// that it acknowledged in its last moments are lost. When a network is divided, the old
// master accepts writes until it notices, and all of those are lost. In plain words:
// after a failover of Sentinel or Cluster two nodes may both lead: the one that wrote its
// claim to the old master, until the trust in its last renewal ends, and the one that the
// new master knows. A round may be won twice, if the first win was lost.
//
// Fencing tokens still work: the new leader's token is higher, unless the clocks of the
// two nodes differ by more than the time between their claims. So a resource that checks
// tokens refuses the old leader. If two leaders at once do harm and tokens cannot be
// checked, use etcd, Consul, ZooKeeper or PostgreSQL.
//
// WithReplicas(n) makes this rarer: a claim counts, and can be read, only when n replicas
// have it. It does not exclude it: Sentinel may promote a replica that does not have the
// claim, and a write that too few replicas have is not undone. With the setting
// min-replicas-to-write, an old master that is cut off refuses writes after
// min-replicas-max-lag (10 s). It then also refuses the reads of this package, as does a
// master that has become a replica.
//
// # Watches
//
// Each write sends a message to the watches, on the channel "leadership:" followed by the
// key. A watch reads a key with a TTL again when that ends. What other programs do to a
// key, such as a DEL by hand, is seen at the next poll. All watches share one connection. Where
// a program has 256 elections or more below one directory, such as service/, one
// subscription to the pattern "leadership:service/*" is in place of those to each channel.
// A watch survives failovers and the loss of its connection: it reads the key whenever it
// has subscribed again.
//
// # Rights
//
// A user needs only these rights, for keys that begin with service/:
//
//	ACL SETUSER app on >password ~service/* &leadership:service/* -@all
//	  +eval +evalsha +type +get +set +renamenx +hset +hmget +hdel +exists +del
//	  +persist +pexpire +pttl +time +publish +subscribe +psubscribe
//	  +unsubscribe +punsubscribe +ping +scan
//
// Only List needs scan, and only programs with hundreds of elections psubscribe; hset, persist and pexpire are for records of earlier versions. A database other than 0 needs +select, WithReplicas +wait, and a
// Cluster +cluster|slots +asking (and, for clients that read from replicas, +command
// +readonly). At the Sentinels a user needs +sentinel|get-master-addr-by-name
// +sentinel|sentinels +subscribe +ping and the channels &+switch-master
// &+replica-reconf-done.
//
// # Limits
//
// Writes that come at the same time go together, in one pipeline: while as many are under
// way as an eighth of the client's pool has connections, those that come wait for one of
// them to end, but for 2 ms at most where the pool has a connection left. With WithReplicas,
// and on a Cluster, each write goes by itself.
//
// GetMany reads a thousand keys in a script, for which the server answers nobody else for
// some 2.5 ms, with records of 300 bytes.
//
// TTLs are rounded up to whole milliseconds; one below a millisecond is
// ErrTTLNotSupported. List scans all keys of the database. Keys of other programs are
// never overwritten: the call returns an error. Do not use a *redis.Ring or a client with
// ReplicaOnly for elections. While a server hangs, a call returns when its context ends,
// and leaves behind a goroutine and a connection of the client's pool: until the deadline
// of the context with ContextTimeoutEnabled, and otherwise until the client's timeouts.
// There are never more of those than the pool has connections. Reads leave a quarter of
// the pool to writes, and one connection at least, if it has more than one.
//
// Tested with Redis 7.0.15 and go-redis v9.21.0. It needs Redis 6.0 or later.
package redis
