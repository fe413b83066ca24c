// Package zookeeper is a store in the nodes of Apache ZooKeeper, on the client
// github.com/go-zookeeper/zk.
//
// By a client that the program has already, which is left as it is, or by URL:
//
//	kv := zookeeper.New(conn)
//	kv := zookeeper.New(conn, zookeeper.WithACL(zk.AuthACL(zk.PermAll)))
//	kv, err := store.Open(ctx, "zookeeper://host1:2181,host2:2181/prefix")
//
// # URLs
//
// A URL names the servers, with port 2181 where it says none, and with its path
// what the keys begin with. user:password@ before the hosts is a login of the
// scheme digest. What the store creates then is for that login alone, in SHA-1 as
// servers have it by default (DigestAuthenticationProvider.digestAlg); without a
// login it is for anybody. The parameters:
//
//	tls=true               with the system's certificate authorities
//	ca=FILE                those in a PEM file, and no others
//	cert=FILE, key=FILE    the client's certificate
//	server_name=NAME       the name in the server's certificate; the host by default
//	password_file=FILE     a file with the password of the user, who has none in the URL then
//
// The files are read again when they have changed: those of TLS for each connection, the
// password when something is refused, as it is once the ACLs of the nodes have been given
// to the new one. Any of those about TLS switches it on, which ZooKeeper has on a port of its own
// (secureClientPort). No environment variables are heeded: ZooKeeper's own client
// has system properties of Java in their place.
//
// Opening reads the node that is the prefix, or the lowest there is above it.
// ZooKeeper takes any login, so a wrong password shows there if that node's ACL
// tells users apart, and else where the first call is refused. The client then
// resolves names anew each time that it connects, and gives up a server that is
// silent for 4 s.
//
// # What it guarantees
//
// A write is acknowledged when a majority of the servers has it, so it survives a
// failover. One whose reply was lost may or may not have happened, and the client
// never sends it again; elections read back. A compare-and-swap is decided by the
// majority, too, by the node's version.
//
// Get with Consistent or nil options has its server catch up with the leader
// first (sync), and finds every write acknowledged before; but the leader answers
// that without asking the others. One that was cut off from them, and has yet to
// notice (syncLimit, 10 s by default), may let its clients read what is old. It
// can't change anything, so nobody gains a seat by that; what fencing adds is
// what it adds everywhere: protection from a leader that is paused between
// looking at its term and acting on it.
//
// AtomicDelete empties the node and leaves it there, as the parents of nodes are:
// without data, which to ZooKeeper is something other than empty data. So the
// version goes on rising, and an index never comes back, unless somebody else
// deletes the node, or an older state of the servers is restored. After that an old
// index may match a new node, and ZooKeeper can compare nothing else: a candidate
// looks right before it takes a seat, but a renewal that was on its way meanwhile
// may replace a newer record. So stop the programs, or wait for the longest TTL,
// before you do either. Where many keys come and go, delete nodes without data by hand
// that nobody will use again.
//
// ZooKeeper deletes no node by itself, as it is set up by default: a TTL is
// store.ErrTTLNotSupported. Elections need none, no session and no ephemeral
// node; a session that expires changes nothing.
//
// # Watches
//
// They go on through lost connections and sessions. go-zookeeper sets its watches
// again when it reconnects, and now and then loses one, where it gets the answer to
// a call meanwhile; the race detector may then complain of it. So a look each second
// stands behind each watch here; and the clients that are made from URLs wait 20 ms
// after they have connected. Nor can it take a watch back: one that has ended
// leaves a few hundred bytes in the client, one time for each key, until that
// changes.
//
// # Clients
//
// A client waits for a connection for as long as it takes; the calls here wait
// with it until their contexts end, and are not sent after that. Only a call that
// the client has taken over already, and that gets no answer, stays with it, as a
// rule for two thirds of the session's timeout; there are at most 32 of these. A
// write among them may still happen.
//
// A server ends the connection of a client that has seen later changes than it has, as
// when it has lost its data or was put back to an older state, and go-zookeeper then tries
// for ever. A client that was made from a URL begins a new session when all servers
// have refused it for 2 seconds. One of your own never comes back: after 5 seconds the
// errors say so, and that you have to make another.
//
// A client that is let in by a server that then does not answer, as one that is
// starting may do, waits 6.7 times the session's timeout. Choose one of a few
// seconds for your own. By URL it is 6 s, and that wait 3 s.
//
// # Keys
//
// A key is in the node of its path: "service/leader" in /service/leader. Keys are
// of any bytes. Ordinary ones look in ZooKeeper as they are given. What a path
// may not have is written as % and two hexadecimal digits a byte: % itself, the
// parts "." and "..", control characters, what is beyond Unicode's Basic
// Multilingual Plane or private in it, and the first part "zookeeper", which is
// ZooKeeper's own. A part that is empty, as by a slash at the beginning, is "%".
// List leaves out nodes of others that are not written so, and takes any other
// node with data for a key.
//
// A value and its key may have 1 MB with ZooKeeper's default settings
// (jute.maxbuffer). The server cuts off whoever sends more.
//
// # Rights
//
// Create and read on the node that is the prefix, or on one above it where that
// is missing; read, write and create on all beneath it, which whoever created
// them has. Neither delete nor admin.
//
// # Tested with
//
// ZooKeeper 3.8.0, one server, and go-zookeeper/zk 1.0.4. Not tested: an
// ensemble; logins by SASL, which the client does not have.
package zookeeper
