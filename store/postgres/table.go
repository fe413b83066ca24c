package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DefaultTable is the table that a Store uses unless WithTable names another.
const DefaultTable = "leadership"

// here stands in statements where the schema of a table goes whose name has none.
const here = "/*schema*/"

// longestName is the length to which PostgreSQL cuts names, less that of "_expires".
const longestName = 63 - len("_expires")

// Schema returns the SQL that creates a table, for a migration, if programs must not
// create tables. A Store creates its table by the same SQL, if there is none. table is as
// in WithTable; Schema panics if that would return an error.
//
// Then a role needs only this, with your names:
//
//	GRANT SELECT, INSERT, UPDATE, DELETE ON leadership TO app;
//
// and USAGE on the table's schema, if that is not public.
func Schema(table string) string {
	t, err := newTable(table)
	if err != nil {
		panic("postgres: " + err.Error())
	}
	return strings.ReplaceAll(t.schema, here, "")
}

// table has the SQL statements of a Store.
type table struct {
	schema, read, list, keys, values, many, create, update, delete, channel string

	sweep string // see sweeping
}

func newTable(name string) (table, error) {
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		return table{}, fmt.Errorf("the table is %q and must be table or schema.table", name)
	}
	for _, part := range parts {
		if err := checkText("table "+name, part); err != nil {
			return table{}, err
		}
		if part == "" || len(part) > longestName {
			return table{}, fmt.Errorf("the table is %q, and each of its names must have 1 to %d bytes", name, longestName)
		}
	}
	quoted := pgx.Identifier(parts).Sanitize()
	if len(parts) == 1 {
		quoted = here + quoted
	}
	fill := strings.NewReplacer(
		"{table}", quoted,
		"{table.name}", "'"+strings.ReplaceAll(quoted, "'", "''")+"'",
		"{index}", pgx.Identifier{parts[len(parts)-1] + "_expires"}.Sanitize(),
	).Replace
	return table{
		schema: fill(schemaSQL), read: fill(readSQL), list: fill(listSQL), keys: fill(keysSQL), values: fill(valuesSQL), many: fill(manySQL),
		create: fill(createSQL), update: fill(updateSQL), delete: fill(deleteSQL),
		channel: fill(channelSQL), sweep: fill(sweepSQL),
	}, nil
}

// sweeping returns a write that also removes some rows that have expired: those that are
// not written again would otherwise remain for ever.
func (t table) sweeping(write string) string {
	return strings.Replace(write, "WITH ", "WITH "+t.sweep+", ", 1)
}

// The column index can only be set by its sequence, and needs no rights on the sequence.
const schemaSQL = `CREATE TABLE IF NOT EXISTS {table} (
    key     text COLLATE "C" PRIMARY KEY,
    value   bytea NOT NULL,
    index   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    expires timestamptz
);
CREATE INDEX IF NOT EXISTS {index} ON {table} (expires) WHERE expires IS NOT NULL;
`

const (
	// Every statement treats a row that has expired as missing. It reads the clock at
	// that moment, because a statement may have waited for another.
	there  = `(t.expires IS NULL OR t.expires > clock_timestamp())`
	expiry = `clock_timestamp() + $4::bigint * interval '1 microsecond'`

	// A read returns at least one row, without an index if nothing was found. $1 is the
	// key or directory, and $2 whether a failover must keep what is read: the read then
	// also writes, so that its commit waits for the standby, like that of a write, and so
	// for all that it has read. Without a synchronous standby it does not wait.

	readSQL = one + `SELECT one.standby, t.key, t.index, t.value,
	ceil(extract(epoch FROM t.expires - clock_timestamp()) * 1000000)::bigint, one.durable, one.waits
FROM one LEFT JOIN {table} AS t ON t.key = $1::text AND ` + there

	listSQL = one + `SELECT one.standby, t.key, t.index, t.value, NULL::bigint, one.durable, one.waits
FROM one LEFT JOIN {table} AS t ON t.key > $1::text AND starts_with(t.key, $1::text) AND ` + there + ` ORDER BY t.key`

	// $3 is the key that the page begins behind, and $4 how many keys it has.
	keysSQL = one + `SELECT one.standby, t.key, CASE WHEN t.key IS NOT NULL THEN 0 END::bigint, NULL::bytea, NULL::bigint, one.durable, one.waits
FROM one LEFT JOIN (SELECT t.key FROM {table} AS t WHERE t.key > $3::text AND starts_with(t.key, $1::text) AND ` + there + `
	ORDER BY t.key LIMIT $4::bigint) AS t ON true ORDER BY t.key`

	// $3 are the keys.
	valuesSQL = one + `SELECT one.standby, t.key, t.index, t.value, NULL::bigint, one.durable, one.waits
FROM one LEFT JOIN {table} AS t ON t.key = ANY($3::text[]) AND starts_with(t.key, $1::text) AND ` + there + ` ORDER BY t.key`

	// $3 are the keys, below no directory: $1 is empty.
	manySQL = one + `SELECT one.standby, t.key, t.index, t.value, NULL::bigint, one.durable, one.waits
FROM one LEFT JOIN {table} AS t ON t.key = ANY($3::text[]) AND $1::text = '' AND ` + there

	one = `WITH one AS (SELECT pg_is_in_recovery() AS standby, concat(` + durable + `) AS durable,
	CASE WHEN $2::boolean AND NOT pg_is_in_recovery() AND current_setting('synchronous_standby_names') <> ''
	THEN pg_logical_emit_message(true, 'leadership', ''::text)::text END AS waits)
`

	// A write returns one row: the index that it has created or deleted, null if it was
	// refused, and the index before. $1 is the key and $2 its note.

	createSQL = `WITH done AS (
	INSERT INTO {table} AS t (key, value, expires) VALUES ($1::text, $3::bytea, ` + expiry + `)
	ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, index = DEFAULT, expires = EXCLUDED.expires
	WHERE t.expires <= clock_timestamp()
	RETURNING t.index)
SELECT (SELECT index FROM done), NULL::bigint, ` + done

	updateSQL = `WITH done AS (
	UPDATE {table} AS t SET value = $3::bytea, index = DEFAULT, expires = ` + expiry + `
	WHERE t.key = $1::text AND t.index = $5::bigint AND t.value = $6::bytea AND ` + there + `
	RETURNING t.index)
SELECT (SELECT index FROM done), (SELECT t.index FROM {table} AS t WHERE t.key = $1::text AND ` + there + `), ` + done

	deleteSQL = `WITH done AS (
	DELETE FROM {table} AS t
	WHERE t.key = $1::text AND t.index = $3::bigint AND t.value = $4::bytea AND ` + there + `
	RETURNING t.index)
SELECT (SELECT index FROM done), (SELECT t.index FROM {table} AS t WHERE t.key = $1::text AND ` + there + `), ` + done

	// What a write also does. Watches are notified at its commit.
	done = `(SELECT count(pg_notify(` + channelName + `, $2::text)) FROM done), concat(` + durable + `)`

	// A commit must be on disk before it is acknowledged, here and on the synchronous
	// standby if there is one, whatever is set for the role or database; and the client
	// must get the warning if the wait for that was cancelled (see witness).
	durable = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
	THEN set_config('synchronous_commit', 'on', true) END, set_config('client_min_messages', 'warning', true)`

	// A channel is for the whole database. It is named after the OID of the table, which
	// does not depend on the search path.
	channelName = `'leadership:' || {table.name}::regclass::oid`
	channelSQL  = `SELECT ` + channelName

	// Other clients may be sweeping as well: skip the rows that they have locked.
	sweepSQL = `swept AS (
	DELETE FROM {table} AS t USING (
		SELECT key FROM {table} WHERE expires <= now() AND key <> $1::text LIMIT 16 FOR UPDATE SKIP LOCKED
	) AS old WHERE t.key = old.key)`
)
