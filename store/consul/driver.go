package consul

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/seed-a1d591d3/leadership/store"
)

func init() {
	store.Register("consul", store.Driver{
		Port:     8500,
		Hostless: true,
		Example:  "consul://host:8500/prefix",
		Params:   append(store.TLSParams(), "token", "token_file", "datacenter", "namespace", "partition"),
		Resolve:  resolve,
		Open:     open,
	})
}

// tlsEnv are the variables that Consul's client reads.
var tlsEnv = store.TLSEnv{
	CA:         api.HTTPCAFile,
	Cert:       api.HTTPClientCert,
	Key:        api.HTTPClientKey,
	ServerName: api.HTTPTLSServerName,
}

// resolve returns where u leads.
func resolve(u *store.URL) (store.Target, error) {
	config, _, err := configOf(u)
	if err == nil {
		_, err = u.SecretFile("token", api.HTTPTokenFileEnvName)
	}
	if err != nil {
		return nil, err
	}
	return targetOf(config, "prefix", u.Prefix()), nil
}

func targetOf(c *api.Config, more ...string) store.Target {
	return store.NewTarget(append([]string{
		"store", "consul", "hosts", c.Address, "datacenter", c.Datacenter, "namespace", c.Namespace, "partition", c.Partition,
	}, more...)...)
}

func open(ctx context.Context, u *store.URL) (store.Store, error) {
	config, transport, err := configOf(u)
	if err != nil {
		return nil, err
	}
	token, err := u.SecretFile("token", api.HTTPTokenFileEnvName) // takes precedence over a token in the environment, as in Consul
	if err != nil {
		return nil, err
	}
	target := targetOf(config)
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	kv := New(client)
	kv.token, kv.own, kv.target = token, config.HttpClient.CloseIdleConnections, target
	kv.namespace, kv.partition = config.Namespace, config.Partition
	// Find out now whether the token is valid and may read there.
	if _, err := kv.Get(ctx, cmp.Or(u.Prefix(), "leadership"), nil); err != nil && !errors.Is(err, store.ErrKeyNotFound) {
		_ = kv.Close()
		return nil, explain(err, transport.config)
	}
	return store.WithPrefix(kv, u.Prefix()), nil
}

// configOf returns the configuration of the URL and the environment. api.NewClient fills
// empty fields from the environment, so all fields that matter are set here: the URL
// takes precedence.
func configOf(u *store.URL) (*api.Config, *freshTransport, error) {
	address, err := addressOf(u)
	if err != nil {
		return nil, nil, err
	}
	// Of the two variables that switch TLS on, the address takes precedence.
	required, err := u.Bool("tls", api.HTTPSSLEnvName)
	if err != nil {
		return nil, nil, err
	}
	if !u.Has("tls") && strings.HasPrefix(address, "https://") {
		required = true
	}
	secure, err := u.TLS(tlsEnv, required)
	if err == nil && secure != nil {
		err = checkTLS(u)
	}
	if err != nil {
		return nil, nil, err
	}
	transport := &freshTransport{secure: secure}
	if _, err := transport.current(); err != nil {
		return nil, nil, err
	}
	auth, err := authOf(u)
	if err != nil {
		return nil, nil, err
	}
	config := &api.Config{
		Address:    address,
		Scheme:     "http",
		Token:      u.Setting("token", api.HTTPTokenEnvName),
		HttpAuth:   auth,
		Datacenter: u.Setting("datacenter"),
		Namespace:  u.Setting("namespace", api.HTTPNamespaceEnvName),
		Partition:  u.Setting("partition", api.HTTPPartitionEnvName),
	}
	if secure != nil {
		config.Scheme = "https"
	}
	config.HttpClient = &http.Client{
		Transport: transport,
		// Consul needs no redirections, and they would carry the token along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return config, transport, nil
}

func addressOf(u *store.URL) (string, error) {
	switch len(u.Hosts) {
	case 0:
		if address := os.Getenv(api.HTTPAddrEnvName); address != "" {
			address, err := checkAddress(address)
			if err != nil {
				return "", fmt.Errorf("$%s: %w", api.HTTPAddrEnvName, err)
			}
			return address, nil
		}
		return "127.0.0.1:8500", nil
	case 1:
		return u.Hosts[0], nil
	}
	return "", fmt.Errorf("it names %d hosts and must name one: an agent of Consul, which finds the servers by itself", len(u.Hosts))
}

// checkAddress refuses an address that Consul's client would misunderstand.
func checkAddress(address string) (string, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case ok && scheme == "unix":
		return address, nil
	case ok && scheme != "http" && scheme != "https":
		return "", fmt.Errorf("the address has the scheme %q: want http, https or unix", scheme)
	case !ok:
		scheme, rest = "", address
	}
	rest = strings.TrimRight(rest, "/")
	host, path, proxied := strings.Cut(rest, "/")
	switch {
	case strings.ContainsAny(rest, "?#@"):
		return "", fmt.Errorf("the address is more than a host, a port and a path: a login goes into $%s", api.HTTPAuthEnvName)
	case proxied && !ok:
		return "", fmt.Errorf("the address has the path %q, but no scheme: write http:// or https:// before it; a prefix of keys goes into the path of the URL", path)
	}
	if _, err := store.HostPort(host, 80); err != nil {
		return "", err
	}
	if ok {
		rest = scheme + "://" + rest
	}
	return rest, nil
}

// checkTLS refuses variables of TLS that have no effect here.
func checkTLS(u *store.URL) error {
	if u.Setting("ca", api.HTTPCAFile) == "" && os.Getenv(api.HTTPCAPath) != "" {
		return fmt.Errorf("$%s is set, which is not supported: name a file with all authorities by the parameter ca, or by $%s", api.HTTPCAPath, api.HTTPCAFile)
	}
	if os.Getenv(api.HTTPSSLVerifyEnvName) == "" {
		return nil
	}
	if verify, err := u.Bool("", api.HTTPSSLVerifyEnvName); err != nil || verify {
		return err
	}
	return fmt.Errorf("$%s is false, but certificates are always checked: name the authority by the parameter ca, or by $%s", api.HTTPSSLVerifyEnvName, api.HTTPCAFile)
}

// authOf returns the login at a proxy in front of Consul. Consul itself has no logins.
func authOf(u *store.URL) (*api.HttpBasicAuth, error) {
	if u.HasUser {
		if u.User == "" || u.Password == "" {
			u.Hide(u.User) // it may be a token
			return nil, errors.New("a login, which is for a proxy before Consul, is user:password: a token of Consul goes into the parameter token")
		}
		return &api.HttpBasicAuth{Username: u.User, Password: u.Password}, nil
	}
	auth := os.Getenv(api.HTTPAuthEnvName)
	if auth == "" {
		return nil, nil
	}
	user, password, _ := strings.Cut(auth, ":")
	u.Hide(password)
	return &api.HttpBasicAuth{Username: user, Password: password}, nil
}

// freshTransport sends requests by a transport that is replaced when the files of TLS
// have changed.
type freshTransport struct {
	secure *store.TLS // nil: no TLS

	mu        sync.Mutex
	config    *tls.Config // of transport
	transport *http.Transport
}

func (t *freshTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := t.current()
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(r)
}

func (t *freshTransport) current() (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	config, err := t.secure.Config()
	if err != nil {
		return nil, err
	}
	if t.transport == nil || config != t.config {
		t.closeIdle() // busy connections are closed when they become idle
		t.config, t.transport = config, newTransport(config)
	}
	return t.transport, nil
}

// CloseIdleConnections is called by http.Client.
func (t *freshTransport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeIdle()
}

func (t *freshTransport) closeIdle() {
	if t.transport != nil {
		t.transport.CloseIdleConnections()
	}
}

// newTransport returns a transport of HTTP/1: a request that is given up closes its
// connection, so that the next one does not wait on a dead connection. It repeats a write
// only if nothing of it was sent.
func newTransport(config *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial(dialer),
		DialTLSContext:      dial(&tls.Dialer{NetDialer: dialer, Config: config}),
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 3 * time.Second,
		MaxIdleConnsPerHost: maxWaits + maxReads + maxWrites,
		MaxConnsPerHost:     maxWaits + maxReads + maxWrites,
		IdleConnTimeout:     90 * time.Second,
	}
}

// contextDialer is a net.Dialer, or one of TLS.
type contextDialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// dial returns a function that dials, TLS included, within 6 s.
func dial(dialer contextDialer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
		defer cancel()
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &askingConn{Conn: conn, asked: make(chan struct{})}, nil
	}
}

// askingConn reads nothing before it was written to. An agent that allows no more
// connections answers before it is asked, which http.Transport would not take for the
// answer.
type askingConn struct {
	net.Conn
	once  sync.Once
	asked chan struct{}
}

func (c *askingConn) Read(b []byte) (int, error) {
	<-c.asked
	return c.Conn.Read(b)
}

func (c *askingConn) Write(b []byte) (int, error) {
	defer c.once.Do(func() { close(c.asked) })
	return c.Conn.Write(b)
}

func (c *askingConn) Close() error {
	defer c.once.Do(func() { close(c.asked) })
	return c.Conn.Close()
}

// explain adds the cause to an error of the first request.
func explain(err error, config *tls.Config) error {
	var status api.StatusError
	var network *net.OpError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		return fmt.Errorf("the token, or a request without one, is refused: %w", err)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w: %w", store.ErrNotReachable, err)
	case errors.As(err, &network) && config != nil && len(config.Certificates) == 0:
		return fmt.Errorf("%w (no client certificate was given: parameters %q and %q)", err, "cert", "key")
	}
	return err
}
