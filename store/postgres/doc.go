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
// The schemes are postgres:// and postgresql://, and the path is the database.
// Parameters, beside those of TLS (ca, cert, key, server_name and tls; see
// store.URL.TLS):
//
//	table=NAME      the table, as in WithTable
//	prefix=PREFIX   what all keys begin with
//	poll=100ms      as in WithPollInterval
//	host=DIR        the folder of the server's Unix socket, where the URL names no host
//
// and, as PostgreSQL defines them, sslmode, sslrootcert, sslcert, sslkey,
// sslpassword, sslsni, sslnegotiation, service, passfile, dbname, user, password, host, port, options, channel_binding, require_auth,
// target_session_attrs, application_name, connect_timeout and search_path, and
// pool_max_conns of pgx. sslmode and the like cannot be had together with ca and
// the like. With neither, PostgreSQL's default holds: TLS if the server has it,
// and no look at its certificate.
//
// Where the URL is silent the variables that PostgreSQL's own clients know are
// heeded: PGHOST and PGPORT (if it names no host), PGUSER, PGPASSWORD, PGDATABASE,
// PGPASSFILE, PGSERVICE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY,
// PGTARGETSESSIONATTRS, PGCONNECT_TIMEOUT, PGAPPNAME, PGOPTIONS and more.
//
// The files of passwords, certificates and keys, of whichever parameter or variable, are
// read again for each new connection, so they may be renewed while the program runs.
//
// Of several hosts that server is used which takes writes:
// target_session_attrs is read-write unless it is given. A connection may take 4
// seconds to be made, for each host, unless connect_timeout is given.
//
// # What it promises
//
// Every call is one statement, one round trip and one transaction of its own,
// at whatever isolation level the database has for a default. (A user's pool may
// add a ping before it: pgx does, on a connection that was idle for a second,
// unless pgxpool.Config.ShouldPing says otherwise.) A write that was
// acknowledged is on disk, and on that of the synchronous standby if there is one:
// even where the role or database has synchronous_commit off, local or
// remote_write, for which each statement sets on. Get and List read from the
// primary alone: on a standby they return an error.
//
// A read with nil options, or Consistent, tells only what a failover to the
// synchronous standby keeps. Where synchronous_standby_names is set it writes a
// message to the log (pg_logical_emit_message), so that its commit waits for the
// standby as a write's does; elsewhere it writes nothing. While the standby is
// away reads and writes so wait until their contexts end, and leaders step down.
// Watches wait for nothing: they are hints.
//
// PostgreSQL says that all is done, with a warning, where the wait for a standby
// is cancelled: by pg_cancel_backend, or by a pool whose contexts cancel requests.
// Such a call returns an error, which leaves open whether it has happened. For
// that the messages of each call are traced: a trace of your own that you have set
// by pgproto3.Frontend.Trace on a connection of the pool ends with the first
// call that uses it.
//
// A write is never sent twice, except where the server has said that it was
// undone. After an error that is none of the store package's the write may have
// happened.
//
// Watches are told by LISTEN and NOTIFY, usually within a few milliseconds, and
// look once a second besides. They have one more connection for it. Through a
// pooler that lends connections for a transaction, such as PgBouncer in
// transaction mode, no notification comes; that is noticed within two seconds,
// and watches look ten times a second then (WithPollInterval).
//
// # Failover
//
// A server that is killed and started again has every write that it
// acknowledged, unless fsync or full_page_writes is off. A standby that takes
// over has them all if the replication is synchronous
// (synchronous_standby_names), and if it is one that the primary waited for: with
// ANY 1 (a, b) promote the one that has more. Who empties synchronous_standby_names
// while the standby is away lets go what waits for it, and gives up that promise.
// Otherwise the writes of the last moments are lost: a leader's
// renewal, which is harmless, or the election of a leader, and then there may be
// two until the elder one has noticed, within its TTL. A primary that is cut off
// and is not shut down when another takes over goes on by itself, and so do
// those who reach no other. Fencing tokens cover both: tokens rise with the
// clock, also over what was lost, so whoever checks them turns the elder away.
//
// A write compares the value of the previous pair as well as its index, in the
// same statement: for an index may come again. They come from a sequence. It is
// copied by physical replication and by pg_dump, but not by logical replication: elections that run on through a
// switch by that may see an index again, and so may those on a backup that was
// restored. So may those whose standby takes over
// without the last writes: PostgreSQL logs a sequence 32 numbers ahead, and if
// that was lost too, the new primary gives out numbers that the old one had
// acknowledged.
//
// TTLs, which elections do without, are kept by the server's clock.
//
// # Settings and rights
//
// No setting is needed. The table is made at the first call, if the role may.
// Else have its owner run what Schema returns, and
//
//	GRANT SELECT, INSERT, UPDATE, DELETE ON leadership TO app;
//
// The role needs USAGE on the table's schema, too, which for public everybody
// has, and CONNECT on the database, likewise. It needs nothing else.
//
// # Limits
//
// Keys are UTF-8 without NUL, and no longer than an entry of an index, about
// 2600 bytes. Values are as large as a bytea, but are meant to be small. Rows
// that have expired are removed by later writes with a TTL.
//
// While its server hangs, each call whose context ends costs a connection,
// which pgx lets go of up to 15 seconds later; the pool's size bounds them.
//
// Every commit that notifies takes its turn: PostgreSQL orders them, for the
// whole server. That is no matter for elections; it is for thousands of writes a
// second.
//
// PgBouncer 1.18 ends by itself now and then when clients cancel requests, as pgx
// does with those that it gives up: have it started again.
//
// Tested with PostgreSQL 15, alone and with a synchronous standby, pgx 5.11 and
// PgBouncer 1.18. PostgreSQL 11 and later have what it uses.
package postgres
