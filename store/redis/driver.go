package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-a1d591d3/leadership/store"
)

// They leave time for a second attempt within store.OpenTimeout.
const (
	dialTimeout  = 2 * time.Second
	replyTimeout = 2 * time.Second
)

// defaultConns is how many connections a store by URL has to a server at most.
const defaultConns = 8

func init() {
	params := append(store.TLSParams(), "password_file", "prefix", "replicas", "poll", "pool_size")
	single := store.Driver{Port: 6379, Hostless: true, Params: append(params[:len(params):len(params)], "db"), Resolve: newSingle.resolve, Open: newSingle.open}
	sentinel := store.Driver{Port: 26379, Params: append(single.Params[:len(single.Params):len(single.Params)], "sentinel_user", "sentinel_password"), Resolve: newFailover.resolve, Open: newFailover.open}
	cluster := store.Driver{Port: 6379, Params: params, Resolve: newCluster.resolve, Open: newCluster.open}
	store.Register("unix", store.Driver{
		Example: "unix:///run/redis.sock?db=0",
		Params:  []string{"password_file", "prefix", "replicas", "poll", "pool_size", "db"}, Resolve: newUnix.resolve, Open: newUnix.open,
	})
	for _, scheme := range []string{"redis", "rediss", "valkey", "valkeys"} {
		single.Example = scheme + "://:password@host:6379/0"
		sentinel.Example = scheme + "+sentinel://host1:26379,host2:26379/master-name/0"
		cluster.Example = scheme + "+cluster://host1:6379,host2:6379"
		store.Register(scheme, single)
		store.Register(scheme+"+sentinel", sentinel)
		store.Register(scheme+"+cluster", cluster)
	}
}

// kind reads the parts of a URL that depend on the kind of setup. It returns the target,
// and a function that makes the client.
type kind func(u *store.URL) (target []string, newClient maker, err error)

type maker func(login login, dial dialFunc, conns int) goredis.UniversalClient

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// login is the login of a client. If the password is in a file, each connection reads it.
type login struct {
	user, password string
	file           *store.SecretFile
}

// credentials returns the function that a client calls for each connection, or nil.
func (l login) credentials() func(context.Context) (user, password string, err error) {
	if l.file == nil {
		return nil
	}
	return func(context.Context) (string, string, error) {
		password, _ := l.file.Get() // on an error, the last password that was read: the server decides whether it is valid
		return l.user, password, nil
	}
}

// plan is the configuration of a URL and the environment.
type plan struct {
	secure    *store.TLS
	login     login
	opts      []Option
	newClient maker
	conns     int
	target    []string // names and values
}

func (k kind) plan(u *store.URL) (*plan, error) {
	secure, err := u.TLS(store.TLSEnv{}, strings.HasPrefix(u.Scheme, "rediss") || strings.HasPrefix(u.Scheme, "valkeys"))
	if err != nil {
		return nil, err
	}
	opts, err := settings(u)
	if err != nil {
		return nil, err
	}
	login, err := loginOf(u)
	if err != nil {
		return nil, err
	}
	conns, err := number(u, "pool_size", defaultConns, 1, "connections")
	if err != nil {
		return nil, err
	}
	target, newClient, err := k(u)
	if err != nil {
		return nil, err
	}
	return &plan{secure: secure, login: login, opts: opts, newClient: newClient, conns: conns, target: append(target, "user", u.User)}, nil
}

func loginOf(u *store.URL) (login, error) {
	file, err := u.SecretFile("password", "")
	if err != nil {
		return login{}, err
	}
	l := login{u.User, u.Password, file}
	if l.password == "" && file == nil {
		l.password = u.Setting("password", authVariables(u)...)
	}
	switch {
	case l.user != "" && l.password == "" && file == nil:
		u.Hide(l.user) // for redis-cli it is the password
		return l, errors.New("it has a login without a password: write :password@ or user:password@ before the host")
	case (u.Setting("sentinel_user") != "") && u.Setting("sentinel_password") == "":
		return l, errors.New("parameter \"sentinel_user\" has no effect without \"sentinel_password\"")
	}
	return l, nil
}

// resolve returns where u leads.
func (k kind) resolve(u *store.URL) (store.Target, error) {
	p, err := k.plan(u)
	if err != nil {
		return nil, err
	}
	return store.NewTarget(append(p.target, "prefix", u.Setting("prefix"))...), nil
}

func (k kind) open(ctx context.Context, u *store.URL) (store.Store, error) {
	p, err := k.plan(u)
	if err != nil {
		return nil, err
	}
	d := &dialer{tls: p.secure}
	client := p.newClient(p.login, d.dial, p.conns)
	s, err := New(client, p.opts...)
	if err != nil {
		client.Close()
		return nil, err
	}
	s.cut, s.release = d.close, client.Close
	s.target = store.NewTarget(p.target...)
	if err := check(ctx, s, u, d); err != nil {
		s.Close()
		return nil, err
	}
	s.base.Explain = func(_ context.Context, err error) error { return d.blame(err) }
	return store.WithPrefix(s, u.Setting("prefix")), nil
}

func settings(u *store.URL) ([]Option, error) {
	poll, err := u.Duration("poll", time.Second)
	if err != nil {
		return nil, err
	}
	replicas, err := number(u, "replicas", 0, 0, "replicas")
	if err != nil {
		return nil, err
	}
	return []Option{WithPoll(poll), WithReplicas(replicas)}, nil
}

// number returns a parameter that is a number of something, at least least.
func number(u *store.URL, name string, otherwise, least int, of string) (int, error) {
	if !u.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(u.Setting(name))
	if err != nil || n < least {
		return 0, fmt.Errorf("parameter %q is %q and must be a number of %s, at least %d", name, u.Setting(name), of, least)
	}
	return n, nil
}

// authVariables returns the variables that the tool of the scheme reads.
func authVariables(u *store.URL) []string {
	if strings.HasPrefix(u.Scheme, "valkey") {
		return []string{"VALKEYCLI_AUTH", "REDISCLI_AUTH"}
	}
	return []string{"REDISCLI_AUTH"}
}

// targetOf returns the names and values of the target of a URL with hosts.
func targetOf(u *store.URL, more ...string) []string {
	return append([]string{"store", u.Scheme, "hosts", strings.Join(u.Hosts, ",")}, more...)
}

var newSingle kind = func(u *store.URL) ([]string, maker, error) {
	if len(u.Hosts) == 0 {
		return nil, nil, fmt.Errorf("it names no host: want %s://host:6379/0, or unix:///run/redis.sock for a Unix socket", u.Scheme)
	}
	if len(u.Hosts) > 1 {
		return nil, nil, fmt.Errorf("it names %d hosts: %s:// is one server, %[2]s+sentinel:// and %[2]s+cluster:// are more", len(u.Hosts), u.Scheme)
	}
	db, err := database(u, u.Path)
	if err != nil {
		return nil, nil, err
	}
	return targetOf(u, "database", strconv.Itoa(db)), newServer("tcp", u.Hosts[0], db), nil
}

// newUnix is the kind of a URL of a Unix socket.
var newUnix kind = func(u *store.URL) ([]string, maker, error) {
	if len(u.Hosts) > 0 || u.Path == "" {
		return nil, nil, errors.New("it names no socket by its absolute path: want unix:///run/redis.sock?db=0")
	}
	db, err := database(u, "")
	if err != nil {
		return nil, nil, err
	}
	socket := "/" + u.Path
	return []string{"store", "redis", "socket", socket, "database", strconv.Itoa(db)}, newServer("unix", socket, db), nil
}

func newServer(network, addr string, db int) maker {
	return func(login login, dial dialFunc, conns int) goredis.UniversalClient {
		return goredis.NewClient(&goredis.Options{
			Network: network, Addr: addr, Username: login.user, Password: login.password, DB: db,
			CredentialsProviderContext: login.credentials(),
			Dialer:                     dial, DialTimeout: dialTimeout, ReadTimeout: replyTimeout, DialerRetries: 1, PoolSize: conns, MaxRetries: 1,
			ContextTimeoutEnabled: true, DisableIdentity: true, MaintNotificationsConfig: quiet(),
		})
	}
}

var newFailover kind = func(u *store.URL) ([]string, maker, error) {
	name, rest, _ := strings.Cut(u.Path, "/")
	if name == "" {
		return nil, nil, errors.New("it names no master: want " + u.Scheme + "://sentinel1,sentinel2/master-name")
	}
	db, err := database(u, rest)
	if err != nil {
		return nil, nil, err
	}
	return targetOf(u, "master", name, "database", strconv.Itoa(db)), func(login login, dial dialFunc, conns int) goredis.UniversalClient {
		return goredis.NewFailoverClient(&goredis.FailoverOptions{
			MasterName: name, SentinelAddrs: u.Hosts,
			SentinelUsername: u.Setting("sentinel_user"), SentinelPassword: u.Setting("sentinel_password"),
			Username: login.user, Password: login.password, DB: db,
			CredentialsProviderContext: login.credentials(),
			Dialer:                     dial, DialTimeout: dialTimeout, ReadTimeout: replyTimeout, DialerRetries: 1, PoolSize: conns, MaxRetries: 1,
			ContextTimeoutEnabled: true, DisableIdentity: true,
		})
	}, nil
}

var newCluster kind = func(u *store.URL) ([]string, maker, error) {
	if db, err := database(u, u.Path); err != nil || db != 0 {
		return nil, nil, fmt.Errorf("the path is %q, but a cluster has only database 0", u.Path)
	}
	return targetOf(u), func(login login, dial dialFunc, conns int) goredis.UniversalClient {
		return goredis.NewClusterClient(&goredis.ClusterOptions{
			Addrs: u.Hosts, Username: login.user, Password: login.password,
			CredentialsProviderContext: login.credentials(),
			Dialer:                     dial, DialTimeout: dialTimeout, ReadTimeout: replyTimeout, DialerRetries: 1, PoolSize: conns,
			ContextTimeoutEnabled: true, DisableIdentity: true, MaintNotificationsConfig: quiet(),
		})
	}, nil
}

// database returns the number of the database that a path, or else parameter db, names.
func database(u *store.URL, path string) (int, error) {
	path = strings.TrimSuffix(path, "/")
	if u.Has("db") {
		if path != "" {
			return 0, errors.New("there is a parameter \"db\" and a database in the path: use one of them")
		}
		db, err := strconv.Atoi(u.Setting("db"))
		if err != nil || db < 0 {
			return 0, fmt.Errorf("parameter \"db\" is %q and must be the number of a database", u.Setting("db"))
		}
		return db, nil
	}
	if path == "" {
		return 0, nil
	}
	db, err := strconv.Atoi(path)
	if err != nil || db < 0 {
		return 0, fmt.Errorf("the path has %q where it should have the number of a database (a prefix of keys goes into parameter %q)", path, "prefix")
	}
	return db, nil
}

// quiet keeps a client from asking for a service that only the servers of some vendors
// have.
func quiet() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// check asks the server for its kind, which needs a login but no rights.
func check(ctx context.Context, s *Store, u *store.URL, d *dialer) error {
	reply, err := withContext(ctx, s, func() (any, error) { return s.client.Do(ctx, "hello").Result() })
	if err != nil {
		return explain(err, u, d)
	}
	base, _, _ := strings.Cut(u.Scheme, "+")
	if base == "unix" {
		base = "redis"
	}
	said := facts(reply)
	switch {
	case said["mode"] == "sentinel":
		return fmt.Errorf("the server is a Sentinel: want %s+sentinel://", base)
	case said["mode"] == "cluster" && !strings.HasSuffix(u.Scheme, "+cluster"):
		return fmt.Errorf("the server is one of a cluster: want %s+cluster://", base)
	case said["role"] == "replica" && !strings.Contains(u.Scheme, "+"):
		return errors.New("the server is a replica, which accepts no writes")
	}
	return nil
}

// facts returns the reply to HELLO as strings. It is a map or, in the older protocol, a
// list of names and values.
func facts(reply any) map[string]string {
	said := make(map[string]string)
	switch reply := reply.(type) {
	case map[any]any:
		for name, value := range reply {
			said[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			said[fmt.Sprint(reply[i])] = fmt.Sprint(reply[i+1])
		}
	}
	return said
}

// explain adds the cause to an error of the first call.
func explain(err error, u *store.URL, d *dialer) error {
	why := d.why()
	var answer goredis.Error
	if why != nil && !errors.As(err, &answer) && !strings.Contains(err.Error(), why.Error()) {
		err = fmt.Errorf("%w (%w)", why, err)
	}
	var (
		record  tls.RecordHeaderError
		network *net.OpError
	)
	dropped := hungUp(why)
	switch {
	case errors.Is(err, goredis.Nil): // of one Sentinel, joined to the errors of others
		name, _, _ := strings.Cut(u.Path, "/")
		return fmt.Errorf("the Sentinels know no master %q: %w", name, err)
	case errors.As(why, &network) && network.Op == "remote error":
		return fmt.Errorf("the server refused TLS: it may require another client certificate (cert, key): %w", err)
	case errors.As(err, &record):
		return fmt.Errorf("the server does not talk TLS: %w", err)
	case dropped && d.tls == nil:
		return fmt.Errorf("%w: the server closed the connection at once: it may require TLS (rediss://), or have maxclients connections: %w", store.ErrNotReachable, err)
	case dropped:
		return fmt.Errorf("%w: the server closed the connection at once: it may require another client certificate (cert, key), or have maxclients connections: %w", store.ErrNotReachable, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		// Not the hosts of the URL: Sentinels and nodes of a cluster name other hosts.
		silent := d.unheard()
		if len(silent) == 0 {
			silent = u.Hosts
		}
		return fmt.Errorf("%w: %s did not answer: %w", store.ErrNotReachable, strings.Join(silent, ","), err)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w: %w", store.ErrNotReachable, err)
	default:
		return err
	}
}
