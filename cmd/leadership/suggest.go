package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// suggested are words that other programs have for what a command does.
var suggested = map[string][]string{
	"follow":   {"watch", "tail", "events"},
	"forget":   {"delete", "remove", "rm"},
	"resign":   {"evict", "stepdown"},
	"run":      {"exec", "lead", "campaign"},
	"serve":    {"server", "daemon"},
	"status":   {"list", "ls", "get", "show", "who"},
	"transfer": {"handover", "move"},
}

// onlyCommands is the Args of a command that only has others under it.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}

// noArgs is the Args of a command that takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, and got %q", cmd.Name(), args[0])
	}
	return nil
}

// atMostOne is the Args of a command that takes one, or none.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one argument, and got %d: %q", cmd.Name(), len(args), args)
	}
	return nil
}

// unknownCommand returns an error that suggests commands under cmd.
func unknownCommand(cmd *cobra.Command, typed string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
			if !cmd.HasParent() && slices.Contains(suggested[c.Name()], strings.ToLower(typed)) {
				return fmt.Errorf("unknown command %q for %q: did you mean %s?", typed, cmd.CommandPath(), c.Name())
			}
		}
	}
	return fmt.Errorf("unknown command %q for %q%s", typed, cmd.CommandPath(), didYouMean("", typed, names))
}

// flagError makes an error about the flags of a command helpful. A command that was
// mistyped is what is wrong, not its flags, which the command above it does not have.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	switch args := cmd.Flags().Args(); {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case cmd.HasAvailableSubCommands() && len(args) > 0:
		return unknownCommand(cmd, args[0])
	case errors.As(err, &unknown):
		var meant string
		if unknown.GetSpecifiedShortnames() == "" {
			meant = didYouMean("--", unknown.GetSpecifiedName(), flagNames(cmd))
		}
		if runsCommand(cmd) && (len(args) > 1 || len(args) == 1 && meant == "") { // the first is the key
			meant = `: if it is one of the command, put the command after " -- "`
		}
		return fmt.Errorf("%w%s", err, meant)
	}
	return err
}

// flagNames returns the names of the flags of a command that its help shows.
func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// runsCommand reports whether a command ends with another, to run.
func runsCommand(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " -- COMMAND") }

// didYouMean returns the end of an error: those of names that are nearest to what was
// typed, if any is near.
func didYouMean(before, typed string, names []string) string {
	const far = 3
	least := far
	var best []string
	for _, name := range names {
		switch d := distance(strings.ToLower(typed), name); {
		case d < least:
			least, best = d, []string{before + name}
		case d == least && d < far:
			best = append(best, before+name)
		}
	}
	if len(best) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(best, " or ") + "?"
}

// distance is how many bytes have to be inserted, deleted, replaced, or swapped with the
// next one, to make b of a.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(b)]
}

// helpCommand prints the help of a command; cobra's own exits 0 for one that there is not.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Print the help of a command",
		Long:    `Help prints the help of a command. So does --help after it.`,
		Example: "  leadership help round elect",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
			if found, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range found.Commands() {
					if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), word) {
						names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found := cmd.Root()
			for _, name := range args {
				next, _, err := found.Find([]string{name})
				if err != nil || next == found {
					return unknownCommand(found, name)
				}
				found = next
			}
			found.InitDefaultHelpFlag()
			found.InitDefaultVersionFlag()
			return found.Help()
		},
	}
}
