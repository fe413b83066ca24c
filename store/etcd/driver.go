package etcd

import (
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
		Params:   append(store.TLSParams(), "password_file", "compact"),
		Open:     open,
	})
}

// open opens the store that u names, within the time that ctx has.
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
	// The client logs in while it is made, under this context, which it keeps
	// for the time after that.
	clientCtx, cancel := context.WithCancelCause(context.WithValue(context.Background(), callKey{}, &call{hasty: true}))
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	config.Context = clientCtx
	s := new(Store)
	s.client, s.owned, err = connect(config, file)
	if err != nil {
		cancel(nil)
		return nil, explain(ctx, config.Endpoints, config.TLS, err)
	}
	key := u.Prefix()
	if key == "" {
		key = "leadership"
	}
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

// connect makes a client, and returns what there is to close. The client logs in by what file
// holds then, if not nil.
func connect(config clientv3.Config, file *store.SecretFile) (*clientv3.Client, []io.Closer, error) {
	client, err := clientv3.New(config)
	if err != nil {
		return nil, nil, err
	}
	if config.Username == "" {
		return client, []io.Closer{client}, nil
	}
	// When a login has run out, the client logs in again, and sends what has run
	// out with that. Servers before 3.5 refuse it, upon which it logs in again, in
	// a recursion without an end. So it logs in by another client, which has
	// nothing to send.
	config.Username, config.Password = "", ""
	plain, err := clientv3.New(config)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	client.Auth = freshAuth{plain.Auth, file}
	return client, []io.Closer{client, plain}, nil
}

// probe makes sure that the store answers and lets us read key.
func (s *Store) probe(ctx context.Context, key string) error {
	_, _, err := s.read(context.WithValue(ctx, callKey{}, &call{hasty: true}), key)
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return fmt.Errorf("may not read key %q: %w", key, err)
	}
	return err
}

// configOf is how the URL, and the environment of etcdctl, want the client.
func configOf(u *store.URL) (clientv3.Config, error) {
	config := clientv3.Config{
		Endpoints:   u.Hosts,
		DialOptions: DialOptions(),
		Logger:      zap.NewNop(),
		// A server takes it amiss to be asked more often than every 5 s, and gRPC
		// does not ask more often than every 10.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
	}
	secure := false
	if len(config.Endpoints) == 0 {
		if config.Endpoints, secure = endpoints(os.Getenv("ETCDCTL_ENDPOINTS")); len(config.Endpoints) == 0 {
			return config, errors.New("the URL names no host, and $ETCDCTL_ENDPOINTS none either")
		}
	}
	tlsOf, err := u.TLS(store.TLSEnv{CA: "ETCDCTL_CACERT", Cert: "ETCDCTL_CERT", Key: "ETCDCTL_KEY"}, secure)
	if err != nil {
		return config, err
	}
	if config.TLS, err = tlsOf.Config(); err != nil {
		return config, err
	}
	if config.TLS != nil {
		fresh := freshCredentials{credentials.NewTLS(config.TLS), tlsOf}
		config.DialOptions = append(config.DialOptions, grpc.WithTransportCredentials(fresh))
	}
	if config.TLS != nil && config.TLS.ServerName != "" {
		// etcd's client names each server after its host, over gRPC's TLS.
		config.DialOptions = append(config.DialOptions, grpc.WithAuthority(config.TLS.ServerName))
	}
	config.Username, config.Password, err = login(u)
	return config, err
}

// endpoints splits a list as etcdctl has it, and tells whether it asks for TLS.
func endpoints(list string) (hosts []string, secure bool) {
	for _, endpoint := range strings.Split(list, ",") {
		host, https := strings.CutPrefix(endpoint, "https://")
		if host = strings.TrimPrefix(host, "http://"); host != "" {
			hosts, secure = append(hosts, host), secure || https
		}
	}
	return hosts, secure
}

// login returns user and password, or neither. What the URL says comes first.
func login(u *store.URL) (user, password string, err error) {
	user, password = u.User, u.Password
	if !u.HasUser {
		user, password, _ = strings.Cut(os.Getenv("ETCDCTL_USER"), ":")
	}
	if file, err := u.SecretFile("password", ""); err != nil {
		return "", "", err
	} else if file != nil {
		password, _ = file.Get() // as it was just read
	}
	if password == "" {
		password = os.Getenv("ETCDCTL_PASSWORD")
	}
	u.Hide(password)
	switch {
	case user == "" && (u.HasUser || u.Has("password_file")):
		return "", "", errors.New("the URL has a password but no user: write etcd://user@host")
	case user == "":
		return "", "", nil // as etcdctl: a password alone is ignored
	case password == "":
		return "", "", fmt.Errorf("user %q has no password", user)
	}
	return user, password, nil
}
