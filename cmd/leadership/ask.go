package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
)

// askCommands returns the commands of operators.
func (p *program) askCommands() []*cobra.Command {
	resign := p.askCommand(leadership.Resign, "Ask the leader to resign", `The leader ends its work and gives up its seat; any other candidate may win. Exits 1
if there is no leader.`, nil)
	transfer := p.askCommand(leadership.Transfer, "Ask the leader to hand over to another node", `The leader ends its work and gives up its seat, and the others leave it to the
node that is named, for the time of --hold. It exits 0 when that node leads, and 3 if
another has taken the seat, or none has: the error names the leader.`, func(cmd *cobra.Command, r *leadership.Request) {
		cmd.Flags().StringVar(&r.To, "to", "", "the node that is to lead (required)")
		p.completeNode(cmd, "to")
		needs(cmd, "to", "no node is named: set --to, such as --to node-b")
		cmd.Flags().DurationVar(&r.Hold, "hold", leadership.DefaultHold, "how long the others leave the seat to that node")
		p.createFlag(cmd, r)
		cmd.Example += " --to node-b"
	})
	pause := p.askCommand(leadership.Pause, "Keep the seat empty until resume", `The leader ends its work and gives up its seat, and the seat stays empty until resume.`,
		func(cmd *cobra.Command, r *leadership.Request) {
			cmd.Flags().BoolVar(&r.Keep, "keep", false, "let the present leader lead on; only after it the seat stays empty")
			p.createFlag(cmd, r)
		})
	resume := p.askCommand(leadership.Resume, "End a pause", `Any candidate may lead again. A request that was not obeyed yet is withdrawn.`, nil)
	return []*cobra.Command{resign, transfer, pause, resume}
}

func (p *program) createFlag(cmd *cobra.Command, r *leadership.Request) {
	cmd.Flags().BoolVar(&r.Create, "create", false, "begin an election if there is none under that key")
	p.localFlag(cmd.Flags())
}

// outcome returns what has been done, for people.
func outcome(key string, r leadership.Request) string {
	switch key = printable(key); {
	case r.Action == leadership.Resign:
		return "the leader of " + key + " has left the seat"
	case r.Action == leadership.Transfer:
		return printable(r.To) + " leads " + key
	case r.Action == leadership.Resume:
		return key + " is not paused: any candidate may lead"
	case r.Keep:
		return key + " is paused: the present leader may lead on, and no other after it"
	default:
		return key + " is paused: the seat stays empty"
	}
}

func (p *program) askCommand(action leadership.Action, short, long string, more func(*cobra.Command, *leadership.Request)) *cobra.Command {
	r := leadership.Request{Action: action}
	var key string
	var timeout time.Duration
	wait := "It returns when that has been done, and prints the outcome. If the leader has\ncrashed, that takes until its claim has run out. "
	if action == leadership.Resume {
		wait = "It returns when that has been done, and prints the outcome. "
	}
	cmd := &cobra.Command{
		Use:   string(action) + " KEY",
		Short: short,
		Long: long + `

` + wait + `After --timeout it exits 3;
the request may still be obeyed later, unless another replaces it. It also exits 3 if
there is no such election.`,
		Example: "  leadership " + string(action) + " service/leader",
		RunE: does(func(ctx context.Context, _ []string) error {
			reach := p.reach
			switch {
			case r.Create:
				reach = p.reachCommon
			case p.local:
				return usage("--local is of no use without --create")
			}
			err := p.operate(ctx, reach, timeout, func(ctx context.Context, all elections) error { return all.ask(ctx, key, r) })
			if errors.Is(err, leadership.ErrNoElection) && (action == leadership.Pause || action == leadership.Transfer) {
				err = fmt.Errorf("%w, or begin the election with --create", err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s: %s\n", action, outcome(key, r))
			return err
		}),
	}
	keyFlag(cmd, &key)
	p.completeKey(cmd)
	cmd.Flags().StringVar(&r.By, "by", person(), "the name of the operator, for people who read the record (default the user and the host)")
	cmd.Flags().Lookup("by").DefValue = ""
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait until it has been done")
	p.reachFlags(cmd)
	if more != nil {
		more(cmd, &r)
	}
	return cmd
}
