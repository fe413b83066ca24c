// Valkeyrie: one candidate on a store that you already run, through the
// kvtools adapter for it. Start it in two terminals, end the leader with
// Ctrl-C, or kill -9 its process, and see the other take over.
//
//	go run ./examples/valkeyrie -store redis -addr 127.0.0.1:6379
//	go run ./examples/valkeyrie -store etcd -addr 127.0.0.1:2379
//	go run ./examples/valkeyrie -store consul -addr 127.0.0.1:8500
//	go run ./examples/valkeyrie -store zookeeper -addr 127.0.0.1:2181
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/kvtools/consul"
	"github.com/kvtools/etcdv3"
	"github.com/kvtools/redis"
	"github.com/kvtools/zookeeper"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "valkeyrie:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	flags := flag.NewFlagSet("valkeyrie", flag.ContinueOnError)
	kind := flags.String("store", "redis", "the store: consul, etcd, redis or zookeeper")
	addr := flags.String("addr", "127.0.0.1:6379", "its address; several with commas between for etcd and zookeeper")
	key := flags.String("key", "service/example/leader", "the key of the election")
	node := flags.String("node", fmt.Sprintf("%s-%d", host, os.Getpid()), "the name of this node")
	ttl := flags.Duration("ttl", 3*time.Second, "how long a leader that crashes keeps its seat")
	if err := flags.Parse(args); err != nil {
		return err
	}
	kv, err := open(ctx, *kind, strings.Split(*addr, ","))
	if err != nil {
		return fmt.Errorf("open %s at %s: %w", *kind, *addr, err)
	}
	defer func() { _ = kv.Close() }()

	logger := log.New(out, *node+" ", log.Ltime|log.Lmicroseconds)
	candidate := leadership.NewCandidate(kv, *key, *node, *ttl)
	follower := leadership.NewFollower(kv, *key)
	electedCh, errCh := candidate.RunForElection(ctx)
	leaderCh, _ := follower.FollowElection(ctx)
	var fatal error
	for electedCh != nil || errCh != nil {
		select {
		case elected, ok := <-electedCh:
			switch term, leads := candidate.Term(); {
			case !ok:
				electedCh = nil
			case elected && leads:
				logger.Printf("I lead, with token %d", term.Token)
			default:
				logger.Print("I do not lead")
			}
		case err, ok := <-errCh:
			if !ok {
				errCh = nil
				break
			}
			logger.Print(err)
			fatal = err
		case leader, ok := <-leaderCh:
			switch {
			case !ok:
				leaderCh = nil
			case leader == "":
				logger.Print("there is no leader")
			default:
				logger.Printf("%s leads", leader)
			}
		}
	}
	if ctx.Err() != nil {
		return nil // told to end: the seat has been given up
	}
	return fatal
}

// open opens a store through its kvtools adapter.
func open(ctx context.Context, kind string, addrs []string) (store.Store, error) {
	switch kind {
	case "consul":
		return consul.New(ctx, addrs, nil)
	case "etcd":
		return etcdv3.New(ctx, addrs, nil)
	case "redis":
		// Not redis.New: its default codec cannot compare and swap.
		return redis.NewWithCodec(ctx, addrs, nil, &redis.JSONCodec{})
	case "zookeeper":
		zk.DefaultLogger = log.New(io.Discard, "", 0)
		return zookeeper.New(ctx, addrs, nil)
	}
	return nil, fmt.Errorf("unknown store %q: want consul, etcd, redis or zookeeper", kind)
}
