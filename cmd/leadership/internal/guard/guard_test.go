//go:build linux

package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// asGuard makes the test binary the guard, so that its processes are raced and covered
// as the tests are.
const asGuard = "LEADERSHIP_TEST_GUARD"

func TestMain(m *testing.M) {
	if os.Getenv(asGuard) != "" {
		if err := Main(context.Background(), os.Args[1:], time.Hour); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(servers.VerifyMain(m, nil))
}

func TestChildrenAreFoundInBothWays(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for name, found := range map[string][]int{"own": children(), "among all": childrenAmongAll()} {
		if !slices.Contains(found, cmd.Process.Pid) {
			t.Errorf("%s: %d is missing in %v", name, cmd.Process.Pid, found)
		}
	}
	if found := childrenAmongAll(); slices.Contains(found, os.Getpid()) || slices.Contains(found, 1) {
		t.Errorf("got %v", found)
	}
}

// On a busy machine a guard starts late, and by its first order the term is over;
// or that is a signal, and the deadline was not told, or comes after it.
func TestGuardStartsNoCommandWithoutADeadlineThatIsAhead(t *testing.T) {
	past := now().add(-time.Second)
	for name, c := range map[string]struct {
		orders []order
		want   Report
	}{
		"renewed":               {[]order{{Over: past, Last: past}, {Over: never, Last: never}}, Report{Code: 7, Started: true}},
		"not renewed":           {[]order{{Over: past, Last: past}}, Report{Ended: true}},
		"told to end":           {[]order{{Over: past, Last: past}, {Stop: true}}, Report{Ended: true}},
		"signal alone":          {[]order{{Signal: syscall.SIGHUP}}, Report{Ended: true}},
		"signal, then deadline": {[]order{{Signal: syscall.SIGHUP}, {Over: never}}, Report{Code: 7, Started: true}},
		"signal, then end":      {[]order{{Signal: syscall.SIGHUP}, {Stop: true}}, Report{Ended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTestGuard(t, "exit 7")
			for _, o := range c.orders {
				g.order(o)
			}
			if c.want.Ended { // and its parent is gone
				g.orders.Close()
			}
			if got := g.report(); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The orders of the time that a guard was frozen are there all at once.
func TestGuardGoesByTheLastOfTheOrdersThatCameMeanwhile(t *testing.T) {
	past := now().add(-time.Second)
	for name, c := range map[string]struct {
		orders []order
		want   Report
	}{
		"renewed":              {[]order{{Over: past, Last: past}, {Over: never, Last: never}, {Signal: syscall.SIGUSR1}}, Report{Code: 7, Started: true}},
		"renewed, then killed": {[]order{{Over: past, Last: past}, {Kill: true}, {Over: never, Last: never}}, Report{Code: 128 + 9, Started: true, Ended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := filepath.Join(t.TempDir(), "started")
			g := newTestGuard(t, `trap "exit 7" USR1; trap "" TERM; echo >"$0"; while :; do sleep 0.02; done`, started)
			g.order(order{Over: never})
			deadline := time.Now().Add(20 * time.Second)
			for _, err := os.Stat(started); err != nil; _, err = os.Stat(started) {
				if time.Sleep(10 * time.Millisecond); time.Now().After(deadline) {
					t.Fatal("the command is not started")
				}
			}
			g.order(c.orders...)
			if got := g.report(); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// testGuard is a guard whose parent is the test.
type testGuard struct {
	t               *testing.T
	cmd             *exec.Cmd
	orders, reports *os.File
}

func newTestGuard(t *testing.T, script string, args ...string) *testGuard {
	t.Helper()
	ordersIn, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reports, reportsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		orders.Close()
		reports.Close()
	})
	cmd := exec.Command("/proc/self/exe", append([]string{"sh", "-c", script}, args...)...)
	// Under the race detector a program sleeps for a second before it exits.
	cmd.Env = append(os.Environ(), asGuard+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = t.Output()
	cmd.ExtraFiles = []*os.File{ordersIn, reportsOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ordersIn.Close()
	reportsOut.Close()
	return &testGuard{t, cmd, orders, reports}
}

// order gives orders, all at once.
func (g *testGuard) order(orders ...order) {
	g.t.Helper()
	var lines bytes.Buffer
	for _, o := range orders {
		if err := json.NewEncoder(&lines).Encode(o); err != nil {
			g.t.Fatal(err)
		}
	}
	if _, err := g.orders.Write(lines.Bytes()); err != nil {
		g.t.Fatal(err)
	}
}

// report returns the report of the guard at its end.
func (g *testGuard) report() (r Report) {
	g.t.Helper()
	_ = g.reports.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := json.NewDecoder(g.reports).Decode(&r); err != nil {
		g.t.Errorf("no report: %v", err)
	}
	if err := g.cmd.Wait(); err != nil {
		g.t.Errorf("the guard has ended with %v", err)
	}
	return r
}
