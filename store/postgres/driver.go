package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/store"
)

func init() {
	driver := store.Driver{
		Port:      5432,
		Hostless:  true,
		EmptyUser: true,
		Sockets:   true,
		Resolve:   resolve,
		Example:   "postgres://user:password@host:5432/database",
		Params:    slices.Concat(store.TLSParams(), libpqTLS, libpq, []string{"table", "prefix", "poll", "host", "port", "user", "password", "dbname"}),
		Open:      open,
	}
	store.Register("postgres", driver)
	store.Register("postgresql", driver)
}

var (
	// libpqTLS are PostgreSQL's own parameters for what store.URL.TLS does.
	libpqTLS = []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslsni", "sslnegotiation"}

	// libpq are the further parameters that are passed to pgx.
	libpq = []string{"target_session_attrs", "application_name", "connect_timeout", "search_path", "options", "channel_binding", "require_auth", "service", "passfile", "pool_max_conns"}
)

// resolve returns where u leads, except for the schema, which only the server knows.
func resolve(u *store.URL) (store.Target, error) {
	p, err := planOf(u)
	if err != nil {
		return nil, err
	}
	c := p.config.ConnConfig
	return store.NewTarget("store", "postgres", "hosts", hostsOf(c), "user", c.User, "database", c.Database,
		"table", p.table, "prefix", p.prefix), nil
}

// plan is the configuration of a URL and the environment.
type plan struct {
	config      *pgxpool.Config
	poll        time.Duration
	table, path string // the name in the URL, and the search path
	prefix      string // of keys
}

func planOf(u *store.URL) (p plan, err error) {
	if p.config, err = poolConfig(u); err != nil {
		return plan{}, err
	}
	if p.poll, err = u.Duration("poll", DefaultPollInterval); err != nil {
		return plan{}, err
	}
	p.table = cmp.Or(u.Setting("table"), DefaultTable)
	if _, err = newTable(p.table); err != nil {
		return plan{}, err
	}
	if p.prefix, err = u.PrefixSetting("prefix"); err != nil { // the path names the database
		return plan{}, err
	}
	p.path, err = searchPath(p.config)
	return p, err
}

// open connects to the database of a URL and the environment.
func open(ctx context.Context, u *store.URL) (store.Store, error) {
	p, err := planOf(u)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, p.config)
	if err != nil {
		return nil, err
	}
	name, target, err := locate(ctx, pool, p.path, p.table)
	if err != nil {
		closePool(pool)
		return nil, err
	}
	s, err := New(pool, WithPollInterval(p.poll), WithTable(name))
	if err == nil {
		s.owned, s.target = true, target
		// The read only checks the right to read, so it does not wait for a standby.
		if _, err = s.Get(ctx, "leadership", &store.ReadOptions{}); errors.Is(err, store.ErrKeyNotFound) {
			err = nil
		}
	}
	if err != nil {
		closePool(pool)
		return nil, err
	}
	return store.WithPrefix(s, p.prefix), nil
}

// poolConfig returns the configuration of the pool for a URL.
func poolConfig(u *store.URL) (*pgxpool.Config, error) {
	u.Hide(os.Getenv("PGPASSWORD"))
	u.Hide(os.Getenv("PGSSLPASSWORD"))
	if err := checkParams(u); err != nil {
		return nil, err
	}
	secure, err := secure(u)
	if err != nil {
		return nil, err
	}
	settings := &settings{
		text: connString(u, secure != nil), password: cmp.Or(u.Password, u.Setting("password")), secure: secure,
		anyServer: u.Has("target_session_attrs") || os.Getenv("PGTARGETSESSIONATTRS") != "",
	}
	config, err := settings.parse()
	if err != nil {
		return nil, err
	}
	conn := &config.ConnConfig.Config
	u.Hide(conn.Password) // which may come from a file
	if secure != nil && !slices.ContainsFunc(strings.Split(hostsOf(config.ConnConfig), ","), func(host string) bool { return !strings.HasPrefix(host, "/") }) {
		return nil, errors.New("TLS is asked for, and there is none on a Unix socket: name a host, or leave out tls, ca, cert, key and server_name")
	}
	config.BeforeConnect = settings.renew
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectTimeout
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "leadership"
	}
	if !u.Has("pool_max_conns") {
		config.MaxConns = maxConns
	}
	// A ping would be a second round trip for each call of a leader. A broken connection
	// shows in the call, and all connections are replaced then.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	return config, nil
}

// maxConns is how many connections a pool has, on any machine: pgx's default is one for
// each processor, and a server allows 100 in all by default. Another connection listens
// while there are watches.
const maxConns = 4

// connectTimeout bounds the time to connect to each host.
const connectTimeout = 4 * time.Second

// secure returns the TLS configuration of the parameters that all stores have, and nil if
// the URL has none of them.
func secure(u *store.URL) (*store.TLS, error) {
	first := func(names []string) string {
		if i := slices.IndexFunc(names, u.Has); i >= 0 {
			return names[i]
		}
		return ""
	}
	ours, theirs := first(store.TLSParams()), first(libpqTLS)
	switch {
	case ours == "":
		return nil, nil
	case theirs != "":
		return nil, fmt.Errorf("parameters %q and %q set the same in two ways: use one of them", ours, theirs)
	}
	env := store.TLSEnv{CA: "PGSSLROOTCERT", Cert: "PGSSLCERT", Key: "PGSSLKEY"}
	if os.Getenv(env.CA) == "system" { // PostgreSQL's word for no file
		env.CA = ""
	}
	return u.TLS(env, false)
}

// connString returns the connection string for pgx, without the password. pgx reads what
// it lacks from the environment.
func connString(u *store.URL, secure bool) string {
	var b strings.Builder
	set := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s='%s' ", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
		}
	}
	var hosts, ports []string
	for _, hostport := range u.Hosts {
		host, port, _ := net.SplitHostPort(hostport)
		hosts, ports = append(hosts, host), append(ports, port)
	}
	set("host", strings.Join(hosts, ","))
	if !u.Portless || len(ports) > 1 && !u.Has("port") {
		set("port", strings.Join(ports, ",")) // otherwise $PGPORT may set it
	}
	if len(hosts) == 0 {
		set("host", u.Setting("host"))
	}
	set("port", u.Setting("port"))
	set("user", cmp.Or(u.User, u.Setting("user")))
	set("dbname", cmp.Or(u.Path, u.Setting("dbname")))
	for _, name := range slices.Concat(libpqTLS, libpq) {
		set(name, u.Setting(name))
	}
	if secure || u.Has("tls") {
		set("sslmode", "disable") // secure replaces what pgx would do, and tls=false means no TLS
	}
	return b.String()
}

// closePool closes a pool. It does not wait for connections to a server that hangs: pgx
// closes those after some time.
func closePool(pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Second / 2):
	}
}

// ignored are variables of PostgreSQL's own clients that change where they connect, or
// which servers they trust, and that pgx does not support.
var ignored = []string{
	"PGHOSTADDR", "PGREQUIREPEER", "PGREQUIRESSL", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLCERTMODE",
	"PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGLOADBALANCEHOSTS",
}

// checkParams refuses what would have no effect.
func checkParams(u *store.URL) error {
	if u.Has("host") && len(u.Hosts) > 0 {
		return errors.New("there is a parameter \"host\" and a host before the path: use one of them")
	}
	switch {
	case u.Has("port") && !u.Portless:
		return errors.New("there is a parameter \"port\" and a port of a host: use one of them")
	case u.Has("user") && u.User != "", u.Has("password") && u.Password != "":
		return errors.New("the URL has a login before the hosts and one in its parameters: use one of them")
	}
	if u.Has("dbname") && u.Path != "" {
		return errors.New("there is a parameter \"dbname\" and a database in the path: use one of them")
	}
	if u.Has("passfile") {
		if u.Password != "" || u.Has("password") || os.Getenv("PGPASSWORD") != "" {
			return errors.New("parameter \"passfile\" has no effect beside a password (or $PGPASSWORD): use one of them")
		}
		// pgx ignores one that cannot be read.
		if _, err := os.ReadFile(u.Setting("passfile")); err != nil {
			return fmt.Errorf("parameter \"passfile\": %w", err)
		}
	}
	for _, variable := range ignored {
		if os.Getenv(variable) != "" {
			return fmt.Errorf("$%s is set, which is not supported: unset it, and set it in the URL (ca, tls, the hosts)", variable)
		}
	}
	if os.Getenv("PGGSSENCMODE") == "require" {
		return errors.New("$PGGSSENCMODE is require, which is not supported: unset it, and have connections encrypted by TLS (sslmode, tls)")
	}
	if err := checkTLS(u); err != nil {
		return err
	}
	name, limit := "parameter \"connect_timeout\"", u.Setting("connect_timeout")
	if !u.Has("connect_timeout") {
		name, limit = "$PGCONNECT_TIMEOUT", os.Getenv("PGCONNECT_TIMEOUT")
	}
	if seconds, err := strconv.Atoi(limit); err == nil && seconds == 0 {
		return fmt.Errorf("%s is 0, which would be for ever: give it a number of seconds or take it out", name)
	}
	return nil
}

// checkTLS refuses values of PostgreSQL's own parameters that pgx would misunderstand.
func checkTLS(u *store.URL) error {
	said := func(parameter, variable string) (value, name string) {
		if u.Has(parameter) {
			return u.Setting(parameter), fmt.Sprintf("parameter %q", parameter)
		}
		return os.Getenv(variable), "$" + variable
	}
	mode, name := said("sslmode", "PGSSLMODE")
	if modes := []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}; !slices.Contains(modes, mode) {
		return fmt.Errorf("%s is %q and must be one of %s", name, mode, strings.Join(modes[1:], ", "))
	}
	switch negotiation, name := said("sslnegotiation", "PGSSLNEGOTIATION"); {
	case negotiation != "" && negotiation != "postgres" && negotiation != "direct":
		return fmt.Errorf("%s is %q and must be postgres or direct", name, negotiation)
	case negotiation == "direct" && slices.Contains([]string{"disable", "allow", "prefer"}, mode):
		return fmt.Errorf("%s is direct, which is only for TLS, and sslmode is %s: want require, verify-ca or verify-full", name, mode)
	}
	return nil
}

// hostsOf returns the hosts of a configuration, each once.
func hostsOf(c *pgx.ConnConfig) string {
	var hosts []string
	for _, h := range append([]string{hostOf(c.Host, c.Port)}, fallbacks(c.Fallbacks)...) {
		if len(hosts) == 0 || hosts[len(hosts)-1] != h { // it is there twice, with and without TLS
			hosts = append(hosts, h)
		}
	}
	return strings.Join(hosts, ",")
}

func hostOf(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

func fallbacks(all []*pgconn.FallbackConfig) []string {
	var hosts []string
	for _, f := range all {
		hosts = append(hosts, hostOf(f.Host, f.Port))
	}
	return hosts
}
