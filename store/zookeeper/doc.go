// Package zookeeper is a store in the nodes of Apache ZooKeeper, on the client
// github.com/go-zookeeper/zk.
//
// With a client of the program, which the store does not change, or by URL:
//
//	kv := zookeeper.New(conn)
//	kv := zookeeper.New(conn, zookeeper.WithACL(zk.AuthACL(zk.PermAll)))
//	kv, err := store.Open(ctx, "zookeeper://host1:2181,host2:2181/prefix")
//
// # URLs
//
// A URL names the servers; the default port is 2181. Its path is the prefix of the keys.
// user:password@ before the hosts is a login of the scheme digest. Then only that login
// has rights on the nodes that the store creates, by a digest in SHA-1, the default of
// servers (DigestAuthenticationProvider.digestAlg); without a login everybody has. The
// parameters:
//
//	tls=true               with the system's certificate authorities
//	ca=FILE                the authorities in a PEM file, and no others
//	cert=FILE, key=FILE    the client's certificate
//	server_name=NAME       the name in the server's certificate; the host by default
//	password_file=FILE     a file with the password, if the URL has none
//
// The files are read again when they have changed: those of TLS for each connection, and
// the password when a call is refused, which happens after the ACLs of the nodes were
// changed to the new password. Any parameter of TLS switches TLS on, for which ZooKeeper
// has another port (secureClientPort). No environment variables are read: ZooKeeper's own
// client has system properties of Java instead.
//
// Open reads the node of the prefix, or the lowest existing one above it. ZooKeeper
// accepts any login, so a wrong password shows there if the ACL of that node
// distinguishes users, and otherwise when a call is refused. The client of a URL resolves
// names again each time it connects, and leaves a server that has not answered for 4 s.
//
// # What it guarantees
//
// A write is acknowledged when a majority of the servers has it, so it survives a
// failover. A write whose reply was lost may or may not have happened, and the client
// never sends it again; elections read the key again. The majority also decides a
// compare-and-swap, by the node's version.
//
// With Consistent or nil options Get makes its server catch up with the leader first
// (sync), and so finds every write that was acknowledged before. But the leader answers a
// sync without asking the other servers: a leader that was cut off from them, and has not
// noticed yet (syncLimit, 10 s by default), may let its clients read an old state. It
// cannot change anything, so no candidate becomes leader by that. Fencing adds what it
// adds everywhere: protection from a leader that is paused between checking its term and
// acting on it.
//
// AtomicDelete removes the data of the node and keeps the node, like the parents of
// nodes, without data, which ZooKeeper distinguishes from empty data. So the version only
// rises, and an index is never used again, unless another program deletes the node, or an
// older state of the servers is restored. After that an old index may match a new node,
// and ZooKeeper cannot compare the value: a candidate reads right before it claims, but a
// renewal that was under way at that time may replace a newer record. So stop the
// programs, or wait for the longest TTL, before you do either. If you use many keys for a
// short time, delete by hand the nodes without data that will not be used again.
//
// By default ZooKeeper does not delete nodes by itself: a TTL is
// store.ErrTTLNotSupported. Elections need no TTL, no session and no ephemeral node; the
// expiry of a session changes nothing.
//
// # Watches
//
// Watches survive lost connections and sessions. go-zookeeper sets its watches again when
// it reconnects, and sometimes loses one, if it gets the answer to a call at that time;
// the race detector may then report it. So each watch here also reads its key every
// second, and the clients of URLs wait for 20 ms after they have connected. go-zookeeper
// cannot remove a watch: one that has ended leaves a few hundred bytes in the client,
// once for each key, until the key changes.
//
// # Clients
//
// A client waits for a connection without a limit. The calls here wait until their
// contexts end, and are not sent after that. Only a call that the client has already
// taken, and that gets no answer, stays in the client, usually for two thirds of the
// session's timeout; there are at most 32 of these. A write among them may still happen.
//
// A server closes the connection of a client that has seen later changes than the server
// has, for example after the server has lost its data or an older state was restored, and
// go-zookeeper then tries for ever. The client of a URL begins a new session when all
// servers have refused it for 2 seconds. A client of your own never gets a session again:
// after 5 seconds the errors say that you need a new client.
//
// If a server accepts a connection and then does not answer, which may happen while it
// starts, a client waits for 6.7 times the session's timeout. Choose a timeout of a few
// seconds for a client of your own. The client of a URL has one of 6 s, and waits for 3 s
// in this case.
//
// # Keys
//
// The path of a node is its key: "service/leader" is in /service/leader. A key may have
// any bytes. Ordinary keys are stored unchanged. What a path cannot have is written as %
// and two hexadecimal digits for each byte: % itself, the parts "." and "..", control
// characters, characters outside Unicode's Basic Multilingual Plane or private in it, and
// the first part "zookeeper", which ZooKeeper reserves. An empty part, such as before a
// slash at the beginning, is "%". List leaves out nodes whose names are not written so,
// and returns each other node with data as a key.
//
// A value and its key may have 1 MB with ZooKeeper's default settings (jute.maxbuffer).
// The server closes the connection of a client that sends more.
//
// # Rights
//
// The login needs create and read on the node of the prefix, or on the one above it if
// that is missing; and read, write and create on all nodes beneath it, which the login
// that created them has. It needs neither delete nor admin.
//
// # Tested with
//
// ZooKeeper 3.8.0, one server, and go-zookeeper/zk 1.0.4. Not tested: an
// ensemble; logins by SASL, which the client does not have.
package zookeeper
