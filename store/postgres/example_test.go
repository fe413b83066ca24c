package postgres_test

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/postgres"
)

// With a pool of the program.
func ExampleNew() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example.com/app")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	kv, err := postgres.New(pool)
	if err != nil {
		panic(err)
	}
	defer kv.Close() // before that of the pool

	candidate := leadership.NewCandidate(kv, "service/swarm/leader", "underwood", 15*time.Second)
	err = candidate.Run(ctx, func(ctx context.Context, _ leadership.Term) error {
		<-ctx.Done() // work until then
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// A table that a migration has created, by Schema("app.seats").
func ExampleOption() {
	pool, err := pgxpool.New(context.Background(), "postgres://app@db.example.com/app")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	kv, err := postgres.New(pool, postgres.WithTable("app.seats"), postgres.WithPollInterval(time.Second))
	if err != nil {
		panic(err)
	}
	defer kv.Close()
}

// By URL, with a pool of its own.
func ExampleStore() {
	kv, err := store.Open(context.Background(), "postgres://app:password@db1,db2:5432/app?ca=/etc/ssl/db.pem")
	if err != nil {
		panic(err) // it does not answer, or something in the URL is wrong
	}
	defer kv.Close()
}
