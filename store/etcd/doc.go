// Package etcd is a key/value store in etcd, on etcd's own client. Elections use only
// reads, transactions and watches: no lease, no session.
//
// With a client of your own:
//
//	client, err := clientv3.New(clientv3.Config{
//		Endpoints:   []string{"10.0.0.1:2379"},
//		DialOptions: etcd.DialOptions(), // recommended: see there
//	})
//	kv := etcd.New(client)
//
// By URL, once this package is imported:
//
//	kv, err := store.Open(ctx, "etcd://user:password@host1:2379,host2:2379/prefix?ca=/etc/etcd/ca.pem")
//
// Name all members of the cluster: when the client loses one it uses another. The default
// port is 2379. The path, with a slash at its end, is the prefix of all keys. The
// parameters are tls, ca, cert, key and server_name (see (*store.URL).TLS),
// password_file, a file with the password of a user whose password is not in the URL, and
// compact (see History). What is not in the URL is read from the variables of etcdctl:
// ETCDCTL_ENDPOINTS (for etcd:///prefix), ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY,
// ETCDCTL_USER (user or user:password) and ETCDCTL_PASSWORD. All files are read again
// when they have changed. The client of a URL logs nothing.
//
// # What it guarantees
//
// Writes and consistent reads are linearizable, also across a failover: an acknowledged
// write is on the disks of a majority. Without a majority there are no answers. So two
// nodes never hold one claim. As with any store, a fencing token adds protection from a
// leader that was paused past its deadline and does not know it yet. The index of a pair
// is a revision of etcd, which is never used again, unless a cluster is restored from a
// backup: use --bump-revision then (etcd 3.6). A write also compares the value, so it is
// refused even then.
//
// AtomicPut is one transaction and one round trip, and so is AtomicDelete. If the answer
// is lost, the error is none of those for a refused write. The client of a URL never
// sends a write twice. A client of your own without DialOptions may do so, if a server or
// proxy answers that the request was cancelled. If AtomicPut is then refused and finds
// its own value, its error says that the value may have been written. If another client
// has overwritten that value, and in AtomicDelete, the two cases look alike, and the
// error is ErrKeyModified or ErrKeyNotFound. Elections read the key again and are safe in
// this case too.
//
// A watch begins with the current state, goes on after a lost connection and after a
// compaction, and leaves a member that has no leader. After a cluster has lost its data,
// or was restored from an older backup, etcd's client would wait for a revision that the
// cluster does not have yet. Any call of the Store detects this, the Store makes one a
// second after the last, and the watch begins again.
//
// # TTL
//
// A TTL is a lease, granted by a request before the write and attached to the key. Leases
// of etcd have whole seconds: a TTL is rounded up, and the key is deleted up to a second
// later. The shortest lease of a server is one and a half times its election timeout (2 s
// by default). A TTL below that, or below a second, is ErrTTLNotSupported. When the
// leader of the cluster changes, all leases begin again. Elections do not use TTLs of
// etcd.
//
// # History
//
// etcd keeps every write of every key until its history is compacted, and refuses all
// writes when its database has reached its quota (2 GiB by default). An election with a
// TTL of 15 s writes every 5 s, some 300 bytes each time. Start etcd with
// --auto-compaction-retention=1h. If you cannot, put
//
//	compact=1h
//
// into the URL: the Store then compacts what is older, ten times in that time. It
// compacts the history of the whole cluster, so watches of other programs that were cut
// off for longer have to begin again; those of a Store do so by themselves. The value
// must be at least 1m. Any number of processes may have it: one of them compacts, and
// another one when that has ended. A program must run for longer than the history that it
// keeps: commands that end at once compact nothing. Compacted space is used again; only
// etcdctl defrag makes the file smaller. In etcd 3.4 no right is needed.
//
// No call returns whether a cluster compacts by itself, but it can be found out that
// nothing was ever compacted. If that is so after 100,000 revisions, Open without compact
// logs a warning by slog.Default; the Store checks once an hour.
//
// # Rights
//
// If authentication is enabled, a user needs the right to read and write the keys of the
// elections, and no other:
//
//	etcdctl role add app
//	etcdctl role grant-permission app readwrite --prefix app/
//	etcdctl user add app:password
//	etcdctl user grant-role app app
//
// for etcd://app:password@host/app. Open reads the key "app/", and fails if it may not;
// without a path it reads the key "leadership". Without a login, a server with
// --client-cert-auth uses the common name of the client certificate as the user. etcd
// itself needs no setting.
//
// On a server older than 3.5, etcd's client (3.6) hangs for ever when its login expires,
// which it does after 5 minutes without use. Clients of URLs do not. A client of your own
// with a Username needs a server of 3.5 or later.
//
// # Limits
//
// A value with its key may have 1.5 MB (--max-request-bytes). Any key is valid, except
// the empty one. A call waits for a server until its context ends. The client of a URL
// leaves a member that hangs, without breaking its connections, after 13 seconds; until
// then some calls end at their deadlines. In a client of your own set DialKeepAliveTime
// and DialKeepAliveTimeout.
//
// Tested with etcd 3.4.23 and client 3.6.16.
package etcd
