package etcd

import (
	"context"
	"net"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/credentials"

	"github.com/seed-a1d591d3/leadership/store"
)

// freshCredentials read the files of TLS for each connection. etcd's client reads them
// once.
type freshCredentials struct {
	credentials.TransportCredentials // those of the first connection

	secure *store.TLS
}

func (c freshCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := c.secure.Config()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}

func (c freshCredentials) Clone() credentials.TransportCredentials {
	return freshCredentials{c.TransportCredentials.Clone(), c.secure}
}

// freshAuth logs in with the present password of a file, if there is one.
type freshAuth struct {
	clientv3.Auth

	file *store.SecretFile
}

func (a freshAuth) Authenticate(ctx context.Context, user, password string) (*clientv3.AuthenticateResponse, error) {
	if a.file != nil {
		password, _ = a.file.Get() // on an error, the last password that was read: the server decides whether it is valid
	}
	return a.Auth.Authenticate(ctx, user, password)
}
