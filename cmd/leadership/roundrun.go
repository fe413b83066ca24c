package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
	"github.com/seed-a1d591d3/leadership/store"
)

// roundRunner runs a command if it wins a round.
type roundRunner struct {
	*program
	node  string
	grace time.Duration
	ttl   time.Duration // of an attempt; 0: for ever
	wait  bool
}

func (p *program) roundRunCommand() *cobra.Command {
	r := &roundRunner{program: p}
	cmd := &cobra.Command{
		Use:   "run SYSTEM ROUND [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command once, on whichever machine wins the round",
		Long: `Run asks to be the winner of a round, and runs the command if it wins: once, of all
that run it for that round, on all machines that share the store. When the command
exits 0, the round is completed.

A loser exits 0 at once or, with --wait, when the round has been completed, and prints
why on a terminal and with --verbose.
The winner exits with the code of the command, or 128 and the number of the signal
that ended it; 2 for wrong usage, 125 for an error of its own, 126 and 127 if the
command cannot be run or found. A command that has failed is not run again for that
round, and the round stays uncompleted: its exit code is recorded, and round list
prints it. The same goes for a command that run was told to end.

With --attempt-ttl a machine that crashes does not take the round with it: the win has
to be renewed, and run does so while the command runs. If it cannot be renewed, the
command is ended, as by leadership run, before another may win. Losers with --wait ask
on, and run the command when it is their turn.

The command is started without a shell, in a process group of its own, with
  LEADERSHIP_SYSTEM   the system
  LEADERSHIP_ROUND    the round
  LEADERSHIP_NODE     the name of this node: round complete in the command has it, too
  LEADERSHIP_ATTEMPT  the number of the attempt, from 1 on: what must not be done by a past
                      attempt has to check it, as a fencing token
This node is another for each call of run unless --node is set; LEADERSHIP_NODE, which an
outer run may have set, is not used. SIGINT and SIGTERM end the command, and all that it
has started, as leadership run does: by SIGTERM, and by SIGKILL after the grace. So does
the end of run itself.`,
		Example: `  # in the crontab of every machine:
  LEADERSHIP_STORE=redis://10.0.0.5
  0 3 * * *  leadership round run backup "$(date +\%F)" -- /usr/local/bin/backup`,
		Args: func(cmd *cobra.Command, args []string) error {
			return beforeCommand(args, cmd.ArgsLenAtDash(), 2, 2, "SYSTEM and ROUND")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.ttl != 0 && !cmd.Flags().Changed("grace") {
				r.grace = min(r.grace, r.ttl/5)
			}
			code, err := r.run(cmd.Context(), args[0], args[1], args[2:])
			if err != nil {
				return withCode(err, exitRun)
			}
			return exit(code)
		},
	}
	flags := cmd.Flags()
	// Not the process alone: in containers many have the same id.
	nodeFlag(cmd, &r.node, nodeOfProcess()+"-"+rand.Text()[:8],
		"name of the node that asks; all that give one name are one node, and each runs the command (default another for each call)")
	flags.DurationVar(&r.grace, "grace", 10*time.Second, "time from SIGTERM to SIGKILL; at most a fifth of --attempt-ttl, if that is set")
	flags.DurationVar(&r.ttl, "attempt-ttl", 0, "how long a win lasts that is not renewed, 50ms at least; 0 for ever")
	flags.BoolVar(&r.wait, "wait", false, "if another has won, wait until the round has been completed")
	r.localFlag(flags)
	p.completeRound(cmd)
	return cmd
}

func (r *roundRunner) run(ctx context.Context, system, name string, argv []string) (int, error) {
	if r.grace < 0 {
		return 0, usage("--grace is %v: must not be below 0", r.grace)
	}
	if r.ttl != 0 && r.grace > r.ttl/5 {
		return 0, usage("--grace is %v: must not be above a fifth of --attempt-ttl, %v", r.grace, r.ttl/5)
	}
	return r.readied(ctx, argv[0], func(kv store.Store, signals *signals) (int, error) {
		round := leadership.NewRound(kv, system, name, r.node, leadership.WithAttemptTTL(r.ttl), leadership.WithAttemptGrace(r.grace))
		return r.compete(signals, round, argv,
			[]string{"LEADERSHIP_SYSTEM=" + system, "LEADERSHIP_ROUND=" + name, nodeVariable + "=" + r.node})
	})
}

// errUndone means that the command has not done the job.
var errUndone = errors.New("the command has not done it")

// compete runs the command if this node wins the round.
func (r *roundRunner) compete(signals *signals, round *leadership.Round, argv, environ []string) (int, error) {
	ctx, started := signals.ctx, false
	var ended *guard.Report
	won, err := r.ask(ctx, round, func(ctx context.Context) error {
		started = true
		signals.busy.Store(true)
		defer signals.busy.Store(false)
		e, err := r.work(ctx, round, signals, argv, environ)
		if err != nil {
			return err
		}
		if ended = &e; e.Failure != "" || e.Code != 0 || e.Ended {
			return errUndone
		}
		return nil
	})
	switch {
	case ended != nil:
		return r.finish(ctx, round, signals, *ended, err)
	case err != nil && signals.code() != 0 && !started:
		return signals.code(), nil
	case err == nil && !won:
		r.tell(ctx, round)
	}
	return 0, err
}

// tell prints why there is nothing to do.
func (r *roundRunner) tell(ctx context.Context, round *leadership.Round) {
	if !r.attended() {
		return
	}
	s, err := round.State(ctx)
	why := "has won it, and has not completed it yet"
	switch {
	case err != nil || s.Winner == "":
		return
	case s.Completer != "":
		why = "has completed it"
	case !s.Failed.IsZero():
		why = fmt.Sprintf("has failed: %q", s.Failure)
	}
	fmt.Fprintf(r.stderr, "leadership: nothing to do in round %s of %s: %s %s\n", s.Round, s.System, printable(cmp.Or(s.Completer, s.Winner)), why)
}

// ask calls work if this node wins the round and it is not completed yet. It reports
// whether the node has won.
func (r *roundRunner) ask(ctx context.Context, round *leadership.Round, work func(context.Context) error) (bool, error) {
	for again := false; ; again = true {
		// Before it asks: once it has won, an error would leave the job undone.
		completer, err := round.Completed(ctx)
		if err == nil && completer != "" {
			return false, nil
		}
		won := false
		if err == nil {
			won, err = round.Do(ctx, work)
		}
		switch {
		case won:
			return true, err
		case err == nil && r.wait && r.ttl == 0:
			_, err := round.Await(ctx)
			return false, err
		case !r.wait, err != nil && !again, errors.Is(err, leadership.ErrForeignRecord):
			return false, err
		}
		// The winner may crash. What was seen of its attempt so far counts.
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(min(max(r.ttl/10, leadership.MinTTL), time.Second)):
		}
	}
}

// work runs the command for an attempt that was won.
func (r *roundRunner) work(ctx context.Context, round *leadership.Round, signals *signals, argv, environ []string) (guard.Report, error) {
	number, left := round.Attempt()
	c := r.command(argv, r.grace, append(environ, "LEADERSHIP_ATTEMPT="+strconv.FormatUint(number, 10)))
	c.Signals, c.Hurry = signals.forCommand, signals.hurry
	// Not by the flag: an attempt that this node has won before keeps its TTL.
	if left < math.MaxInt64 {
		c.Trust = func() time.Duration {
			_, left := round.Attempt()
			return left
		}
		c.Every = max(left/20, time.Millisecond)
	}
	return c.Run(ctx)
}

// finish records why the job was not done, if it was not, and returns the exit code. err
// is that of Do.
func (r *roundRunner) finish(ctx context.Context, round *leadership.Round, signals *signals, ended guard.Report, err error) (int, error) {
	switch {
	case ended.Failure != "":
		return 0, &exitError{ended.Code, errors.Join(errors.New(ended.Failure), recordFailure(ctx, round, ended.Failure))}
	case !errors.Is(err, errUndone): // whatever this program is told meanwhile
		if err != nil {
			return 0, fmt.Errorf("the command has done it, but it is not known whether that was recorded: %w", err)
		}
		return 0, nil
	}
	why := fmt.Sprintf("exit code %d", ended.Code)
	switch {
	case !ended.Started:
		why = "it was told to end before it was started"
	case ended.Ended:
		why += ", after it was told to end"
	}
	code := ended.Code
	if code == 0 {
		code = cmp.Or(signals.code(), exitRun)
	}
	if err := recordFailure(ctx, round, why); err != nil {
		return 0, &exitError{code, err}
	}
	return code, nil
}

// recordFailure records in the round why it is not completed, also when the program is
// told to end.
func recordFailure(ctx context.Context, round *leadership.Round, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadership.DefaultCallTimeout)
	defer cancel()
	if err := round.Fail(ctx, []byte(why[:min(len(why), leadership.MaxRoundResult)])); err != nil {
		return fmt.Errorf("%s, which is not recorded: %w", why, err)
	}
	return nil
}
