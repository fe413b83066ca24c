// Package consul is a store in the key/value store of HashiCorp Consul, on its
// official client.
//
// By a client that the program has already, which is left as it is, or by URL:
//
//	kv := consul.New(client)
//	kv, err := store.Open(ctx, "consul://host:8500/prefix")
//
// # URLs
//
// A URL names one agent of Consul, which finds the servers by itself, and with
// its path what the keys begin with. Without a host it is the agent in
// $CONSUL_HTTP_ADDR (host:port, or a URL of http, https or unix), or else
// 127.0.0.1:8500. The parameters, and the variables that stand in for them:
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
// Any of those about TLS switches it on. With it,
// CONSUL_CAPATH without a file of authorities and CONSUL_HTTP_SSL_VERIFY=false are
// refused: certificates are always checked. The
// files, of a token and of TLS, are read again when they have changed. Opening reads the key that is the prefix, and the
// token has to be allowed to.
//
// # What it guarantees
//
// A write is acknowledged when a majority of Consul's servers has it, so it
// survives a failover. A write whose reply was lost in one may or may not have
// happened; elections read back. Get goes through the leader, and with
// Consistent or nil options the leader first asks a majority whether it still
// is: it finds every write acknowledged before. An index is that of Consul's
// log and never comes back, except where servers are set up anew from an older
// snapshot: a transaction of Consul can compare no value, so a renewal that was on
// its way meanwhile may then replace a newer record. Stop the programs, or wait for
// the longest TTL, before you do that. What fencing adds is what it adds everywhere:
// protection from a leader that is paused between looking at its term and
// acting on it; and, after an operator has restored an old snapshot, tokens
// that still rise.
//
// AtomicPut and AtomicDelete are transactions of Consul, of one round trip. The
// flags of a pair are the store's: they change with every write, so that one
// of an equal value has another index. Consul deletes no key by itself: a TTL
// is store.ErrTTLNotSupported. Elections need none, and are not held to the
// 10 s of Consul's sessions.
//
// A watch is a blocking query, of a minute at a time. It holds a connection of
// its own; an agent allows 200 for each address by default
// (limits.http_max_conns_per_client).
//
// # Keys
//
// Keys are of any bytes. Those of printable ASCII are in Consul as they are
// given, but for what its HTTP API would change: of % itself, a slash at the
// beginning or after another, and the segments "." and "..", as of all other
// characters, each byte is written as % and two hexadecimal digits. Rules of
// ACLs have to be written so, too. List leaves out keys of others that are not.
//
// A value may have 384 KiB with Consul's default settings: in a transaction it
// is a third longer, and that may have 512 KiB.
//
// # Rights
//
// This policy is the least that elections need:
//
//	key_prefix "service/" { policy = "write" }
//
// # Tested with
//
// Consul 1.21.0 and github.com/hashicorp/consul/api 1.32.1. Not tested:
// Consul Enterprise. There a namespace or partition in the configuration of a client
// given to New is for reads only, so an election on it ends with ErrUnsafeStore; name
// it in the URL instead.
package consul
