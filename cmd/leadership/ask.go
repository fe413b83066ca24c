package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
)

// askCommands are those that ask something of an election.
func (p *program) askCommands() []*cobra.Command {
	resign := p.askCommand(leadership.Resign, "Ask the leader to resign", `The leader ends its work and gives up its seat; anyone but it may win. Exits 1
when nobody leads.`, nil)
	transfer := p.askCommand(leadership.Transfer, "Ask the leader to hand over to another node", `The leader ends its work and gives up its seat, and the others leave it to the
node that is named, for as long as --hold says.`, func(cmd *cobra.Command, r *leadership.Request) {
		cmd.Flags().StringVar(&r.To, "to", "", "the node that is to lead (required)")
		cmd.Flags().DurationVar(&r.Hold, "hold", leadership.DefaultHold, "how long the seat is left to that node")
		if err := cmd.MarkFlagRequired("to"); err != nil {
			panic(err) // there is no such flag
		}
		cmd.Example += " --to node-b"
	})
	pause := p.askCommand(leadership.Pause, "Have nobody lead until resume", `The leader ends its work and gives up its seat, and nobody takes it until resume.`,
		func(cmd *cobra.Command, r *leadership.Request) {
			cmd.Flags().BoolVar(&r.Keep, "keep", false, "leave the present leader in the seat, and keep others from it afterwards")
		})
	resume := p.askCommand(leadership.Resume, "End a pause", `Anyone may lead again.`, nil)
	return []*cobra.Command{resign, transfer, pause, resume}
}

func (p *program) askCommand(action leadership.Action, short, long string, more func(*cobra.Command, *leadership.Request)) *cobra.Command {
	r := leadership.Request{Action: action}
	var key string
	var timeout time.Duration
	wait := ": where the leader has crashed, when its claim\nhas run out"
	if action == leadership.Resume {
		wait = ""
	}
	cmd := &cobra.Command{
		Use:   string(action) + " --key KEY",
		Short: short,
		Long: long + `

It returns when that has been done` + wait + `. After --timeout it exits 3, though
the request may be obeyed later.`,
		Example: "  leadership " + string(action) + " --key service/leader",
		Args:    cobra.NoArgs,
		RunE: does(func(ctx context.Context, _ []string) error {
			if timeout <= 0 {
				return usage("--timeout is %v: must be above 0", timeout)
			}
			kv, err := p.openStore(ctx)
			if err != nil {
				return err
			}
			defer kv.Close()
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			err = leadership.Ask(ctx, kv, key, r)
			if errors.Is(err, leadership.ErrNoLeader) {
				return &exitError{exitNo, err}
			}
			if err == nil && isTerminal(p.stderr) {
				fmt.Fprintf(p.stderr, "%s: done\n", action)
			}
			return err
		}),
	}
	keyFlag(cmd, &key)
	cmd.Flags().StringVar(&r.By, "by", person(), "who asks, for people who read the record")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait until it has been done")
	if more != nil {
		more(cmd, &r)
	}
	return cmd
}
