package etcd

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/store"
)

// grant makes a lease that ends after ttl, or none for 0.
func (s *Store) grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	if ttl == 0 {
		return clientv3.NoLease, nil
	}
	seconds := int64((ttl + time.Second - 1) / time.Second) // rounded up
	ctx, _ = withCall(ctx)
	lease, err := s.client.Grant(ctx, seconds)
	if err != nil {
		return clientv3.NoLease, fmt.Errorf("grant a lease: %w", err)
	}
	if lease.TTL > seconds {
		// A server's shortest follows from its election timeout.
		s.revoke(ctx, lease.ID)
		return clientv3.NoLease, fmt.Errorf("the TTL is %v and this server's shortest is %ds: %w", ttl, lease.TTL, store.ErrTTLNotSupported)
	}
	return lease.ID, nil
}

// revoke takes back a lease that nothing is attached to, if it can: it ends by
// itself otherwise.
func (s *Store) revoke(ctx context.Context, lease clientv3.LeaseID) {
	if lease != clientv3.NoLease {
		_, _ = s.client.Revoke(ctx, lease)
	}
}
