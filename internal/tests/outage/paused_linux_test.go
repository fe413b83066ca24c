package outage

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
	"github.com/seed-a1d591d3/leadership/store"
)

// openWorker opens a store, for which a server that is busy may take its time.
func openWorker(ctx context.Context, url string) (kv store.Store, err error) {
	for range 5 {
		if kv, err = store.Open(ctx, url); err == nil {
			return kv, nil
		}
	}
	return nil, err
}

// TestPausedProcessNeverLeadsBesideAnother: real processes are halted for 0.5 to 3
// TTLs, mostly those that lead. None is told that it leads once another was, by the
// clock of the machine alone: from before it asked, and after the other had its answer.
// PAUSES is how many there are over all stores, 9 by default.
func TestPausedProcessNeverLeadsBesideAnother(t *testing.T) {
	pauses := 9
	if text := os.Getenv("PAUSES"); text != "" {
		var err error
		if pauses, err = strconv.Atoi(text); err != nil || pauses < 1 {
			t.Fatalf("PAUSES is %q and must be a number above 0", text)
		}
	}
	var all sync.WaitGroup
	for i, name := range []string{"etcd", "redis", "postgres"} {
		url := servers.New(t, name).Addr
		if name != "postgres" {
			url = name + "://" + url
		}
		ttl := []time.Duration{time.Second, time.Second / 2, 3 * time.Second / 4}[i]
		n := (pauses + i) / 3
		all.Go(func() { pauseWorkers(t, name, url, ttl, n) })
	}
	all.Wait()
}

// pauseWorkers halts the workers of one store, one at a time.
func pauseWorkers(t *testing.T, name, url string, ttl time.Duration, pauses int) {
	const nodes = 3
	led := make(chan int, 1000) // who was told that it leads
	var workers []*worker
	for i := range nodes {
		w, err := startWorker(url, fmt.Sprint("node ", i), ttl, func() { led <- i })
		if err != nil {
			t.Error(err)
			return
		}
		defer w.kill()
		workers = append(workers, w)
	}
	leader := -1
	// follow takes in who leads, and waits until somebody other than not does.
	follow := func(not int) bool {
		limit := time.After(10*ttl + 5*time.Second)
		for {
			select {
			case leader = <-led:
				continue
			default:
			}
			if leader >= 0 && leader != not {
				return true
			}
			select {
			case leader = <-led:
			case <-limit:
				t.Errorf("%s: nobody leads", name)
				return false
			}
		}
	}
	replaced := 0
	for range pauses {
		if !follow(-1) {
			return
		}
		time.Sleep(time.Duration(rand.Int64N(int64(ttl))))
		follow(-1)
		halted := leader
		if rand.IntN(8) == 0 {
			halted = rand.IntN(nodes)
		}
		workers[halted].signal(syscall.SIGSTOP)
		time.Sleep(ttl/2 + time.Duration(rand.Int64N(int64(ttl*5/2))))
		follow(-1)
		if halted != leader {
			replaced++
		}
		workers[halted].signal(syscall.SIGCONT)
	}
	time.Sleep(ttl / 2)
	told := make(map[uint64]*answers)
	yes := 0
	for i, w := range workers {
		terms, err := w.end()
		if err != nil {
			t.Errorf("%s: node %d: %v", name, i, err)
			return
		}
		for token, a := range terms {
			if told[token] != nil {
				t.Errorf("%s: two nodes led by token %d", name, token)
			}
			told[token] = a
			yes += a.Yes
		}
	}
	for _, err := range overlaps(told) {
		t.Errorf("%s: %v", name, err)
	}
	t.Logf("%s, TTL %v: %d pauses, in %d of which another led; %d terms, %d times yes", name, ttl, pauses, replaced, len(told), yes)
}

// overlaps returns an error for each question that was answered by yes in a term
// though a later one had begun when it was asked.
func overlaps(terms map[uint64]*answers) (errs []error) {
	tokens := slices.Sorted(maps.Keys(terms))
	for i, token := range tokens {
		for question, last := range terms[token].Last {
			for _, later := range tokens[i+1:] {
				if late := time.Duration(last - terms[later].First); late > 0 {
					errs = append(errs, fmt.Errorf("%s said yes in term %d when term %d had begun, at least %v before", question, token, later, late))
				}
			}
		}
	}
	return errs
}

func TestOverlapsAreFoundByStampsAlone(t *testing.T) {
	terms := map[uint64]*answers{
		1: {First: 10, Last: map[string]int64{"a": 20, "b": 31}},
		2: {First: 30, Last: map[string]int64{"a": 40}},
		3: {First: 50, Last: map[string]int64{"a": 60}},
	}
	errs := overlaps(terms)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "b said yes in term 1 when term 2 had begun, at least 1ns before") {
		t.Errorf("found %v", errs)
	}
}

// worker is a process of this test binary.
type worker struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	result chan []byte // what it was told, when it has ended
	done   chan struct{}
	err    error // how it ended
}

// startWorker starts a process, which calls led whenever it leads.
func startWorker(url, node string, ttl time.Duration, led func()) (*worker, error) {
	w := &worker{cmd: exec.Command(os.Args[0]), result: make(chan []byte, 1), done: make(chan struct{})}
	w.cmd.Env = append(os.Environ(), roleVariable+"=paused", workerURL+"="+url, workerTTL+"="+ttl.String(), workerNode+"="+node)
	w.cmd.Stderr = os.Stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel takes the thread for the parent
		err := w.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if line := lines.Bytes(); line[0] == '{' {
				w.result <- slices.Clone(line)
			} else {
				led()
			}
		}
		w.err = w.cmd.Wait()
		close(w.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return w, nil
}

func (w *worker) signal(s syscall.Signal) { _ = w.cmd.Process.Signal(s) }

// kill ends the process, halted or not.
func (w *worker) kill() {
	w.signal(syscall.SIGKILL)
	<-w.done
}

// end makes the process end, and returns what it was told in each term.
func (w *worker) end() (map[uint64]*answers, error) {
	if err := w.in.Close(); err != nil {
		return nil, err
	}
	select {
	case <-w.done:
	case <-time.After(20 * time.Second):
		return nil, fmt.Errorf("it has not ended within 20s")
	}
	select {
	case line := <-w.result:
		var terms map[uint64]*answers
		return terms, json.Unmarshal(line, &terms)
	default:
		return nil, fmt.Errorf("it has not told: %w", w.err)
	}
}
