package fence_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// The token of a leader of the past is refused once a later one was seen.
func ExampleNewKV() {
	kv := memory.New() // or a store that other processes share
	defer kv.Close()
	ctx := context.Background()
	check := fence.NewKV(kv, "fences")
	for _, token := range []uint64{7, 8, 7} { // candidate.Term in a real one
		err := check.Check(ctx, "orders", token)
		fmt.Println(token, "is stale:", errors.Is(err, fence.ErrStale))
	}
	// Output:
	// 7 is stale: false
	// 8 is stale: false
	// 7 is stale: true
}

// Each resource has a highest token of its own.
func ExampleKV_Check() {
	kv := memory.New()
	defer kv.Close()
	ctx := context.Background()
	check := fence.NewKV(kv, "fences")
	fmt.Println(check.Check(ctx, "orders", 8))
	fmt.Println(check.Check(ctx, "invoices", 7))
	// Output:
	// <nil>
	// <nil>
}

// KV and Memory are Checkers, and so is whatever has their method.
func ExampleChecker() {
	act := func(check fence.Checker, token uint64) error {
		if err := check.Check(context.Background(), "orders", token); err != nil {
			return err
		}
		fmt.Println("done under token", token)
		return nil
	}
	check := new(fence.Memory)
	fmt.Println(act(check, 7))
	fmt.Println(errors.Is(act(check, 6), fence.ErrStale))
	// Output:
	// done under token 7
	// <nil>
	// true
}

func ExampleNewSQL() {
	check, err := fence.NewSQL(fence.SQLite, fence.WithTable("app_fence"))
	if err != nil {
		panic(err)
	}
	statements, err := check.Statements("orders", 7)
	fmt.Println(len(statements), "statement in the transaction of the write", err)
	_, err = fence.NewSQL("oracle")
	fmt.Println(errors.Is(err, leadership.ErrInvalidArgument))
	// Output:
	// 1 statement in the transaction of the write <nil>
	// true
}

func ExampleDialect() {
	for _, dialect := range []fence.Dialect{fence.PostgreSQL, fence.SQLite, fence.MySQL} {
		check, err := fence.NewSQL(dialect)
		if err != nil {
			panic(err)
		}
		statements, err := check.Statements("orders", 7)
		fmt.Println(dialect, len(statements), err)
	}
	// Output:
	// postgresql 1 <nil>
	// sqlite 1 <nil>
	// mysql 2 <nil>
}

func ExampleSQLOption() {
	options := []fence.SQLOption{fence.WithTable("app.fence")}
	check, err := fence.NewSQL(fence.PostgreSQL, options...)
	if err != nil {
		panic(err)
	}
	fmt.Println(check.Schema() != "") // for a migration
	// Output: true
}

// For a driver that is not one of database/sql.
func ExampleStatement() {
	check, err := fence.NewSQL(fence.MySQL)
	if err != nil {
		panic(err)
	}
	statements, err := check.Statements("orders", 7)
	if err != nil {
		panic(err)
	}
	for _, s := range statements {
		_ = s.SQL // run it in the transaction of the write, with s.Args
	}
	const highest = 8 // what the last one has returned
	fmt.Println(errors.Is(fence.Judge("orders", 7, highest), fence.ErrStale))
	// Output: true
}

// The table may be created on a connection, a transaction, or the database.
func ExampleExecer() {
	create := func(ctx context.Context, on fence.Execer) error {
		check, err := fence.NewSQL(fence.PostgreSQL)
		if err != nil {
			return err
		}
		return check.Create(ctx, on)
	}
	migrate := func(ctx context.Context, db *sql.DB) error { return create(ctx, db) }
	_ = migrate
}

// A check is part of the transaction of the write.
func ExampleTx() {
	check, err := fence.NewSQL(fence.PostgreSQL)
	if err != nil {
		panic(err)
	}
	finish := func(ctx context.Context, tx fence.Tx, term leadership.Term) error {
		if _, err := tx.ExecContext(ctx, "UPDATE orders SET state = 'sent'"); err != nil {
			return err
		}
		return check.Check(ctx, tx, "orders", term.Token)
	}
	write := func(ctx context.Context, db *sql.DB, term leadership.Term) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after the commit
		if err := finish(ctx, tx, term); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = write
}

func ExampleNewTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("sent under token", r.Header.Get(fence.DefaultHeader))
	}))
	defer server.Close()

	term := leadership.Term{Leader: "node-a", Token: 7}
	leads := true
	client := http.Client{Transport: fence.NewTransport(nil, func() (leadership.Term, bool) { // candidate.Term in a real one
		return term, leads
	})}
	defer client.CloseIdleConnections()
	send := func() {
		response, err := client.Post(server.URL, "", nil)
		if err != nil {
			fmt.Println("not sent:", errors.Is(err, fence.ErrNotLeader))
			return
		}
		response.Body.Close()
	}
	send()
	leads = false
	send()
	// Output:
	// sent under token 7
	// not sent: true
}

func ExampleHTTPOption() {
	options := []fence.HTTPOption{
		fence.WithHeader("X-Token"),
		fence.AllowMissing(), // those of clients that lead nothing
		fence.WithResourceOf(func(r *http.Request) string { return r.URL.Path }),
	}
	handler := fence.Handler(new(fence.Memory), http.NotFoundHandler(), options...)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Println(answer.Code, "from the handler behind it")
	// Output: 404 from the handler behind it
}
