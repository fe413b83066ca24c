package kvtools

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

const (
	childStore = "LEADERSHIP_KVTOOLS_STORE"
	childAddr  = "LEADERSHIP_KVTOOLS_ADDR"

	killedKey = "kvtools/killed/leader"
	killedTTL = time.Second
)

// TestKilledLeaderIsReplaced kills -9 the process of a leader.
func TestKilledLeaderIsReplaced(t *testing.T) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			server := servers.Shared(t, a.name)
			kill := startLeader(t, a.name, server.Addr)

			kv, err := a.open(t.Context(), server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer kv.Close()
			rival := leadership.NewCandidate(kv, killedKey, "rival", killedTTL)
			elected, _ := rival.RunForElection(t.Context())
			if <-elected {
				t.Fatal("the first that the channel said was true")
			}
			kill()
			killed := time.Now()
			select {
			case leads := <-elected:
				if !leads {
					t.Fatal("the rival does not lead, or its election has ended")
				}
				t.Logf("the rival leads %v after the leader was killed; the TTL is %v", time.Since(killed).Round(time.Millisecond), killedTTL)
			case <-time.After(20 * killedTTL):
				t.Fatal("nobody leads after the leader was killed")
			}
			rival.Stop()
			for range elected {
			}
		})
	}
}

// startLeader starts a process that leads, and returns what kills it.
func startLeader(t *testing.T, store, addr string) (kill func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childStore+"="+store, childAddr+"="+addr)
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	t.Cleanup(kill)
	said, err := bufio.NewReader(out).ReadString('\n')
	if said != "leads\n" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	return kill
}

// lead is what the child does: it leads, says so, and goes on until its parent
// is gone.
func lead(name, addr string) {
	for _, a := range adapters {
		if a.name != name {
			continue
		}
		kv, err := a.open(context.Background(), addr)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		elected, _ := leadership.NewCandidate(kv, killedKey, "child", killedTTL).RunForElection(context.Background())
		go func() {
			for leads := range elected {
				if leads {
					fmt.Println("leads")
				}
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
