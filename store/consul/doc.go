// Package consul is a store in the key/value store of HashiCorp Consul, on its
// official client.
//
// With a client of the program, which the store does not change, or by URL:
//
//	kv := consul.New(client)
//	kv, err := store.Open(ctx, "consul://host:8500/prefix")
//
// # URLs
//
// A URL names one agent of Consul, which finds the servers by itself. Its path is the
// prefix of the keys. Without a host the agent is that of $CONSUL_HTTP_ADDR (host:port,
// or a URL of http, https or unix), or else 127.0.0.1:8500. These are the parameters, and
// the variables that are used if a parameter is not set:
//
//	token=TOKEN                        CONSUL_HTTP_TOKEN
//	token_file=FILE                    CONSUL_HTTP_TOKEN_FILE, which goes before CONSUL_HTTP_TOKEN
//	datacenter=NAME                    that of the agent by default
//	tls=true                           CONSUL_HTTP_SSL
//	ca=FILE                            CONSUL_CACERT
//	cert=FILE, key=FILE                CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY
//	server_name=NAME                   CONSUL_TLS_SERVER_NAME
//	namespace=NAME, partition=NAME     CONSUL_NAMESPACE, CONSUL_PARTITION
//	user:password@ before the host     CONSUL_HTTP_AUTH, for a proxy that asks for them
//
// Any parameter or variable of TLS switches TLS on. Certificates are always checked: with
// TLS, CONSUL_HTTP_SSL_VERIFY=false is refused, and so is CONSUL_CAPATH without a file of
// authorities. The files of the token and of TLS are read again when they have changed.
// Open reads the key that equals the prefix, which the token must allow.
//
// # What it guarantees
//
// A write is acknowledged when a majority of Consul's servers has it, so it survives a
// failover. A write whose reply was lost in a failover may or may not have happened;
// elections read the key again. Get asks the leader, and with Consistent or nil options
// the leader first asks a majority whether it still leads, so Get finds every write that
// was acknowledged before. An index is that of Consul's log and is not used again, unless
// the servers are set up from an older snapshot. A transaction of Consul cannot compare a
// value, so a renewal that was under way at that time may then replace a newer record.
// Before you restore a snapshot, stop the programs, or wait for the longest TTL. Fencing
// adds what it adds everywhere: protection from a leader that is paused between checking
// its term and acting on it, and tokens that rise even after an old snapshot was
// restored.
//
// AtomicPut and AtomicDelete are transactions of Consul, and take one round trip. The
// store uses the flags of a pair: it changes them with every write, so that a write of an
// equal value gets a new index. Consul does not delete keys by itself: a TTL is
// store.ErrTTLNotSupported. Elections need none, so the minimum of 10 s of Consul's
// sessions does not apply to them.
//
// A watch is a sequence of blocking queries of a minute each. It holds a connection of
// its own; by default an agent allows 200 for each address
// (limits.http_max_conns_per_client).
//
// # Keys
//
// A key may have any bytes. Printable ASCII is stored as it is. Each byte of any other
// character is stored as % and two hexadecimal digits, and so is what Consul's HTTP API
// would change: % itself, a slash at the beginning or after another slash, and the
// segments "." and "..". Write rules of ACLs in the same way. List leaves out keys that
// are not written so.
//
// With Consul's default settings a value may have 384 KiB: in a transaction it is a third
// longer, and 512 KiB are allowed there.
//
// # Rights
//
// This policy has all the rights that elections need:
//
//	key_prefix "service/" { policy = "write" }
//
// # Tested with
//
// Consul 1.21.0 and github.com/hashicorp/consul/api 1.32.1. Not tested: Consul
// Enterprise. A namespace or partition in the configuration of a client given to New
// applies to reads only there, so an election on it ends with ErrUnsafeStore: name it in
// the URL instead.
package consul
