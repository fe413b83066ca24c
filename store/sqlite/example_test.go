package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/sqlite"
)

// In a database that the program has open.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	kv, err := sqlite.New(db)
	if err != nil {
		panic(err)
	}
	defer kv.Close() // before that of the database

	won, err := leadership.NewRound(kv, "reports", "2020-10-18", "node-a").Elect(context.Background())
	fmt.Println(won, err)
	// Output: true <nil>
}

// By URL: all processes of a machine that name the file elect one leader.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	kv, err := store.Open(context.Background(), "sqlite://"+filepath.Join(dir, "election.db"))
	if err != nil {
		panic(err)
	}
	defer kv.Close()
	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	err = candidate.Run(context.Background(), func(_ context.Context, term leadership.Term) error {
		fmt.Println(term.Leader, "leads")
		candidate.Stop()
		return nil
	})
	fmt.Println(err)
	// Output:
	// underwood leads
	// <nil>
}

func ExampleOption() {
	db, err := sql.Open("sqlite", "file:app.db?_pragma=journal_mode(WAL)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	_, err = sqlite.New(db, sqlite.WithPollInterval(0))
	fmt.Println("refused:", err != nil)
	// Output: refused: true
}
