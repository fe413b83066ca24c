package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
)

// roundRunner runs a command where it wins a round.
type roundRunner struct {
	*program
	node  string
	grace time.Duration
	wait  bool
}

func (p *program) roundRunCommand() *cobra.Command {
	r := &roundRunner{program: p}
	cmd := &cobra.Command{
		Use:   "run SYSTEM ROUND [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command once, on whichever machine wins the round",
		Long: `Run asks to be the winner of a round, and where it wins, runs the command: once,
of all that run it for that round, on all machines that share the store. When
the command exits 0, the round is completed.

Whoever loses exits 0 at once, or, with --wait, when the round has been completed.
The winner exits with the code of the command, or 128 and the number of the
signal that ended it; 2 for wrong usage, 125 for an error of its own, 126 and 127
where the command cannot be run or found. A command that has failed is not run
again for that round, and the round stays uncompleted: its exit code is recorded, and
round list tells it.

The command is started without a shell, in a process group of its own. SIGINT and
SIGTERM end it, and all that it has started, by SIGTERM, and by SIGKILL after the
grace; so does the end of run itself.`,
		Example: `  # in the crontab of every machine:
  0 3 * * *  leadership round run backup "$(date +\%F)" -- /usr/local/bin/backup`,
		Args: commandArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := r.run(cmd.Context(), args[0], args[1], args[2:])
			if err != nil {
				return withCode(err, exitRun)
			}
			return exit(code)
		},
	}
	flags := cmd.Flags()
	// Not the process alone: in containers many have the same id.
	flags.StringVar(&r.node, "node", nodeOfProcess()+"-"+rand.Text()[:8], "who asks; two that give the same name are the same, and both run the command")
	flags.DurationVar(&r.grace, "grace", 10*time.Second, "time from SIGTERM to SIGKILL")
	flags.BoolVar(&r.wait, "wait", false, "where another has won, wait until the round has been completed")
	return cmd
}

func (r *roundRunner) run(ctx context.Context, system, name string, argv []string) (int, error) {
	if r.grace < 0 {
		return 0, usage("--grace is %v: must not be below 0", r.grace)
	}
	if err := canSupervise(); err != nil {
		return 0, err // before it campaigns for nothing
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return 0, &exitError{startCode(err), err}
	}
	signals := catchSignals(ctx)
	defer signals.stop()
	ctx = signals.ctx
	kv, err := r.openStore(ctx)
	switch {
	case err != nil && signals.code() != 0:
		return signals.code(), nil
	case err != nil:
		return 0, err
	}
	defer kv.Close()
	round := leadership.NewRound(kv, system, name, r.node)
	var ended report
	won, err := round.Do(ctx, func(ctx context.Context) error {
		signals.busy.Store(true)
		defer signals.busy.Store(false)
		s := r.supervise(argv, r.grace, []string{"LEADERSHIP_SYSTEM=" + system, "LEADERSHIP_ROUND=" + name, "LEADERSHIP_NODE=" + r.node})
		s.signals, s.hurry = signals.forCommand, signals.hurry
		var err error
		if ended, err = s.run(ctx); err != nil {
			return err
		}
		if ended.Code != 0 {
			return errDone
		}
		return nil
	})
	switch {
	case ended.Failure != "":
		return 0, &exitError{ended.Code, errors.Join(errors.New(ended.Failure), recordFailure(ctx, round, ended.Failure))}
	case errors.Is(err, errDone):
		if err := recordFailure(ctx, round, fmt.Sprintf("exit code %d", ended.Code)); err != nil {
			return 0, &exitError{ended.Code, err}
		}
		return ended.Code, nil
	case errors.Is(err, context.Canceled) && signals.code() != 0:
		return signals.code(), nil
	case err != nil && won:
		return 0, fmt.Errorf("won, and not known to be completed: %w", err)
	case err != nil || won:
		return 0, err
	}
	if r.wait {
		if _, err := round.Await(ctx); err != nil && signals.code() != 0 {
			return signals.code(), nil
		} else if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// recordFailure notes in the round why it is not completed, also when the program
// is told to end.
func recordFailure(ctx context.Context, round *leadership.Round, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadership.DefaultCallTimeout)
	defer cancel()
	if err := round.Fail(ctx, []byte(why[:min(len(why), leadership.MaxRoundResult)])); err != nil {
		return fmt.Errorf("%s, which is not recorded: %w", why, err)
	}
	return nil
}
