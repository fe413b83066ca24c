package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-a1d591d3/leadership"
	"github.com/seed-a1d591d3/leadership/internal/view"
)

// change is a line of follow in JSON.
type change struct {
	Time time.Time `json:"time"`
	// Type is "leader" if there is one, "vacant", "expired" if the last one has not renewed
	// its term in time, "unknown" if that is not known, and "gone" if the record is deleted.
	Type string `json:"type"`
	Key  string `json:"key"`
	view.Term
	Asked *view.Asked `json:"asked,omitempty"`
}

// event is what follow reads of an event.
type event struct {
	Type   string `json:"type"`
	Prefix string `json:"prefix"`
	Error  string `json:"error"`
	More   bool   `json:"more"`
	view.Election
}

// followCall is one call of leadership follow.
type followCall struct {
	*program
	key, prefix string
	json        bool

	last  map[string]change // by key, what was printed last
	live  liveLine
	state string // of a stream of all elections: what was printed of it
}

func (p *program) followCommand() *cobra.Command {
	f := &followCall{program: p}
	cmd := &cobra.Command{
		Use:   "follow [KEY | --prefix PREFIX]",
		Short: "Print who leads, and every change",
		Long: `Follow prints a line that tells who leads, and one for every change: the time, the
leader, the fencing token of its term, and why the last term ended. Without a key it
follows all elections, or all whose keys begin with --prefix.

A leader that has not renewed its term for its TTL counts as gone, though its seat has not
been taken yet. If the store does not answer for so long, it is not known who leads.

With --json each line is an object. Its type is "leader"; or "vacant", "expired" or
"unknown", and the leader is empty; or "gone", when the record is deleted. "last" is the
term before, with the reason why it ended: resigned, expired, evicted, unhealthy,
relinquished or transferred. A terminal that is wide enough shows for how long the leader
has led, in a last line of its own.

It goes on until SIGINT or SIGTERM, and then exits 0.`,
		Example: `  leadership follow service/leader
  leadership follow service/leader --json | jq -r .leader
  leadership follow --prefix service/`,
		RunE: does(func(ctx context.Context, _ []string) error { return f.run(ctx) }),
	}
	keyFlag(cmd, &f.key, "prefix")
	p.completeKey(cmd)
	cmd.Flags().StringVar(&f.prefix, "prefix", "", "follow all elections whose keys begin with this")
	p.reachFlags(cmd)
	jsonFlag(cmd, &f.json)
	return cmd
}

func (f *followCall) run(ctx context.Context) error {
	all, err := f.reach(ctx)
	if err != nil {
		return err
	}
	defer all.Close()
	f.last, f.live = make(map[string]change), newLiveLine(f.program, f.json)
	defer f.live.clear()
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan []byte)
	ended := make(chan error, 1)
	go func() {
		defer close(lines)
		for line, err := range all.follow(ctx, f.key, f.prefix) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range lines { // it has ended before the store is closed
			continue
		}
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				select {
				case err = <-ended:
				default:
				}
				if ctx.Err() != nil {
					err = nil
				}
				return err
			}
			if err := f.event(line); err != nil {
				return err
			}
		case <-ticker.C:
			f.live.show(f.now())
		}
	}
}

// event prints what an event changes.
func (f *followCall) event(line []byte) error {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("an event cannot be read: %w", err)
	}
	switch e.Type {
	case "hello":
		if !strings.HasPrefix(f.prefix, e.Prefix) {
			f.live.clear()
			fmt.Fprintf(f.stderr, "leadership: this server shows the elections alone whose keys begin with %s\n", printable(e.Prefix))
		}
	case "state":
		f.tell(e)
	case "cut":
		for key := range f.last {
			if err := f.changed(event{Type: "unknown", Election: view.Election{Key: key}}); err != nil {
				return err
			}
		}
	case "leader", "vacant", "expired", "unknown", "gone":
		return f.changed(e)
	}
	return nil
}

// tell prints what is wrong with a stream of all elections.
func (f *followCall) tell(e event) {
	state := ""
	switch {
	case e.Error != "":
		state = "it is not known which elections there are: " + e.Error
	case e.More:
		state = "there are more elections than are followed: name fewer by --prefix"
	}
	if state != f.state && state != "" {
		f.live.clear()
		fmt.Fprintln(f.stderr, "leadership: "+state)
	}
	f.state = state
}

// changed prints a change, if it is one of who leads, or of a pause.
func (f *followCall) changed(e event) error {
	c := change{Time: time.Now(), Type: e.Type, Key: e.Key, Term: e.Term, Asked: e.Asked}
	before, known := f.last[e.Key]
	switch e.Type {
	case "expired":
		c.Term = view.Term{Last: &view.Ending{Leader: e.Leader, Token: e.Token, Reason: expired}}
	case "unknown":
		c.Term, c.Asked = view.Term{}, nil
	case "gone":
		delete(f.last, e.Key)
		c.Term, c.Asked = view.Term{}, nil
	}
	if known && c.same(before) || !known && e.Type == "gone" {
		return nil
	}
	if e.Type != "gone" {
		f.last[e.Key] = c
	}
	if f.json {
		return f.printJSON(c)
	}
	f.live.clear()
	if _, err := fmt.Fprintf(f.stdout, "%s  %s: %s\n", c.Time.Format(time.RFC3339), printable(c.Key), c.says(before)); err != nil {
		return err
	}
	f.live.show(f.now())
	return nil
}

// same reports whether two changes say the same.
func (c change) same(other change) bool {
	ended := func(c change) uint64 {
		if c.Last == nil {
			return 0
		}
		return c.Last.Token
	}
	return c.Type == other.Type && c.Leader == other.Leader && c.Token == other.Token && ended(c) == ended(other) && c.paused() == other.paused()
}

func (c change) paused() bool { return c.Asked != nil && c.Asked.Action == leadership.Pause }

// says is a change as people read it.
func (c change) says(before change) string {
	var says string
	switch c.Type {
	case "leader":
		says = fmt.Sprintf("%s leads, token %d", printable(c.Leader), c.Token)
	case "vacant":
		says = "nobody leads"
	case "expired":
		return fmt.Sprintf("nobody leads: %s, token %d, has not renewed its term", printable(c.Last.Leader), c.Last.Token)
	case "unknown":
		says = "it is not known who leads: the store does not answer"
		if before.Leader != "" {
			says += "; the last leader: " + printable(before.Leader)
		}
	case "gone":
		says = "the record is deleted"
	}
	if c.paused() {
		says += "; paused"
		if c.Asked.By != "" {
			says += " by " + printable(c.Asked.By)
		}
	}
	if c.Last != nil {
		says += fmt.Sprintf("; the last term: %s, %s", printable(c.Last.Leader), printable(c.Last.Reason))
	}
	return says
}

// now is the last line of a terminal.
func (f *followCall) now() string {
	if f.key != "" {
		if c := f.last[f.key]; c.Leader != "" {
			return fmt.Sprintf("%s: %s leads for %s", printable(c.Key), printable(c.Leader), lasting(time.Since(c.Since)))
		}
		return ""
	}
	vacant := 0
	for _, c := range f.last {
		if c.Leader == "" {
			vacant++
		}
	}
	return fmt.Sprintf("elections: %d, without a leader: %d", len(f.last), vacant)
}

func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
