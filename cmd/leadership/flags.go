package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership/internal/clock"
)

// noEffect is the annotation of a flag that is refused, with the reason.
const noEffect = "no-effect"

// mayBeEmpty are the flags for text that mean something when they are empty. All others
// are refused then: they were given a variable that is not set.
var mayBeEmpty = []string{"by", "observe", "payload", "prefix", "result"}

// The annotations by which cobra knows flags that exclude, or need, each other.
const (
	excluding = "cobra_annotation_mutually_exclusive"
	needing   = "cobra_annotation_required_if_others_set"
)

// checkFlags refuses flags that were set and would have no effect, or not with each other.
func checkFlags(cmd *cobra.Command, _ []string) error {
	var errs []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for other := range strings.FieldsSeq(strings.Join(f.Annotations[excluding], " ")) {
			if f.Name < other && cmd.Flags().Changed(other) {
				errs = append(errs, fmt.Errorf("--%s and --%s are both set: set one", f.Name, other))
			}
		}
		for other := range strings.FieldsSeq(strings.Join(f.Annotations[needing], " ")) {
			if !cmd.Flags().Changed(other) {
				errs = append(errs, fmt.Errorf("--%s is of no use without --%s", f.Name, other))
			}
		}
		value := f.Value.String()
		switch why := f.Annotations[noEffect]; {
		case len(why) > 0:
			errs = append(errs, fmt.Errorf("--%s has no effect: %s", f.Name, why[0]))
		case value != "" && value != "[]" || slices.Contains(mayBeEmpty, f.Name):
		case strings.Contains(f.Usage, "(required)"):
			errs = append(errs, fmt.Errorf("--%s is empty: give it a value", f.Name))
		default:
			errs = append(errs, fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name))
		}
	})
	if len(errs) > 0 {
		return usage("%w", errors.Join(errs...))
	}
	return nil
}

// without makes a command refuse a flag of all commands, and not print it in its help.
func without(cmd *cobra.Command, f *pflag.Flag, why string) {
	own := *f
	own.Hidden, own.Annotations = true, map[string][]string{noEffect: {why}}
	cmd.Flags().AddFlag(&own)
}

// printHelp is what a command does that only has others under it.
func printHelp(cmd *cobra.Command, _ []string) error {
	if cmd.Flags().NFlag() > 0 {
		return usage("no command is named")
	}
	return cmd.Help()
}

// keyFlag makes a command take the key of an election, as its argument or by --key. It has
// to be given unless otherwise names what is meant without one.
func keyFlag(cmd *cobra.Command, key *string, otherwise ...string) {
	cmd.Flags().StringVar(key, "key", "", "key of the election, in place of the argument")
	cmd.Args = func(cmd *cobra.Command, args []string) error { return takeKey(cmd, key, args, otherwise) }
}

func takeKey(cmd *cobra.Command, key *string, args, otherwise []string) error {
	named := cmd.Flags().Changed("key")
	switch {
	case len(args) > 1:
		return fmt.Errorf("%s takes one key, and got %d: %q", cmd.Name(), len(args), args)
	case len(args) == 1 && named:
		return fmt.Errorf("the key is named twice: %q, and --key %q", args[0], *key)
	case len(args) == 1 && args[0] == "":
		return errors.New("the key is empty: give it a value")
	case len(args) == 1:
		*key, named = args[0], true
	}
	for _, flag := range otherwise {
		if named && cmd.Flags().Changed(flag) {
			return fmt.Errorf("name a key or --%s, not both", flag)
		}
	}
	if !named && len(otherwise) == 0 {
		return fmt.Errorf("no election is named: give its key, as in %s service/leader", cmd.CommandPath())
	}
	return nil
}

// needs refuses a call of a command without a flag.
func needs(cmd *cobra.Command, flag, remedy string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed(flag) {
			return usage("%s", remedy)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, one object a line")
}

// nodeVariable names the node of commands that run and round run start, and of those for
// which the user sets it.
const nodeVariable = "LEADERSHIP_NODE"

// nodeFlag adds --node. Its default has to do with this process, so help describes it
// and does not print it.
func nodeFlag(cmd *cobra.Command, node *string, value, usage string) {
	cmd.Flags().StringVar(node, "node", value, usage)
	cmd.Flags().Lookup("node").DefValue = ""
}

// plainDefaults makes help print default durations as people write them.
func plainDefaults(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d, err := time.ParseDuration(f.DefValue); err == nil && d != 0 {
			f.DefValue = clock.Text(d)
		}
	})
	for _, c := range cmd.Commands() {
		plainDefaults(c)
	}
}
