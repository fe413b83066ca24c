package run

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-a1d591d3/leadership/faults/history"
	"github.com/seed-a1d591d3/leadership/faults/worker"
	"github.com/seed-a1d591d3/leadership/internal/servers"
)

// Node is one candidate of a run, which is a process at a time.
type Node struct {
	Name    string
	Mode    string // of package worker; Command is `leadership run`
	Clock   bool   // it has a clock of its own, of this rate
	Rate    float64
	Proxies []*servers.Proxy // one for each host of the stage

	run         *Run
	store       string // URL, by the proxies
	endProxies  func()
	process     *process
	incarnation int
	sound       history.Stamp // since when it has been, 0 for not
}

// Start starts another incarnation of the node.
func (n *Node) Start() error {
	r := n.run
	n.incarnation++
	name := fmt.Sprintf("%s.%d", n.Name, n.incarnation)
	config := worker.Config{
		Mode: n.Mode, Store: n.store, Key: r.Key, Node: n.Name, Incarnation: n.incarnation, TTL: r.TTL, Clock: n.Clock, Rate: n.Rate,
		Log: filepath.Join(r.Dir, name+".log"), Resource: r.resource, Every: r.options.Every, Writes: 10,
	}
	argv := append([]string{r.options.Worker}, config.Args()...)
	if n.Mode == worker.Command {
		// What runs while it leads is started by a shell.
		argv = append([]string{
			r.options.Leadership, "run", "--store", n.store, "--key", r.Key, "--node", n.Name, "--ttl", r.TTL.String(), "--local", "--restart",
			"--", "sh", "-c", `"$0" "$@"`,
		}, argv...)
	}
	var err error
	n.process, err = start(argv, nil, filepath.Join(r.Dir, name+".out"))
	return err
}

// Kill kills the node's process with -9. What it had started is ended by the guard of
// `leadership run`.
func (n *Node) Kill() { n.process.kill() }

// Order sends an order of worker.Main.
func (n *Node) Order(order string) {
	if n.Mode != worker.Command {
		_, _ = fmt.Fprintln(n.process.in, order) // it may be gone
	}
}

// end ends the node's process in order.
func (n *Node) end() error {
	if n.process == nil {
		return nil
	}
	err := n.process.end(n.Mode == worker.Command)
	if n.Mode == worker.Command && n.process.cmd.ProcessState.ExitCode() >= 128 {
		err = nil // it tells the signal
	}
	if err != nil {
		return fmt.Errorf("%s.%d: %w", n.Name, n.incarnation, err)
	}
	return nil
}

// setFlow has all that goes a way through the node's proxies be carried so.
func (n *Node) setFlow(f servers.Flow, ways ...servers.Way) {
	for _, p := range n.Proxies {
		for _, way := range ways {
			p.Set(way, f)
		}
	}
}

// awaitLog waits until the node's present process has begun its log.
func (n *Node) awaitLog(limit time.Duration) {
	path := filepath.Join(n.run.Dir, fmt.Sprintf("%s.%d.log", n.Name, n.incarnation))
	for began := time.Now(); n.Mode != worker.Command && time.Since(began) < limit; time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
	}
}
