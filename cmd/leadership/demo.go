package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/httpapi"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/store/faultstore"
	"github.com/seed-a1d591d3/leadership/store/memory"
)

const (
	demoKey    = "demo/leader"
	demoSystem = "report"
)

// demo is an election in one process, to look at.
type demo struct {
	*program
	listen string
	ttl    time.Duration
	every  time.Duration
	json   bool

	began time.Time
	kv    *memory.Store
	nodes []*demoNode

	mu sync.Mutex // held while a line is printed
}

// demoNode is one candidate, with a connection of its own.
type demoNode struct {
	name       string
	connection *faultstore.Store
	candidate  *leadership.Candidate
}

// demoLine is a line that demo prints, as JSON.
type demoLine struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
	Node  string    `json:"node,omitempty"`
	Token uint64    `json:"token,omitempty"`
	URL   string    `json:"url,omitempty"`
	Text  string    `json:"text"`
}

func (p *program) demoCommand() *cobra.Command {
	d := &demo{program: p}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show an election: three candidates, a follower and the page",
		Long: `Demo runs three candidates, a follower and the service in this process, on a store
in its memory, and prints what happens: elections, resignations, a leader that is
cut off from the store, rounds. Open the page that it names: the candidates obey what
you ask for there. It goes on until Ctrl-C. If port 8080 is taken it takes another.`,
		Example: `  leadership demo
  leadership demo --ttl 1s --every 3s --listen 127.0.0.1:9000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCode(d.run(cmd.Context(), cmd.Flags().Changed("listen")), exitFailure)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.listen, "listen", defaultListen, "host:port of the page; port 0 for any free one")
	flags.DurationVar(&d.ttl, "ttl", 3*time.Second, "how long after the last renewal another may lead")
	flags.DurationVar(&d.every, "every", 8*time.Second, "how often something happens")
	jsonFlag(cmd, &d.json)
	return cmd
}

// run shows the election until ctx ends, or a signal comes.
func (d *demo) run(ctx context.Context, exactly bool) error {
	if d.every <= 0 {
		return usage("--every is %v: must be above 0", d.every)
	}
	if d.ttl < leadership.MinTTL || d.ttl > leadership.MaxTTL {
		return usage("--ttl is %v: must be from %v to %v", d.ttl, leadership.MinTTL, leadership.MaxTTL)
	}
	if err := checkListen(d.listen); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	lc := &net.ListenConfig{}
	listener, err := lc.Listen(ctx, "tcp", d.listen)
	if err != nil && !exactly {
		listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	d.began, d.kv = time.Now(), memory.New()
	defer d.kv.Close()
	page, err := newWeb(d.kv, listener, nil, d.logger(), []httpapi.Option{httpapi.WithObserved("", demoSystem), httpapi.WithLogger(d.logger())})
	if err != nil {
		listener.Close()
		return err
	}
	d.open(page.url())
	ended := d.elect(ctx)
	err = d.act(ctx, page.failed)
	stop() // a second signal ends the process
	ended()
	d.close()
	return errors.Join(err, page.end(time.Second))
}

// elect starts the candidates and the follower. They end with ctx; wait blocks until
// they have ended.
func (d *demo) elect(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	drain := func(errs <-chan error) {
		all.Go(func() {
			for range errs {
				continue // it goes on
			}
		})
	}
	follower := leadership.NewFollower(d.kv, demoKey, leadership.WithCallbacks(leadership.Callbacks{OnLeaderChange: d.leads}))
	leaders, errs := follower.FollowElection(ctx)
	all.Go(func() {
		for range leaders {
			continue // the callback tells more
		}
	})
	drain(errs)
	for i, name := range []string{"anna", "ben", "cleo"} {
		n := &demoNode{name: name, connection: faultstore.New(d.kv)}
		n.candidate = leadership.NewCandidate(n.connection, demoKey, name, d.ttl,
			leadership.WithPayload(fmt.Appendf(nil, "http://192.0.2.%d:8080", i+1)),
			leadership.WithCallbacks(leadership.Callbacks{OnDemoted: func(t leadership.Term, why error) { d.demoted(t, why) }}))
		d.nodes = append(d.nodes, n)
		changes, errs := n.candidate.RunForElection(ctx)
		all.Go(func() {
			for range changes {
				continue
			}
		})
		drain(errs)
	}
	return all.Wait
}

// act makes something happen every so often, until ctx ends or the page fails.
func (d *demo) act(ctx context.Context, failed <-chan error) error {
	acts := []func(ctx context.Context, leader *demoNode){d.round, d.resign, d.cutOff, d.round, d.transfer}
	for i, idle := 0, false; ; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-time.After(d.every):
		}
		// It waits while there is no leader, as in a pause.
		at := slices.IndexFunc(d.nodes, func(n *demoNode) bool { return n.candidate.IsLeader() })
		if at >= 0 {
			acts[i%len(acts)](ctx, d.nodes[at])
			i++
		} else if !idle {
			d.say("vacant", "", 0, "there is no leader: if you have asked for a pause, resume on the page")
		}
		idle = at < 0
	}
}

func (d *demo) resign(_ context.Context, leader *demoNode) {
	d.say("resign", leader.name, 0, "resigns, as before a restart: another takes over at once")
	leader.candidate.Resign()
}

// cutOff cuts the leader off from the store, until it has lost its seat and for
// a while after.
func (d *demo) cutOff(ctx context.Context, leader *demoNode) {
	d.say("cut off", leader.name, 0, fmt.Sprintf("is cut off from the store: its term runs out within %s", clock.Text(d.ttl)))
	leader.connection.Partition()
	select {
	case <-ctx.Done():
	case <-time.After(d.ttl * 3 / 2):
		d.say("healed", leader.name, 0, "reaches the store again, and waits for its turn")
	}
	leader.connection.Heal()
}

// transfer asks the leader to transfer to the one after it.
func (d *demo) transfer(ctx context.Context, leader *demoNode) {
	to := d.nodes[(slices.Index(d.nodes, leader)+1)%len(d.nodes)].name
	d.say("transfer", leader.name, 0, "is asked to hand over to "+to)
	ctx, cancel := context.WithTimeout(ctx, 3*d.ttl)
	defer cancel()
	err := leadership.Ask(ctx, d.kv, demoKey, leadership.Request{Action: leadership.Transfer, To: to, Hold: d.ttl, By: "demo"})
	if err != nil && ctx.Err() == nil {
		d.say("transfer", leader.name, 0, err.Error())
	}
}

// round lets all three ask for one job. The winner does it.
func (d *demo) round(ctx context.Context, _ *demoNode) {
	name := time.Now().Format("2006-01-02-150405.000")
	var all sync.WaitGroup
	for _, n := range d.nodes {
		all.Go(func() {
			round := leadership.NewRound(d.kv, demoSystem, name, n.name)
			if won, err := round.Elect(ctx); err != nil || !won {
				return
			}
			d.say("round", n.name, 0, fmt.Sprintf("wins round %s of %s, out of three that ask", name, demoSystem))
			select {
			case <-ctx.Done():
			case <-time.After(d.every / 4): // the job
			}
			if round.CompleteWith(ctx, []byte("done by "+n.name)) == nil {
				d.say("round", n.name, 0, "has done it: the round is completed")
			}
		})
	}
	all.Wait()
}

// leads prints what the follower has found.
func (d *demo) leads(term leadership.Term) {
	if term.Leader == "" {
		return // another will lead, or act prints it
	}
	text := fmt.Sprintf("leads, with token %d", term.Token)
	if last := term.Last; last.Leader != "" {
		text += fmt.Sprintf("; the last term: %s, %s", last.Leader, last.Reason)
	}
	d.say("leader", term.Leader, term.Token, text)
}

// demoted prints that a leader has lost its seat.
func (d *demo) demoted(term leadership.Term, why error) {
	if errors.Is(why, leadership.ErrLost) {
		d.say("lost", term.Leader, term.Token, "does not lead any more, by its own clock, before another can")
	}
}
