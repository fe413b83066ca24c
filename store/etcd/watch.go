package etcd

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"

	"github.com/seed-a1d591d3/leadership/store"
)

// Watch returns a channel that carries the current state of key first, and then
// its changes. A key that is missing, deleted or expired is a pair with a nil
// Value and LastIndex 0. A reader that falls behind gets the latest state in
// place of all that it missed.
//
// The channel is closed soon after ctx has ended or the store or its client was closed,
// whether anybody reads or not, and when the watch cannot be resumed. It stays open while
// the server cannot be reached, and goes on afterwards. opts are ignored, and may be nil.
func (s *Store) Watch(ctx context.Context, key string, _ *store.ReadOptions) (<-chan *store.KVPair, error) {
	return s.base.Watch(ctx, key, s.follow)
}

// follow passes the states of key to tell until ctx ends or the watch cannot be resumed.
func (s *Store) follow(ctx context.Context, key string, tell func(*store.KVPair)) {
	// A member that is cut off from the others ends the watch; without this it would
	// carry nothing until the member is back.
	ctx = clientv3.WithRequireLeader(ctx)
	refused := false
	for {
		back := s.past.wentBack()
		pair, revision, err := s.read(ctx, key)
		if err != nil {
			return
		}
		tell(pair)
		stream := s.stream.Load()
		err = s.followFrom(withStream(ctx, stream), key, revision+1, back, tell)
		switch {
		case errors.Is(err, errWentBack):
		case errors.Is(err, rpctypes.ErrCompacted), errors.Is(err, rpctypes.ErrNoLeader):
			// Of the changes in between, only the present state is still there to read.
		case !refused && isRefusal(err):
			// But the read has succeeded: it is the login of the stream that has expired.
			// The client logs in again for a new stream.
			refused = true
			s.stream.CompareAndSwap(stream, stream+1)
		default:
			return
		}
	}
}

// isRefusal reports whether a server has refused a watch because of missing rights. It
// gives the reason only as text.
func isRefusal(err error) bool {
	return err != nil && (strings.Contains(err.Error(), rpctypes.ErrPermissionDenied.Error()) ||
		strings.Contains(err.Error(), rpctypes.ErrInvalidAuthToken.Error()))
}

// withStream makes a watch use the stream of that number. etcd's client keeps all watches
// with the same metadata on one stream.
func withStream(ctx context.Context, number int64) context.Context {
	if number == 0 {
		return ctx // shares the stream of the client's other users
	}
	return metadata.AppendToOutgoingContext(ctx, "leadership-stream", strconv.FormatInt(number, 10))
}

var errWentBack = errors.New("the servers have gone back")

// followFrom passes the states of key from a revision on to tell. It returns why it
// ended: etcd's reason, if it gives one, or errWentBack.
func (s *Store) followFrom(ctx context.Context, key string, revision int64, back <-chan struct{}, tell func(*store.KVPair)) error {
	ctx, cancel := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer func() { cancel(); looks.Wait() }()
	// etcd's client resumes from the last revision that it has seen when it has to
	// connect again.
	coming := s.client.Watch(ctx, key, clientv3.WithRev(revision))
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var changes clientv3.WatchResponse
		open := true
		select {
		case <-back:
			return errWentBack
		case <-look.C:
			if s.past.silent(lookEvery) {
				looks.Go(func() { s.lookBack(ctx, key) }) // it may block until another member answers
			}
		case changes, open = <-coming:
		}
		if !open {
			return nil
		}
		if err := changes.Err(); err != nil {
			return err
		}
		if len(changes.Events) == 0 {
			continue
		}
		last := changes.Events[len(changes.Events)-1]
		if last.Type == clientv3.EventTypeDelete {
			tell(&store.KVPair{Key: key})
		} else {
			tell(pairOf(last.Kv))
		}
	}
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they share one stream.
func (s *Store) MaxWatches() int { return math.MaxInt }
