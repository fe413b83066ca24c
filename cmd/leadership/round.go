package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// roundAnswer is what the commands about rounds print as JSON.
type roundAnswer struct {
	System    string `json:"system"`
	Round     string `json:"round"`
	Node      string `json:"node,omitempty"`
	Won       *bool  `json:"won,omitempty"`
	Attempt   uint64 `json:"attempt,omitempty"`
	Trust     int64  `json:"trust_ms,omitempty"` // for how long it may be trusted; 0 for ever
	Winner    string `json:"winner,omitempty"`
	Completer string `json:"completer,omitempty"`
	Failed    bool   `json:"failed,omitempty"`
}

// roundCommand is a command about a round; do returns the line to print.
type roundCommand struct {
	use, short, long string
	names            bool // has --node
	waits            bool // has --timeout
	results          bool // has --result and --attempt
	elects           bool // has --attempt-ttl and --local
	do               func(ctx context.Context, r *leadership.Round, a *roundAnswer, result []byte) (line string, err error)
}

func (p *program) roundCommands() *cobra.Command {
	group := &cobra.Command{
		Use:   "round",
		Short: "Elect one winner for one job, once and for all",
		Long: `A round is one job that is due once, such as backup 2020-10-18: of all nodes that
ask, on all machines that share the store, the first wins, and the answer never
changes. Name a round after the time at which the job is due, the same on all machines.

elect, complete and fail are asked by a node: --node, or else LEADERSHIP_NODE, or else one
named after the process that has started leadership. All commands of one script are the
same node then; but not one that another program starts, as timeout and sudo do: name the
node there. All that give one name are one node: no two machines may have the same.`,
		Example: `  day=$(date +%F)
  if leadership round elect backup "$day"; then
    ./backup.sh && leadership round complete backup "$day"
  fi
  leadership round run backup "$day" -- ./backup.sh`,
		Args: onlyCommands,
		RunE: printHelp,
	}
	for _, c := range []roundCommand{
		{"elect", "Ask to be the winner", "Exits 0 if this node has won, also when it asks again; 1 if another has won; 2 for\nwrong usage; 3 for an error, after which it may have won: ask again.\n\nWith --attempt-ttl the win is good for that long, and asking again renews it. This\nprocess ends before it has seen enough of another's attempt to win the next one: to take\nover from winners that crash, use round run, or the service.", true, false, false, true, elect},
		{"elected", "Print the winner", "Exits 0 and prints the winner, or exits 1 if there is none yet.", false, false, false, false, elected},
		{"complete", "Record that the winner has done the job", "Exits 0 when that is recorded; 1 if this node is not the winner, or another has\ncompleted the round.", true, false, true, false, complete},
		{"fail", "Record that the winner has tried to do the job and failed", "The round stays uncompleted: the winner may try again, and complete it. Exits 0 when\nthat is recorded; 1 if this node is not the winner.", true, false, true, false, fail},
		{"completed", "Print the node that has completed the round", "Exits 0 and prints the node, or exits 1 if it is not completed yet.", false, false, false, false, completed},
		{"await", "Wait until the round has been completed", "Exits 0 and prints the node that has completed it, or exits 1 after --timeout.", false, true, false, false, await},
	} {
		group.AddCommand(p.roundVerb(c))
	}
	group.AddCommand(p.roundListCommand(), p.roundRunCommand())
	return group
}

func (p *program) roundVerb(c roundCommand) *cobra.Command {
	var node string
	var asJSON bool
	var timeout time.Duration
	var result string
	var number uint64
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: c.use + " SYSTEM ROUND", Short: c.short, Long: c.short + ".\n\n" + c.long,
		Example: "  leadership round " + c.use + " backup 2020-10-18",
		Args:    systemAndRound,
		RunE: with(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			if timeout < 0 {
				return usage("--timeout is %v: must not be below 0", timeout)
			}
			open := p.openStore
			if c.elects {
				open = p.openCommonStore
			}
			kv, err := open(ctx)
			if err != nil {
				return err
			}
			defer kv.Close()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			a := roundAnswer{System: args[0], Round: args[1], Node: node}
			// A command that only reads has no name, but a Round needs one.
			name := node
			if !c.names {
				name = "-"
			}
			round := leadership.NewRound(kv, args[0], args[1], name, leadership.WithAttempt(number), leadership.WithAttemptTTL(ttl))
			line, err := c.do(ctx, round, &a, []byte(result))
			var no *exitError
			if err != nil && !(errors.As(err, &no) && no.code == exitNo) {
				return err
			}
			lost := a.Won != nil && !*a.Won
			if errors.Is(err, leadership.ErrNotElected) || lost && (asJSON || p.attended()) {
				a.Winner = whoWon(ctx, round)
			}
			if c.names && a.Winner != node {
				err = p.whoAmI(cmd, a, err)
			}
			if no != nil && errors.Is(err, context.DeadlineExceeded) {
				err = &exitError{exitNo, notCompleted(ctx, round, a, timeout)}
			}
			switch {
			case asJSON:
				if e := p.printJSON(a); e != nil {
					return e
				}
			case line != "":
				if isTerminal(p.stdout) {
					line = printable(line)
				}
				if _, e := fmt.Fprintln(p.stdout, line); e != nil {
					return e
				}
			}
			return err
		}),
	}
	if c.names {
		nodeFlag(cmd, &node, cmp.Or(p.env(nodeVariable), nodeOfCaller()),
			"name of the node that asks; all that give one name are one node (default $LEADERSHIP_NODE, or one for all calls by the same process)")
	}
	if c.waits {
		cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait; 0 for ever")
	}
	if c.results {
		cmd.Flags().StringVar(&result, "result", "", "the result, for people who look at the round")
		cmd.Flags().Uint64Var(&number, "attempt", 0, "the number of the attempt, if attempts have a TTL (default the one that this node has won)")
	}
	if c.elects {
		cmd.Flags().DurationVar(&ttl, "attempt-ttl", 0, "how long a win lasts that is not renewed, 50ms at least; 0 for ever")
		p.localFlag(cmd.Flags())
	}
	jsonFlag(cmd, &asJSON)
	p.completeRound(cmd)
	return cmd
}

func elect(ctx context.Context, r *leadership.Round, a *roundAnswer, _ []byte) (string, error) {
	won, err := r.Elect(ctx)
	if err != nil {
		return "", err
	}
	if a.Won = &won; !won {
		return "lost", exit(exitNo)
	}
	if number, left := r.Attempt(); number > 0 && left < math.MaxInt64 {
		a.Attempt, a.Trust = number, left.Milliseconds()
	}
	return "won", nil
}

func elected(ctx context.Context, r *leadership.Round, a *roundAnswer, _ []byte) (line string, err error) {
	a.Winner, err = r.Elected(ctx)
	return a.Winner, orNobody(a.Winner, err)
}

func complete(ctx context.Context, r *leadership.Round, a *roundAnswer, result []byte) (string, error) {
	err := orNotItsOwn(r.CompleteWith(ctx, result))
	if err == nil {
		a.Completer = a.Node
	}
	return "", err
}

func fail(ctx context.Context, r *leadership.Round, a *roundAnswer, result []byte) (string, error) {
	err := orNotItsOwn(r.Fail(ctx, result))
	a.Failed = err == nil
	return "", err
}

// orNotItsOwn returns exit code 1 if the round is another's.
func orNotItsOwn(err error) error {
	if errors.Is(err, leadership.ErrNotElected) || errors.Is(err, leadership.ErrCompletedByOther) || errors.Is(err, leadership.ErrSuperseded) {
		return &exitError{exitNo, err}
	}
	return err
}

func completed(ctx context.Context, r *leadership.Round, a *roundAnswer, _ []byte) (line string, err error) {
	a.Completer, err = r.Completed(ctx)
	return a.Completer, orNobody(a.Completer, err)
}

func await(ctx context.Context, r *leadership.Round, a *roundAnswer, _ []byte) (line string, err error) {
	a.Completer, err = r.Await(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return "", &exitError{exitNo, err}
	}
	return a.Completer, err
}

// whoWon returns the winner of a round, if that can be found out.
func whoWon(ctx context.Context, r *leadership.Round) string {
	winner, _ := r.Elected(ctx)
	return winner
}

// whoAmI tells a node that is not the winner who it was taken for, and who has won. err is
// that of the command; a node that has lost, which is no error, is told so where there is
// somebody to read it.
func (p *program) whoAmI(cmd *cobra.Command, a roundAnswer, err error) error {
	winner := "nobody has won"
	switch {
	case a.Winner != "":
		winner = fmt.Sprintf("the winner is %q", a.Winner)
	case !errors.Is(err, leadership.ErrNotElected):
		return err // it is not known
	}
	says := fmt.Sprintf("you are %q, %s", a.Node, winner)
	if a.Winner != "" && !cmd.Flags().Changed("node") && p.env(nodeVariable) == "" {
		says += "; name yourself by --node or " + nodeVariable
	}
	if errors.Is(err, leadership.ErrNotElected) {
		return &exitError{exitNo, fmt.Errorf("%s %q: %w: %s", cmd.Name(), a.System+"/"+a.Round, leadership.ErrNotElected, says)}
	}
	if p.attended() {
		fmt.Fprintln(p.stderr, "leadership: "+says)
	}
	return err
}

// notCompleted returns what is known of a round that was waited for in vain.
func notCompleted(ctx context.Context, r *leadership.Round, a roundAnswer, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadership.DefaultCallTimeout)
	defer cancel()
	s, err := r.State(ctx)
	why := "nobody has won it"
	switch {
	case err != nil:
		why = err.Error()
	case !s.Failed.IsZero():
		why = fmt.Sprintf("%s has failed %s ago: %q", printable(s.Winner), lasting(time.Since(s.Failed)), s.Failure)
	case s.Winner != "":
		why = fmt.Sprintf("%s has won it %s ago, and has not completed it", printable(s.Winner), lasting(time.Since(s.Elected)))
	}
	return fmt.Errorf("round %s of %s is not completed after %s: %s", printable(a.Round), printable(a.System), clock.Text(timeout), why)
}

// orNobody returns exit code 1 if there is no name.
func orNobody(name string, err error) error {
	if err == nil && name == "" {
		return exit(exitNo)
	}
	return err
}

// nodeOfCaller returns a name for the process that has called this one, such as a shell
// that calls several commands in a row: its host, its process id, and when it was started,
// because process ids are used again, and are the same in many containers.
func nodeOfCaller() string {
	pid := os.Getppid()
	name := hostName() + "-" + strconv.Itoa(pid)
	if started := guard.Started(pid); started != "" {
		name += "." + started
	}
	return name
}

// systemAndRound checks that there are these two arguments.
func systemAndRound(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("needs SYSTEM and ROUND, and got %d argument(s)", len(args))
	}
	return nil
}
