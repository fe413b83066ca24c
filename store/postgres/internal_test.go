package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// Notified reports whether notifications arrive.
func (s *Store) Notified() bool { return s.hints.opened() }

func TestItIsNoticedWhetherNotificationsComeThrough(t *testing.T) {
	server := servers.Shared(t, "postgres")
	for name, test := range map[string]struct {
		addr string
		want error
	}{
		"direct":    {server.Addr, nil},
		"pgbouncer": {servers.PgBouncer(t, server).Addr, errNoNotifications},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := pgxpool.New(t.Context(), test.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			s, err := New(pool)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			pooled, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			conn := pooled.Hijack()
			defer func() { _ = conn.Close(t.Context()) }()
			if err := s.probe(t.Context(), conn); !errors.Is(err, test.want) {
				t.Errorf("probe: %v; want %v", err, test.want)
			}
		})
	}
}

func TestErrorsOfTheConnectionAreToldFromThoseOfAStatement(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"none":                 {nil, false},
		"lost":                 {errors.New("unexpected EOF"), true},
		"statement":            {&pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR"}, false},
		"statement, in German": {&pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR"}, false},
		"statement, by pooler": {&pgconn.PgError{Severity: "ERROR"}, false},
		"shutdown":             {&pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL"}, true},
		"shutdown, by pooler":  {&pgconn.PgError{Severity: "FATAL"}, true},
	} {
		if got := broken(test.err); got != test.want {
			t.Errorf("%s: broken is %v, want %v", name, got, test.want)
		}
	}
}

func TestWitnessTellsAWaitThatWasCancelled(t *testing.T) {
	for name, test := range map[string]struct {
		messages string
		want     error
	}{
		"done":                   {"ParseComplete DataRow CommandComplete ReadyForQuery", nil},
		"told of, and done":      {"NoticeResponse CommandComplete NotificationResponse ReadyForQuery", nil},
		"cancelled":              {"DataRow CommandComplete NoticeResponse ReadyForQuery", errUnreplicated},
		"told of, and cancelled": {"NoticeResponse CommandComplete NoticeResponse NoticeResponse ReadyForQuery", errUnreplicated},
		"not traced":             {"", errUnwitnessed},
		"traced in another form": {"Complete Notice Ready", errUnwitnessed},
		"traced in part":         {"CommandComplete Notice Ready", errUnwitnessed},
	} {
		w := new(witness)
		for message := range strings.FieldsSeq(test.messages) {
			_, _ = w.Write([]byte("F\tSync\t5\n"))
			_, _ = w.Write([]byte("B\t" + message + "\t20\n"))
		}
		if err := w.verdict(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", name, err, test.want)
		}
	}
}
