package etcd

import (
	"context"
	"net"

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
