// Fencing: a leader is paused in the middle of its work, and wakes up after another
// has taken over. The database refuses its write, by its token, in the transaction of
// the write.
//
//	go run ./examples/fencing
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/fence"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	key      = "service/bank/leader"
	ttl      = time.Second
	resource = "accounts"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fencing:", err)
		os.Exit(1)
	}
}

// bank is a database with one account, which only the leader changes.
type bank struct {
	db    *sql.DB
	check *fence.SQL
}

func open(ctx context.Context, file string) (*bank, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	check, err := fence.NewSQL(fence.SQLite)
	if err == nil {
		err = check.Create(ctx, db)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "CREATE TABLE accounts (balance INTEGER); INSERT INTO accounts VALUES (100)")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &bank{db, check}, nil
}

// set changes the balance, unless a leader with a higher token has done so.
func (b *bank) set(ctx context.Context, token uint64, balance int) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := b.check.Check(ctx, tx, resource, token); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = ?", balance); err != nil {
		return err
	}
	return tx.Commit()
}

func (b *bank) balance(ctx context.Context) (balance int, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT balance FROM accounts").Scan(&balance)
	return balance, err
}

func run(out io.Writer) error {
	say := narrator(out)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	folder, err := os.MkdirTemp("", "fencing")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	bank, err := open(ctx, filepath.Join(folder, "bank"))
	if err != nil {
		return err
	}
	defer bank.db.Close()

	kv := memory.New() // stands for the store that all instances share
	defer kv.Close()
	var all sync.WaitGroup
	stand := func(name string) (*leadership.Candidate, *faultstore.Store, <-chan leadership.Term) {
		connection := faultstore.New(kv)
		candidate := leadership.NewCandidate(connection, key, name, ttl)
		isLeader, _ := candidate.RunForElection(ctx)
		terms := make(chan leadership.Term, 16)
		all.Go(func() {
			for now := range isLeader {
				if term, ok := candidate.Term(); now && ok {
					say("%s is elected; its fencing token is %d", name, term.Token)
					terms <- term
				}
			}
			close(terms)
		})
		return candidate, connection, terms
	}

	anna, connection, annasTerms := stand("anna")
	annasTerm, ok := <-annasTerms
	if !ok {
		return fmt.Errorf("anna was not elected: %w", context.Cause(ctx))
	}
	balance, err := bank.balance(ctx)
	if err != nil {
		return err
	}
	say("anna reads a balance of %d, and is to add 10. IsLeader returns %v.", balance, anna.IsLeader())
	say("Here anna is paused: by its garbage collector, a swapped page, a suspended machine.")
	connection.Refuse()

	bert, _, bertsTerms := stand("bert")
	bertsTerm, ok := <-bertsTerms
	if !ok {
		return fmt.Errorf("bert was not elected: %w", context.Cause(ctx))
	}
	if err := bank.set(ctx, bertsTerm.Token, balance-50); err != nil {
		return fmt.Errorf("bert's write: %w", err)
	}
	say("bert takes 50, and writes %d.", balance-50)

	say("anna wakes up, in the line after its question, and writes %d.", balance+10)
	err = bank.set(ctx, annasTerm.Token, balance+10)
	if !errors.Is(err, fence.ErrStale) {
		return fmt.Errorf("anna's write was not refused: %w", err)
	}
	say("It is refused: %v", err)
	if balance, err = bank.balance(ctx); err != nil {
		return err
	}
	say("The balance is %d. The end.", balance)
	anna.Stop()
	bert.Stop()
	all.Wait()
	return nil
}

// narrator prints lines with the time since it was made.
func narrator(out io.Writer) func(format string, args ...any) {
	start := time.Now()
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%6.3fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
