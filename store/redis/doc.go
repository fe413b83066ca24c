// Package redis is a key/value store in Redis, by go-redis: one server, a master
// with replicas under Sentinel, or a Cluster. Elections need nothing of it but
// scripts and messages: no module, no setting, no notifications of keys.
//
// With a client that you have already:
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
// The same with valkey:// in place of redis://, unix:///run/redis.sock?db=0 for a
// Unix socket, and with TLS rediss:// (valkeys://), rediss+sentinel:// and rediss+cluster://. The path, or the
// parameter db, is the number of the database, 0 by default; a Cluster has that alone. These are
// the parameters:
//
//	tls, ca, cert, key, server_name     as (*store.URL).TLS has them
//	password_file=FILE                  a file with the password, which the URL has not
//	prefix=app:                         what all keys begin with, as it is
//	replicas=1                          as WithReplicas
//	poll=1s                             as WithPoll
//	sentinel_user, sentinel_password    the login at the Sentinels, if any
//
// A password that the URL does not have is taken from REDISCLI_AUTH, which
// redis-cli reads. All files are read again for each connection when they have changed;
// the login at the Sentinels is in no file. What go-redis logs, it logs for all clients of the program:
// see redis.SetLogger there.
//
// # What it guarantees
//
// A record is a hash under its key, with the value in field v and the index in
// field i, so that people can read it:
//
//	redis-cli HGET service/swarm/leader v
//
// All that decides about a write, and the write, is one script on that key, which
// Redis runs as one step. Reads are asked of masters only. So on one server reads
// and writes are linearizable, as long as it keeps its data: a server that starts
// again without its last writes has lost claims, and appendfsync always is what
// prevents that (everysec may lose a second). The policy for a full memory should
// be noeviction or one of volatile-*: the others may throw records away.
//
// The index of a write is the server's clock in microseconds, or one more than
// the index before. It comes back for a key only if that is deleted and made
// again after the server's clock was put back; and a write compares the value, too.
//
// go-redis sends a command again when its reply was lost, three times by
// default. It does not do so with the writes of this package, whatever the
// client's MaxRetries: a write whose reply was lost returns an error that is
// none of the refusals.
//
// # What a failover can lose
//
// Redis acknowledges a write before replicas have it. When a master fails, what
// it acknowledged in its last moments is lost, and where a network is cut in
// two the old master goes on to take writes until it finds out, all of which are
// lost. In plain words: after a failover of Sentinel or Cluster two nodes may
// believe that they lead, each with good reason: the one that wrote its claim to
// the old master, until the trust in its last renewal runs out, and the one that
// the new master knows. A round may be won twice, if the first win was lost.
//
// Fencing tokens stay what they are: the new leader's is higher, unless the clocks
// of the two nodes differ by more than the time that lies between their claims. So
// whatever checks tokens refuses the old one. Where two leaders for a moment do harm, and nothing can check tokens, use
// etcd, Consul, ZooKeeper or PostgreSQL.
//
// WithReplicas(n) makes it rarer: a claim counts, and is read, only when n replicas
// have it.
// It does not rule it out, for Sentinel may promote a replica that does not, and
// a write that too few replicas have is not taken back. The setting
// min-replicas-to-write has an old master that is cut off stop taking writes
// after min-replicas-max-lag (10 s); it answers no reads of this package then
// either, and neither does a master that has become a replica.
//
// # Watches
//
// Each write tells those who watch by a message on the channel "leadership:"
// followed by the key. Expiry is looked for when the key's time is over. What
// other programs do to a key, such as a DEL by hand, is seen at the next poll. All
// watches share one connection. A watch survives failovers and the loss of its
// connection: it looks again whenever it has subscribed again.
//
// # Rights
//
// This is all that a user needs, for keys that begin with service/:
//
//	ACL SETUSER app on >password ~service/* &leadership:service/* -@all
//	  +eval +evalsha +hget +hset +hmget +hdel +exists +del +persist +pexpire
//	  +pttl +time +publish +subscribe +ping +scan
//
// scan is for List alone. A database other than 0 takes +select, WithReplicas
// takes +wait, and a Cluster +cluster|slots +asking (and, for clients that read from
// replicas, +command +readonly). At the Sentinels a user needs
// +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe +ping and the
// channels &+switch-master &+replica-reconf-done.
//
// # Limits
//
// TTLs are whole milliseconds, rounded up; a shorter one is ErrTTLNotSupported.
// List walks through all keys of the database. Keys that other programs wrote
// are never overwritten: a call says that it did not write what is there. A
// *redis.Ring and a client with ReplicaOnly are not for elections. While a
// server hangs, a call returns when its context ends, and leaves behind a
// connection of the client's pool, and a goroutine, that wait: until the deadline
// of the context with ContextTimeoutEnabled, and else for as long as the client's
// timeouts say. There are never more of those than the pool has connections.
//
// Tested with Redis 7.0.15 and go-redis v9.21.0. Redis 6.0 is the first that has
// all that it uses.
package redis
