package worker_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/resource"
	"github.com/seed-a1d591d3/leadership/faults/worker"
	_ "github.com/seed-a1d591d3/leadership/store/all"
)

// role is the environment variable that makes this binary a worker.
const role = "LEADERSHIP_FAULTS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "" {
		os.Exit(m.Run())
	}
	config, err := worker.Parse(os.Args[1:], os.Getenv)
	if err == nil {
		err = worker.Main(config, os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a worker that runs.
type process struct {
	*exec.Cmd
	in io.WriteCloser
}

// start starts a worker, or other program, for t.
func start(t *testing.T, c worker.Config, environ ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], c.Args()...)}
	p.Env = append(append(os.Environ(), role+"=1"), environ...)
	p.Stderr = os.Stderr
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// end ends a worker in order.
func (p *process) end(t *testing.T) {
	t.Helper()
	if err := p.in.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// await waits until the logs in dir show what is awaited, and returns them.
func await(t *testing.T, dir, what string, shown func([]*history.Log) bool) []*history.Log {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		logs, err := history.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if shown(logs) {
			return logs
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

// tells reports whether a log of the node has such a line.
func tells(node string, like history.Line) func([]*history.Log) bool {
	return func(logs []*history.Log) bool {
		return slices.ContainsFunc(logs, func(log *history.Log) bool {
			return (node == "" || log.Node == node) && slices.ContainsFunc(log.Lines, func(l history.Line) bool {
				return l.Kind == like.Kind && l.Answer == like.Answer && (like.What == "" || l.What == like.What)
			})
		})
	}
}

// setup returns a configuration that all workers of a run share.
func setup(t *testing.T) (worker.Config, string) {
	t.Helper()
	dir := t.TempDir()
	log, err := history.Create(filepath.Join(dir, "resource.log"), history.Process{Role: history.Resource})
	if err != nil {
		t.Fatal(err)
	}
	server, err := resource.Start(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		log.Close()
	})
	return worker.Config{
		Mode: worker.Run, Store: "sqlite://" + filepath.Join(dir, "store.db"), Key: "faults/election", TTL: 300 * time.Millisecond,
		Resource: server.Addr, Every: 2 * time.Millisecond, Writes: 5, Rate: 1, Rounds: 5, Incarnation: 1,
	}, dir
}

// named returns the configuration of one node.
func named(c worker.Config, dir, node, mode string) worker.Config {
	c.Node, c.Mode, c.Log = node, mode, filepath.Join(dir, node+".log")
	return c
}

func TestWorkersWitnessAnElection(t *testing.T) { witness(t, false) }

func TestWorkersThatRideWitnessAnElection(t *testing.T) { witness(t, true) }

func witness(t *testing.T, rides bool) {
	c, dir := setup(t)
	c.Rides = rides
	a := start(t, named(c, dir, "a", worker.Run))
	await(t, dir, "a leads", tells("a", history.Line{Kind: history.Ask, What: history.Done, Answer: history.Yes}))
	slow := named(c, dir, "b", worker.RunForElection)
	slow.Clock, slow.Rate = true, 0.9
	b := start(t, slow)
	f := start(t, named(c, dir, "f", worker.Follow))
	await(t, dir, "a has written", tells("a", history.Line{Kind: history.Write, What: history.Fenced, Answer: history.Accepted}))
	await(t, dir, "a round is won", tells("", history.Line{Kind: history.Round, Answer: history.Won}))
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	await(t, dir, "b leads", tells("b", history.Line{Kind: history.Stream, Answer: history.Yes}))
	again := named(c, dir, "a2", worker.Run)
	again.Node, again.Incarnation = "a", 2
	a = start(t, again)
	fmt.Fprintln(b.in, "wall 1h") // its trust runs out
	await(t, dir, "the term of b is over", tells("b", history.Line{Kind: history.Ask, What: history.Term, Answer: history.No}))
	await(t, dir, "a leads again", func(logs []*history.Log) bool {
		fmt.Fprintln(b.in, "resign")
		return tells("", history.Line{Kind: history.Work, Answer: history.Begun})(slices.DeleteFunc(logs, func(l *history.Log) bool { return l.Incarnation != 2 }))
	})
	fmt.Fprintln(a.in, "resign")
	await(t, dir, "a has resigned", tells("a", history.Line{Kind: history.Resign}))
	for _, p := range []*process{a, b, f} {
		p.end(t)
	}
	logs, err := history.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		for _, l := range log.Lines {
			if l.Kind == history.Error {
				t.Logf("%s: %s", log.Node, l.What)
			}
		}
	}
	r := history.Check(logs, history.Limits{})
	for _, v := range r.Violations {
		t.Error(v)
	}
	t.Logf("%+v", r)
	if r.Terms < 3 || r.Works < 2 || r.Rounds == 0 || r.Accepted == 0 {
		t.Error("they have not seen all that happened")
	}
	for _, question := range []string{history.IsLeader, history.Term, history.Err, history.Done, "Trust"} {
		if r.Yes[question] == 0 {
			t.Errorf("%s has never said yes", question)
		}
	}
	for node, kind := range map[string]history.Kind{"f": history.Follow, "b": history.Stream, "a": history.Vitals} {
		if !tells(node, history.Line{Kind: kind, Answer: map[history.Kind]string{history.Stream: history.Ended, history.Vitals: history.Ended}[kind]})(logs) {
			t.Errorf("%s has logged no %s", node, kind)
		}
	}
}

// A process that starts slowly may be told to end before it campaigns.
func TestWorkerEndsThatIsToldToBeforeItCampaigns(t *testing.T) {
	c, dir := setup(t)
	for i := 0; i < 5 && !t.Failed(); i++ {
		p := start(t, named(c, dir, fmt.Sprintf("n%d", i), worker.Run))
		late := time.AfterFunc(30*time.Second, func() { _ = p.Process.Kill() })
		p.end(t)
		late.Stop()
	}
}

func TestCommandWitnessesThatItRuns(t *testing.T) {
	c, dir := setup(t)
	c = named(c, dir, "a", worker.Command)
	c.Node, c.Key, c.Wind = "", "", 50*time.Millisecond
	p := start(t, c, "LEADERSHIP_KEY=k", "LEADERSHIP_NODE=a", "LEADERSHIP_TOKEN=7")
	wrote := tells("a", history.Line{Kind: history.Write, What: history.Fenced, Answer: history.Accepted})
	await(t, dir, "it runs", func(logs []*history.Log) bool {
		return wrote(logs) && history.Check(logs, history.Limits{}).Yes[history.Runs] >= 20
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	logs, err := history.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(logs, func(l *history.Log) bool { return l.Role == history.Command })
	if i < 0 || logs[i].Node != "a" || logs[i].Key != "k" || len(logs[i].Lines) < 20 {
		t.Fatalf("logged %+v", logs)
	}
	if r := history.Check(logs, history.Limits{}); len(r.Violations) > 0 || r.Yes[history.Runs] < 20 {
		t.Errorf("found %+v", r)
	}
}

func TestCommandLineIsReadAsItIsMade(t *testing.T) {
	environ := map[string]string{"LEADERSHIP_KEY": "k", "LEADERSHIP_NODE": "n"}
	for _, mode := range []string{worker.Run, worker.RunForElection, worker.Follow, worker.Command} {
		want := worker.Config{
			Mode: mode, Key: "k", Node: "n", Incarnation: 2, TTL: time.Second, Grace: time.Millisecond, Log: "a.log", Resource: "r",
			Every: 3, Writes: 4, Clock: true, Rate: 1.1, Wind: 5, Rounds: 6, Rides: true, Deaf: true,
		}
		if mode != worker.Command {
			want.Store = "s"
		}
		got, err := worker.Parse(want.Args(), func(name string) string { return environ[name] })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestWhatNoWorkerAccepts(t *testing.T) {
	good := worker.Config{Mode: worker.Run, Store: "s", Key: "k", Node: "n", TTL: time.Second, Log: "a.log", Every: 1, Writes: 1, Rate: 1}
	for want, change := range map[string]func(*worker.Config){
		`-mode "x"`:         func(c *worker.Config) { c.Mode = "x" },
		"-store, -key":      func(c *worker.Config) { c.Store = "" },
		`-log is "a"`:       func(c *worker.Config) { c.Log = "a" },
		"-ttl is 1ms":       func(c *worker.Config) { c.TTL = time.Millisecond },
		"-every and -write": func(c *worker.Config) { c.Every = 0 },
		"-rate is 3":        func(c *worker.Config) { c.Rate, c.Clock = 3, true },
		"set -clock":        func(c *worker.Config) { c.Rate = 1.1 },
		"leadership run":    func(c *worker.Config) { c.Mode = worker.Command },
	} {
		c := good
		change(&c)
		if _, err := worker.Parse(c.Args(), func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}
