package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership/store/internal/base"
)

// ears receive notifications of changes, on one connection for all watches of a Store. A
// notification is a hint to read the key; each watch also reads it regularly.
type ears struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]struct{}
	stop   context.CancelFunc // ends listen; nil while there are no watches
	round  int                // the number of the present call of listen
	open   bool               // notifications arrive
}

// hearOf returns a channel that holds a token when topic may have changed. Call forget at
// the end.
func (s *Store) hearOf(topic string) chan struct{} {
	e := &s.ears
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.topics == nil {
		e.topics = make(map[string]map[chan struct{}]struct{})
	}
	if e.topics[topic] == nil {
		e.topics[topic] = make(map[chan struct{}]struct{})
	}
	changed := make(chan struct{}, 1)
	e.topics[topic][changed] = struct{}{}
	if e.stop == nil {
		e.round++
		round := e.round
		ctx, stop := context.WithCancel(context.Background())
		e.stop = stop
		// A closed Store does not listen, but has no watches either.
		_ = s.base.Go(ctx, func(ctx context.Context) { s.listen(ctx, round) })
	}
	return changed
}

func (s *Store) forget(topic string, changed chan struct{}) {
	e := &s.ears
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.topics[topic], changed)
	if len(e.topics[topic]) == 0 {
		delete(e.topics, topic)
	}
	if len(e.topics) == 0 {
		e.stop()
		e.stop, e.open = nil, false
	}
}

// interval returns how often a watch reads its key without a notification.
func (s *Store) interval() time.Duration {
	s.ears.mu.Lock()
	defer s.ears.mu.Unlock()
	if s.ears.open {
		return max(s.poll, heardInterval)
	}
	return s.poll
}

// tell makes the watches of topic read their key.
func (e *ears) tell(topic string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for changed := range e.topics[topic] {
		base.Wake(changed)
	}
}

// set records whether notifications arrive, and makes all watches read their keys,
// because earlier changes are not notified.
func (e *ears) set(round int, open bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if round != e.round {
		return
	}
	e.open = open
	for _, watches := range e.topics {
		for changed := range watches {
			base.Wake(changed)
		}
	}
}

// errDeaf means that LISTEN succeeds and notifications do not arrive.
var errDeaf = errors.New("notifications do not arrive")

const (
	// probeTime is how long a notification from the store to itself may take.
	probeTime = 2 * time.Second

	// deafPause is the time until the next attempt to listen if notifications do not
	// arrive. Each attempt leaves a LISTEN in a connection of the pooler.
	deafPause = 10 * time.Minute

	// quiet is the time without a notification after which the connection is checked.
	quiet = 10 * time.Second
)

// listen receives notifications until ctx ends.
func (s *Store) listen(ctx context.Context, round int) {
	pause := firstPause
	for ctx.Err() == nil {
		err := s.hear(ctx, func() {
			pause = firstPause
			s.ears.set(round, true)
		})
		s.ears.set(round, false)
		wait := pause
		pause = min(2*pause, longestPause)
		if errors.Is(err, errDeaf) {
			wait = deafPause
		}
		_ = base.Sleep(ctx, wait)
	}
}

// hear receives notifications on one connection, until that breaks. It calls ready when
// notifications arrive.
func (s *Store) hear(ctx context.Context, ready func()) error {
	attempt, cancel := context.WithTimeout(ctx, patience)
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
			s.ears.tell(note)
		case ctx.Err() != nil || conn.IsClosed():
			return err
		default:
			attempt, cancel := context.WithTimeout(ctx, patience)
			err := conn.Ping(attempt)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// probe returns errDeaf if notifications do not arrive: a pooler of transactions runs
// LISTEN on any free connection, and does not remember its client. probe listens on a
// channel that is used only once, because such a LISTEN remains, and notifications would
// go to other clients of the pooler.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	channel := "leadership:probe:" + rand.Text()
	if err := listenTo(ctx, conn, channel); err != nil {
		return err
	}
	// From another connection: the pooler might assign the same one to this one.
	if _, err := s.pool.Exec(ctx, `SELECT pg_notify($1::text, '')`, plain, channel); err != nil {
		return err
	}
	if _, err := next(ctx, conn, probeTime); err != nil {
		if ctx.Err() == nil && !conn.IsClosed() {
			return errDeaf
		}
		return err
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
