//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
)

// leadTTL is long enough for a machine that is busy with other tests.
const leadTTL = 5 * time.Second

// lead makes a node lead until the end of the test.
func lead(t *testing.T, url, node string, opts ...leadership.Option) *leadership.Candidate {
	t.Helper()
	return leadFor(t, url, node, leadTTL, opts...)
}

// leadFor is lead with a TTL, for a test in which no renewal may be late.
func leadFor(t *testing.T, url, node string, ttl time.Duration, opts ...leadership.Option) *leadership.Candidate {
	t.Helper()
	c := leadership.NewCandidate(open(t, url), key, node, ttl, opts...)
	_, errs := c.RunForElection(t.Context())
	t.Cleanup(func() {
		c.Stop()
		for range errs {
		}
	})
	return c
}

func TestBadInputIsRefusedWithItsFlagAndRule(t *testing.T) {
	for _, c := range []struct {
		want string
		args string
	}{
		{"unknown command", "nonsense"},
		{"no command is named", "run --key k"},
		{"no command is named", "run --key k --"},
		{"no command is named", "run --key k true"},
		{"put the command after", "run k ./server --port 1"},
		{"put the command after", "run a b -- true"},
		{`the key is named twice: "a", and --key "b"`, "run a --key b -- true"},
		{"no election is named: give its key, as in leadership run service/leader", "run -- true"},
		{"ttl is 10ms: must be from 50ms", "run --key k --ttl 10ms -- true"},
		{"ttl is -1s: must be from 50ms", "run --key k --ttl -1s --grace 0 -- true"},
		{`"soon" for "--ttl"`, "run --key k --ttl soon -- true"},
		{"grace is -1s: must not be below 0", "run --key k --grace -1s -- true"},
		{"grace is 14s: must not be below 0 and at least", "run --key k --grace 14s -- true"},
		{"priority is -1: must be from 0", "run --key k --priority -1 -- true"},
		{"--once and --restart are both set: set one\n", "run --key k --once --restart -- true"},
		{"--restart and --try are both set: set one\n", "run --key k --try --restart -- true"},
		{"--tls-cert is of no use without --tls-key\n", "status --server https://h --tls-cert c"},
		{"name one SYSTEM", "round list"},
		{"--node is empty", "run --key k --node= -- true"},
		{"no election is named", "forget"},
		{"no election is named", "resign"},
		{"no node is named: set --to, such as --to node-b", "transfer --key k"},
		{"--to is empty: give it a value\n", "transfer --key k --to="},
		{"--key is empty", "status --key="},
		{"--store is empty", "status --key k --store="},
		{"--tls-client-ca is empty", "serve --tls-client-ca="},
		{"--retention-system is empty", "serve --retention 1h --retention-system="},
		{"--local is of no use without --create", "pause --key k --local"},
		{"--local is of no use without --create", "transfer --key k --to b --local"},
		{"--timeout is of no use", "status --key k --timeout 1s"},
		{"are of no use for http://", "alive http://127.0.0.1:1 --tls-ca ca.crt"},
		{"--store has no effect: demo has a store in its own memory", "demo --store redis://10.0.0.1"},
		{"--store has no effect", "--store redis://10.0.0.1 demo"},
		{"--store has no effect", "alive --store redis://10.0.0.1"},
		{"--verbose has no effect", "alive --verbose"},
		{"--store has no effect", "version --store redis://10.0.0.1"},
		{"--verbose has no effect", "version --verbose"},
		{"--store has no effect", "completion bash --store redis://10.0.0.1"},
		{"no command is named", "--store redis://10.0.0.1"},
		{"no command is named", "round --verbose"},
		{"--timeout is 0s: must be above 0", "pause --key k --timeout 0"},
		{"name a key or --prefix, not both", "status --key k --prefix p"},
		{"name a key or --prefix, not both", "status k --prefix p"},
		{"name a key or --prefix, not both", "follow k --prefix p"},
		{"takes one key, and got 2", "status a b"},
		{"takes no argument, and got \"x\"", "serve x"},
		{"takes no argument", "demo x"},
		{"needs SYSTEM and ROUND, and got 1 argument(s)", "round elect backup"},
		{"store of this process alone", "status --key k --store memory://x"},
		{"no slash", "round elect a/b c"},
		{"system is", "round elected .. c"},
		{"--timeout is -1s: must not be below 0", "round await a b --timeout -1s"},
		{"no command is named", "round run a b"},
		{"put the command after", "round run a -- true"},
		{"--grace is -1s", "round run a b --grace -1s -- true"},
		{"above a fifth of --attempt-ttl", "round run a b --attempt-ttl 10s --grace 3s -- true"},
		{"attempt TTL is 1ms", "round run a b --attempt-ttl 1ms -- true"},
		{"attempt TTL is 1ms", "round elect a b --attempt-ttl 1ms"},
		{`--listen is "nonsense": must be host:port, such as 127.0.0.1:8080`, "serve --store memory:// --listen nonsense"},
		{"--timeout is -1s", "serve --timeout -1s"},
		{"--drain is 0s", "serve --drain 0s"},
		{"--retention-system", "serve --retention-system s"},
		{"retention is 1s", "serve --store memory:// --listen 127.0.0.1:0 --retention 1s"},
		{"must be set together", "serve --tls-cert c"},
		{"without --tls-cert", "serve --tls-client-ca c"},
		{"--every is 0s", "demo --every 0s"},
		{"--ttl is 1ms: must be from 50ms to 8760h\n", "demo --ttl 1ms"},
		{"above a fifth of --attempt-ttl, 2m\n", "round run a b --attempt-ttl 10m --grace 1h -- true"},
		{"is not a URL", "alive nonsense"},
		{"unknown flag: --colour", "status --colour"},
		{`unknown command "runn" for "leadership": did you mean run?`, "runn --key a"},
		{`unknown command "stauts" for "leadership": did you mean status?`, "stauts"},
		{`unknown command "stauts" for "leadership": did you mean status?`, "--verbose stauts --json"},
		{"did you mean follow?", "watch service/x"},
		{"did you mean elect or elected?", "round elekte backup r --node a"},
		{`unknown command "elekt" for "leadership round": did you mean elect?`, "round elekt backup r --node a"},
		{"unknown flag: --kye: did you mean --key?", "follow --kye a"},
		{"unknown flag: --tyr: did you mean --try?", "run a --tyr -- true"},
		{"unknown flag: --tyr: if it is one of the command", "run a ./server --tyr"},
		{"unknown flag: --versionn: did you mean --version?", "--versionn"},
		{`unknown command "foo" for "leadership"`, "help foo"},
		{`unknown command "statsu" for "leadership": did you mean status?`, "help statsu"},
		{`unknown command "foo" for "leadership round"`, "help round foo"},
		{`unknown command "basch" for "leadership completion": did you mean bash?`, "completion basch"},
	} {
		code, out, errs := inProcess(t, strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%s: exit code %d, %q, want %q", c.args, code, errs, c.want)
		}
	}
}

func TestStoreThatCannotBeOpenedIsAnErrorThatNamesWhereItIsFrom(t *testing.T) {
	code, _, errs := inProcess(t, "status", "--key", "k", "--store", "nosuch://host")
	if code != exitFailure || !strings.Contains(errs, "--store") || !strings.Contains(errs, "nosuch") || strings.Contains(errs, "import") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	root := newRoot(strings.NewReader(""), io.Discard, io.Discard, nil)
	for _, cmd := range root.Commands() {
		for _, c := range append(cmd.Commands(), cmd) {
			own := c.Name() != "help" && cmd.Name() != "completion"
			if !c.Hidden && own && (c.Short == "" || c.Long == "" || c.Example == "") {
				t.Errorf("%s lacks help", c.CommandPath())
			}
			// What differs from call to call is described, and what people write with one
			// unit has one.
			pid := fmt.Sprintf("[0-9]m0s|[0-9]h0m|-%d|-%d", os.Getpid(), os.Getppid())
			if found := regexp.MustCompile(pid).FindString(c.UsageString()); found != "" {
				t.Errorf("the help of %s has %s in it", c.CommandPath(), found)
			}
		}
	}
}

func TestDefaultStoreIsTheUsersOwnFile(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ env, folder string }{
		{"HOME=" + home, filepath.Join(home, ".local", "state", "leadership")},
		{"XDG_STATE_HOME=" + filepath.Join(home, "a b%"), filepath.Join(home, "a b%", "leadership")},
	} {
		if code := execute(t.Context(), []string{"round", "elect", "s", "r"}, nil, io.Discard, io.Discard, []string{c.env}); code != 0 {
			t.Errorf("%s: exit code %d", c.env, code)
		}
		if info, err := os.Stat(c.folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", c.env, info, err)
		}
		if _, err := os.Stat(filepath.Join(c.folder, "elections.db")); err != nil {
			t.Error(err)
		}
	}
	if code := execute(t.Context(), []string{"status", "--prefix", "x"}, nil, io.Discard, io.Discard, nil); code != exitFailure {
		t.Errorf("without a home: exit code %d", code)
	}
}

func TestStatusTellsOfLeaderTermAndRequest(t *testing.T) {
	url := sqliteURL(t)
	if code, out, errs := inProcess(t, "status", "--store", url, "--key", key); code != exitNo || !strings.Contains(out, key) || !strings.Contains(errs, "check the key for a typo") {
		t.Errorf("without a leader: exit code %d: %s", code, out)
	}
	c := lead(t, url, "node-a", leadership.WithPayload([]byte("10.0.0.1:80")))
	eventually(t, "leader", c.IsLeader)
	if code, out, errs := inProcess(t, "pause", "--store", url, "--key", key, "--keep", "--by", "ops"); code != 0 {
		t.Fatalf("pause: exit code %d: %s%s", code, out, errs)
	}
	var e view.Election
	code, out, errs := inProcess(t, "status", "--store", url, "--prefix", "service/", "--json")
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != 0 {
		t.Fatalf("exit code %d: %q %s: %v", code, out, errs, err)
	}
	term, _ := c.Term()
	if e.Key != key || e.Leader != "node-a" || e.Token != term.Token || e.Payload == nil || *e.Payload != "10.0.0.1:80" || e.Asked == nil || e.Asked.Action != "pause" || e.Asked.By != "ops" {
		t.Errorf("got %s", out)
	}
	if code, out, _ := inProcess(t, "status", "--store", url, "--key", key); code != 0 || !strings.Contains(out, "node-a") || !strings.Contains(out, "pause by ops") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestStatusTellsOfALeaderThatHasCrashed(t *testing.T) {
	url := sqliteURL(t)
	link := faultstore.New(open(t, url))
	dead := leadership.NewCandidate(link, "service/dead", "node-d", time.Second)
	_, errs := dead.RunForElection(t.Context())
	t.Cleanup(func() {
		dead.Stop()
		_ = link.Close()
		for range errs {
		}
	})
	eventually(t, "leader", dead.IsLeader)
	link.Partition()
	alive := lead(t, url, "node-a")
	eventually(t, "leader", alive.IsLeader)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--key service/dead", 0, "node-d "}, // one look does not tell
		{"--key service/dead --check --timeout 300ms", exitNo, "node-d "},
		{"--key service/dead --wait", exitNo, "node-d (expired)"},
		{"--key service/dead --check", exitNo, "node-d (expired)"},
		{"--key service/dead --check --json", exitNo, `"expired":true`},
		{"--key " + key + " --wait", 0, "node-a "},
		{"--key " + key + " --check", 0, "node-a "},
		{"--key service/none --check", exitNo, "service/none"},
		{"--prefix service/ --wait", 0, "node-d (expired)"},
		{"--prefix service/ --check", exitNo, "node-d (expired)"},
		{"--prefix nothing --check", exitNo, ""},
	} {
		code, out, errs := inProcess(t, append(strings.Fields("status "+c.args), "--store", url)...)
		if code != c.code || !strings.Contains(out, c.want) || strings.Contains(out, "node-a (expired)") {
			t.Errorf("%s: exit code %d: %s%s; want %d, %q", c.args, code, out, errs, c.code, c.want)
		}
	}
}

func TestNamesCannotMoveTheCursor(t *testing.T) {
	url := sqliteURL(t)
	c := lead(t, url, "evil\x1b[2J")
	eventually(t, "leader", c.IsLeader)
	if _, out, _ := inProcess(t, "status", "--store", url, "--key", key); strings.Contains(out, "\x1b") {
		t.Errorf("got %q", out)
	}
}

func TestRequestsAreObeyed(t *testing.T) {
	url := sqliteURL(t)
	a := lead(t, url, "a")
	eventually(t, "leader a", a.IsLeader)
	b := lead(t, url, "b")
	do := func(want int, says string, args ...string) {
		t.Helper()
		code, out, errs := inProcess(t, append(args, "--store", url, "--key", key)...)
		if code != want || code == 0 && !strings.Contains(out, says) || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d: %s%s; want %d, %q", args, code, out, errs, want, says)
		}
	}
	do(0, "b leads "+key, "transfer", "--to", "b")
	if !b.IsLeader() {
		t.Error("b does not lead")
	}
	do(0, "b leads "+key, "transfer", "--to", "b")
	do(exitFailure, `" leads, term`, "transfer", "--to", "nobody", "--hold", "100ms")
	eventually(t, "leader", func() bool { return a.IsLeader() || b.IsLeader() })
	do(0, "has left the seat", "resign")
	eventually(t, "leader", func() bool { return a.IsLeader() || b.IsLeader() })
	do(exitNo, "the seat is held", "forget")
	do(0, "is paused", "pause")
	if a.IsLeader() || b.IsLeader() {
		t.Error("somebody leads during the pause")
	}
	do(exitFailure, "election paused: resume it first", "resign")
	do(exitFailure, "election paused: resume it first", "forget")
	do(0, key+" is not paused", "resume")
	eventually(t, "leader", func() bool { return a.IsLeader() || b.IsLeader() })
	for _, c := range []*leadership.Candidate{a, b} {
		c.Stop()
		eventually(t, "end", func() bool { return c.State() == leadership.StateStopped })
	}
	seat := leadership.NewClaims(open(t, url), key)
	eventually(t, "vacant seat", func() bool { // the end of a campaign begins before its seat is given up
		s, err := seat.Look(t.Context())
		return err == nil && s.Term.Leader == ""
	})
	do(exitNo, "no leader", "resign")
	if code, _, errs := inProcess(t, "status", "--store", url, "--key", key); code != exitNo || errs != "" {
		t.Errorf("status of a vacant seat: exit code %d: %s", code, errs)
	}
	do(0, "is forgotten", "forget")
	do(exitFailure, "no such election", "forget")
}

func TestRequestForAKeyWithATypoIsAnError(t *testing.T) {
	url := sqliteURL(t)
	for _, args := range []string{"pause", "pause --keep", "transfer --to b", "resume", "resign", "forget"} {
		code, out, errs := inProcess(t, append(strings.Fields(args), "--store", url, "--key", "typo")...)
		if code != exitFailure || !strings.Contains(errs, `"typo"`) || !strings.Contains(errs, "no such election: check the key for a typo") || out != "" {
			t.Errorf("%s: exit code %d: %s%s", args, code, out, errs)
		}
	}
	if _, out, _ := inProcess(t, "status", "--store", url, "--prefix", "t"); strings.Contains(out, "typo") {
		t.Errorf("an election was made:\n%s", out)
	}
	if code, out, errs := inProcess(t, "pause", "--create", "--store", url, "--key", "typo"); code != 0 || !strings.Contains(out, "typo is paused") {
		t.Errorf("with --create: exit code %d: %s%s", code, out, errs)
	}
}

func TestRoundHasOneWinnerWhoCompletesIt(t *testing.T) {
	url := sqliteURL(t)
	round := func(verb string, more ...string) (int, string) {
		t.Helper()
		code, out, _ := inProcess(t, append([]string{"round", verb, "backup", "r1", "--store", url}, more...)...)
		return code, strings.TrimSpace(out)
	}
	for _, c := range []struct {
		verb string
		node string
		code int
		out  string
	}{
		{"elected", "", exitNo, ""},
		{"complete", "a", exitNo, ""},
		{"elect", "a", 0, "won"},
		{"elect", "b", exitNo, "lost"},
		{"elect", "a", 0, "won"},
		{"elected", "", 0, "a"},
		{"completed", "", exitNo, ""},
		{"complete", "b", exitNo, ""},
		{"complete", "a", 0, ""},
		{"complete", "a", 0, ""},
		{"completed", "", 0, "a"},
		{"await", "", 0, "a"},
	} {
		var more []string
		if c.node != "" {
			more = []string{"--node", c.node}
		}
		if code, out := round(c.verb, more...); code != c.code || out != c.out {
			t.Errorf("%s by %q: exit code %d, %q; want %d, %q", c.verb, c.node, code, out, c.code, c.out)
		}
	}
	if code, out := round("elect", "--node", "b", "--json"); code != exitNo || out != `{"system":"backup","round":"r1","node":"b","won":false,"winner":"a"}` {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, _, errs := inProcess(t, "round", "await", "backup", "never", "--store", url, "--timeout", "50ms"); code != exitNo || !strings.Contains(errs, "round never of backup is not completed after 50ms: nobody has won it") {
		t.Errorf("await: exit code %d: %s", code, errs)
	}
}

func TestListTellsWhatCameOfRounds(t *testing.T) {
	url := sqliteURL(t)
	do := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := inProcess(t, append(append([]string{"round"}, args...), "--store", url)...)
		if code != want {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
		return out
	}
	for _, round := range []string{"open", "bad", "good"} {
		do(0, "elect", "sys", round, "--node", "a")
	}
	do(exitNo, "fail", "sys", "bad", "--node", "b")
	do(0, "fail", "sys", "bad", "--node", "a", "--result", "disk is full")
	do(0, "complete", "sys", "good", "--node", "a", "--result", "12 files")
	out := do(0, "list", "sys")
	for _, want := range []string{"open   a       1", "failed after", "disk is full", "completed after", "12 files"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := do(0, "list", "other"); out != "" {
		t.Errorf("of a system without rounds: %s", out)
	}
}
