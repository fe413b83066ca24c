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

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// etcd keeps every revision of every key until it is told to forget those up to one:
// elections write several times in each TTL, and once the database has reached its quota
// every write fails. A cluster can do it by itself (--auto-compaction-retention), and does
// not by default.

const (
	// shortestHistory is the least that may be kept.
	shortestHistory = time.Minute

	// compactions is how often history is compacted in the time that it is kept for.
	compactions = 10

	// adviseEvery is how often a Store that does not compact looks whether anybody does.
	adviseEvery = time.Hour

	// callTimeout bounds each call of these.
	callTimeout = 10 * time.Second
)

// manyRevisions is how many a cluster has before it is said that none was compacted.
var manyRevisions int64 = 100_000

// keepOf returns for how long history is to be kept, or 0 where that is not our business.
func keepOf(u *store.URL) (time.Duration, error) {
	keep, err := u.Duration("compact", 0)
	if err == nil && u.Has("compact") && keep < shortestHistory {
		err = fmt.Errorf("parameter %q is %v and must be at least %v: watches of others in the cluster read what is younger", "compact", keep, shortestHistory)
	}
	return keep, err
}

// tidy has history compacted from now on, for keep above 0, or else looked after: key is
// one that may be read. It returns an error where it may not compact.
func (s *Store) tidy(ctx context.Context, key string, keep time.Duration) error {
	work := func(ctx context.Context) { s.advise(ctx, key) }
	if keep > 0 {
		// That of the first revision costs nobody anything.
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

// compact compacts what is older than keep, again and again, until ctx ends. Others may do
// so at the same time: they make each other rest, and a compaction that comes late does
// nothing.
func (s *Store) compact(ctx context.Context, key string, keep time.Duration) {
	every := keep / compactions
	var marks []mark // the oldest first
	var mine int64   // the last revision that was compacted here
	for {
		// Not all at once, where many were started at once.
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
			marks = marks[i:] // another has done it less than a turn ago
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

// compacted reports whether the state of a revision is known to be gone.
func (s *Store) compacted(ctx context.Context, key string, revision int64) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Get(ctx, key, clientv3.WithRev(revision), clientv3.WithCountOnly())
	return errors.Is(err, rpctypes.ErrCompacted)
}

// advise looks from time to time whether anybody compacts, until ctx ends or it has warned.
func (s *Store) advise(ctx context.Context, key string) {
	for base.Sleep(ctx, adviseEvery) == nil && !s.warn(ctx, key) {
	}
}

// warn warns, and returns true, if the cluster has many revisions and none was ever
// compacted. No call of etcd tells whether it compacts by itself; that it never has is told
// by the second revision, of which there is still the state. (Open may compact the first.)
func (s *Store) warn(ctx context.Context, key string) bool {
	revision, err := s.revision(ctx, key)
	if err != nil || revision < manyRevisions {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := s.client.Get(ctx, key, clientv3.WithRev(2), clientv3.WithCountOnly()); err != nil {
		return false // compacted, or not known
	}
	slog.Warn("etcd has never compacted: it keeps every write, and refuses all once its database has reached its quota; "+
		"start it with --auto-compaction-retention=1h, or put compact=1h into the URL of the store", "revisions", revision)
	return true
}
