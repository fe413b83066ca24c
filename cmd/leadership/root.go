package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// program is what all commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	storeURL string
	reached  reachFlags
	local    bool // the store is meant to be this machine's own
	verbose  bool
}

// newRoot makes the command line. environ is the environment, as os.Environ
// returns it. It touches nothing until it is executed.
func newRoot(stdin io.Reader, stdout, stderr io.Writer, environ []string) *cobra.Command {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := &cobra.Command{
		Use:   "leadership",
		Short: "Run commands while leading, print who leads, elect winners of rounds",
		Long: `leadership elects one leader among processes, on one machine or many, over a
key/value store: etcd, Consul, ZooKeeper, Redis, PostgreSQL, or a SQLite file.

The store is named by --store or LEADERSHIP_STORE, as a URL:

  sqlite:///var/lib/app/elections.db      redis://:password@host:6379/0
  postgres://user:password@host/database  etcd://host1:2379,host2:2379/prefix
  consul://host:8500/prefix               zookeeper://host1:2181,host2:2181/prefix

By default it is leadership/elections.db in XDG_STATE_HOME, or ~/.local/state, which
the processes of one user on one machine share; run, round run, round elect and serve
warn of that, unless --local is set. Other users can see the arguments of a process: put
a URL with a password into LEADERSHIP_STORE.

status, follow, and requests to leaders reach a leadership serve in place of a store with
--server or LEADERSHIP_SERVER, such as http://10.0.0.7:8080. It gets the token in the file
--token-file or LEADERSHIP_WRITE_TOKEN_FILE, or that in LEADERSHIP_WRITE_TOKEN or
LEADERSHIP_READ_TOKEN.

Exit codes: 0 success; 1 the answer is no; 2 wrong usage; 3 another error. run
and round run exit with the code of their command, and with 125 for errors of their own;
run --try exits 4 if it does not run the command.`,
		Example: `  leadership demo
  leadership serve --listen 127.0.0.1:8080
  leadership run service/leader -- ./server --port 8080
  leadership status service/leader
  leadership round run backup 2020-10-18 -- ./backup.sh`,
		Version:       versionOf().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          onlyCommands,
		RunE:          printHelp,

		PersistentPreRunE: checkFlags,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&p.storeURL, "store", "", "URL of the store (default $LEADERSHIP_STORE, or a SQLite file of this user)")
	flags.BoolVar(&p.verbose, "verbose", false, "log terms and the store, not only errors, to stderr")
	demo, alive, version, man := p.demoCommand(), p.aliveCommand(), p.versionCommand(), p.manCommand()
	root.AddCommand(demo, p.serveCommand(), alive, p.runCommand(), p.guardCommand(),
		p.followCommand(), p.statusCommand(), p.forgetCommand(), p.roundCommands(), version, man)
	root.AddCommand(p.askCommands()...)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Args, completion.RunE = onlyCommands, printHelp
	without(demo, flags.Lookup("store"), "demo has a store in its own memory; serve shows another")
	for _, cmd := range root.Commands() {
		if name := cmd.Name(); name == alive.Name() || name == version.Name() || name == man.Name() || name == "completion" || name == "help" {
			for _, c := range append(cmd.Commands(), cmd) {
				without(c, flags.Lookup("store"), name+" uses no store")
				without(c, flags.Lookup("verbose"), name+" logs nothing")
			}
		}
	}
	plainDefaults(root)
	completeFlags(root)
	_ = root.RegisterFlagCompletionFunc("store", completeStore) // it is there, and has none
	return root
}

// env returns a variable of the environment, or "".
func (p *program) env(name string) string {
	value, _ := p.lookupEnv(name)
	return value
}

// lookupEnv also reports whether the variable is set.
func (p *program) lookupEnv(name string) (string, bool) {
	for i := len(p.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.environ[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// does makes a cobra function of f, whose context ends at SIGINT and SIGTERM too.
func does(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return with(func(ctx context.Context, _ *cobra.Command, args []string) error { return f(ctx, args) })
}

// with is does for functions that use the command.
func with(f func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return withCode(f(ctx, cmd, args), exitFailure)
	}
}

// logger logs to stderr.
func (p *program) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: p.level()}))
}

func (p *program) level() slog.Level {
	if p.verbose {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hostName is this machine's name, for people.
func hostName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

// person returns the name of the user, as user@host.
func person() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return name + "@" + hostName()
}

// lasting prints how long something has lasted, for people.
func lasting(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return clock.Text(d.Round(100 * time.Millisecond))
	default:
		return clock.Text(d.Round(time.Second))
	}
}
