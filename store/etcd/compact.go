package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// etcd keeps every revision of every key until its history is compacted. Elections write
// several times in each TTL, and when the database has reached its quota every write
// fails. A cluster compacts by itself with --auto-compaction-retention, which is off by
// default.

const (
	// shortestHistory is the shortest history that may be kept.
	shortestHistory = time.Minute

	// compactions is how often history is compacted in the time for which it is kept.
	compactions = 10

	// callTimeout bounds each call of the functions below.
	callTimeout = 10 * time.Second
)

var (
	// manyRevisions is how many revisions a cluster must have for the warning that it was
	// never compacted, or that many of them were not for a day.
	manyRevisions int64 = 100_000

	// adviseEvery is how often a Store that does not compact checks whether anybody does,
	// and oldHistory how old a revision is that somebody should have compacted.
	adviseEvery, oldHistory = time.Hour, 24 * time.Hour
)

// keepOf returns for how long history is kept, or 0 if the store is not to compact it.
func keepOf(u *store.URL) (time.Duration, error) {
	keep, err := u.Duration("compact", 0)
	if err == nil && u.Has("compact") && keep < shortestHistory {
		err = fmt.Errorf("parameter %q is %s and must be at least %s: watches of other programs need the history", "compact", clock.Text(keep), clock.Text(shortestHistory))
	}
	return keep, err
}

// tidy starts to compact history if keep is above 0, and otherwise to check that somebody
// does. key is one that may be read. It returns an error if the login may not compact.
func (s *Store) tidy(ctx context.Context, key string, keep time.Duration) error {
	work := func(ctx context.Context) { s.advise(ctx, key) }
	if keep > 0 {
		// Compacting the first revision deletes nothing that anybody reads.
		if _, err := s.client.Compact(ctx, 1); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
			return fmt.Errorf("parameter %q: may not compact: %w", "compact", err)
		}
		work = func(ctx context.Context) { s.compact(ctx, key, keep) }
	} else if s.warn(ctx, key) {
		return nil
	}
	return s.base.Go(context.WithoutCancel(ctx), work)
}

// mark is the revision of the cluster at some time.
type mark struct {
	revision int64
	at       time.Time
}

// compact compacts what is older than keep, repeatedly, until ctx ends. Other clients may
// do so at the same time: a client that finds the work done skips a turn, and a
// compaction that comes late does nothing.
func (s *Store) compact(ctx context.Context, key string, keep time.Duration) {
	every := keep / compactions
	var marks []mark // the oldest first
	var mine int64   // the last revision that this client has compacted
	for {
		// At random, because many clients may have been started at once.
		if base.Sleep(ctx, every-every/8+rand.N(every/4+1)) != nil {
			return
		}
		revision, err := s.revision(ctx, key)
		if err != nil {
			continue
		}
		if len(marks) > 0 && revision < marks[len(marks)-1].revision {
			marks, mine = nil, 0 // the cluster was put back
		}
		now := time.Now()
		marks = append(marks, mark{revision, now})
		i := oldEnough(marks, now.Add(-keep))
		if i < 0 {
			continue
		}
		target := marks[i].revision
		if i > 0 && marks[i-1].revision > mine && s.compacted(ctx, key, marks[i-1].revision) {
			marks = marks[i:] // another client has done so less than a turn ago
			continue
		}
		switch err := s.compactTo(ctx, target); {
		case err == nil, errors.Is(err, rpctypes.ErrCompacted):
			mine, marks = target, marks[i:]
		case errors.Is(err, rpctypes.ErrPermissionDenied):
			slog.Warn("etcd: may not compact any more", "error", err)
			return
		}
	}
}

// oldEnough returns the last of marks that is not after then, or -1.
func oldEnough(marks []mark, then time.Time) int {
	last := -1
	for i, m := range marks {
		if !m.at.After(then) {
			last = i
		}
	}
	return last
}

func (s *Store) compactTo(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Compact(ctx, revision)
	return err
}

func (s *Store) revision(ctx context.Context, key string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, revision, err := s.read(ctx, key)
	return revision, err
}

// compacted reports whether the state of a revision is known to be deleted.
func (s *Store) compacted(ctx context.Context, key string, revision int64) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Get(ctx, key, clientv3.WithRev(revision), clientv3.WithCountOnly())
	return errors.Is(err, rpctypes.ErrCompacted)
}

// advise checks regularly whether anybody compacts, until ctx ends or it has warned.
func (s *Store) advise(ctx context.Context, key string) {
	var first mark
	for base.Sleep(ctx, adviseEvery) == nil && !s.warn(ctx, key) {
		revision, err := s.revision(ctx, key)
		switch now := time.Now(); {
		case err != nil:
		case first.revision == 0 || revision < first.revision:
			first = mark{revision, now}
		case now.Sub(first.at) < oldHistory || revision-first.revision < manyRevisions:
		case s.exists(ctx, key, first.revision):
			slog.Warn("etcd has not compacted for a long time: it keeps every write, and refuses all once its database has reached its quota; "+
				"start it with --auto-compaction-retention=1h, or put compact=1h into the URL of the store", "since", oldHistory, "revisions", revision-first.revision)
			return
		default:
			first = mark{revision, now}
		}
	}
}

// warn logs a warning, and returns true, if the cluster has many revisions and was never
// compacted. No call of etcd returns whether it compacts by itself; but if the state of
// the second revision still exists, it never has. (Open may compact the first.)
func (s *Store) warn(ctx context.Context, key string) bool {
	revision, err := s.revision(ctx, key)
	if err != nil || revision < manyRevisions || !s.exists(ctx, key, 2) {
		return false
	}
	slog.Warn("etcd has never compacted: it keeps every write, and refuses all once its database has reached its quota; "+
		"start it with --auto-compaction-retention=1h, or put compact=1h into the URL of the store", "revisions", revision)
	return true
}

// exists reports whether the state of a revision is known to exist.
func (s *Store) exists(ctx context.Context, key string, revision int64) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Get(ctx, key, clientv3.WithRev(revision), clientv3.WithCountOnly())
	return err == nil
}
