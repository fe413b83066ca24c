// Leadership runs commands on one machine at a time, prints who leads, asks leaders to
// resign or to transfer, and serves all that over HTTP.
//
//	leadership demo
//	leadership serve --listen 127.0.0.1:8080
//	leadership run service/leader -- ./server
//	leadership follow service/leader
//	leadership round run backup 2020-10-18 -- ./backup.sh
//
// Every command prints its flags, with examples, with --help.
//
// Without --store or LEADERSHIP_STORE the processes of one user on one machine
// see each other, through a SQLite file in the user's state folder.
//
// It exits 0 after success, 1 if the answer is no (lost, no leader), 2 for wrong usage
// and 3 for other errors. run and round run exit with the code of their command, and with
// 125 for errors of their own; run --try exits 4 if it does not run the command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	_ "github.com/seed-a1d591d3/leadership/store/all"
)

func main() {
	// The client logs each connection that fails, in a format of its own; errors report
	// that too.
	goredis.SetLogger(silent{})
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// silent is a log that drops everything.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// execute runs one command line and returns its exit code. Errors go to stderr.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	root := newRoot(stdin, stdout, stderr, environ)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	code := exitUsage // what cobra finds wrong by itself
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		err = exit.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "leadership: %s\n", strings.TrimPrefix(err.Error(), "leadership: "))
	}
	if code == exitUsage && !errors.As(err, new(*exitError)) {
		fmt.Fprintf(stderr, "See: %s --help\n", cmd.CommandPath())
	}
	return code
}
