package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership/cmd/leadership/internal/guard"
)

func (p *program) guardCommand() *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:    guard.Name,
		Short:  "Guard a command for leadership run, which starts it",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := guard.Main(cmd.Context(), args, grace)
			if errors.Is(err, guard.ErrNoSupervisor) {
				return usage("guard is started by leadership run, not by hand")
			}
			return withCode(err, exitRun)
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "time from SIGTERM to SIGKILL")
	return cmd
}
