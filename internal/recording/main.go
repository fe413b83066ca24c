// Command recording draws docs/failover.svg: what three processes print while the one that
// leads is killed. It runs them, on a SQLite file of their own, and shows each line at the time
// at which it came. It is run in the root of the project: make recording.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const file = "docs/failover.svg"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	lines, err := record(ctx)
	if err == nil {
		err = os.WriteFile(file, []byte(draw(lines)), 0o644)
	}
	if err != nil {
		log.Fatal("recording: ", err)
	}
}

// line is what came at a time, from whom.
type line struct {
	at        time.Duration
	who, text string
}

// record lets a failover happen, and returns what was printed.
func record(ctx context.Context) ([]line, error) {
	folder, err := os.MkdirTemp("", "recording")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", folder, "./cmd/leadership").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(folder, "report.sh"), []byte("#!/bin/sh\necho working\nexec sleep 60\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		return nil, err
	}
	s := &screen{folder: folder, began: time.Now(), news: make(chan struct{}, 1)}
	defer s.end()
	s.start(ctx, "carol", "follow", "jobs/report")
	s.await(ctx, "carol", "nobody")
	s.pause(ctx, time.Second)
	run := []string{"run", "jobs/report", "--ttl", "3s", "--local", "--", "./report.sh"}
	anna := s.start(ctx, "anna", run...)
	s.await(ctx, "carol", "anna leads")
	s.pause(ctx, time.Second)
	ben := s.start(ctx, "ben", run...)
	s.await(ctx, "ben", "waiting")
	s.pause(ctx, 1500*time.Millisecond)
	s.add("", "kill -9: the process of anna")
	s.do(anna.Process.Kill())
	s.await(ctx, "carol", "ben leads")
	s.pause(ctx, 1500*time.Millisecond)
	s.add("", "kill: the process of ben, which ends in order")
	s.do(ben.Process.Signal(syscall.SIGTERM))
	s.await(ctx, "carol", "resigned")
	return s.lines, s.err
}

// screen has what the processes have printed, in order. Only the goroutine that made it calls
// its methods, but for add.
type screen struct {
	folder string
	began  time.Time
	ends   []func()
	err    error // the first
	news   chan struct{}

	mu    sync.Mutex
	lines []line
}

func (s *screen) do(err error) {
	if s.err == nil {
		s.err = err
	}
}

// add adds a line. Safe for concurrent use.
func (s *screen) add(who, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line{time.Since(s.began), who, text})
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// dated is what the log, and follow, put before a line: the drawing has times of its own.
var dated = regexp.MustCompile(`^(time=)?\d{4}-\d\d-\d\dT[0-9:.]+Z +(level=[A-Z]+ )?`)

// start starts a command of leadership on the machine of that name.
func (s *screen) start(ctx context.Context, who string, args ...string) *exec.Cmd {
	s.add(who, "$ leadership "+strings.Join(args, " "))
	c := exec.CommandContext(ctx, filepath.Join(s.folder, "leadership"), args...)
	c.Dir, c.Env = s.folder, append(os.Environ(), "TZ=UTC",
		"LEADERSHIP_NODE="+who, "LEADERSHIP_STORE=sqlite://"+filepath.Join(s.folder, "election.db"))
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.add(who, dated.ReplaceAllString(lines.Text(), ""))
		}
	}()
	s.do(c.Start())
	s.ends = append(s.ends, func() {
		if c.Process != nil {
			_ = c.Process.Kill()
			_ = c.Wait() // which waits until nobody writes any more
		}
		w.Close()
		<-read
	})
	return c
}

// end ends what was started.
func (s *screen) end() {
	for _, end := range s.ends {
		end()
	}
}

// pause waits.
func (s *screen) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		s.do(context.Cause(ctx))
	}
}

// await blocks until that machine has printed that.
func (s *screen) await(ctx context.Context, who, text string) {
	for {
		s.mu.Lock()
		found := slices.ContainsFunc(s.lines, func(l line) bool { return l.who == who && strings.Contains(l.text, text) })
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			s.do(fmt.Errorf("%s has not printed %q: %w", who, text, context.Cause(ctx)))
			return
		}
	}
}
