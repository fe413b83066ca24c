package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	childRole = "LEADERSHIP_SQLITE_ROLE"
	childURL  = "LEADERSHIP_SQLITE_URL"
	childTTL  = "LEADERSHIP_SQLITE_TTL"

	increments = 50 // of each process that counts
)

// child is another process of this test binary.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	said chan string
}

// childOf returns a process that is to open url and do what role says.
func childOf(program, role, url string, ttl time.Duration) *child {
	c := &child{cmd: exec.Command(program), said: make(chan string, 1000)}
	c.cmd.Env = append(os.Environ(), childRole+"="+role, childURL+"="+url, childTTL+"="+ttl.String())
	c.cmd.Stderr = os.Stderr
	return c
}

// start starts the process, which ends with the test.
func (c *child) start(t *testing.T) {
	t.Helper()
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.said <- lines.Text()
		}
	}()
	t.Cleanup(c.kill)
}

func startChild(t *testing.T, role, url string, ttl time.Duration) *child {
	t.Helper()
	c := childOf(os.Args[0], role, url, ttl)
	c.start(t)
	return c
}

// kill kills the process, as -9 does, and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	for range c.said {
	}
	_ = c.cmd.Wait()
}

// hear returns the time that the child tells with a word.
func (c *child) hear(t *testing.T, word string) time.Time {
	t.Helper()
	select {
	case line := <-c.said:
		nanos, ok := strings.CutPrefix(line, word+" ")
		n, err := strconv.ParseInt(nanos, 10, 64)
		if !ok || err != nil {
			t.Fatalf("the child said %q, want %q and a time", line, word)
		}
		return time.Unix(0, n)
	case <-time.After(time.Minute):
		t.Fatalf("the child has not said %q in a minute", word)
	}
	return time.Time{}
}

func say(word string) { fmt.Printf("%s %d\n", word, time.Now().UnixNano()) }

// beChild does what a role says until the parent is gone or kills it.
func beChild(role string) {
	ctx := context.Background()
	kv, err := store.Open(ctx, os.Getenv(childURL))
	if role == "open" {
		fmt.Println(err)
		os.Exit(0)
	}
	if err != nil {
		panic(err)
	}
	switch role {
	case "stand":
		stand(ctx, kv, bufio.NewScanner(os.Stdin))
	case "write":
		go scribble(ctx, kv)
		stand(ctx, kv, bufio.NewScanner(os.Stdin))
	case "count":
		for range increments {
			if err := increment(ctx, kv); err != nil {
				panic(err)
			}
		}
		if err := kv.Close(); err != nil {
			panic(err)
		}
		say("counted")
	}
	os.Exit(0)
}

// stand stands in the election of key, and resigns for each line of orders.
func stand(ctx context.Context, kv store.Store, orders *bufio.Scanner) {
	ttl, err := time.ParseDuration(os.Getenv(childTTL))
	if err != nil {
		panic(err)
	}
	candidate := leadership.NewCandidate(kv, key, fmt.Sprint("child ", os.Getpid()), ttl)
	elected, _ := candidate.RunForElection(ctx)
	say("stands")
	go func() {
		for leads := range elected {
			if leads {
				say("leads")
			}
		}
	}()
	for orders.Scan() {
		say("resigns")
		candidate.Resign()
	}
}

// scribble writes and deletes as fast as it can.
func scribble(ctx context.Context, kv store.Store) {
	for i := 0; ; i++ {
		key := fmt.Sprintf("scribble/%d/%d", os.Getpid(), i%7)
		previous, _ := kv.Get(ctx, key, nil)
		if previous != nil && i%3 == 0 {
			_, _ = kv.AtomicDelete(ctx, key, previous)
			continue
		}
		_, _, _ = kv.AtomicPut(ctx, key, make([]byte, rand.N(10_000)), previous, nil)
	}
}

// increment adds one to the counter under key.
func increment(ctx context.Context, kv store.Store) error {
	for {
		pair, err := kv.Get(ctx, key, nil)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(pair.Value))
		if err != nil {
			return err
		}
		_, _, err = kv.AtomicPut(ctx, key, []byte(strconv.Itoa(n+1)), pair, nil)
		if !errors.Is(err, store.ErrKeyModified) {
			return err
		}
	}
}

// attempts is how often a test tries to be as quick as it should, on a machine
// that has other things to do.
const attempts = 3

func TestTwoProcessesHandOverByResigning(t *testing.T) {
	const handovers, limit = 40, 50 * time.Millisecond
	for attempt := range attempts {
		path := newFile(t)
		url := urlOf(path)
		leader := startChild(t, "stand", url, 5*time.Second)
		leader.hear(t, "stands")
		leader.hear(t, "leads")
		rival := startChild(t, "stand", url, 5*time.Second)
		rival.hear(t, "stands")
		var times []time.Duration
		for range handovers {
			if _, err := fmt.Fprintln(leader.in, "resign"); err != nil {
				t.Fatal(err)
			}
			resigned := leader.hear(t, "resigns")
			times = append(times, rival.hear(t, "leads").Sub(resigned))
			leader, rival = rival, leader
		}
		leader.kill()
		rival.kill()
		checkIntegrity(t, path)
		slices.Sort(times)
		median := times[len(times)/2]
		t.Logf("%d handovers: median %v, longest %v", handovers, median, times[len(times)-1])
		if median < limit {
			return
		}
		t.Logf("attempt %d: the median is not below %v", attempt+1, limit)
	}
	t.Error("handovers are late")
}

// TestKilledLeaderIsReplaced kills -9 the process of a leader, in the middle of
// writes.
func TestKilledLeaderIsReplaced(t *testing.T) {
	const kills, ttl, slack = 5, time.Second, 250 * time.Millisecond
	path := newFile(t)
	url := urlOf(path)
	late := 0
	for done := 0; done < kills; {
		took := killLeader(t, url, ttl)
		checkIntegrity(t, path)
		t.Logf("the rival leads %v after the leader was killed; the TTL is %v", took.Round(time.Millisecond), ttl)
		if took <= ttl+slack {
			done++
		} else if late++; late == attempts {
			t.Fatalf("%d times the rival was later than %v", late, ttl+slack)
		}
	}
}

// killLeader has a child lead and kills it, and returns after which time a rival
// in this process leads.
func killLeader(t *testing.T, url string, ttl time.Duration) time.Duration {
	t.Helper()
	leader := startChild(t, "write", url, ttl)
	leader.hear(t, "stands")
	leader.hear(t, "leads")

	kv, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	rival := leadership.NewCandidate(kv, key, "rival", ttl)
	elected, _ := rival.RunForElection(t.Context())
	if <-elected {
		t.Fatal("the first that the channel said was true")
	}
	time.Sleep(ttl/2 + rand.N(ttl/2)) // so that the rival has seen it lead
	leader.kill()
	killed := time.Now()
	select {
	case leads := <-elected:
		if !leads {
			t.Fatal("false after false")
		}
	case <-time.After(20 * ttl):
		t.Fatal("nobody leads after the leader was killed")
	}
	took := time.Since(killed)
	rival.Stop()
	for range elected {
	}
	return took
}

func TestNoUpdateOfManyProcessesIsLost(t *testing.T) {
	const processes = 4
	path := newFile(t)
	kv := open(t, path)
	put(t, kv, key, "0", nil, 0)
	var all []*child
	for range processes {
		all = append(all, startChild(t, "count", urlOf(path), 0))
	}
	for _, c := range all {
		c.hear(t, "counted")
	}
	pair, err := kv.Get(t.Context(), key, nil)
	if err != nil || string(pair.Value) != strconv.Itoa(processes*increments) {
		t.Errorf("the counter is at %v (%v) after %d times %d increments", pair, err, processes, increments)
	}
	checkIntegrity(t, path)
}

// TestManyProcessesOpenANewFileAtOnce: all try to create the table.
func TestManyProcessesOpenANewFileAtOnce(t *testing.T) {
	path := newFile(t)
	var all []*child
	for range 4 {
		all = append(all, startChild(t, "open", urlOf(path), 0))
	}
	for _, c := range all {
		if said := <-c.said; said != "<nil>" {
			t.Errorf("Open: %s", said)
		}
	}
}
