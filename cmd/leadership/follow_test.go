//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// terminal returns a terminal of that width, and what is written to it.
func terminal(t *testing.T, width uint16) (*os.File, *output) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
		t.Fatal(err)
	}
	var written output
	go func() { _, _ = io.Copy(&written, master) }()
	return slave, &written
}

// onScreen is what a terminal shows after a text was written to it that moves the cursor
// only to take the last line back.
func onScreen(text string) (lines []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		lines = append(lines, line[strings.LastIndex(line, "\r\x1b[K")+1:])
	}
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "\x1b[K")
	}
	return lines
}

// following runs leadership follow until end, and returns what it prints to stdout and
// stderr.
func following(t *testing.T, environ []string, stdout io.Writer, args ...string) (out, errs *output, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, errs = &output{}, &output{}
	if stdout == nil {
		stdout = out
	}
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, append([]string{"follow"}, args...), nil, stdout, errs, environ)
	}()
	return out, errs, func() int {
		cancel()
		return <-done
	}
}

func TestFollowOnATerminalKeepsEveryChange(t *testing.T) {
	for width, live := range map[uint16]bool{80: true, 30: false} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			url := sqliteURL(t)
			slave, written := terminal(t, width)
			_, _, end := following(t, nil, slave, "--store", url, key)
			a := leadFor(t, url, "node-a", time.Minute)
			eventually(t, "leader", func() bool { return strings.Contains(written.String(), "node-a leads, token") })
			time.Sleep(1100 * time.Millisecond) // the live line is written again each second
			if strings.Contains(written.String(), "node-a leads for ") != live {
				t.Errorf("%q", written.String())
			}
			a.Stop()
			eventually(t, "end", func() bool {
				return strings.Contains(written.String(), "nobody leads; the last term: node-a, resigned")
			})
			if code := end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			lines := slices.DeleteFunc(onScreen(written.String()), func(line string) bool { return strings.HasSuffix(line, "nobody leads") })
			stamp := `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)  ` + key + ": "
			for i, want := range []string{stamp + `node-a leads, token \d+$`, stamp + "nobody leads; the last term: node-a, resigned$", "^$"} {
				if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) {
					t.Fatalf("line %d of %q is not %s", i, lines, want)
				}
			}
		})
	}
}

func TestFollowPrintsAnObjectForEveryChange(t *testing.T) {
	url := sqliteURL(t)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan int)
	go func() {
		done <- execute(ctx, []string{"follow", "--store", url, "--key", key, "--json"}, nil, write, io.Discard, nil)
		_ = write.Close()
	}()
	c := leadFor(t, url, "a", time.Minute)
	lines := bufio.NewScanner(read)
	next := func() (l change) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no line")
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
		}
		return l
	}
	first := next()
	if first.Type == "vacant" && first.Leader == "" && first.Last == nil && first.Key == key {
		first = next()
	}
	if first.Type != "leader" || first.Leader != "a" || first.Key != key || first.Token == 0 || time.Since(first.Time) > time.Minute {
		t.Errorf("got %+v", first)
	}
	c.Stop()
	if l := next(); l.Type != "vacant" || l.Leader != "" || l.Last == nil || *l.Last != (view.Ending{Leader: "a", Token: first.Token, Reason: "resigned"}) {
		t.Errorf("after the leader has gone: %+v, %+v", l, l.Last)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestFollowOfAPrefixFollowsAll(t *testing.T) {
	url := sqliteURL(t)
	link := faultstore.New(open(t, url))
	lead(t, url, "node-a")
	other := leadership.NewCandidate(link, "service/other", "node-b", 500*time.Millisecond)
	_, errs := other.RunForElection(t.Context())
	t.Cleanup(func() {
		other.Stop()
		_ = link.Close()
		for range errs {
		}
	})
	for _, args := range [][]string{{"--prefix", "service/"}, nil, {"--prefix", "elsewhere/"}} {
		out, _, end := following(t, nil, nil, append(args, "--json", "--store", url)...)
		defer end()
		if slices.Contains(args, "elsewhere/") {
			time.Sleep(300 * time.Millisecond)
			if out.String() != "" {
				t.Errorf("it tells of others: %s", out.String())
			}
			continue
		}
		eventually(t, "both leaders", func() bool {
			return strings.Contains(out.String(), `"leader":"node-a"`) && strings.Contains(out.String(), `"leader":"node-b"`)
		})
	}
	out, _, end := following(t, nil, nil, "--prefix", "service/", "--json", "--store", url)
	eventually(t, "leader", func() bool { return strings.Contains(out.String(), `"leader":"node-b"`) })
	link.Partition()
	var last change
	eventually(t, "expired", func() bool {
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		last = change{}
		return json.Unmarshal([]byte(lines[len(lines)-1]), &last) == nil && last.Type == "expired"
	})
	if last.Key != "service/other" || last.Leader != "" || last.Last == nil || last.Last.Leader != "node-b" || last.Last.Reason != "expired" {
		t.Errorf("got %+v, %+v", last, last.Last)
	}
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestFollowTellsAtOnceThatAKeyIsNoElection(t *testing.T) {
	url := sqliteURL(t)
	if ok, _, err := open(t, url).AtomicPut(t.Context(), "odd", []byte("something else"), nil, nil); !ok || err != nil {
		t.Fatal(err)
	}
	if code, _, errs := inProcess(t, "follow", "odd", "--store", url); code != exitFailure || !strings.Contains(errs, "foreign record") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
