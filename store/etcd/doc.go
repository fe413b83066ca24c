// Package etcd is a key/value store in etcd, by etcd's own client. Elections
// need nothing of it but reads, transactions and watches: no lease, no session.
//
// With a client that you have already:
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
// Name all members of the cluster: the client turns to another when it loses
// one. The port is 2379 where none is named. The path is what all keys begin
// with, with a slash behind it. The parameters are tls, ca, cert, key and
// server_name, as (*store.URL).TLS has them, and compact (see History). What the URL does not say is taken
// from what etcdctl reads: ETCDCTL_ENDPOINTS (for etcd:///prefix),
// ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY, ETCDCTL_USER (user or
// user:password) and ETCDCTL_PASSWORD. password_file=FILE is a file with the password, for a
// user without one. All files are read again when they have changed. Such a client logs nothing.
//
// # What it guarantees
//
// Writes and consistent reads are linearizable, in a failover too: a write that
// was acknowledged is on the disks of a majority. Without a majority nothing is
// answered. So two nodes never hold one claim; what a fencing token adds is
// protection from a leader that is paused past its deadline and does not know
// it yet, as with any store. The index of a pair is a revision of etcd, which
// never comes back, except where a cluster is restored from a backup: set
// --bump-revision then (3.6). A write compares the value as well as the revision, and
// so is refused there, too.
//
// AtomicPut is one transaction and one round trip, and so is AtomicDelete. A
// call whose answer was lost returns an error that is none of the refusals. A
// client by URL never sends one a second time. A client of yours without
// DialOptions may, where a server or proxy answers that the request was
// cancelled. A refused AtomicPut that finds its own value in place then says
// that it may have been written; where somebody has written over that already,
// or for AtomicDelete, it can't tell and says ErrKeyModified or ErrKeyNotFound.
// Elections read back and are safe with that too.
//
// A watch begins with the current state, goes on after a connection was lost
// and after a compaction, and leaves a member that has no leader. etcd's client has it
// wait for a revision that a cluster without its data, or of an older backup, does not have
// yet. That is noticed by any call of the Store, and by one of its own a second after the
// last, and the watch begins anew.
//
// # TTL
//
// A TTL is a lease, granted by a request before the write and attached to the
// key. etcd has leases in whole seconds: a TTL is rounded up, and a key goes up
// to a second after that. A server also has a shortest lease, of one and a half
// times its election timeout (2 s by default). What is shorter than that, or
// than a second, is ErrTTLNotSupported. After a change of the cluster's leader
// all leases begin anew. Elections use no TTL of etcd's.
//
// # History
//
// etcd keeps every write of every key until it is told to compact its history, and
// refuses all writes once its database has reached its quota (2 GiB by default). An
// election at a TTL of 15 s writes once in 5 s, some 300 bytes each time. Start etcd with
// --auto-compaction-retention=1h; or, where that is not yours to do, have
//
//	compact=1h
//
// in the URL: the Store then compacts what is older, ten times in that time. That is the
// history of the whole cluster, so watches of other programs that have been cut off for
// longer have to begin anew; those of a Store do by themselves. It must be at least 1m.
// Any number of processes may do so: one of them does, and another when that one has
// ended. A program has to run for longer than the history that it keeps; commands that
// end at once compact nothing. Space that was compacted is used again; the file gets
// smaller only by etcdctl defrag. No right is needed for it, in etcd 3.4.
//
// No call tells whether a cluster compacts by itself. But it tells that nothing was ever
// compacted, and where that is so of 100,000 revisions, Open without compact, and once an
// hour the Store, warn of it by slog.Default.
//
// # Rights
//
// Where authentication is enabled, a user needs to read and write the keys of
// the elections, and nothing else:
//
//	etcdctl role add app
//	etcdctl role grant-permission app readwrite --prefix app/
//	etcdctl user add app:password
//	etcdctl user grant-role app app
//
// for etcd://app:password@host/app. Open reads the key "app/", and fails where
// it may not; without a path it reads the key "leadership". A server with
// --client-cert-auth takes the common name of the client's certificate as the
// user where there is no login. etcd itself needs no setting.
//
// etcd's client, as of 3.6, hangs for good when a login runs out on a server
// older than 3.5, which it does after 5 minutes without use. Clients by URL do
// not. One of your own that has a Username needs a server of 3.5 or later.
//
// # Limits
//
// A value has at most 1.5 MB, with its key (--max-request-bytes). Any key but
// the empty one will do. A call waits for a server for as long as its context
// allows. A member that hangs without its connections breaking is left after 13
// seconds by a client by URL; until then some calls end at their deadlines. For
// a client of yours set DialKeepAliveTime and DialKeepAliveTimeout.
//
// Tested with etcd 3.4.23 and client 3.6.16.
package etcd
