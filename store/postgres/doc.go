// Package postgres is a key/value store in one table of a PostgreSQL database.
//
//	pool, err := pgxpool.New(ctx, "postgres://app@db.example.com/app")
//	kv, err := postgres.New(pool)
//	defer kv.Close()
//	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
//
// or, with a pool of its own, by URL:
//
//	import _ "github.com/seed-a1d591d3/leadership/store/postgres"
//
//	kv, err := store.Open(ctx, "postgres://app:password@db1,db2:5432/app?ca=/etc/ssl/db.pem")
//
// # URLs
//
// The schemes are postgres:// and postgresql://, and the path is the database. These are
// the parameters, besides those of TLS (ca, cert, key, server_name and tls; see
// store.URL.TLS):
//
//	table=NAME      the table, see WithTable
//	prefix=PREFIX   the prefix of all keys
//	poll=100ms      see WithPollInterval
//	host=DIR        the folder of the server's Unix socket, where the URL names no host
//
// and, as PostgreSQL defines them, sslmode, sslrootcert, sslcert, sslkey, sslpassword,
// sslsni, sslnegotiation, service, passfile, dbname, user, password, host, port, options,
// channel_binding, require_auth, target_session_attrs, application_name, connect_timeout
// and search_path, and pool_max_conns of pgx. Parameters such as sslmode and those such
// as ca exclude each other. Without any of them PostgreSQL's default applies: TLS if the
// server has it, without a check of its certificate.
//
// What the URL does not set is read from the variables of PostgreSQL's own clients:
// PGHOST and PGPORT (if it names no host), PGUSER, PGPASSWORD, PGDATABASE, PGPASSFILE,
// PGSERVICE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY, PGTARGETSESSIONATTRS,
// PGCONNECT_TIMEOUT, PGAPPNAME, PGOPTIONS and more.
//
// The files of passwords, certificates and keys, from parameters or variables, are read
// again for each new connection, so they may be renewed while the program runs.
//
// Of several hosts the one that accepts writes is used: the default of
// target_session_attrs is read-write. The default of connect_timeout is 4 seconds for
// each host.
//
// # What it promises
//
// Every call is one statement, one round trip and one transaction, at the default
// isolation level of the database. (With a pool of the user, pgx may send a ping before
// it, on a connection that was idle for a second: see pgxpool.Config.ShouldPing.) An
// acknowledged write is on disk, and on that of the synchronous standby if there is one.
// This holds even if synchronous_commit is off, local or remote_write for the role or
// database: each statement sets it to on. Get and List read only from the primary: on a
// standby they return an error.
//
// A read with nil options, or Consistent, returns only what a failover to the synchronous
// standby keeps. If synchronous_standby_names is set it writes a message to the log
// (pg_logical_emit_message), so that its commit waits for the standby like that of a
// write; otherwise it writes nothing. While the standby is away, reads and writes wait
// until their contexts end, and leaders step down. Watches do not wait: they are hints.
//
// If the wait for a standby is cancelled, by pg_cancel_backend or by a pool whose
// contexts cancel requests, PostgreSQL reports success with a warning. The call then
// returns an error, which leaves open whether the write lasts. To find out, the messages
// of each call are traced: a trace of your own (pgproto3.Frontend.Trace) on a connection
// of the pool ends with the first call that uses the connection.
//
// A write is never sent twice, unless the server has answered that it was undone. After
// an error that is none of those of package store the write may have happened.
//
// Watches get changes by LISTEN and NOTIFY, usually within a few milliseconds, and also
// read their keys once a second. They use one more connection. Through a pooler that
// assigns a connection for each transaction, such as PgBouncer in transaction mode,
// notifications do not arrive. This is detected within two seconds, and watches then read
// their keys ten times a second (WithPollInterval), or once a second where hundreds of
// elections share one watch.
//
// # Failover
//
// A server that is killed and started again has every write that it acknowledged, unless
// fsync or full_page_writes is off. A standby that takes over has them all if the
// replication is synchronous (synchronous_standby_names), and if the primary waited for
// this standby: with ANY 1 (a, b) promote the one that has more. Emptying
// synchronous_standby_names while the standby is away releases the calls that wait for
// it, and gives up this promise. Otherwise the writes of the last moments are lost: the
// renewal of a leader, which is harmless, or the election of a leader. Then there may be
// two leaders until the older one notices, within its TTL. A primary that is cut off, and
// not shut down when a standby takes over, goes on for the clients that still reach it.
// Fencing tokens cover both cases: they rise with the clock even if a token was lost, so
// a resource that checks tokens refuses the older leader.
//
// A write compares the value of the previous pair as well as its index, in the same
// statement, because an index may be used again. Indexes come from a sequence. Physical
// replication and pg_dump copy it, but logical replication does not: after a switch to a
// logical replica an index may be used again, and so it may after a backup was restored.
// This can also happen when a standby takes over without the last writes: PostgreSQL logs
// a sequence 32 numbers ahead, and if that was lost too, the new primary uses numbers
// again that the old one had acknowledged.
//
// TTLs, which elections do not use, follow the server's clock.
//
// # Settings and rights
//
// No setting is needed. The first call creates the table, if the role has the right to.
// Otherwise its owner must run what Schema returns, and
//
//	GRANT SELECT, INSERT, UPDATE, DELETE ON leadership TO app;
//
// The role also needs USAGE on the table's schema, which everybody has on public, and
// CONNECT on the database, which everybody has by default. It needs no other right.
//
// # Limits
//
// Keys are UTF-8 without NUL, and at most as long as an entry of an index, about 2600
// bytes. Values may be as large as a bytea, but should be small. Later writes with a TTL
// remove rows that have expired.
//
// While the server hangs, each call whose context ends occupies a connection, which pgx
// closes up to 15 seconds later; the size of the pool bounds them.
//
// PostgreSQL serialises all commits of a server that notify. That does not matter for
// elections, but it would for thousands of writes a second.
//
// PgBouncer 1.18 sometimes crashes when clients cancel requests, as pgx does with those
// that it gives up: let a supervisor restart it.
//
// Tested with PostgreSQL 15, alone and with a synchronous standby, pgx 5.11 and PgBouncer
// 1.18. It needs PostgreSQL 11 or later.
package postgres
