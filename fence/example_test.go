package fence_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
)

// A transaction that writes under a token.
func ExampleSQL() {
	ctx := context.Background()
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // or another driver, and its dialect
	if err != nil {
		panic(err)
	}
	defer db.Close()

	check, err := fence.NewSQL(fence.PostgreSQL)
	if err != nil {
		panic(err)
	}
	if err := check.Create(ctx, db); err != nil {
		panic(err)
	}
	write := func(token uint64) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after the commit
		// ... the writes ...
		if err := check.Check(ctx, tx, "orders", token); err != nil {
			return err // errors.Is(err, fence.ErrStale): there is another leader
		}
		return tx.Commit()
	}
	if err := write(7); err != nil { // candidate.Term in a real one
		panic(err)
	}
}

func ExampleHandler() {
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := fence.TokenFromContext(r.Context())
		fmt.Fprintln(w, "written under token", token)
	})
	server := httptest.NewServer(fence.Handler(new(fence.Memory), orders, fence.WithResource("orders")))
	defer server.Close()

	send := func(term leadership.Term) {
		client := http.Client{Transport: fence.NewTransport(nil, func() (leadership.Term, bool) { return term, true })}
		defer client.CloseIdleConnections()
		response, err := client.Post(server.URL, "", nil)
		if err != nil {
			panic(err)
		}
		defer response.Body.Close()
		fmt.Println(response.Status)
	}
	send(leadership.Term{Token: 7}) // candidate.Term in a real one
	send(leadership.Term{Token: 6})
	// Output:
	// 200 OK
	// 412 Precondition Failed
}
