// Quickstart: three candidates and a follower elect a leader on the memory
// store. The leader resigns, the next one crashes, and a third takes over.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	key = "service/swarm/leader"
	ttl = time.Second
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// node is one instance of the service: a candidate and its own connection.
type node struct {
	name       string
	connection *faultstore.Store
	candidate  *leadership.Candidate
}

func run(out io.Writer) error {
	say := narrator(out)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	kv := memory.New() // stands for the store that all instances share

	follower := leadership.NewFollower(kv, key)
	leaders, _ := follower.FollowElection(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		for name := range leaders {
			if term, ok := follower.Term(); ok {
				say("follower: %s leads, at %s", name, term.Payload)
			} else {
				say("follower: there is no leader")
			}
		}
	})

	say("Three candidates stand for %q with a TTL of %v.", key, ttl)
	var nodes []*node
	elected := make(chan *node, 16)
	for i, name := range []string{"anna", "bert", "cleo"} {
		n := &node{name: name, connection: faultstore.New(kv)}
		address := fmt.Sprintf("http://10.0.0.%d", i+1)
		n.candidate = leadership.NewCandidate(n.connection, key, name, ttl, leadership.WithPayload([]byte(address)))
		nodes = append(nodes, n)
		isLeader, _ := n.candidate.RunForElection(ctx)
		all.Go(func() {
			leading := false
			for now := range isLeader {
				switch term, ok := n.candidate.Term(); {
				case now && ok:
					say("%s is elected; its fencing token is %d", n.name, term.Token)
					elected <- n
				case leading:
					say("%s does not lead any more", n.name)
				}
				leading = now
			}
		})
	}

	next := func() (*node, error) {
		select {
		case n := <-elected:
			time.Sleep(ttl / 2)
			return n, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("no candidate was elected: %w", context.Cause(ctx))
		}
	}
	first, err := next()
	if err != nil {
		return err
	}
	say("%s resigns: another takes over at once.", first.name)
	first.candidate.Resign()

	second, err := next()
	if err != nil {
		return err
	}
	say("%s is cut off from the store, as by a crash: another takes over %v after its last renewal.", second.name, ttl)
	second.connection.Refuse()

	third, err := next()
	if err != nil {
		return err
	}
	say("%s leads, and each knows it: IsLeader is %v for anna, %v for bert and %v for cleo.", third.name,
		nodes[0].candidate.IsLeader(), nodes[1].candidate.IsLeader(), nodes[2].candidate.IsLeader())
	say("The end: all stop, and %s gives the seat up.", third.name)
	for _, n := range nodes {
		n.candidate.Stop()
	}
	time.Sleep(ttl / 2)
	follower.Stop()
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
