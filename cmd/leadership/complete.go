package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

const (
	// completeTimeout is how long completion waits for the store, and mostCompleted is how
	// many words it offers.
	completeTimeout = 2 * time.Second
	mostCompleted   = 200
)

// words are what a shell offers, each with a description behind a tab.
type words = []cobra.Completion

// completion returns a function that completes a word from what elections there are: none
// if they cannot be reached in time.
func (p *program) completion(find func(ctx context.Context, all elections, cmd *cobra.Command, args []string, word string) (words, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) (words, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		all, err := p.reach(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer all.Close()
		found, err := find(ctx, all, cmd, args, word)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		found = slices.DeleteFunc(found, func(w string) bool { return !strings.HasPrefix(w, word) || strings.ContainsAny(w, "\n\r") })
		return found[:min(len(found), mostCompleted)], cobra.ShellCompDirectiveNoFileComp
	}
}

// completeKey completes the key of an election.
func (p *program) completeKey(cmd *cobra.Command) {
	keys := p.completion(func(ctx context.Context, all elections, _ *cobra.Command, _ []string, word string) (found words, err error) {
		// Not every store lists what does not end with a slash.
		states, _, err := all.list(ctx, word[:strings.LastIndexByte(word, '/')+1])
		for _, s := range states {
			who := "without a leader"
			if s.Term.Leader != "" {
				who = "led by " + printable(s.Term.Leader)
			}
			found = append(found, cobra.CompletionWithDesc(s.Key, who))
		}
		return found, err
	})
	_ = cmd.RegisterFlagCompletionFunc("key", keys) // it is there, and has none
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) (words, cobra.ShellCompDirective) {
		if len(args) > 0 || cmd.Flags().Changed("key") {
			return nil, afterwards(cmd)
		}
		return keys(cmd, args, word)
	}
}

// completeNode completes a flag that names a node of the election whose key is given.
func (p *program) completeNode(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, p.completion(func(ctx context.Context, all elections, cmd *cobra.Command, args []string, _ string) (found words, err error) {
		key, _ := cmd.Flags().GetString("key")
		if len(args) > 0 {
			key = args[0]
		}
		if key == "" {
			return nil, nil
		}
		s, err := all.look(ctx, key)
		for _, w := range s.Waiting {
			found = append(found, cobra.CompletionWithDesc(w.Node, "waits for the seat"))
		}
		if last := s.Term.Last.Leader; last != "" && last != s.Term.Leader {
			found = append(found, cobra.CompletionWithDesc(last, "led before"))
		}
		if s.Term.Leader != "" && flag != "to" {
			found = append(found, cobra.CompletionWithDesc(s.Term.Leader, "leads"))
		}
		return found, err
	}))
}

// completeRound completes the round of a system, and the node of --node, if there is that
// flag. Which systems there are is not known.
func (p *program) completeRound(cmd *cobra.Command) {
	rounds := func(of func(leadership.RoundState) string) cobra.CompletionFunc {
		return p.completion(func(ctx context.Context, all elections, _ *cobra.Command, args []string, _ string) (found words, err error) {
			s, ok := all.(*stored)
			if !ok || len(args) == 0 {
				return nil, nil
			}
			states, err := leadership.NewRounds(s.Store).List(ctx, args[0])
			for _, r := range states {
				found = append(found, of(r))
			}
			return slices.Compact(found), err
		})
	}
	byName := rounds(func(r leadership.RoundState) string {
		return cobra.CompletionWithDesc(r.Round, "won by "+printable(cmp.Or(r.Completer, r.Winner)))
	})
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) (words, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case len(args) > 1:
			return nil, afterwards(cmd)
		}
		return byName(cmd, args, word)
	}
	if cmd.Flags().Lookup("node") != nil {
		_ = cmd.RegisterFlagCompletionFunc("node", rounds(func(r leadership.RoundState) string { return r.Winner }))
	}
}

// afterwards is what shells offer after the arguments of a command: files, if it runs one.
func afterwards(cmd *cobra.Command) cobra.ShellCompDirective {
	if runsCommand(cmd) {
		return cobra.ShellCompDirectiveDefault
	}
	return cobra.ShellCompDirectiveNoFileComp
}

// completeFlags makes shells offer no files for flags that name none, and URLs for --store.
func completeFlags(cmd *cobra.Command) {
	files := []string{"tls-ca", "tls-cert", "tls-key", "tls-client-ca", "token-file", "read-token-file", "write-token-file", "health-check"}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, has := cmd.GetFlagCompletionFunc(f.Name); !has && !slices.Contains(files, f.Name) && f.Name != "store" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
		}
	})
	for _, c := range cmd.Commands() {
		completeFlags(c)
	}
}

// completeStore completes the scheme of a URL.
func completeStore(_ *cobra.Command, _ []string, word string) (found words, _ cobra.ShellCompDirective) {
	for _, scheme := range store.Schemes() {
		if url := scheme + "://"; strings.HasPrefix(url, word) {
			found = append(found, url)
		}
	}
	return found, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
