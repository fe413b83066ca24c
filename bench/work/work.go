// Package work is what the processes do that are measured: each is a child of the one that
// measures, so that its memory, its processor time and its connections are of that work alone.
package work

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/peers"
)

// Task is what a child is told to do.
type Task struct {
	Role string `json:"role"`
	Side string `json:"side"` // a library on a store, such as etcd/leadership
	Addr string `json:"addr"` // of the store
	Key  string `json:"key"`  // of the election, or what the keys of many begin with

	Keys       int           `json:"keys,omitempty"`       // elections,
	Backwards  bool          `json:"backwards,omitempty"`  // the last of which comes first
	Candidates int           `json:"candidates,omitempty"` // of each
	Clients    int           `json:"clients,omitempty"`    // that candidates share
	TTL        time.Duration `json:"ttl,omitempty"`

	Times  int           `json:"times,omitempty"`  // what is repeated is so that often,
	Within time.Duration `json:"within,omitempty"` // or ends after that long
	Settle time.Duration `json:"settle,omitempty"` // after each time
	Jitter time.Duration `json:"jitter,omitempty"` // before each time, at most, at random
	Calm   time.Duration `json:"calm,omitempty"`   // before all
}

// Report is what a child tells, a line of JSON each.
type Report struct {
	Ready   bool    `json:"ready,omitempty"` // it stands, or has got what it was to get
	Led     int     `json:"led,omitempty"`   // elections that it leads in
	Seconds float64 `json:"seconds,omitempty"`
	Addr    string  `json:"addr,omitempty"` // where it serves

	Key string    `json:"key,omitempty"` // of an election that is led
	At  time.Time `json:"at,omitzero"`   // since then

	Samples map[string][]float64 `json:"samples,omitempty"` // by what was measured
}

// roles are what a child can do. Each blocks until it is done, or ctx ends.
var roles = map[string]func(ctx context.Context, t *Task, tell func(Report)) error{
	"handover": handover,
	"hold":     hold,
	"stand":    stand,
	"follow":   follow,
	"rounds":   rounds,
	"serve":    serve,
	"http":     load,
	"ask":      ask,
}

// Do does the task of text, tells of it on out, and ends when in does. It blocks until then.
func Do(text string, in io.Reader, out io.Writer) error {
	t := new(Task)
	if err := json.Unmarshal([]byte(text), t); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	do, ok := roles[t.Role]
	if !ok {
		return fmt.Errorf("there is no role %q", t.Role)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	var mu sync.Mutex
	encoder := json.NewEncoder(out)
	err := do(ctx, t, func(r Report) {
		mu.Lock()
		defer mu.Unlock()
		_ = encoder.Encode(r) // who reads is gone otherwise, and in ends
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", t.Role, t.Side, err)
	}
	return nil
}

func (t *Task) keys() []string {
	keys, between := make([]string, t.Keys), "-"
	if strings.HasSuffix(t.Side, "/"+peers.Ours) {
		between = "/" // as many elections of one program have
	}
	for i := range keys {
		keys[i] = t.Key + between + strconv.Itoa(i)
	}
	if t.Backwards {
		slices.Reverse(keys)
	}
	return keys
}

// open opens as many clients as the task has.
func (t *Task) open(ctx context.Context) (clients []peers.Client, closeAll func(), err error) {
	closeAll = func() {
		for _, c := range clients {
			_ = c.Close()
		}
	}
	l, err := peers.Find(t.Side)
	if err != nil {
		return nil, nil, err
	}
	for range max(1, t.Clients) {
		c, err := l.Open(ctx, t.Addr)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		clients = append(clients, c)
	}
	return clients, closeAll, nil
}

// hold stands in many elections, and tells after Within how many it leads, and once it leads all.
func hold(ctx context.Context, t *Task, tell func(Report)) error {
	clients, closeAll, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	began := time.Now()
	led := make(chan struct{}, t.Keys)
	ended := make(chan error, 1)
	go func() {
		ended <- peers.Hold(ctx, clients[0], t.keys(), "holder-"+strconv.Itoa(os.Getpid()), t.TTL, func() {
			select {
			case led <- struct{}{}:
			default: // more terms than elections: some were lost
			}
		})
	}()
	late := time.After(t.Within)
	for n := 0; ; {
		select {
		case <-led:
			if n++; n != t.Keys {
				continue
			}
			late = nil
		case <-late:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
		tell(Report{Led: n, Seconds: time.Since(began).Seconds()})
	}
}

// stand has candidates stand in elections that others lead, and tells when one of them leads.
func stand(ctx context.Context, t *Task, tell func(Report)) error {
	clients, closeAll, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	failed := make(chan error, 1)
	for k, key := range t.keys() {
		var once sync.Once
		for i := range t.Candidates {
			c, err := clients[(k+i)%len(clients)].Candidate(key, "node-"+strconv.Itoa(i), t.TTL)
			if err != nil {
				return err
			}
			go func() {
				err := c.Campaign(ctx)
				at := time.Now()
				if err == nil {
					once.Do(func() { tell(Report{Key: key, At: at}) })
				} else if ctx.Err() == nil {
					select {
					case failed <- err:
					default:
					}
				}
			}()
		}
	}
	warm(ctx, t.Keys*t.Candidates)
	tell(Report{Ready: true})
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// warm gives that many candidates the time to stand.
func warm(ctx context.Context, candidates int) {
	select {
	case <-time.After(min(300*time.Millisecond+time.Duration(candidates)*2*time.Millisecond, 3*time.Second)):
	case <-ctx.Done():
	}
}

// follow has many follow one election, and tells each time that all have been told of a leader.
func follow(ctx context.Context, t *Task, tell func(Report)) error {
	clients, closeAll, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	f, ok := clients[0].(peers.Follower)
	if !ok {
		return fmt.Errorf("%s has no followers", t.Side)
	}
	var (
		mu    sync.Mutex
		knows = make([]string, t.Candidates)
		count = make(map[string]int)
		ended = make(chan error, 1)
	)
	for i := range t.Candidates {
		go func() {
			err := f.Follow(ctx, t.Key, func(node string) {
				at := time.Now()
				mu.Lock()
				defer mu.Unlock()
				if knows[i] == node {
					return
				}
				count[knows[i]]--
				knows[i] = node
				if count[node]++; count[node] == t.Candidates {
					tell(Report{Key: node, At: at})
				}
			})
			select {
			case ended <- err:
			default:
			}
		}()
	}
	select {
	case err := <-ended:
		if ctx.Err() == nil {
			return fmt.Errorf("a follower has ended: %w", err)
		}
	case <-ctx.Done():
	}
	return nil
}
