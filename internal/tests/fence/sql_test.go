package fence_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/internal/fencetest"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

func TestSQLRefusesExactlyTheTokensBelowTheHighest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		check := right(t, d)
		transactions := fence.Checker(fencetest.Func(func(resource string, token uint64) error {
			return commit(t, db, level, check, resource, token)
		}))
		if err := fencetest.InTurn(t.Context(), []fence.Checker{transactions}, fencetest.Dice(t), 150); err != nil {
			t.Error(err)
		}
		for _, resource := range []string{"Case", "case", "case ", " case", "ü", "u", "'", `"; DROP`} {
			if err := commit(t, db, level, check, resource, 1); err != nil {
				t.Errorf("resource %q is taken for another: %v", resource, err)
			}
			if err := commit(t, db, level, check, resource, 2); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestSQLCheckThatIsRolledBackLeavesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		check := right(t, d)
		for _, before := range []bool{false, true} {
			if before {
				if err := commit(t, db, level, check, "orders", 3); err != nil {
					t.Fatal(err)
				}
			}
			tx := begin(t, db, level)
			if err := check(t.Context(), tx, "orders", 9); err != nil {
				t.Fatal(err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := commit(t, db, level, check, "orders", 3); err != nil {
				t.Errorf("a token that was rolled back shuts others out: %v", err)
			}
		}
	})
}

// A paused leader's transaction began before its successor's and has already
// read, so on higher levels it sees the past.
func TestSQLRefusesATransactionThatBeganBeforeTheHigherToken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		check := right(t, d)
		if err := commit(t, db, level, check, "orders", 5); err != nil {
			t.Fatal(err)
		}
		old := begin(t, db, level)
		var rows int
		if err := old.QueryRowContext(t.Context(), "SELECT count(*) FROM guarded").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if err := commit(t, db, level, check, "orders", 6); aborted(err) {
			return // SQLite without a write-ahead log: nobody writes while another reads
		} else if err != nil {
			t.Fatal(err)
		}
		if err := check(t.Context(), old, "orders", 5); !errors.Is(err, fence.ErrStale) && !aborted(err) {
			t.Errorf("got %v, want ErrStale or a serialization error", err)
		} else {
			t.Log(err)
		}
	})
}

// overtake has a lower token pass, and then a higher one come while the lower
// one's transaction is under way. It reports whether the higher one passed before
// the lower one had committed.
func overtake(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel, check sqlCheck) bool {
	lower, higher := begin(t, db, level), begin(t, db, level)
	if err := check(t.Context(), lower, "orders", 5); err != nil {
		t.Fatal(err)
	}
	passed := make(chan error, 1)
	var committing atomic.Bool
	early := false
	go func() {
		err := check(t.Context(), higher, "orders", 6)
		early = err == nil && !committing.Load()
		passed <- err
	}()
	var result error
	over := false
	for deadline := time.Now().Add(10 * time.Second); !over; {
		waiting := 0
		if d.waiting != "" {
			if err := db.QueryRowContext(t.Context(), d.waiting).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case result = <-passed:
			over = true
		default:
		}
		if waiting > 0 {
			break
		}
		time.Sleep(time.Millisecond)
		if time.Now().After(deadline) {
			t.Fatal("the higher token neither waits nor returns")
		}
	}
	committing.Store(true)
	if err := lower.Commit(); err != nil && !aborted(err) {
		t.Fatal(err)
	}
	if !over {
		result = <-passed
	}
	if result != nil && !aborted(result) {
		t.Fatalf("the higher token: %v", result)
	}
	if err := higher.Rollback(); err != nil {
		t.Fatal(err)
	}
	return early
}

func TestSQLHigherTokenWaitsForALowerOnesCommit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		for _, before := range []string{"no token", "a token"} {
			if overtake(t, d, db, level, right(t, d)) {
				t.Errorf("with %s before, it passed before the lower one's transaction had ended", before)
			}
		}
	})
}

func TestSQLOvertakingIsNoticed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		if !overtake(t, d, db, level, twoSteps(t, d)) {
			t.Error("a check without a lock is not noticed")
		}
	})
}

// TestSQLTransactionsAreInOrder runs transactions at random, at the same time.
func TestSQLTransactionsAreInOrder(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database, db *sql.DB, level sql.IsolationLevel) {
		history, stale, again := transactions(t, db, level, right(t, d), fencetest.Dice(t))
		t.Logf("%d committed, %d stale, %d rolled back by the database", len(history), stale, again)
		var highest, kept uint64
		for _, low := range history {
			highest = max(highest, low.token)
			for _, high := range history {
				if low.token < high.token && low.committing > high.passed {
					t.Fatalf("token %d was committed from %d on, after %d had passed at %d",
						low.token, low.committing, high.token, high.passed)
				}
			}
		}
		if err := db.QueryRowContext(t.Context(), "SELECT token FROM "+fence.DefaultTable).Scan(&kept); err != nil || kept != highest {
			t.Errorf("the table holds %d (%v), and %d was committed", kept, err, highest)
		}
		if len(history) == 0 || stale == 0 {
			t.Error("too little happened to show anything")
		}
	})
}

// transaction is one that was committed: when its check had passed, and when it
// began to commit, by one counter.
type transaction struct {
	token              uint64
	passed, committing int64
}

func transactions(t *testing.T, db *sql.DB, level sql.IsolationLevel, check sqlCheck, rng *rand.Rand) (history []transaction, stale, again int) {
	t.Helper()
	const workers, each = 6, 25
	var clock atomic.Int64
	var mu sync.Mutex
	var all sync.WaitGroup
	once := func(own *rand.Rand, token uint64) error {
		tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // of what is not committed
		if own.IntN(2) == 0 {
			var rows int
			if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM guarded WHERE resource = 'nothing'").Scan(&rows); err != nil {
				return err
			}
		}
		if err := check(t.Context(), tx, "orders", token); err != nil {
			return err
		}
		done := transaction{token: token, passed: clock.Add(1)}
		if own.IntN(8) == 0 {
			return nil
		}
		done.committing = clock.Add(1)
		if err := tx.Commit(); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, done)
		return nil
	}
	for range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			for i := range each {
				err := once(own, 1+uint64(i*2+own.IntN(12)))
				mu.Lock()
				switch {
				case errors.Is(err, fence.ErrStale):
					stale++
				case aborted(err):
					again++
				case err != nil:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return history, stale, again
}

func TestStatementsServeOtherDrivers(t *testing.T) {
	addr := servers.Shared(t, "postgres").Addr
	pool(t, "pgx", addr)
	conn, err := pgx.Connect(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	check, err := fence.NewSQL(fence.PostgreSQL, fence.WithTable("public.fences"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "DROP TABLE IF EXISTS public.fences; "+check.Schema()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token uint64
		want  error
	}{{5, nil}, {5, nil}, {4, fence.ErrStale}, {6, nil}} {
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			statements, err := check.Statements("orders", c.token)
			if err != nil {
				return err
			}
			var highest uint64
			if err := tx.QueryRow(t.Context(), statements[0].SQL, statements[0].Args...).Scan(&highest); err != nil {
				return err
			}
			return fence.Judge("orders", c.token, highest)
		})
		if !errors.Is(err, c.want) {
			t.Errorf("token %d: got %v, want %v", c.token, err, c.want)
		}
	}
}

func TestSQLOnAConnectionOfItsOwn(t *testing.T) {
	db := openSQLite(t, "")
	check, err := fence.NewSQL(fence.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := check.Create(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	for _, token := range []uint64{6, 5} {
		if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
		if err := check.Check(t.Context(), conn, "orders", token); errors.Is(err, fence.ErrStale) != (token == 5) {
			t.Errorf("token %d: %v", token, err)
		}
		if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLArgumentsAreChecked(t *testing.T) {
	if _, err := fence.NewSQL("oracle"); !errors.Is(err, leadership.ErrInvalidArgument) {
		t.Errorf("a dialect that it does not know: %v", err)
	}
	for _, table := range []string{"", "a b", "a;", "1a", "a.b.c", `"a"`, "ä"} {
		if _, err := fence.NewSQL(fence.SQLite, fence.WithTable(table)); !errors.Is(err, leadership.ErrInvalidArgument) {
			t.Errorf("table %q: %v", table, err)
		}
	}
	check, err := fence.NewSQL(fence.SQLite, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := openSQLite(t, "")
	tx := begin(t, db, sql.LevelDefault)
	for name, err := range map[string]error{
		"no transaction":      check.Check(t.Context(), nil, "orders", 1),
		"a nil transaction":   check.Check(t.Context(), (*sql.Tx)(nil), "orders", 1),
		"a pool":              check.Check(t.Context(), db, "orders", 1),
		"no context":          check.Check(nil, tx, "orders", 1), //nolint:staticcheck // SA1012: as a user may
		"no database":         check.Create(t.Context(), nil),
		"no token":            check.Check(t.Context(), tx, "orders", 0),
		"too high a token":    check.Check(t.Context(), tx, "orders", 1<<62),
		"no resource":         check.Check(t.Context(), tx, "", 1),
		"too long a resource": check.Check(t.Context(), tx, strings.Repeat("a", 256), 1),
	} {
		if !errors.Is(err, leadership.ErrInvalidArgument) {
			t.Errorf("%s: got %v, want ErrInvalidArgument", name, err)
		}
	}
	if err := check.Check(t.Context(), tx, "orders", 1); err == nil || errors.Is(err, fence.ErrStale) {
		t.Errorf("without its table: got %v, want the database's error", err)
	}
}
