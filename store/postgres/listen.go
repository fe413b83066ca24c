package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// hints wakes watches. It receives notifications of changes, on one connection for all
// watches of a Store. A notification is a hint to read the key; each watch also reads it
// regularly.
type hints struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]struct{}
	trees  map[*base.Changes]struct{} // the watches of directories
	stop   context.CancelFunc         // ends listen; nil while there are no watches
	round  int                        // the number of the present call of listen
	open   bool                       // notifications arrive
}

// join returns a channel that holds a token when topic may have changed. Call leave at
// the end.
func (s *Store) join(topic string) chan struct{} {
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics == nil {
		h.topics = make(map[string]map[chan struct{}]struct{})
	}
	if h.topics[topic] == nil {
		h.topics[topic] = make(map[chan struct{}]struct{})
	}
	changed := make(chan struct{}, 1)
	h.topics[topic][changed] = struct{}{}
	s.begin()
	return changed
}

func (s *Store) leave(topic string, changed chan struct{}) {
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.topics[topic], changed)
	if len(h.topics[topic]) == 0 {
		delete(h.topics, topic)
	}
	h.end()
}

// joinAll has changes told of all keys that may have changed. Call leaveAll at the end.
func (s *Store) joinAll(changes *base.Changes) {
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trees == nil {
		h.trees = make(map[*base.Changes]struct{})
	}
	h.trees[changes] = struct{}{}
	s.begin()
}

func (s *Store) leaveAll(changes *base.Changes) {
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.trees, changes)
	h.end()
}

// begin listens, if it does not. It is called with mu held.
func (s *Store) begin() {
	h := &s.hints
	if h.stop != nil {
		return
	}
	h.round++
	round := h.round
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	// A closed Store does not listen, but has no watches either.
	_ = s.base.Go(ctx, func(ctx context.Context) { s.listen(ctx, round) })
}

// end listens no more, without watches. It is called with mu held.
func (h *hints) end() {
	if len(h.topics)+len(h.trees) == 0 {
		h.stop()
		h.stop, h.open = nil, false
	}
}

// opened reports whether notifications arrive.
func (h *hints) opened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// interval returns how often a watch reads its key without a notification: that often while
// notifications arrive.
func (s *Store) interval(notified time.Duration) time.Duration {
	if s.hints.opened() {
		return max(s.poll, notified)
	}
	return s.poll
}

// wake makes the watches of a key read it, of which a notification has come.
func (h *hints) wake(note string) {
	topic, key := cutNote(note)
	h.mu.Lock()
	defer h.mu.Unlock()
	for changed := range h.topics[topic] {
		base.Wake(changed)
	}
	for changes := range h.trees {
		if key == "" {
			changes.All()
		} else {
			changes.Tell(&store.KVPair{Key: key})
		}
	}
}

// set records whether notifications arrive, and makes all watches read their keys,
// because earlier changes are not notified.
func (h *hints) set(round int, open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if round != h.round {
		return
	}
	h.open = open
	for _, watches := range h.topics {
		for changed := range watches {
			base.Wake(changed)
		}
	}
	for changes := range h.trees {
		changes.All()
	}
}

// errNoNotifications means that LISTEN succeeds and notifications do not arrive.
var errNoNotifications = errors.New("notifications do not arrive")

const (
	// probeTime is how long a notification from the store to itself may take.
	probeTime = 2 * time.Second

	// noNotificationsPause is the time until the next attempt to listen if notifications
	// do not arrive. Each attempt leaves a LISTEN in a connection of the pooler.
	noNotificationsPause = 10 * time.Minute

	// quiet is the time without a notification after which the connection is checked.
	quiet = 10 * time.Second
)

// listen receives notifications until ctx ends.
func (s *Store) listen(ctx context.Context, round int) {
	pause := firstPause
	for ctx.Err() == nil {
		err := s.receive(ctx, func() {
			pause = firstPause
			s.hints.set(round, true)
		})
		s.hints.set(round, false)
		wait := pause
		pause = min(2*pause, longestPause)
		if errors.Is(err, errNoNotifications) {
			wait = noNotificationsPause
		}
		_ = base.Sleep(ctx, wait)
	}
}

// receive receives notifications on one connection, until that breaks. It calls ready when
// notifications arrive.
func (s *Store) receive(ctx context.Context, ready func()) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	pooled, err := s.pool.Acquire(attempt)
	if err != nil {
		return err
	}
	// Outside the pool, because closing the pool must not wait for the watches.
	conn := pooled.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), firstPause)
		defer cancel()
		_ = conn.Close(ctx) // does not wait for an answer
	}()

	if err := s.probe(attempt, conn); err != nil {
		return err
	}
	query, err := s.located(attempt, s.table.channel)
	if err != nil {
		return err
	}
	var channel string
	if err := conn.QueryRow(attempt, query, plain).Scan(&channel); err != nil {
		return err
	}
	if err := listenTo(attempt, conn, channel); err != nil {
		return err
	}
	ready()
	for {
		note, err := next(ctx, conn, quiet)
		switch {
		case err == nil:
			s.hints.wake(note)
		case ctx.Err() != nil || conn.IsClosed():
			return err
		default:
			attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
			err := conn.Ping(attempt)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// probe returns errNoNotifications if notifications do not arrive: a pooler of
// transactions runs LISTEN on any free connection, and does not remember its client.
// probe listens on a channel that is used only once, because such a LISTEN remains, and
// notifications would go to other clients of the pooler.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	channel := "leadership:probe:" + rand.Text()
	if err := listenTo(ctx, conn, channel); err != nil {
		return err
	}
	// From another connection: the pooler might assign the same one to this one.
	if _, err := s.pool.Exec(ctx, `SELECT pg_notify($1::text, '')`, plain, channel); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	for {
		// A pooler may pass on one of an earlier probe.
		came, err := conn.WaitForNotification(waiting)
		if err != nil && ctx.Err() == nil && !conn.IsClosed() {
			return errNoNotifications
		}
		if err != nil {
			return err
		}
		if came.Channel == channel {
			break
		}
	}
	_, err := conn.Exec(ctx, "UNLISTEN "+pgx.Identifier{channel}.Sanitize(), plain)
	return err
}

func listenTo(ctx context.Context, conn *pgx.Conn, channel string) error {
	_, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize(), plain)
	return err
}

// next returns the payload of the next notification, or an error if there is none in
// time: the connection can still be used then.
func next(ctx context.Context, conn *pgx.Conn, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	note, err := conn.WaitForNotification(ctx)
	if err != nil {
		return "", err
	}
	return note.Payload, nil
}
