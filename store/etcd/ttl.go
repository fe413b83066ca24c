package etcd

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
)

// grant returns a new lease that ends after ttl, or none if ttl is 0.
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
		// The minimum of a server follows from its election timeout.
		s.revoke(ctx, lease.ID)
		return clientv3.NoLease, fmt.Errorf("the TTL is %s and this server's shortest is %ds: %w", clock.Text(ttl), lease.TTL, store.ErrTTLNotSupported)
	}
	return lease.ID, nil
}

// revoke revokes a lease that no key uses. If it fails, the lease expires by itself.
func (s *Store) revoke(ctx context.Context, lease clientv3.LeaseID) {
	if lease != clientv3.NoLease {
		_, _ = s.client.Revoke(ctx, lease)
	}
}
