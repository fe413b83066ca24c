package run

import (
	"cmp"
	"errors"
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
	Mode    string // of package worker, where Command is `leadership run`; or Python
	Clock   bool   // it has a clock of its own, of this rate
	Rate    float64
	Proxies []*servers.Proxy // one for each host of the stage
	Wind    time.Duration    // how long its work goes on after the context has ended
	Deaf    bool             // its store ignores the ends of contexts
	Rides   bool             // its terms ride on a session

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
		Wind: n.Wind, Deaf: n.Deaf, Rides: n.Rides,
	}
	if n.library() && !r.Fault.Lost && !r.Fault.Forgets {
		config.Rounds = 1 // one won twice is found
	}
	config.Mode = cmp.Or(commands[n.Mode], n.Mode)
	argv, environ := append([]string{r.options.Worker}, config.Args()...), []string(nil)
	switch n.Mode {
	case worker.Command:
		// What runs while it leads is started by a shell.
		argv = append([]string{
			r.options.Leadership, "run", "--store", n.store, "--key", r.Key, "--node", n.Name, "--ttl", r.TTL.String(), "--local", "--restart",
			"--", "sh", "-c", `"$0" "$@"`,
		}, argv...)
	case Python:
		// Without a shell: where this is killed, its command is, and what that has started is not.
		argv = append([]string{
			"python3", r.options.Python, "--url", n.store, "--key", r.Key, "--node", n.Name, "--ttl", fmt.Sprint(r.TTL.Seconds()), "--",
		}, argv...)
		environ = []string{"LEADERSHIP_KEY=" + r.Key, "LEADERSHIP_NODE=" + n.Name}
	}
	var err error
	n.process, err = start(argv, append(environ, r.options.Environ...), filepath.Join(r.Dir, name+".out"))
	return err
}

// Python is the mode of a node that claims the seat over HTTP.
const Python = "python"

// commands are the modes in which a node starts a worker only while it leads, and that
// worker's.
var commands = map[string]string{worker.Command: worker.Command, Python: worker.Command}

// library reports whether the node is a worker all the time, which uses the library.
func (n *Node) library() bool { return commands[n.Mode] == "" }

// Kill kills the node's process with -9. What it had started is ended by the guard of
// `leadership run`.
func (n *Node) Kill() { n.process.kill(false) }

// Order sends an order of worker.Main.
func (n *Node) Order(order string) {
	if n.library() {
		_, _ = fmt.Fprintln(n.process.in, order) // it may be gone
	}
}

// cannotRun is how `leadership run` exits that cannot open its store.
const cannotRun = 125

// end ends the node's process in order.
func (n *Node) end() error {
	if n.process == nil {
		return nil
	}
	err := n.process.end(!n.library())
	if state := n.process.cmd.ProcessState; !n.library() && (state.ExitCode() < 0 || state.ExitCode() >= cannotRun) && !errors.Is(err, errStuck) {
		err = nil // it tells the signal, or was ended by it as it had just begun, or could not open the store
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
	for began := time.Now(); n.library() && time.Since(began) < limit; time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
	}
}
