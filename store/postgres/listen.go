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

// ears hear of changes, by one connection for all watches of a Store. What they
// hear is a hint to look: each watch looks by itself, too.
type ears struct {
	mu     sync.Mutex
	topics map[string]map[chan struct{}]struct{}
	stop   context.CancelFunc // ends the listening; nil while nobody watches
	round  int                // tells one listening from the next
	open   bool               // notifications come through
}

// hearOf returns a channel that holds a token when topic may have changed.
// forget is to be called at its end.
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
		// A Store that is closed does not listen; nor are there watches then.
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

// interval is how often a watch is to look by itself.
func (s *Store) interval() time.Duration {
	s.ears.mu.Lock()
	defer s.ears.mu.Unlock()
	if s.ears.open {
		return max(s.poll, heardInterval)
	}
	return s.poll
}

// tell has the watches of topic look.
func (e *ears) tell(topic string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for changed := range e.topics[topic] {
		base.Wake(changed)
	}
}

// set says whether notifications come through, and has all watches look: what
// happened before is told by nobody.
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

// errDeaf says that LISTEN is accepted and nothing comes of it.
var errDeaf = errors.New("notifications do not come through")

const (
	// probeTime is how long a notification to oneself may take.
	probeTime = 2 * time.Second

	// deafPause is the time until listening is tried again where nothing comes
	// of it. Each attempt leaves a LISTEN behind in a connection of the pooler's.
	deafPause = 10 * time.Minute

	// quiet is how long nothing may be heard before the connection is tried.
	quiet = 10 * time.Second
)

// listen hears of changes until ctx ends.
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

// hear hears by one connection, until that breaks. It calls ready once it
// hears.
func (s *Store) hear(ctx context.Context, ready func()) error {
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pooled, err := s.pool.Acquire(attempt)
	if err != nil {
		return err
	}
	// Out of the pool: whoever closes that must not wait for the watches.
	conn := pooled.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), firstPause)
		defer cancel()
		_ = conn.Close(ctx) // says goodbye, and does not wait for an answer
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

// probe returns errDeaf where notifications do not come through: a pooler of
// transactions has LISTEN done by whatever connection is free, and forgets who
// asked. It listens on a channel that nobody else ever uses, for such a LISTEN
// is there to stay, and would have others of the pooler's clients notified.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	channel := "leadership:probe:" + rand.Text()
	if err := listenTo(ctx, conn, channel); err != nil {
		return err
	}
	// From another connection: the pooler might lend this one the right one.
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

// next returns what the next notification says, or an error when none has come
// in time: the connection is still good then.
func next(ctx context.Context, conn *pgx.Conn, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	note, err := conn.WaitForNotification(ctx)
	if err != nil {
		return "", err
	}
	return note.Payload, nil
}
