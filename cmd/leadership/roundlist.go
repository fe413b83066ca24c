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

func (p *program) roundListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list SYSTEM",
		Short: "Print the rounds of a system",
		Long: `List prints the rounds of a system, the latest first: the winner of each, and
whether it was completed, has failed, or neither yet.`,
		Example: "  leadership round list backup",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return fmt.Errorf("name one SYSTEM, such as backup: got %q", args)
			}
			return nil
		},
		RunE: does(func(ctx context.Context, args []string) error {
			kv, err := p.openStore(ctx)
			if err != nil {
				return err
			}
			defer kv.Close()
			all, err := leadership.NewRounds(kv).List(ctx, args[0])
			if err != nil {
				return err
			}
			if len(all) == 0 && !asJSON {
				fmt.Fprintf(p.stderr, "leadership: no round of %s is recorded\n", printable(args[0]))
				return nil
			}
			return p.printRounds(all, asJSON)
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (p *program) printRounds(all []leadership.RoundState, asJSON bool) error {
	if asJSON {
		for _, s := range all {
			if err := p.printJSON(view.OfRound(s)); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROUND\tWINNER\tATTEMPT\tELECTED\tSTATE\tRESULT")
	for _, s := range all {
		state, result := "open", []byte(nil)
		switch {
		case s.Completer != "":
			state, result = "completed after "+lasting(s.Completed.Sub(s.Elected)), s.Result
		case !s.Failed.IsZero():
			state, result = "failed after "+lasting(s.Failed.Sub(s.Elected)), s.Failure
		}
		fmt.Fprintln(table, strings.Join([]string{
			printable(s.Round), printable(s.Winner), fmt.Sprint(s.Attempt), s.Elected.Local().Format(time.DateTime), state, printable(string(result)),
		}, "\t"))
	}
	return table.Flush()
}
