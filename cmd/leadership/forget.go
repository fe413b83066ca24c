package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (p *program) forgetCommand() *cobra.Command {
	var key string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "forget KEY",
		Short: "Delete the record of an election that is not used any more",
		Long: `Forget deletes the record of an election, so that status, the page and the alerts
do not show it any more. A value that is not a record of an election is left alone.

It exits 1 while there is a leader. If the leader has crashed, it waits until the
leader's claim has run out. A pause is lost with the record, so an election that is
paused has to be resumed first. If a candidate still runs, the election begins anew.`,
		Example: "  leadership forget service/leader",
		RunE: does(func(ctx context.Context, _ []string) error {
			err := p.operate(ctx, p.reach, timeout, func(ctx context.Context, all elections) error { return all.forget(ctx, key) })
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "forget: %s is forgotten\n", printable(key))
			return err
		}),
	}
	keyFlag(cmd, &key)
	p.completeKey(cmd)
	p.reachFlags(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait until the claim of a leader that may have crashed has run out")
	return cmd
}
