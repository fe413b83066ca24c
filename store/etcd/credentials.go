package etcd

import (
	"context"
	"net"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/credentials"

	"github.com/seed-a1d591d3/leadership/store"
)

// freshCredentials talk TLS by the files as they are when a connection is made.
// etcd's client reads them once.
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

// freshAuth logs in with the password that a file holds then, if there is one.
type freshAuth struct {
	clientv3.Auth

	file *store.SecretFile
}

func (a freshAuth) Authenticate(ctx context.Context, user, password string) (*clientv3.AuthenticateResponse, error) {
	if a.file != nil {
		password, _ = a.file.Get() // else the one before: the server knows whether it is still good
	}
	return a.Auth.Authenticate(ctx, user, password)
}
