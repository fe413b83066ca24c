package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/store"
)

// searchPath removes the search path from the settings of connections, and returns it for
// locate: a pooler may drop it, or refuse connections that set it. It refuses the other
// settings that decide which table an unqualified name means, and that a pooler may drop.
func searchPath(config *pgxpool.Config) (string, error) {
	params := config.ConnConfig.RuntimeParams
	options := strings.ToLower(strings.ReplaceAll(params["options"], "-", "_"))
	if strings.Contains(options, "search_path") {
		return "", errors.New(`the options (or $PGOPTIONS) set search_path, which a pooler may drop: use the parameter search_path, or table with "schema.table"`)
	}
	for _, name := range []string{"role", "session_authorization"} {
		if params[name] != "" || regexp.MustCompile(`(^|\s)(_c\s*|__)`+name+`\b`).MatchString(options) {
			return "", fmt.Errorf("the options (or $PGOPTIONS, or a service) set %s, which a pooler may drop: log in as that user", name)
		}
	}
	path := params["search_path"]
	delete(params, "search_path")
	return path, nil
}

// locateSQL returns the database, and the schema that a table is in, or would be created
// in. Without a search path that of the role or the database applies, and not one that
// another client has set in a session of a pooler.
const locateSQL = `WITH path AS MATERIALIZED (
	SELECT set_config('search_path', coalesce(nullif($1::text, ''), (SELECT reset_val FROM pg_settings WHERE name = 'search_path')), true) AS path)
SELECT current_database()::text, coalesce(
	(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(quote_ident($2::text))),
	current_schema()::text, ''), path FROM path`

// locate finds the schema of a table whose name has none, so that each statement names
// it: two nodes never use two tables, whatever happens to the search path later.
func locate(ctx context.Context, pool *pgxpool.Pool, path, name string) (table string, target store.Target, err error) {
	schema, plainName, qualified := strings.Cut(name, ".")
	if !qualified {
		plainName = name
	}
	var database, found string
	if err := pool.QueryRow(ctx, locateSQL, plain, path, plainName).Scan(&database, &found, &path); err != nil {
		return "", nil, explain(ctx, err)
	}
	if !qualified {
		schema = found
	}
	if schema == "" {
		return "", nil, fmt.Errorf("no schema of the search path %q is there: create one, or name it by the parameter table, as schema.table", path)
	}
	conn := pool.Config().ConnConfig
	target = store.NewTarget("store", "postgres", "hosts", hostsOf(conn), "user", conn.User,
		"database", database, "schema", schema, "table", plainName)
	return schema + "." + plainName, target, nil
}

// sessionSQL returns the schema that an unqualified table is in, or would be created in,
// in the present session.
const sessionSQL = `SELECT coalesce(
	(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(quote_ident($1::text))),
	current_schema()::text, '')`

// located returns a statement with the schema of the table, if the name of the table has
// none. The schema is found once, as for a URL: with a search path that differs between
// connections, or changes, there would be two tables, and two leaders.
func (s *Store) located(ctx context.Context, statement string) (string, error) {
	if !strings.Contains(statement, here) {
		return statement, nil
	}
	schema := s.schema.Load()
	if schema == nil {
		table, _, err := locate(ctx, s.pool, s.path, s.name)
		if err != nil {
			return "", err
		}
		found, _, _ := strings.Cut(table, ".")
		var session string
		if err := s.pool.QueryRow(ctx, sessionSQL, plain, s.name).Scan(&session); err != nil {
			return "", err
		}
		if s.path == "" && session != found {
			return "", fmt.Errorf("the search path of this connection leads to schema %q for table %q, and that of its role or database to %q: "+
				"a pooler may mix them up; name the schema by WithTable", session, s.name, found)
		}
		quoted := pgx.Identifier{found}.Sanitize()
		if strings.Contains(quoted, "'") {
			return "", fmt.Errorf("the schema of table %q is %q: name it by WithTable", s.name, found)
		}
		quoted += "."
		s.schema.CompareAndSwap(nil, &quoted)
		schema = s.schema.Load()
	}
	return strings.ReplaceAll(statement, here, *schema), nil
}
