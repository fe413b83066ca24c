package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
	"github.com/seed-a1d591d3/leadership/store"
)

// runner campaigns and runs a command while it leads.
type runner struct {
	*program
	key, node     string
	ttl, grace    time.Duration
	priority      int
	payload       string
	once, restart bool
	try           try
	health        health

	argv      []string
	candidate *leadership.Candidate
	signals   *signals
	code      int // of the command
}

// errDone means that the command has ended, and the program is to end with it.
var errDone = errors.New("the command has ended")

func (p *program) runCommand() *cobra.Command {
	r := &runner{program: p}
	cmd := &cobra.Command{
		Use:   "run KEY [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command while leading",
		Long: `Run stands in the election under a key and runs the command while it leads: of
all that run under that key, on all machines that share the store, one at a time.

The command is started when a term begins. The term ends when the store cannot be
reached, when an operator asks for it, and when run is told to stop. Then the command
and its process group get SIGTERM, and after the grace all that it has started, and that
still runs, gets SIGKILL: before another can lead, and before the seat is given up. (What
it has started in another group or session gets SIGTERM, too, once its parent has ended.)
That holds even if run itself, its process group or its session is stopped, frozen
or killed with kill -9: a second process, the guard, in a session of its own, ends the
command, by a clock that counts the time that the machine is suspended. What the
command leaves running when it exits, in the background or detached, is ended too.

What it cannot do: if run and the guard are both stopped, and the command is not, the
command works on. If all three are, by a cgroup's freezer (docker pause, systemctl
freeze) or with the machine, the command may go on for a moment when they are thawed,
until the guard has ended it. If run and the guard are killed with -9 at the same time,
the command is killed too, but what it has started goes on. And run cannot end processes
of another user, such as those of sudo, unless it is run by root. What must not be done
by a past leader has to check LEADERSHIP_TOKEN.

After a lost term run campaigns on, and starts the command again when it is elected
again; with --once it exits. When the command exits by itself, run resigns and exits;
with --restart it campaigns on, after a pause.

With --try run does not wait for its turn. It exits 4, and the command is not run, if
there is a leader, if the election is paused or left to another node, or if the health
check of this node has not passed. If the store cannot be asked or written in the end, it
is not known whether the seat is free: run exits 125 then, but not because the store has
failed for a moment before. One look does not tell a leader that works from one that has
crashed: run waits until the leader renews or ends its term, for a third of its TTL by
default, or takes its place after its TTL.

So a job in the crontab of every machine is skipped while the one before still runs, on
any machine. A short job may run on two machines in a row, one after the other and never
at once, for its seat is free as soon as it has ended: use leadership round run for what
is to be done once each time it is due.

With --health-check a node stands only while that command, which is run by sh -c, exits 0;
after --health-failures failures in a row a leader steps down, and the command is ended.

Run logs to stderr when the command is started, and when its term has ended, and why; with
--try only with --verbose or on a terminal.

The command is started without a shell, in a process group of its own and without
a controlling terminal, with
  LEADERSHIP_KEY    the key
  LEADERSHIP_NODE   the leader: the name of this node
  LEADERSHIP_TOKEN  the fencing token of the term; higher than those before it
It has the input of run, unless that is a terminal. SIGHUP, SIGUSR1, SIGUSR2 and
SIGWINCH are passed on to it. At SIGINT and SIGTERM run ends the command, gives
up the seat and exits; at the second one the command is killed.

The exit code is that of the command, or 128 and the number of the signal that
ended it, or run before it had a command; 2 for wrong usage, 4 if --try does not run the
command, 125 for an error of run, 126 for a command that cannot be run and 127 for one
that is not found.`,
		Example: `  leadership run service/scheduler -- ./scheduler --verbose
  leadership run cron --store redis://10.0.0.5 --ttl 5s --restart -- ./tick.sh
  leadership run report --try -- ./report.sh
  leadership run api --health-check 'curl -fsS localhost:8080/ready' -- ./api
  leadership run migrate --once -- sh -c 'echo "term $LEADERSHIP_TOKEN"; ./migrate'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.argv = args[cmd.ArgsLenAtDash():]
			if !cmd.Flags().Changed("grace") {
				r.grace = r.ttl / 5
			}
			code, err := r.run(cmd.Context())
			if err != nil {
				return withCode(err, exitRun)
			}
			return exit(code)
		},
	}
	flags := cmd.Flags()
	keyFlag(cmd, &r.key)
	p.completeKey(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		dash := cmd.ArgsLenAtDash()
		if err := beforeCommand(args, dash, 0, 1, "the key"); err != nil {
			return err
		}
		return takeKey(cmd, &r.key, args[:dash], nil)
	}
	nodeFlag(cmd, &r.node, cmp.Or(p.env(nodeVariable), nodeOfProcess()), "name of this node, which others see (default $LEADERSHIP_NODE, or the host and the process id)")
	p.completeNode(cmd, "node")
	flags.DurationVar(&r.ttl, "ttl", leadership.DefaultTTL, "how long after the last renewal another may lead, 50ms at least")
	flags.DurationVar(&r.grace, "grace", 0, "time from SIGTERM to SIGKILL (default a fifth of the TTL)")
	flags.IntVar(&r.priority, "priority", 0, "of the candidates that wait the one with the highest priority is elected first")
	flags.StringVar(&r.payload, "payload", "", "what followers get, such as an address")
	flags.BoolVar(&r.once, "once", false, "exit after one term, however it ends")
	flags.BoolVar(&r.restart, "restart", false, "campaign on when the command exits by itself")
	r.localFlag(flags)
	flags.BoolVar(&r.try.on, "try", false, "run the command only if the seat is free now, once; else exit 4")
	flags.StringVar(&r.health.command, "health-check", "", "command for sh -c: stand in the election only while it exits 0")
	flags.DurationVar(&r.health.every, "health-interval", 0, "how often to check, and how long a check may take (default a third of the TTL)")
	flags.IntVar(&r.health.failures, "health-failures", leadership.DefaultHealthFailures, "failed checks in a row after which a leader steps down")
	cmd.MarkFlagsMutuallyExclusive("once", "restart")
	cmd.MarkFlagsMutuallyExclusive("try", "restart")
	return cmd
}

// beforeCommand checks that there are from least to most arguments, then "--", which is at
// dash, and a command.
func beforeCommand(args []string, dash, least, most int, what string) error {
	switch {
	case dash < 0 && len(args) <= most, dash >= 0 && len(args) == dash:
		return errors.New(`no command is named: put it after " -- "`)
	case dash < least || dash > most:
		return fmt.Errorf(`put the command after " -- ", and %s before that`, what)
	}
	return nil
}

// nodeOfProcess returns a name for this process: its host and process id.
func nodeOfProcess() string { return hostName() + "-" + strconv.Itoa(os.Getpid()) }

// run campaigns until the program is to end, and returns its exit code.
func (r *runner) run(ctx context.Context) (int, error) {
	return r.readied(ctx, r.argv[0], func(kv store.Store, signals *signals) (int, error) {
		r.signals = signals
		return r.campaign(signals.ctx, kv)
	})
}

func (r *runner) campaign(ctx context.Context, kv store.Store) (int, error) {
	checks, err := r.health.options(r.ttl, environWith(r.environ, "LEADERSHIP_KEY="+r.key, nodeVariable+"="+r.node))
	if err != nil {
		return 0, err
	}
	r.try.node, r.try.health = r.node, &r.health
	ctx, err = r.try.begin(ctx, r.stored(kv), r.key, r.ttl)
	switch {
	case err != nil && r.signals.code() != 0: // which has ended ctx
		return r.signals.code(), nil
	case err != nil:
		return 0, err
	}
	opts := []leadership.Option{
		leadership.WithGrace(r.grace), leadership.WithPriority(r.priority), leadership.WithLogger(r.logger()),
		leadership.WithWorkName(fmt.Sprintf("the command %q", r.argv[0])),
		leadership.WithCallbacks(leadership.Callbacks{OnLeaderChange: r.announce, OnError: r.try.note}),
	}
	opts = append(opts, checks...)
	if r.payload != "" {
		opts = append(opts, leadership.WithPayload([]byte(r.payload)))
	}
	r.candidate = leadership.NewCandidate(kv, r.key, r.node, r.ttl, opts...)
	err = r.candidate.Run(ctx, r.work)
	r.health.running.Wait() // for the end of what a check has started
	refused := r.try.end()
	switch {
	case refused != nil:
		return 0, r.untold(refused)
	case errors.Is(err, errDone):
		return r.code, nil
	case (err == nil || errors.Is(err, context.Canceled)) && r.signals.code() != 0: // which have ended ctx
		return r.signals.code(), nil
	}
	return 0, err
}

// work runs the command for one term.
func (r *runner) work(ctx context.Context, term leadership.Term) error {
	if !r.try.runs(r.key, term) {
		return context.Canceled
	}
	log := r.log().With("key", r.key, "node", r.node, "token", term.Token, "command", r.argv[0])
	log.Info("leading: the command is started")
	r.signals.busy.Store(true)
	defer r.signals.busy.Store(false)
	c := r.command(r.argv, r.grace, []string{
		"LEADERSHIP_KEY=" + r.key, nodeVariable + "=" + r.node, "LEADERSHIP_TOKEN=" + strconv.FormatUint(term.Token, 10),
	})
	c.Trust, c.Every = r.candidate.Trust, max(r.ttl/20, time.Millisecond)
	c.Signals, c.Hurry = r.signals.forCommand, r.signals.hurry
	ended, err := c.Run(ctx)
	switch {
	case err != nil:
		return err
	case ended.Failure != "":
		return &exitError{ended.Code, errors.New(ended.Failure)}
	}
	stopped := r.signals.ctx.Err() != nil
	last := r.once || r.try.on || !ended.Ended && !r.restart || stopped
	was := "the command was ended"
	if !ended.Started {
		was, ended.Code = "the command was not started", r.signals.code()
	}
	switch {
	case !ended.Ended && last:
		log.Info("the command has ended: the seat is given up", "code", ended.Code)
	case !ended.Ended:
		log.Info("the command has ended: it is started again when this node is elected again", "code", ended.Code)
	case stopped:
		log.Info("no longer leading: "+was, "reason", "a signal")
	case last && !ended.Started:
		// Not the reason itself, by which the candidate would campaign on.
		return fmt.Errorf("%s: no longer leading: %s", was, whyEnded(ctx).Error())
	default:
		log.Warn("no longer leading: "+was, "reason", whyEnded(ctx))
	}
	if last {
		r.code = ended.Code
		return errDone
	}
	return ctx.Err()
}

// whyEnded returns why a term has ended of which the command was told to end.
func whyEnded(ctx context.Context) error {
	why := context.Cause(ctx)
	if why == nil || why.Error() == leadership.ErrLost.Error() { // the guard was faster, or time was
		why = fmt.Errorf("%w: its claim was not renewed in time", leadership.ErrLost)
	}
	return why
}

// readied calls do, which runs a command, with an open store and signals that are caught,
// after a check that the command can be run: otherwise it would campaign for nothing.
func (p *program) readied(ctx context.Context, command string, do func(store.Store, *signals) (int, error)) (int, error) {
	if err := guard.Supported(); err != nil {
		return 0, err
	}
	if _, err := exec.LookPath(command); err != nil {
		return 0, &exitError{guard.StartCode(err), err}
	}
	signals := catchSignals(ctx)
	defer signals.stop()
	kv, err := p.openCommonStore(signals.ctx)
	switch {
	case err != nil && signals.code() != 0:
		return signals.code(), nil
	case err != nil:
		return 0, err
	}
	defer kv.Close()
	return do(kv, signals)
}

// command is a command with the streams of this program, and more environment.
func (p *program) command(argv []string, grace time.Duration, more []string) *guard.Command {
	c := &guard.Command{Argv: argv, Stdout: p.stdout, Stderr: p.stderr, Grace: grace, Every: time.Second, Lost: leadership.ErrLost}
	c.Environ = environWith(p.environ, more...)
	// A process that is not in the terminal's foreground and reads from it is
	// stopped.
	if f, ok := p.stdin.(*os.File); ok && !isTerminal(f) {
		c.Stdin = f
	}
	return c
}

// environWith is an environment in which some variables have other values.
func environWith(environ []string, more ...string) []string {
	rest := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		return slices.ContainsFunc(more, func(m string) bool {
			name, _, _ := strings.Cut(m, "=")
			return strings.HasPrefix(variable, name+"=")
		})
	})
	return append(rest, more...)
}

// log is where run tells of its terms.
func (r *runner) log() *slog.Logger {
	level := min(r.level(), slog.LevelInfo)
	if r.try.on && !r.attended() {
		level = r.level()
	}
	return slog.New(slog.NewTextHandler(r.stderr, &slog.HandlerOptions{Level: level}))
}

// attended reports whether there is somebody who reads what is no error.
func (p *program) attended() bool { return p.verbose || isTerminal(p.stderr) }

// untold drops the reason why --try has not run the command, unless somebody reads it:
// cron would send it each time.
func (r *runner) untold(err error) error {
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitTaken {
		return err
	}
	if r.attended() {
		fmt.Fprintf(r.stderr, "leadership: not run: %v\n", exit.err)
	}
	return &exitError{code: exitTaken}
}

// announce tells who leads, unless it is this node, which work does.
func (r *runner) announce(term leadership.Term) {
	own, _ := r.candidate.Term()
	r.try.changed(r.key, term, own)
	if term.Leader != "" && term.Token != own.Token {
		r.log().Info("waiting: another leads", "key", r.key, "leader", term.Leader, "token", term.Token, "for", lasting(time.Since(term.Since)))
	}
}
