package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/store"
)

// election is what status prints: the record, as it is in the store.
type election struct {
	Key     string          `json:"key"`
	Leader  string          `json:"leader"`
	Token   uint64          `json:"token"`
	TTL     int64           `json:"ttl,omitempty"` // in milliseconds
	Since   time.Time       `json:"since,omitzero"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Last    *struct {
		Leader string `json:"leader"`
		Token  uint64 `json:"token"`
		Reason string `json:"reason"`
	} `json:"last,omitempty"`
	Waiting []struct {
		Node     string `json:"node"`
		Priority int    `json:"priority"`
	} `json:"waiting,omitempty"`
	Ask *struct {
		Do   string    `json:"do"`
		To   string    `json:"to,omitempty"`
		Hold int64     `json:"hold,omitempty"` // in milliseconds
		Keep bool      `json:"keep,omitempty"`
		By   string    `json:"by,omitempty"`
		At   time.Time `json:"at,omitzero"`
	} `json:"ask,omitempty"`
}

// parseElection reads a record; ok says that it is one.
func parseElection(pair *store.KVPair) (e election, ok bool) {
	var version struct{ V int }
	if json.Unmarshal(pair.Value, &version) != nil || version.V != 1 || json.Unmarshal(pair.Value, &e) != nil || e.Token == 0 {
		return election{}, false
	}
	e.Key = pair.Key
	return e, true
}

func (p *program) statusCommand() *cobra.Command {
	var key, prefix string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--key KEY | --prefix PREFIX]",
		Short: "Print who leads, the term, who waits and what was asked",
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
	ctx, cancel := context.WithTimeout(ctx, leadership.DefaultCallTimeout)
	defer cancel()
	pair, err := kv.Get(ctx, key, nil)
	e := election{Key: key}
	switch {
	case errors.Is(err, store.ErrKeyNotFound):
	case err != nil:
		return fmt.Errorf("get %q: %w", key, err)
	default:
		var ok bool
		if e, ok = parseElection(pair); !ok {
			return fmt.Errorf("key %q: %w", key, leadership.ErrForeignRecord)
		}
		e.Key = key
	}
	if err := p.printElections([]election{e}, asJSON); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, leadership.DefaultCallTimeout)
	defer cancel()
	pairs, err := kv.List(ctx, prefix, nil)
	if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	var all []election
	for _, pair := range pairs {
		if e, ok := parseElection(pair); ok {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b election) int { return strings.Compare(a.Key, b.Key) })
	return p.printElections(all, asJSON)
}

func (p *program) printElections(all []election, asJSON bool) error {
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
		fmt.Fprintln(table, strings.Join(e.row(), "\t"))
	}
	return table.Flush()
}

// row is the line of a table. Names are quoted where they have anything in them
// that could move the cursor.
func (e election) row() []string {
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
	if a := e.Ask; a != nil {
		row[7] = printable(strings.TrimSpace(a.Do + " " + a.To))
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
