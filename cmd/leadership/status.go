package main

import (
	"context"
	"fmt"
	"slices"
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
		Use:   "status [KEY | --prefix PREFIX]",
		Short: "Print the leader, its term, the preferred candidates that wait, and requests",
		Long: `Status prints the record of an election in the store or, without a key, those of all
elections, or of all whose keys begin with --prefix: sorted by key, those without a
leader first. A leader that has crashed stays in the record until another takes over, and
one look cannot find that out. With --wait status looks until each leader has renewed its
term, which takes a third of its TTL by default, or has not renewed it for its TTL: then it
prints "expired". A server (--server) has looked before, and may know that at once.

With a key it exits 1 if there is no leader: the seat is vacant or expired. If there never
was one, as with a typo in the key, it prints that to stderr. With --check it looks as with
--wait, and exits 1 unless it prints at least one election, and each that it prints has a
leader that was seen to renew its term.`,
		Example: `  leadership status
  leadership status service/leader
  leadership status service/leader --check --timeout 20s
  leadership status --prefix service/ --json
  leadership status --server http://10.0.0.7:8080 --token-file token`,
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
	keyFlag(cmd, &s.key, "prefix")
	p.completeKey(cmd)
	flags.StringVar(&s.prefix, "prefix", "", "prefix of the keys of the elections")
	flags.BoolVar(&s.wait, "wait", false, "look until it is known whether the leaders are alive: for their TTL at most")
	flags.BoolVar(&s.check, "check", false, "like --wait, and exit 1 unless each election has a live leader")
	flags.DurationVar(&s.timeout, "timeout", 0, "how long to look with --wait or --check; 0 for as long as it takes")
	p.reachFlags(cmd)
	jsonFlag(cmd, &s.json)
	return cmd
}

func (c *statusCall) run(ctx context.Context) error {
	elections, err := c.reach(ctx)
	if err != nil {
		return err
	}
	defer elections.Close()
	partly := false
	look := func(ctx context.Context) (all []found, err error) {
		all, partly, err = elections.list(ctx, c.prefix)
		return all, err
	}
	if c.key != "" {
		look = func(ctx context.Context) ([]found, error) {
			f, err := elections.look(ctx, c.key)
			return []found{f}, err
		}
	}
	all, err := c.look(ctx, look)
	if err == nil {
		err = context.Cause(ctx) // it was interrupted
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b *observation) int { // they are sorted by key
		switch {
		case a.leads() == b.leads():
			return 0
		case b.leads():
			return -1
		}
		return 1
	})
	leads, shown := len(all) > 0, len(all) > 0
	views := make([]view.Election, 0, len(all))
	for _, s := range all {
		v := viewOf(s.Standing)
		v.Expired = s.expired()
		views = append(views, v)
		leads = leads && s.leads()
		shown = shown && v.Leader != "" && s.renewed
	}
	if err := c.printElections(views, c.json); err != nil {
		return err
	}
	switch {
	case partly:
		fmt.Fprintf(c.stderr, "leadership: there are more elections than these %d: name fewer by --prefix\n", len(all))
	case len(all) == 0 && !c.json:
		fmt.Fprintln(c.stderr, "leadership: no election is recorded"+below(c.prefix))
	}
	if c.key != "" && len(all) == 1 && all[0].Term.Token == 0 && all[0].Term.Last.Token == 0 && all[0].Asked.Action == "" {
		return &exitError{exitNo, fmt.Errorf("no election is recorded under %q: check the key for a typo, or no candidate has led yet", c.key)}
	}
	if c.key != "" && !leads || c.check && !shown {
		return exit(exitNo)
	}
	return nil
}

// below names the elections whose keys begin with a prefix, for people.
func below(prefix string) string {
	if prefix == "" {
		return ""
	}
	return " under keys that begin with " + printable(prefix)
}

// looks reports whether to look more than once.
func (c *statusCall) looks() bool { return c.wait || c.check }

func (c *statusCall) look(ctx context.Context, look func(context.Context) ([]found, error)) ([]*observation, error) {
	if c.looks() {
		if c.timeout > 0 {
			limited, cancel := context.WithTimeout(ctx, c.timeout)
			defer cancel()
			return watchOver(limited, look)
		}
		return watchOver(ctx, look)
	}
	seen, err := look(ctx)
	all := make([]*observation, 0, len(seen))
	for _, f := range seen {
		all = append(all, &observation{found: f})
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
	if len(all) == 0 {
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
