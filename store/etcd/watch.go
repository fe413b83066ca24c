package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
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
	_ = s.followed(ctx, following{
		key: key,
		begin: func(ctx context.Context) (int64, error) {
			pair, revision, err := s.read(ctx, key)
			if err == nil {
				tell(pair)
			}
			return revision, err
		},
		events: func(events []*clientv3.Event) { tell(after(events[len(events)-1])) },
	})
}

var _ store.TreeHinter = (*Store)(nil)

// HintsBelow implements store.TreeHinter, by one watch of all keys that begin with directory,
// with their states. The end of a TTL is told as well. The user needs the right to read all
// that begins with directory.
func (s *Store) HintsBelow(ctx context.Context, directory string) (<-chan *store.KVPair, error) {
	return s.base.HintsBelow(ctx, directory, func(ctx context.Context, changes *base.Changes) error {
		return s.followed(ctx, following{
			key: directory, opts: []clientv3.OpOption{clientv3.WithPrefix()},
			begin: func(ctx context.Context) (int64, error) {
				found, err := s.look(ctx, directory, clientv3.WithPrefix(), clientv3.WithLimit(1), clientv3.WithKeysOnly())
				if errors.Is(err, rpctypes.ErrPermissionDenied) {
					return 0, fmt.Errorf("%w: %w", store.ErrCallNotSupported, err)
				}
				if err != nil {
					return 0, err
				}
				changes.All() // what changes from that revision on is told
				return found.Header.Revision, nil
			},
			events: func(events []*clientv3.Event) {
				for _, event := range events {
					changes.Tell(after(event))
				}
			},
		})
	})
}

// after returns the state after an event.
func after(event *clientv3.Event) *store.KVPair {
	if event.Type == clientv3.EventTypeDelete {
		return &store.KVPair{Key: string(event.Kv.Key)}
	}
	return pairOf(event.Kv)
}

// following is what a watch follows.
type following struct {
	key    string
	opts   []clientv3.OpOption
	begin  func(ctx context.Context) (revision int64, err error) // tells what there is at a revision
	events func([]*clientv3.Event)                               // tells what has changed since
}

// followed follows f until ctx ends or the watch cannot be resumed, and returns why.
func (s *Store) followed(ctx context.Context, f following) error {
	// A member that is cut off from the others ends the watch; without this it would
	// carry nothing until the member is back.
	ctx = clientv3.WithRequireLeader(ctx)
	refused := false
	for {
		back := s.past.wentBack()
		revision, err := f.begin(ctx)
		if err != nil {
			return err
		}
		stream := s.stream.Load()
		err = s.followFrom(withStream(ctx, stream), f, revision+1, back)
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
			return err
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

// followFrom follows f from a revision on. It returns why it ended: etcd's reason, if it gives
// one, or errWentBack.
func (s *Store) followFrom(ctx context.Context, f following, revision int64, back <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer func() { cancel(); looks.Wait() }()
	// etcd's client resumes from the last revision that it has seen when it has to
	// connect again.
	coming := s.client.Watch(ctx, f.key, append(f.opts, clientv3.WithRev(revision))...)
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
				looks.Go(func() { s.lookBack(ctx, cmp.Or(f.key, "\x00")) }) // it may block until another member answers
			}
		case changes, open = <-coming:
		}
		if !open {
			return nil
		}
		if err := changes.Err(); err != nil {
			return err
		}
		if len(changes.Events) > 0 {
			f.events(changes.Events)
		}
	}
}

// MaxWatches returns how many watches elections may keep open at once. There is no limit,
// because they share one stream.
func (s *Store) MaxWatches() int { return math.MaxInt }
