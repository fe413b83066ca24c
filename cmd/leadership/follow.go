package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
)

// change is a line of follow in JSON.
type change struct {
	Time    time.Time `json:"time"`
	Key     string    `json:"key"`
	Leader  string    `json:"leader"` // empty: no leader
	Token   uint64    `json:"token,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	TTL     int64     `json:"ttl_ms,omitempty"`
	Payload string    `json:"payload,omitempty"`
}

func (p *program) followCommand() *cobra.Command {
	var key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "follow --key KEY",
		Short: "Print the leader, and every change",
		Long: `Follow prints a line for the present leader, once there is one, and for every
change. A leader that has not renewed its term for its TTL and the margin counts as
gone, also if the store cannot be reached. On a terminal it shows for how long the
leader has led. It goes on until SIGINT or SIGTERM, and then exits 0.`,
		Example: `  leadership follow --key service/leader
  leadership follow --key service/leader --json | jq -r .leader`,
		Args: cobra.NoArgs,
		RunE: does(func(ctx context.Context, _ []string) error { return p.follow(ctx, key, asJSON) }),
	}
	keyFlag(cmd, &key)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (p *program) follow(ctx context.Context, key string, asJSON bool) error {
	kv, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer kv.Close()
	f := leadership.NewFollower(kv, key, leadership.WithLogger(p.logger()))
	leaders, errs := f.FollowElection(ctx)
	live := isTerminal(p.stdout) && !asJSON
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var failed error
	for {
		select {
		case leader, ok := <-leaders:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				for err := range errs {
					failed = err
				}
				return failed
			}
			term, _ := f.Term()
			if term.Leader != leader { // it has changed again: the next one follows
				term = leadership.Term{Leader: leader}
			}
			if err := p.printChange(key, term, asJSON, live); err != nil {
				return err
			}
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			failed = err
		case <-ticker.C:
			if live {
				term, _ := f.Term()
				fmt.Fprintf(p.stdout, "\r%s\033[K", leads(key, term))
			}
		}
	}
}

func (p *program) printChange(key string, term leadership.Term, asJSON, live bool) error {
	switch {
	case asJSON:
		return p.printJSON(change{
			Time: time.Now(), Key: key, Leader: term.Leader, Token: term.Token,
			Since: term.Since, TTL: term.TTL.Milliseconds(), Payload: string(term.Payload),
		})
	case live:
		_, err := fmt.Fprintf(p.stdout, "\r\033[K%s", leads(key, term))
		if term.Leader == "" {
			fmt.Fprintln(p.stdout)
		}
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s\n", time.Now().Format(time.RFC3339), leads(key, term))
	return err
}

// leads names the leader, for people.
func leads(key string, term leadership.Term) string {
	if term.Leader == "" {
		return fmt.Sprintf("nobody leads %s", key)
	}
	s := fmt.Sprintf("%q leads %s", term.Leader, key)
	if term.Token != 0 {
		s += fmt.Sprintf(", term %d, for %s", term.Token, lasting(time.Since(term.Since)))
	}
	return s
}

func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
