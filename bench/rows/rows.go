// Package rows measures this project's library and its peers, side by side on the same servers.
package rows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-a1d591d3/leadership/bench/proc"
	"github.com/seed-a1d591d3/leadership/bench/stat"
)

// Kind is what is measured in rows of one table.
type Kind struct {
	Name, Title, About string
	Columns            []Column

	// rows are those of the kind; quick means that they are few and small.
	rows func(quick bool) []*Row

	// turns is how often each side of a row is measured.
	turns func(n int) int

	// light means that rows of that size leave so much of the machine idle that those of
	// several stores run at once.
	light func(n int) bool

	// measure measures one side in one turn.
	measure func(ctx context.Context, s *sitting, side string) (map[string][]float64, error)
}

// Column is one figure of a table.
type Column struct {
	Key, Head string

	// More means that more is better. Plain means that the figure is not to be compared.
	More, Plain bool

	// P99 means that the 99th percentile is told, too.
	P99 bool

	// Digits is how many are told behind the point.
	Digits int
}

// Row is what is measured side by side.
type Row struct {
	Kind  *Kind
	Store string // or another name
	N     int    // candidates, elections or followers; 0 for none
	Sides []string

	// Skipped are the sides that are not measured, and why.
	Skipped map[string]string
}

// Name returns the name of the row, such as handover/etcd/100.
func (r *Row) Name() string {
	name := r.Kind.Name
	if r.Store != "" {
		name += "/" + r.Store
	}
	if r.N > 0 {
		name += "/" + strconv.Itoa(r.N)
	}
	return name
}

// Side is what was measured of one side of a row.
type Side struct {
	Name    string                 `json:"name"`
	Note    string                 `json:"note,omitempty"` // why it is not measured, or failed
	Figures map[string]stat.Figure `json:"figures,omitempty"`
}

// Outcome is what was measured of a row.
type Outcome struct {
	Row    string  `json:"row"`
	Commit string  `json:"commit,omitempty"` // of this project
	Date   string  `json:"date,omitempty"`
	Load   float64 `json:"load"` // of the machine, over the minute before
	Turns  int     `json:"turns"`
	Sides  []Side  `json:"sides"`
}

// Bench is how rows are measured.
type Bench struct {
	// Child is the command of a process that calls work.Do with its last argument.
	Child []string

	// Leadership is the program of cmd/leadership, for rows of HTTP.
	Leadership string

	Quick    bool
	Turns    int // if not 0, how often each side is measured
	Clients  int // that the candidates of one key share at most; 0 means 10
	Parallel int // light rows at once
	Log      io.Writer
}

// finding is what was found of a side that can not be told by figures alone.
type finding string

func (f finding) Error() string { return string(f) }

// Kinds are all there are.
var Kinds = []*Kind{handoverKind, failoverKind, idleKind, crashKind, followKind, roundsKind, httpKind, askKind, sizeKind}

// All returns all rows.
func All(quick bool) (all []*Row) {
	for _, k := range Kinds {
		for _, r := range k.rows(quick) {
			r.Kind = k
			all = append(all, r)
		}
	}
	return all
}

// Select returns those rows whose name is in a list, or begins with a name in it, or matches a
// pattern in it such as */redis/*; an empty list means all.
func Select(all []*Row, list string) ([]*Row, error) {
	if list == "" {
		return all, nil
	}
	chosen := make(map[*Row]bool)
	for _, want := range strings.Split(list, ",") {
		found := false
		for _, r := range all {
			matches, err := path.Match(want, r.Name())
			if err != nil {
				return nil, fmt.Errorf("the pattern %q of rows: %w", want, err)
			}
			if matches || strings.HasPrefix(r.Name()+"/", want+"/") {
				chosen[r], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row is called %q: --list prints all", want)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r *Row) bool { return !chosen[r] }), nil
}

// Measure measures rows, and calls done with each outcome. It returns the errors of rows that
// could not be measured at all; a side that fails is told in its note.
func (b *Bench) Measure(ctx context.Context, all []*Row, done func(Outcome)) error {
	var (
		mu   sync.Mutex
		errs []error
	)
	measure := func(r *Row) {
		o, err := b.row(ctx, r)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Name(), err))
			return
		}
		done(o)
	}
	for len(all) > 0 && ctx.Err() == nil {
		if !all[0].Kind.light(all[0].N) {
			measure(all[0])
			all = all[1:]
			continue
		}
		n := 1
		for n < len(all) && all[n].Kind == all[0].Kind && all[n].Kind.light(all[n].N) {
			n++
		}
		var running sync.WaitGroup
		limit := make(chan struct{}, max(1, b.Parallel))
		for _, r := range all[:n] {
			limit <- struct{}{}
			running.Go(func() {
				measure(r)
				<-limit
			})
		}
		running.Wait()
		all = all[n:]
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// sitting is the measurement of one row.
type sitting struct {
	*Bench
	*Row

	servers     map[string]*server
	turn, turns int
}

// key returns a name that no other turn or side has.
func (s *sitting) key() string { return fmt.Sprintf("bench%d", rand.Uint32()) }

// server returns the server of a store, which runs as long as the sitting.
func (s *sitting) server(ctx context.Context, store string) (*server, error) {
	if has, ok := s.servers[store]; ok {
		return has, nil
	}
	started, err := serve(ctx, store)
	if err == nil {
		s.servers[store] = started
	}
	return started, err
}

func (b *Bench) row(ctx context.Context, r *Row) (o Outcome, err error) {
	s := &sitting{Bench: b, Row: r, servers: make(map[string]*server)}
	defer func() {
		for _, server := range s.servers {
			err = errors.Join(err, server.end())
		}
	}()
	o = Outcome{Row: r.Name(), Turns: cmp.Or(b.Turns, r.Kind.turns(r.N))}
	if b.Quick {
		o.Turns = 1
	}
	if o.Load, err = proc.Load(); err != nil {
		return o, err
	}
	samples, notes := make(map[string]map[string][]float64), maps.Clone(r.Skipped)
	if notes == nil {
		notes = make(map[string]string)
	}
	s.turns = o.Turns
	for s.turn = range s.turns {
		sides := slices.Clone(r.Sides)
		if s.turn%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			if notes[side] != "" {
				continue
			}
			began := time.Now()
			// What hangs is told, and the others go on.
			turn, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("it did not end within 3 minutes"))
			got, err := r.Kind.measure(turn, s, side)
			cancel()
			if ctx.Err() != nil {
				return o, context.Cause(ctx)
			}
			fmt.Fprintf(b.Log, "%s %s, turn %d: %.1f s\n", r.Name(), side, s.turn+1, time.Since(began).Seconds())
			var found finding
			switch {
			case errors.As(err, &found):
				notes[side] = found.Error()
			case err != nil:
				notes[side] = "failed: " + strings.ReplaceAll(err.Error(), "\n", "; ")
			}
			if err != nil {
				fmt.Fprintf(b.Log, "%s %s %s\n", r.Name(), side, notes[side])
			}
			if samples[side] == nil {
				samples[side] = make(map[string][]float64)
			}
			for name, values := range got {
				samples[side][name] = append(samples[side][name], values...)
			}
		}
	}
	for _, side := range r.Sides {
		figures := make(map[string]stat.Figure)
		for name, values := range samples[side] {
			figures[name] = stat.Of(values)
		}
		o.Sides = append(o.Sides, Side{side, notes[side], figures})
	}
	return o, nil
}
