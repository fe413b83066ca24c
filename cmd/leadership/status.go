package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

// viewOf is what status prints of an election: as the service does, but for what
// takes more than one look.
func viewOf(s leadership.Standing) view.Election {
	e := view.OfElection(s)
	e.FreeIn = 0
	e.Payload, e.Base64 = view.Readable(s.Term.Payload)
	return e
}

func (p *program) statusCommand() *cobra.Command {
	var key, prefix string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--key KEY | --prefix PREFIX]",
		Short: "Print who leads, the term, which preferred candidates wait and what was asked",
		Long: `Status prints the record of an election as it is in the store, or of all whose
keys begin with a prefix. A leader that has crashed is in it until another
takes over: follow tells whether it is still heard of.

With --key it exits 1 when nobody leads.`,
		Example: `  leadership status --key service/leader
  leadership status --prefix service/ --json`,
		Args: cobra.NoArgs,
		RunE: does(func(ctx context.Context, _ []string) error {
			if key != "" {
				return p.status(ctx, key, asJSON)
			}
			return p.statusAll(ctx, prefix, asJSON)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "key of the election")
	flags.StringVar(&prefix, "prefix", "", "what the keys of the elections begin with")
	cmd.MarkFlagsMutuallyExclusive("key", "prefix")
	cmd.MarkFlagsOneRequired("key", "prefix")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (p *program) status(ctx context.Context, key string, asJSON bool) error {
	kv, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer kv.Close()
	standing, err := leadership.NewClaims(kv, key).Look(ctx)
	if err != nil {
		return err
	}
	e := viewOf(standing)
	if err := p.printElections([]view.Election{e}, asJSON); err != nil {
		return err
	}
	if e.Leader == "" {
		return exit(exitNo)
	}
	return nil
}

// statusAll passes over what is no election: there may be rounds, and whatever
// else is in the store.
func (p *program) statusAll(ctx context.Context, prefix string, asJSON bool) error {
	kv, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer kv.Close()
	standings, err := leadership.Elections(ctx, kv, prefix)
	if err != nil {
		return err
	}
	all := make([]view.Election, 0, len(standings))
	for _, s := range standings {
		all = append(all, viewOf(s))
	}
	return p.printElections(all, asJSON)
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

// row is the line of a table. Names are quoted where they have anything in them
// that could move the cursor.
func row(e view.Election) []string {
	row := []string{printable(e.Key), "-", "-", "-", "-", "-", "-", "-"}
	if e.Token != 0 {
		row[2] = fmt.Sprint(e.Token)
	}
	if e.Leader != "" {
		row[1] = printable(e.Leader)
		row[3] = lasting(time.Since(e.Since))
		row[4] = (time.Duration(e.TTL) * time.Millisecond).String()
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
