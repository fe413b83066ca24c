package storetest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/store"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

// attempt runs f as a check with so much time, and returns its trial and what
// was found wrong.
func attempt(t *testing.T, limit time.Duration, f func(*trial)) (*trial, []string) {
	t.Helper()
	tr := newTrial(t, nil, Capabilities{})
	var mu sync.Mutex
	var found []string
	tr.blame = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, what)
	}
	tr.run(f, limit)
	mu.Lock()
	defer mu.Unlock()
	return tr, found
}

func TestTrialTellsEveryWayToFail(t *testing.T) {
	for name, f := range map[string]func(*trial){
		"Error":   func(tr *trial) { tr.Error("wrong") },
		"Errorf":  func(tr *trial) { tr.Errorf("%s", "wrong") },
		"Fatal":   func(tr *trial) { tr.Fatal("wrong"); panic("not ended") },
		"Fatalf":  func(tr *trial) { tr.Fatalf("%s", "wrong"); panic("not ended") },
		"Fail":    func(tr *trial) { tr.Fail() },
		"FailNow": func(tr *trial) { tr.FailNow(); panic("not ended") },
		"panic":   func(*trial) { panic("wrong") },
		"in the cleanup": func(tr *trial) {
			tr.Cleanup(func() { tr.Fatal("wrong") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr, found := attempt(t, time.Minute, f)
			if len(found) != 1 || !tr.Failed() {
				t.Errorf("found %q, failed is %v", found, tr.Failed())
			}
		})
	}
	if tr, found := attempt(t, time.Minute, func(tr *trial) { tr.Log("fine") }); len(found) != 0 || tr.Failed() {
		t.Errorf("found %q where nothing is wrong", found)
	}
}

func TestTrialCleansUpInOrderWhateverHappened(t *testing.T) {
	var order []string
	attempt(t, time.Minute, func(tr *trial) {
		tr.Cleanup(func() { order = append(order, "first") })
		tr.Cleanup(func() {
			order = append(order, "second")
			tr.Cleanup(func() { order = append(order, "third") })
			tr.FailNow()
		})
		tr.Skip("no use")
	})
	if got := strings.Join(order, " "); got != "second third first" {
		t.Errorf("cleaned up %s", got)
	}
}

func TestTrialThatHangsIsOverAtItsLimit(t *testing.T) {
	release, ended := make(chan struct{}), make(chan struct{})
	_, found := attempt(t, 50*time.Millisecond, func(tr *trial) {
		defer close(ended)
		<-release
		tr.Error("nobody listens any more")
		tr.Log("nor to this")
	})
	close(release)
	<-ended
	if len(found) != 1 || !strings.Contains(found[0], "has not ended") {
		t.Errorf("found %q", found)
	}
}

// counted is a Server that counts how often it was started.
type counted struct {
	Server
	starts atomic.Int64
}

func (*counted) Stop()    {}
func (c *counted) Start() { c.starts.Add(1) }

func TestTrialThatIsOverLeavesTheServerAlone(t *testing.T) {
	for _, given := range []bool{false, true} {
		server := &counted{}
		release, ended := make(chan struct{}), make(chan struct{})
		limit := time.Minute
		if given {
			limit = 50 * time.Millisecond
		} else {
			close(release)
		}
		attempt(t, limit, func(tr *trial) {
			tr.can.Server = server
			tr.Cleanup(func() { close(ended) })
			tr.stop()
			<-release
			tr.start()
		})
		if given {
			close(release)
		}
		<-ended
		if n := server.starts.Load(); given != (n == 0) {
			t.Errorf("given up: %v; it was started %d times", given, n)
		}
	}
}

// TestSuiteOfAChild is not a test by itself: TestRun runs it in a child process.
func TestSuiteOfAChild(t *testing.T) {
	how := os.Getenv("STORETEST_CHILD")
	if how == "" {
		return
	}
	s := &site{kv: memory.New(), how: listsNoError}
	defer s.end()
	can := Capabilities{TTL: time.Nanosecond, Expiry: 100 * time.Millisecond, Excused: map[string]string{"List/NothingIsNotFound": "known to be so"}}
	open := s.open
	switch how {
	case "sound":
		s.how = sound
		can.Excused = nil
	case "broken":
		can.Excused = nil
	case "stranger":
		can.Excused["List/NoSuchTest"] = "a slip of the pen"
	case "needless":
		s.how = sound
	case "skipped":
		open = func(t testing.TB) store.Store { t.Skip("no server here"); return nil }
	}
	Run(t, open, can)
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		how   string
		fails bool
		says  []string
	}{
		{"sound", false, []string{"--- PASS: TestSuiteOfAChild/List/NothingIsNotFound", "left out: ShorterIsRefused", "left out: CallsGoOnWithTheSameClient, for there are no connections to cut"}},
		{"broken", true, []string{"--- FAIL: TestSuiteOfAChild/List/NothingIsNotFound", "--- PASS: TestSuiteOfAChild/List/LeavesTheDirectoryItselfOut"}},
		{"excused", false, []string{"excused: known to be so: List(", "--- PASS: TestSuiteOfAChild/List/NothingIsNotFound"}},
		{"stranger", true, []string{`there is no test "List/NoSuchTest" to excuse`, "--- PASS: TestSuiteOfAChild/List/NothingIsNotFound"}},
		{"needless", false, []string{"excused, but it passes: known to be so"}},
		{"skipped", false, []string{"--- SKIP: TestSuiteOfAChild/List/NothingIsNotFound", "no server here"}},
	} {
		t.Run(c.how, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "^TestSuiteOfAChild$/^(List|TTL|Cut)$/^(NothingIsNotFound|LeavesTheDirectoryItselfOut|NegativeIsRefused)$")
			child.Env = append(os.Environ(), "STORETEST_CHILD="+c.how)
			output, err := child.CombinedOutput()
			if (err != nil) != c.fails {
				t.Errorf("the child ended with %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(string(output), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if t.Failed() {
				t.Logf("%s", output)
			}
		})
	}
}
