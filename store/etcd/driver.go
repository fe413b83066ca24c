package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/seed-a1d591d3/leadership/store"
)

func init() {
	store.Register("etcd", store.Driver{
		Port:     2379,
		Hostless: true,
		Example:  "etcd://host1:2379,host2:2379/prefix",
		Params:   append(store.TLSParams(), "password_file", "compact"),
		Resolve:  resolve,
		Open:     open,
	})
}

// resolve returns where u leads.
func resolve(u *store.URL) (store.Target, error) {
	config, err := configOf(u)
	if err == nil {
		_, err = keepOf(u)
	}
	if err != nil {
		return nil, err
	}
	return targetOf(config, "prefix", u.Prefix()), nil
}

func targetOf(config clientv3.Config, more ...string) store.Target {
	hosts := strings.Join(config.Endpoints, ",")
	return store.NewTarget(append([]string{"store", "etcd", "hosts", hosts, "user", config.Username}, more...)...)
}

// open opens the store that u names. It returns when ctx ends.
func open(ctx context.Context, u *store.URL) (store.Store, error) {
	config, err := configOf(u)
	if err != nil {
		return nil, err
	}
	file, err := u.SecretFile("password", "")
	if err != nil {
		return nil, err
	}
	keep, err := keepOf(u)
	if err != nil {
		return nil, err
	}
	// New logs in with this context, and the client keeps it for its whole life.
	clientCtx, cancel := context.WithCancelCause(context.WithValue(context.Background(), callKey{}, &call{hasty: true}))
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	config.Context = clientCtx
	client, owned, err := connect(config, file)
	if err != nil {
		cancel(nil)
		return nil, explain(ctx, config.Endpoints, config.TLS, err)
	}
	s := New(client)
	s.owned, s.target = owned, targetOf(config)
	key := cmp.Or(u.Prefix(), "leadership")
	if err := s.probe(ctx, key); err != nil {
		s.Close()
		return nil, explain(ctx, config.Endpoints, config.TLS, err)
	}
	if err := s.tidy(ctx, key, keep); err != nil {
		s.Close()
		return nil, err
	}
	return store.WithPrefix(s, u.Prefix()), nil
}

// connect returns a client, and all that is to be closed with it. The client logs in with
// the password in file, if that is not nil.
func connect(config clientv3.Config, file *store.SecretFile) (*clientv3.Client, []io.Closer, error) {
	client, err := clientv3.New(config)
	if err != nil {
		return nil, nil, err
	}
	if config.Username == "" {
		return client, []io.Closer{client}, nil
	}
	// When a login has expired, the client logs in again, and sends the expired token
	// with that request. Servers before 3.5 refuse it, and the client logs in again, in
	// an endless recursion. So it logs in through a second client, which has no token.
	config.Username, config.Password = "", ""
	plain, err := clientv3.New(config)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	client.Auth = freshAuth{plain.Auth, file}
	return client, []io.Closer{client, plain}, nil
}

// probe checks that the store answers and that key may be read.
func (s *Store) probe(ctx context.Context, key string) error {
	_, _, err := s.read(context.WithValue(ctx, callKey{}, &call{hasty: true}), key)
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return fmt.Errorf("may not read key %q: %w", key, err)
	}
	return err
}

// configOf returns the configuration that the URL and the environment of etcdctl ask for.
func configOf(u *store.URL) (clientv3.Config, error) {
	config := clientv3.Config{
		Endpoints:   u.Hosts,
		DialOptions: DialOptions(),
		Logger:      zap.NewNop(),
		// A server closes the connection if it is pinged more often than every 5 s, and
		// gRPC does not ping more often than every 10 s.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
	}
	secure := false
	if len(config.Endpoints) == 0 {
		if variable := "ETCDCTL_DISCOVERY_SRV"; os.Getenv(variable) != "" {
			return config, fmt.Errorf("$%s is set, which is not supported: name the hosts in the URL", variable)
		}
		var err error
		if config.Endpoints, secure, err = endpoints(u, os.Getenv(envEndpoints)); err != nil {
			return config, fmt.Errorf("$%s: %w", envEndpoints, err)
		}
		if len(config.Endpoints) == 0 {
			return config, fmt.Errorf("the URL names no host, and $%s none either: want etcd://host1:2379,host2:2379/prefix", envEndpoints)
		}
	}
	secured, err := tlsOf(u, secure)
	if err != nil {
		return config, err
	}
	if config.TLS, err = secured.Config(); err != nil {
		return config, err
	}
	if config.TLS != nil {
		fresh := freshCredentials{credentials.NewTLS(config.TLS), secured}
		config.DialOptions = append(config.DialOptions, grpc.WithTransportCredentials(fresh))
	}
	if config.TLS != nil && config.TLS.ServerName != "" {
		// Otherwise etcd's client expects the name of each server's host in its
		// certificate.
		config.DialOptions = append(config.DialOptions, grpc.WithAuthority(config.TLS.ServerName))
	}
	config.Username, config.Password, err = login(u)
	return config, err
}

const envEndpoints = "ETCDCTL_ENDPOINTS"

// tlsOf returns the TLS configuration, or nil for none. secure means that etcdctl's
// endpoints ask for TLS.
func tlsOf(u *store.URL, secure bool) (*store.TLS, error) {
	on, err := u.Bool("tls")
	switch {
	case err != nil:
		return nil, err
	case u.Has("tls") && !on && secure:
		return nil, fmt.Errorf("parameter %q is false, but the endpoints in $%s are https", "tls", envEndpoints)
	case !u.Has("tls"):
		// This variable is true if TLS is off.
		plain, err := u.Bool("", "ETCDCTL_INSECURE_TRANSPORT")
		if err != nil {
			return nil, err
		}
		secure = secure || !plain && os.Getenv("ETCDCTL_INSECURE_TRANSPORT") != ""
	}
	config, err := u.TLS(store.TLSEnv{CA: "ETCDCTL_CACERT", Cert: "ETCDCTL_CERT", Key: "ETCDCTL_KEY"}, secure)
	if config == nil || err != nil {
		return nil, err
	}
	if unchecked, err := u.Bool("", "ETCDCTL_INSECURE_SKIP_TLS_VERIFY"); err != nil {
		return nil, err
	} else if unchecked {
		return nil, errors.New("$ETCDCTL_INSECURE_SKIP_TLS_VERIFY is set, but certificates are always checked: name the authority by the parameter ca, or by $ETCDCTL_CACERT")
	}
	return config, nil
}

// endpoints returns the hosts of a list of endpoints of etcdctl, and whether it asks for
// TLS.
func endpoints(u *store.URL, list string) (hosts []string, secure bool, err error) {
	schemes := make(map[string]bool)
	for endpoint := range strings.SplitSeq(list, ",") {
		endpoint = strings.TrimSpace(endpoint)
		if endpoint == "" {
			continue
		}
		scheme, host, ok := strings.Cut(endpoint, "://")
		if !ok {
			scheme, host = "", endpoint
		}
		host = strings.TrimRight(host, "/")
		switch {
		case scheme != "" && scheme != "http" && scheme != "https":
			return nil, false, errors.New("an endpoint has another scheme than http and https, which is not supported")
		case strings.ContainsAny(host, "/?#@"):
			return nil, false, errors.New("an endpoint has more than a host and a port: a login goes into $ETCDCTL_USER, a prefix of keys into the path of the URL")
		}
		if host, err = store.HostPort(host, 2379); err != nil {
			return nil, false, err
		}
		schemes[scheme] = true
		hosts = append(hosts, host)
	}
	// etcd's client uses the scheme of the first endpoint for all.
	switch {
	case schemes["https"] && len(schemes) > 1:
		return nil, false, errors.New("some endpoints are https and some are not: write https:// before all or none")
	case schemes["http"] && (u.Setting("tls") == "true" || u.Has("ca") || u.Has("cert") || u.Has("server_name")):
		return nil, false, errors.New("the endpoints are http, but the parameters of the URL ask for TLS: write https:// or leave one out")
	case schemes["http"] && !u.Has("tls") && (os.Getenv("ETCDCTL_CACERT") != "" || os.Getenv("ETCDCTL_CERT") != ""):
		// etcdctl would ignore the certificates.
		return nil, false, errors.New("the endpoints are http, but $ETCDCTL_CACERT or $ETCDCTL_CERT ask for TLS: write https:// or leave one out")
	}
	return hosts, schemes["https"], nil
}

// login returns user and password, or neither. Those of the URL take precedence.
func login(u *store.URL) (user, password string, err error) {
	user, password = u.User, u.Password
	if file, err := u.SecretFile("password", ""); err != nil {
		return "", "", err
	} else if file != nil {
		password, _ = file.Get() // as it was just read
	}
	if password == "" {
		password = os.Getenv("ETCDCTL_PASSWORD")
	}
	if !u.HasUser {
		if os.Getenv("ETCDCTL_AUTH_JWT_TOKEN") != "" {
			return "", "", errors.New("$ETCDCTL_AUTH_JWT_TOKEN is set, which is not supported: name a user and a password, or unset it")
		}
		if user = os.Getenv("ETCDCTL_USER"); password == "" {
			user, password, _ = strings.Cut(user, ":")
		}
	}
	u.Hide(password)
	switch {
	case user == "" && (u.HasUser || u.Has("password_file")):
		return "", "", errors.New("the URL has a password but no user: write etcd://user@host")
	case user == "":
		return "", "", nil // like etcdctl, ignore a password without a user
	case password == "":
		return "", "", fmt.Errorf("user %q has no password: write user:password, or set $ETCDCTL_PASSWORD", user)
	}
	return user, password, nil
}
