package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/clock"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

// viewOf is an election as status prints it: as the service does, without what takes
// more than one look.
func viewOf(s leadership.Standing) view.Election {
	e := view.OfElection(s)
	e.FreeIn = 0
	e.Payload, e.Base64 = view.Readable(s.Term.Payload)
	return e
}

// statusCall is one call of leadership status.
type statusCall struct {
	*program
	key, prefix string
	wait, check bool
	timeout     time.Duration
	json        bool
}

func (p *program) statusCommand() *cobra.Command {
	s := &statusCall{program: p}
	cmd := &cobra.Command{
		Use:   "status [--key KEY | --prefix PREFIX]",
		Short: "Print the leader, its term, the preferred candidates that wait, and requests",
		Long: `Status prints the record of an election in the store, or those of all elections
whose keys begin with a prefix. A leader that has crashed stays in the record until
another takes over, and one look cannot find that out. With --wait status looks until
each leader has renewed its term, which takes a third of its TTL by default, or has not
renewed it for its TTL: then it prints "expired".

With --key it exits 1 if there is no leader: the seat is vacant or, with --wait,
expired. If there never was one, as with a typo in the key, it prints that to stderr.
With --check it looks as with --wait, and exits 1 unless it prints at least one
election, and each that it prints has a leader that was seen to renew its term.`,
		Example: `  leadership status --key service/leader
  leadership status --key service/leader --check --timeout 20s
  leadership status --prefix service/ --json`,
		Args: cobra.NoArgs,
		RunE: does(func(ctx context.Context, _ []string) error {
			if s.timeout < 0 {
				return usage("--timeout is %v: must not be below 0", s.timeout)
			}
			if s.timeout != 0 && !s.looks() {
				return usage("--timeout is of no use without --wait or --check")
			}
			return s.run(ctx)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&s.key, "key", "", "key of the election")
	flags.StringVar(&s.prefix, "prefix", "", "prefix of the keys of the elections")
	flags.BoolVar(&s.wait, "wait", false, "look until it is known whether the leaders are alive: for their TTL at most")
	flags.BoolVar(&s.check, "check", false, "like --wait, and exit 1 unless each election has a live leader")
	flags.DurationVar(&s.timeout, "timeout", 0, "how long to look with --wait or --check; 0 for as long as it takes")
	cmd.MarkFlagsMutuallyExclusive("key", "prefix")
	cmd.MarkFlagsOneRequired("key", "prefix")
	jsonFlag(cmd, &s.json)
	return cmd
}

func (c *statusCall) run(ctx context.Context) error {
	kv, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer kv.Close()
	// Elections leaves out what is not an election, such as rounds, and whatever else is
	// in the store.
	look := func(ctx context.Context) ([]leadership.Standing, error) {
		return leadership.Elections(ctx, kv, c.prefix)
	}
	if c.key != "" {
		claims := leadership.NewClaims(kv, c.key)
		look = func(ctx context.Context) ([]leadership.Standing, error) {
			s, err := claims.Look(ctx)
			return []leadership.Standing{s}, err
		}
	}
	all, err := c.look(ctx, look)
	if err == nil {
		err = context.Cause(ctx) // it was interrupted
	}
	if err != nil {
		return err
	}
	leads, shown := len(all) > 0, len(all) > 0
	views := make([]view.Election, 0, len(all))
	for _, s := range all {
		v := viewOf(s.Standing)
		v.Expired = c.looks() && s.expired()
		views = append(views, v)
		leads = leads && v.Leader != "" && !v.Expired
		shown = shown && v.Leader != "" && s.renewed
	}
	if err := c.printElections(views, c.json); err != nil {
		return err
	}
	if c.key != "" && len(all) == 1 && all[0].Term.Token == 0 && all[0].Term.Last.Token == 0 && all[0].Asked.Action == "" {
		return &exitError{exitNo, fmt.Errorf("no election is recorded under %q: check --key for a typo, or no candidate has led yet", c.key)}
	}
	if c.key != "" && !leads || c.check && !shown {
		return exit(exitNo)
	}
	return nil
}

// looks reports whether to look more than once.
func (c *statusCall) looks() bool { return c.wait || c.check }

func (c *statusCall) look(ctx context.Context, look func(context.Context) ([]leadership.Standing, error)) ([]*observation, error) {
	if c.looks() {
		if c.timeout > 0 {
			limited, cancel := context.WithTimeout(ctx, c.timeout)
			defer cancel()
			return watchOver(limited, look)
		}
		return watchOver(ctx, look)
	}
	found, err := look(ctx)
	all := make([]*observation, 0, len(found))
	for _, s := range found {
		all = append(all, &observation{Standing: s})
	}
	return all, err
}

func (p *program) printElections(all []view.Election, asJSON bool) error {
	if asJSON {
		for _, e := range all {
			if err := p.printJSON(e); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tLEADER\tTOKEN\tFOR\tTTL\tLAST\tWAITING\tASKED")
	for _, e := range all {
		fmt.Fprintln(table, strings.Join(row(e), "\t"))
	}
	return table.Flush()
}

// row is a line of the table. Names are quoted if they have anything in them that
// could move the cursor.
func row(e view.Election) []string {
	row := []string{printable(e.Key), "-", "-", "-", "-", "-", "-", "-"}
	if e.Token != 0 {
		row[2] = fmt.Sprint(e.Token)
	}
	if e.Leader != "" {
		row[1] = printable(e.Leader)
		if e.Expired {
			row[1] += " (expired)"
		}
		row[3] = lasting(time.Since(e.Since))
		row[4] = clock.Text(time.Duration(e.TTL) * time.Millisecond)
		if e.Session != "" {
			row[4] += " (session)"
		}
	}
	if e.Last != nil {
		row[5] = printable(e.Last.Leader + " " + e.Last.Reason)
	}
	if len(e.Waiting) > 0 {
		var names []string
		for _, w := range e.Waiting {
			names = append(names, fmt.Sprintf("%s (%d)", printable(w.Node), w.Priority))
		}
		row[6] = strings.Join(names, ", ")
	}
	if a := e.Asked; a != nil {
		row[7] = printable(strings.TrimSpace(string(a.Action) + " " + a.To))
		if a.By != "" {
			row[7] += " by " + printable(a.By)
		}
	}
	return row
}

// printable is s, quoted unless it is harmless on a terminal.
func printable(s string) string {
	if q := fmt.Sprintf("%q", s); q != `"`+s+`"` {
		return q
	}
	return s
}
